/* fiber.h: stacks that are switched between, and nothing else: who runs when is world.c's business. */
#ifndef LIGER_SIM_FIBER_H
#define LIGER_SIM_FIBER_H

/* Saves the registers that a call must keep on this stack, its top in *from, and goes on where `to` was saved. */
void fiber_switch(void **from, void *to);

/* A stack to be run from `entry`, which must never return. Stacks are kept and used again: `number` names one. Returns what
 * fiber_switch() takes; ends the process when there is no memory. */
void *fiber_prepare(unsigned number, void (*entry)(void));

#endif
