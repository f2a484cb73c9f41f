/* pod_check.h: `liger pod check`, of pod.c's commands. */
#ifndef LIGER_TOOLS_POD_CHECK_H
#define LIGER_TOOLS_POD_CHECK_H

/* Exit codes: 0, nothing found; 1, something, or the check failed; 2, usage. */
int pod_check(int argc, char **argv);

#endif
