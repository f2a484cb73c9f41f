/* sim.h: the one symbol of the simulator that the `liger` command sees: everything else of it, and the engine that it was
 * built with, are hidden in one object (Makefile). */
#ifndef LIGER_SIM_SIM_H
#define LIGER_SIM_SIM_H

/* `liger sim ...`: argv[0] is the command's name. Returns the exit code. */
int sim_main(int argc, char **argv);

#endif
