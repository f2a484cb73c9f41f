/* fuzz.h: what the fuzz targets share: taking an input apart, and a pod of a private name that inputs scribble over.
 *
 * Each fuzz_*.c is one LLVMFuzzerTestOneInput(): libFuzzer and AFL++ call it with bytes that they have found. A crash, a
 * sanitizer's report, a failed assert or a hang is a bug of the code that it calls. Whatever else that code returns is
 * its right, but where the target says so.
 */
#ifndef LIGER_TESTS_FUZZ_FUZZ_H
#define LIGER_TESTS_FUZZ_FUZZ_H

#include <liger.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* What is left of an input. */
struct fuzz_input {
	const uint8_t *data;
	size_t bytes;
};

/* The next number, little-endian; missing bytes are 0. */
uint64_t fuzz_number(struct fuzz_input *input, unsigned bytes);
/* The next bytes, as many as there are, at most `most`. */
struct lg_slice fuzz_bytes(struct fuzz_input *input, size_t most);

/* Ends the program with a sentence: the target's own claim is broken, or nothing can be tried here. */
_Noreturn void fuzz_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

struct fuzz_pod {
	char name[64], uri[80];
	uint8_t *map; /* the whole region, besides what the engine maps */
	size_t bytes;
	uint8_t *image; /* fuzz_pod_keep() */
};

/* A pod of a private name; removed when the program ends. */
void fuzz_pod_make(struct fuzz_pod *pod, const struct lg_pod_config *config);
/* 2 MiB of HWcc, 8 MiB of SWcc, 2 hosts, 8 partitions; with redo rings of 64 KiB. */
void fuzz_pod_config(struct lg_pod_config *config);

/* Remembers the region as it is now. */
void fuzz_pod_keep(struct fuzz_pod *pod);

/* Overwrites places of the region, as the input says: [offset, 4 bytes][count, 1 byte][bytes]..., each offset taken modulo the
 * region's size. Returns how many. */
unsigned fuzz_pod_scribble(struct fuzz_pod *pod, struct fuzz_input input);
/* Undoes that: the same input again puts back what fuzz_pod_keep() remembered. */
void fuzz_pod_restore(struct fuzz_pod *pod, struct fuzz_input input);

#endif
