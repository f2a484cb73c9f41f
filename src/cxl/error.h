/* error.h: messages for people, for every layer. */
#ifndef LIGER_CXL_ERROR_H
#define LIGER_CXL_ERROR_H

#include <liger.h>

/* Fills *err (when not NULL) and returns code. */
int error_set(struct lg_error *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
