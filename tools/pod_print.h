/* pod_print.h: a pod's state for people and for programs. */
#ifndef LIGER_TOOLS_POD_PRINT_H
#define LIGER_TOOLS_POD_PRINT_H

#include <liger.h>
#include <stdbool.h>
#include <stdio.h>

void pod_print_text(FILE *out, const char *uri, const struct lg_pod_info *info);

/* False when there was no memory, or `out` took not all of it. */
bool pod_print_json(FILE *out, const char *uri, const struct lg_pod_info *info);

#endif
