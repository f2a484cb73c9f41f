/* numbers.c: strict parsing of numbers (numbers.h). */
#include "numbers.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

bool number_parse_u64(const char *text, uint64_t low, uint64_t high, uint64_t *out, char *err, size_t err_bytes)
{
	char *end;

	/* strtoull() takes blanks and signs, and wraps "-1" around: only a digit may come first. */
	if (!isdigit((unsigned char)text[0])) {
		snprintf(err, err_bytes, "\"%s\" is not a whole number", text);
		return false;
	}
	errno = 0;
	unsigned long long n = strtoull(text, &end, 10);
	if (*end != '\0') {
		snprintf(err, err_bytes, "\"%s\" is not a whole number", text);
		return false;
	}
	if (errno == ERANGE || n < low || n > high) {
		snprintf(err, err_bytes, "%s is out of range: it must be %" PRIu64 " to %" PRIu64, text, low, high);
		return false;
	}
	*out = n;
	return true;
}

bool number_parse_u32(const char *text, uint32_t low, uint32_t high, uint32_t *out, char *err, size_t err_bytes)
{
	uint64_t n;

	if (!number_parse_u64(text, low, high, &n, err, err_bytes))
		return false;
	*out = (uint32_t)n;
	return true;
}

bool number_parse_double(const char *text, double low, double high, double *out, char *err, size_t err_bytes)
{
	/* Negative ones are numbers too: of those the range tells. strtod() would take blanks, "inf" and "nan". */
	const char *first = text + (text[0] == '-');
	char *end;

	if (!isdigit((unsigned char)first[0]) && first[0] != '.') {
		snprintf(err, err_bytes, "\"%s\" is not a number", text);
		return false;
	}
	double n = strtod(text, &end);
	if (*end != '\0' || end == text) {
		snprintf(err, err_bytes, "\"%s\" is not a number", text);
		return false;
	}
	if (!isfinite(n) || n < low || n > high) {
		snprintf(err, err_bytes, "%s is out of range: it must be %.12g to %.12g", text, low, high);
		return false;
	}
	*out = n;
	return true;
}
