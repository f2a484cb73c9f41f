/* mutant.c: which mutant a build with -DLG_MUTANTS is (mutant.h); nothing in any other build. */
#include "cxl/mutant.h"

#ifdef LG_MUTANTS

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum lg_mutant lg_mutant_chosen = LG_MUTANT_COUNT;

static const char *const names[] = {
#define LG_MUTANT_NAME(name, text) #name,
        LG_MUTANT_LIST(LG_MUTANT_NAME)
#undef LG_MUTANT_NAME
};

__attribute__((constructor)) static void choose(void)
{
	const char *wanted = getenv("LIGER_MUTANT");
	if (!wanted || !*wanted)
		return;
	for (unsigned i = 0; i < LG_MUTANT_COUNT; i++) {
		if (strcmp(names[i], wanted) == 0) {
			lg_mutant_chosen = (enum lg_mutant)i;
			return;
		}
	}
	fprintf(stderr, "LIGER_MUTANT: there is no mutant %s; src/cxl/mutant.h lists them\n", wanted);
	exit(2);
}

#else
/* ISO C wants something to translate. */
_Static_assert(LG_MUTANT_COUNT > 0, "there are mutants");
#endif
