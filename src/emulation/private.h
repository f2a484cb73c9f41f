/* private.h: what the files of the emulation share; nobody else includes it. */
#ifndef LIGER_EMULATION_PRIVATE_H
#define LIGER_EMULATION_PRIVATE_H

#include "emulation/model.h"
#include "emulation/profile.h"
#include "emulation/shared.h"

struct delay_host;      /* delay.c: the host's modelled cache and link */
struct incoherent_host; /* incoherent.c: the host's cache with its lines */

struct emu_pod {
	struct emu_config config;
	struct emu_profile profile; /* delay */
	struct emu_shared *shared;
	uint64_t shared_bytes;
	bool registered; /* shared->host_pid has us for our host; where somebody else lives under that id, it has not */
	bool after_dead; /* registered in the place of a process that had died without leaving */
	uint64_t identity;
	char name[300];
	struct delay_host *delay;
	struct incoherent_host *incoherent;
	_Atomic uint64_t threads; /* that were set up: each gets random numbers of its own */
};

static inline uint64_t emu_random(struct emu_thread *thread)
{
	/* xorshift64* (Vigna 2016) */
	thread->random ^= thread->random >> 12;
	thread->random ^= thread->random << 25;
	thread->random ^= thread->random >> 27;
	return thread->random * UINT64_C(0x2545F4914F6CDD1D);
}

/* ---- The two models: model.c calls one or the other. Names and meanings as in model.h. ---- */

enum emu_failure delay_open(struct emu_pod *pod, char message[EMU_MESSAGE_BYTES]);
void delay_close(struct emu_pod *pod);
uint64_t delay_word_load(struct emu_thread *thread, uint64_t offset);
void delay_word_store(struct emu_thread *thread, uint64_t offset, uint64_t value);
bool delay_word_swap(struct emu_thread *thread, uint64_t offset, uint64_t *seen, uint64_t to);
uint64_t delay_word_rmw(struct emu_thread *thread, uint64_t offset, enum emu_rmw operation, uint64_t operand);
uint64_t delay_load64(struct emu_thread *thread, uint64_t offset);
void delay_store64(struct emu_thread *thread, uint64_t offset, uint64_t value);
void delay_line_out(struct emu_thread *thread, uint64_t line, void *dst, size_t bytes);
void delay_line_in(struct emu_thread *thread, uint64_t line, const void *src, size_t bytes);
uint64_t delay_line_read(struct emu_thread *thread, uint64_t line, void *payload, size_t bytes);
void delay_line_write(struct emu_thread *thread, uint64_t line, const void *payload, size_t bytes, uint64_t tag);
void delay_stream_out(struct emu_thread *thread, uint64_t line, void *dst, size_t bytes);
void delay_stream_in(struct emu_thread *thread, uint64_t line, const void *src, size_t bytes);
void delay_write_back(struct emu_thread *thread, uint64_t offset);
void delay_flush(struct emu_thread *thread, uint64_t offset);
void delay_fence(struct emu_thread *thread);
void delay_full_fence(struct emu_thread *thread);

enum emu_failure incoherent_open(struct emu_pod *pod, char message[EMU_MESSAGE_BYTES]);
void incoherent_close(struct emu_pod *pod);
/* Writes back what this host's cache has dirty of SWcc, and keeps it: for who is going to look at memory itself. No thread of the host
 * is in an access. */
void incoherent_clean(struct emu_pod *pod);
void incoherent_lose_cache(struct emu_pod *pod);
void incoherent_host_died(struct emu_pod *pod, unsigned dead);
uint64_t incoherent_word_load(struct emu_thread *thread, uint64_t offset);
void incoherent_word_store(struct emu_thread *thread, uint64_t offset, uint64_t value);
bool incoherent_word_swap(struct emu_thread *thread, uint64_t offset, uint64_t *seen, uint64_t to);
uint64_t incoherent_word_rmw(struct emu_thread *thread, uint64_t offset, enum emu_rmw operation, uint64_t operand);
uint64_t incoherent_load64(struct emu_thread *thread, uint64_t offset);
void incoherent_store64(struct emu_thread *thread, uint64_t offset, uint64_t value);
void incoherent_line_out(struct emu_thread *thread, uint64_t line, void *dst, size_t bytes);
void incoherent_line_in(struct emu_thread *thread, uint64_t line, const void *src, size_t bytes);
void incoherent_stream_out(struct emu_thread *thread, uint64_t line, void *dst, size_t bytes);
void incoherent_stream_in(struct emu_thread *thread, uint64_t line, const void *src, size_t bytes);
void incoherent_write_back(struct emu_thread *thread, uint64_t offset);
void incoherent_flush(struct emu_thread *thread, uint64_t offset);
void incoherent_fence(struct emu_thread *thread);
void incoherent_full_fence(struct emu_thread *thread);

#endif
