/* atomics.c: the engine's accesses to private memory, by way of what a compiler tells ThreadSanitizer.
 *
 * For the simulator src/ is compiled with -fsanitize=thread and linked with this file in place of the sanitizer: each atomic
 * operation becomes a call of a function below, which does it, and before it is a fine point of the scheduler's. So the
 * seqlocks, spin locks and optimistic trees of one host's threads meet each other too. What is not atomic is told as well,
 * and needs no point: whoever races there has an atomic look before or after.
 *
 * In such builds the engine copies what may be changing meanwhile byte by byte, each an atomic (racy_copy_out() in
 * src/cxl/port.h): so a copy can be torn at every byte.
 *
 * The names and arguments are the sanitizer's interface, of which the compilers make calls; memory orders are taken for the
 * strongest.
 */
#include <stdbool.h>
#include <stdint.h>

#include "world.h"

/* Never called by name: the compiler does. */
#define PLAIN(name)                                                                                                    \
	void name(void *address);                                                                                      \
	void name(void *address)                                                                                       \
	{                                                                                                              \
		(void)address;                                                                                         \
	}
#define PLAIN_RANGE(name)                                                                                              \
	void name(void *address, unsigned long bytes);                                                                 \
	void name(void *address, unsigned long bytes)                                                                  \
	{                                                                                                              \
		(void)address, (void)bytes;                                                                            \
	}
#define NOTHING(name)                                                                                                  \
	void name(void);                                                                                               \
	void name(void)                                                                                                \
	{                                                                                                              \
	}

NOTHING(__tsan_init)
NOTHING(__tsan_func_exit)
PLAIN(__tsan_func_entry)
PLAIN(__tsan_read1)
PLAIN(__tsan_read2)
PLAIN(__tsan_read4)
PLAIN(__tsan_read8)
PLAIN(__tsan_read16)
PLAIN(__tsan_write1)
PLAIN(__tsan_write2)
PLAIN(__tsan_write4)
PLAIN(__tsan_write8)
PLAIN(__tsan_write16)
PLAIN(__tsan_unaligned_read2)
PLAIN(__tsan_unaligned_read4)
PLAIN(__tsan_unaligned_read8)
PLAIN(__tsan_unaligned_read16)
PLAIN(__tsan_unaligned_write2)
PLAIN(__tsan_unaligned_write4)
PLAIN(__tsan_unaligned_write8)
PLAIN(__tsan_unaligned_write16)
PLAIN_RANGE(__tsan_read_range)
PLAIN_RANGE(__tsan_write_range)

#define READ_MODIFY_WRITE(bits, operation)                                                                             \
	uint##bits##_t __tsan_atomic##bits##_##operation(                                                              \
	        volatile uint##bits##_t *at, uint##bits##_t value, int order);                                         \
	uint##bits##_t __tsan_atomic##bits##_##operation(volatile uint##bits##_t *at, uint##bits##_t value, int order) \
	{                                                                                                              \
		(void)order;                                                                                           \
		world_fine_point();                                                                                    \
		return __atomic_##operation(at, value, __ATOMIC_SEQ_CST);                                              \
	}

#define EXCHANGE(bits)                                                                                                 \
	uint##bits##_t __tsan_atomic##bits##_exchange(volatile uint##bits##_t *at, uint##bits##_t value, int order);   \
	uint##bits##_t __tsan_atomic##bits##_exchange(volatile uint##bits##_t *at, uint##bits##_t value, int order)    \
	{                                                                                                              \
		(void)order;                                                                                           \
		world_fine_point();                                                                                    \
		return __atomic_exchange_n(at, value, __ATOMIC_SEQ_CST);                                               \
	}

#define LOAD_AND_STORE(bits)                                                                                           \
	uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *at, int order);                       \
	uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *at, int order)                        \
	{                                                                                                              \
		(void)order;                                                                                           \
		world_fine_point();                                                                                    \
		return __atomic_load_n(at, __ATOMIC_SEQ_CST);                                                          \
	}                                                                                                              \
	void __tsan_atomic##bits##_store(volatile uint##bits##_t *at, uint##bits##_t value, int order);                \
	void __tsan_atomic##bits##_store(volatile uint##bits##_t *at, uint##bits##_t value, int order)                 \
	{                                                                                                              \
		(void)order;                                                                                           \
		world_fine_point();                                                                                    \
		__atomic_store_n(at, value, __ATOMIC_SEQ_CST);                                                         \
	}

/* A weak one fails for no reason now and then elsewhere; here never. */
#define COMPARE_EXCHANGE(bits, strength)                                                                               \
	int __tsan_atomic##bits##_compare_exchange_##strength(                                                         \
	        volatile uint##bits##_t *at, uint##bits##_t *seen, uint##bits##_t to, int order, int failure);         \
	int __tsan_atomic##bits##_compare_exchange_##strength(                                                         \
	        volatile uint##bits##_t *at, uint##bits##_t *seen, uint##bits##_t to, int order, int failure)          \
	{                                                                                                              \
		(void)order, (void)failure;                                                                            \
		world_fine_point();                                                                                    \
		return __atomic_compare_exchange_n(at, seen, to, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);           \
	}                                                                                                              \
	_Static_assert(sizeof(uint##bits##_t) * 8 == (bits), "of that size")

#define ALL_OF(bits)                                                                                                   \
	LOAD_AND_STORE(bits)                                                                                           \
	EXCHANGE(bits)                                                                                                 \
	READ_MODIFY_WRITE(bits, fetch_add)                                                                             \
	READ_MODIFY_WRITE(bits, fetch_sub)                                                                             \
	READ_MODIFY_WRITE(bits, fetch_and)                                                                             \
	READ_MODIFY_WRITE(bits, fetch_or)                                                                              \
	READ_MODIFY_WRITE(bits, fetch_xor)                                                                             \
	COMPARE_EXCHANGE(bits, strong);                                                                                \
	COMPARE_EXCHANGE(bits, weak)

ALL_OF(8);
ALL_OF(16);
ALL_OF(32);
ALL_OF(64);

/* clang asks for the value that was seen. */
#define COMPARE_EXCHANGE_VALUE(bits)                                                                                   \
	uint##bits##_t __tsan_atomic##bits##_compare_exchange_val(                                                     \
	        volatile uint##bits##_t *at, uint##bits##_t seen, uint##bits##_t to, int order, int failure);          \
	uint##bits##_t __tsan_atomic##bits##_compare_exchange_val(                                                     \
	        volatile uint##bits##_t *at, uint##bits##_t seen, uint##bits##_t to, int order, int failure)           \
	{                                                                                                              \
		(void)__tsan_atomic##bits##_compare_exchange_strong(at, &seen, to, order, failure);                    \
		return seen;                                                                                           \
	}

COMPARE_EXCHANGE_VALUE(8)
COMPARE_EXCHANGE_VALUE(16)
COMPARE_EXCHANGE_VALUE(32)
COMPARE_EXCHANGE_VALUE(64)

void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_thread_fence(int order)
{
	(void)order;
	world_fine_point();
}

void __tsan_atomic_signal_fence(int order);
void __tsan_atomic_signal_fence(int order)
{
	(void)order;
}
