/* memory.h: the engine's accesses to pod memory (seam.h), each a point of the scheduler's. Names and meanings as in
 * src/emulation/model.h, to which they go. */
#ifndef LIGER_SIM_MEMORY_H
#define LIGER_SIM_MEMORY_H

#include "emulation/model.h"

struct emu_pod *sim_emu_pod_open(
        const struct emu_config *config, enum emu_failure *failure, char message[EMU_MESSAGE_BYTES]);
void sim_emu_pod_close(struct emu_pod *pod);
void sim_emu_pod_close_lossy(struct emu_pod *pod);
uint64_t sim_emu_word_load(struct emu_thread *thread, uint64_t offset);
void sim_emu_word_store(struct emu_thread *thread, uint64_t offset, uint64_t value);
bool sim_emu_word_swap(struct emu_thread *thread, uint64_t offset, uint64_t *seen, uint64_t to);
uint64_t sim_emu_word_rmw(struct emu_thread *thread, uint64_t offset, enum emu_rmw operation, uint64_t operand);
uint64_t sim_emu_load64(struct emu_thread *thread, uint64_t offset);
void sim_emu_store64(struct emu_thread *thread, uint64_t offset, uint64_t value);
void sim_emu_line_out(struct emu_thread *thread, uint64_t line, void *dst, size_t bytes);
void sim_emu_line_in(struct emu_thread *thread, uint64_t line, const void *src, size_t bytes);
uint64_t sim_emu_line_read(struct emu_thread *thread, uint64_t line, void *payload, size_t bytes);
void sim_emu_line_write(struct emu_thread *thread, uint64_t line, const void *payload, size_t bytes, uint64_t tag);
void sim_emu_stream_out(struct emu_thread *thread, uint64_t line, void *dst, size_t bytes);
void sim_emu_stream_in(struct emu_thread *thread, uint64_t line, const void *src, size_t bytes);
void sim_emu_write_back(struct emu_thread *thread, uint64_t offset);
void sim_emu_flush(struct emu_thread *thread, uint64_t offset);
void sim_emu_fence(struct emu_thread *thread);
void sim_emu_full_fence(struct emu_thread *thread);

#endif
