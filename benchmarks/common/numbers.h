/* numbers.h: option values to numbers, strictly: the whole text must be one number within its range. */
#ifndef LIGER_BENCH_NUMBERS_H
#define LIGER_BENCH_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* On failure err holds what is wrong with the text ("\"x\" is not a whole number"), and *out is unchanged. */
bool number_parse_u64(const char *text, uint64_t low, uint64_t high, uint64_t *out, char *err, size_t err_bytes);
bool number_parse_u32(const char *text, uint32_t low, uint32_t high, uint32_t *out, char *err, size_t err_bytes);
bool number_parse_double(const char *text, double low, double high, double *out, char *err, size_t err_bytes);

#endif
