/* rules.h: what must hold after every change of a coherent word, whoever made it. */
#ifndef LIGER_SIM_RULES_H
#define LIGER_SIM_RULES_H

#include "run.h"

/* Who is told. NULL: nothing is looked at. `logged`: epochs may leap, over such as logs have completed. */
void rules_begin(struct sim_result *result, bool logged);
/* The region is gone; another one comes. */
void rules_lose_region(void);
/* What memory has there now. */
uint64_t rules_look(uint64_t offset);
/* Host `actor` has made `after` of `before` in the word at `offset`. */
void rules_check(unsigned actor, uint64_t offset, uint64_t before, uint64_t after);
uint64_t rules_checked(void);

#endif
