/* model.c: which model it is, from its name to every access. */
#include "emulation/private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_SEED = 1 };

/* ---- The mode's name ---- */

/* All of the text is a number, decimal or 0x. */
static bool parse_seed(const char *text, uint64_t *seed)
{
	char *end;
	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	/* No octal: a leading zero means nothing to who types a seed. */
	bool hexadecimal = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	unsigned long long value = strtoull(text, &end, hexadecimal ? 16 : 10);
	*seed = value;
	return errno == 0 && *end == '\0';
}

/* Copies what follows "delay:". */
static bool parse_profile(const char *text, struct emu_spec *spec, char message[EMU_MESSAGE_BYTES])
{
	if (text[0] == '\0' || strlen(text) >= sizeof spec->profile) {
		snprintf(message, EMU_MESSAGE_BYTES,
		        "\"delay:\" is followed by a profile's name or the path of its file, of 1 to %zu bytes",
		        sizeof spec->profile - 1);
		return false;
	}
	memcpy(spec->profile, text, strlen(text) + 1);
	return true;
}

bool emu_spec_parse(const char *text, struct emu_spec *spec, char message[EMU_MESSAGE_BYTES])
{
	*spec = (struct emu_spec){.mode = EMU_DIRECT};
	if (!text || text[0] == '\0' || strcmp(text, "direct") == 0)
		return true;
	if (strncmp(text, "delay:", 6) == 0) {
		spec->mode = EMU_DELAY;
		return parse_profile(text + 6, spec, message);
	}
	if (strcmp(text, "incoherent") == 0) {
		*spec = (struct emu_spec){.mode = EMU_INCOHERENT, .seed = DEFAULT_SEED};
		return true;
	}
	if (strncmp(text, "incoherent:", 11) == 0) {
		spec->mode = EMU_INCOHERENT;
		if (parse_seed(text + 11, &spec->seed))
			return true;
		snprintf(message, EMU_MESSAGE_BYTES, "the seed of \"%.60s\" is not a number of 64 bits", text);
		return false;
	}
	snprintf(message, EMU_MESSAGE_BYTES,
	        "\"%.60s\" is no emulation mode: direct, delay:PROFILE, incoherent or incoherent:SEED", text);
	return false;
}

/* ---- Opening and closing ---- */

/* FNV-1a. Of the figures and the name, not of what is said about them. */
static uint64_t profile_identity(const struct emu_profile *profile)
{
	struct emu_profile figures = *profile;
	memset(figures.description, 0, sizeof figures.description);
	const uint8_t *bytes = (const uint8_t *)&figures;
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < sizeof figures; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static enum emu_failure name_pod(struct emu_pod *pod, char message[EMU_MESSAGE_BYTES])
{
	if (pod->config.spec.mode == EMU_DIRECT) {
		snprintf(message, EMU_MESSAGE_BYTES, "direct access needs no emulation");
		return EMU_INVALID;
	}
	if (pod->config.spec.mode == EMU_INCOHERENT) {
		snprintf(pod->name, sizeof pod->name, "incoherent:%" PRIu64, pod->config.spec.seed);
		pod->identity = EMU_INCOHERENT;
		return EMU_NONE;
	}
	/* All bytes, for profile_identity(): also those between the members. */
	memset(&pod->profile, 0, sizeof pod->profile);
	if (!emu_profile_load(pod->config.spec.profile, &pod->profile, message))
		return EMU_INVALID;
	snprintf(pod->name, sizeof pod->name, "delay:%s", pod->profile.name);
	/* Never 0 (direct) nor 2 (incoherent). */
	pod->identity = profile_identity(&pod->profile) | 1;
	return EMU_NONE;
}

static enum emu_failure open_model(struct emu_pod *pod, char message[EMU_MESSAGE_BYTES])
{
	return pod->config.spec.mode == EMU_DELAY ? delay_open(pod, message) : incoherent_open(pod, message);
}

struct emu_pod *emu_pod_open(
        const struct emu_config *config, enum emu_failure *failure, char message[EMU_MESSAGE_BYTES])
{
	assert(config->raw && config->bytes % EMU_LINE_BYTES == 0 && config->coherent_bytes % EMU_LINE_BYTES == 0);
	assert(config->coherent_bytes <= config->bytes);
	assert(config->host_count <= EMU_MAX_HOSTS &&
	        (config->host < config->host_count || config->host == EMU_OBSERVER));
	struct emu_pod *pod = calloc(1, sizeof *pod);
	if (!pod) {
		snprintf(message, EMU_MESSAGE_BYTES, "no memory for the emulation");
		*failure = EMU_SYSTEM;
		return NULL;
	}
	pod->config = *config;
	*failure = name_pod(pod, message);
	if (*failure == EMU_NONE)
		*failure = emu_shared_join(pod, message);
	if (*failure == EMU_NONE)
		*failure = open_model(pod, message);
	if (*failure == EMU_NONE)
		return pod;
	if (pod->shared)
		emu_shared_leave(pod);
	free(pod);
	return NULL;
}

void emu_pod_close(struct emu_pod *pod)
{
	if (pod->config.spec.mode == EMU_DELAY)
		delay_close(pod);
	else
		incoherent_close(pod);
	emu_shared_leave(pod);
	free(pod);
}

void emu_pod_close_lossy(struct emu_pod *pod)
{
	/* Delays lose nothing: what was written is in real memory. */
	if (pod->config.spec.mode == EMU_INCOHERENT)
		incoherent_lose_cache(pod);
	emu_pod_close(pod);
}

void emu_pod_forget(uint64_t cookie)
{
	emu_shared_remove(cookie);
}

void emu_host_died(struct emu_pod *pod, unsigned dead)
{
	assert(dead < EMU_MAX_HOSTS);
	/* Delays lose nothing: the words are in real memory. */
	if (pod->config.spec.mode == EMU_INCOHERENT)
		incoherent_host_died(pod, dead);
}

uint64_t emu_pod_identity(const struct emu_pod *pod)
{
	return pod ? pod->identity : 0;
}

const char *emu_pod_name(const struct emu_pod *pod)
{
	return pod ? pod->name : "direct";
}

void emu_thread_init(struct emu_thread *thread, struct emu_pod *pod)
{
	*thread = (struct emu_thread){.pod = pod, .random = 1, .last_line = UINT64_MAX - 1};
	if (!pod)
		return;
	/* Relaxed: only that no two get the same. splitmix64 makes of numbers that follow each other some that do
	 * not. */
	uint64_t number = atomic_fetch_add_explicit(&pod->threads, 1, memory_order_relaxed);
	uint64_t z =
	        pod->config.spec.seed + (number * EMU_MAX_HOSTS + pod->config.host + 1) * UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	z ^= z >> 31;
	thread->random = z ? z : 1;
}

/* ---- Every access ---- */

static bool delays(const struct emu_thread *thread)
{
	return thread->pod->config.spec.mode == EMU_DELAY;
}

uint64_t emu_word_load(struct emu_thread *thread, uint64_t offset)
{
	return delays(thread) ? delay_word_load(thread, offset) : incoherent_word_load(thread, offset);
}

void emu_word_store(struct emu_thread *thread, uint64_t offset, uint64_t value)
{
	if (delays(thread))
		delay_word_store(thread, offset, value);
	else
		incoherent_word_store(thread, offset, value);
}

bool emu_word_swap(struct emu_thread *thread, uint64_t offset, uint64_t *seen, uint64_t to)
{
	return delays(thread) ? delay_word_swap(thread, offset, seen, to)
	                      : incoherent_word_swap(thread, offset, seen, to);
}

uint64_t emu_word_rmw(struct emu_thread *thread, uint64_t offset, enum emu_rmw operation, uint64_t operand)
{
	return delays(thread) ? delay_word_rmw(thread, offset, operation, operand)
	                      : incoherent_word_rmw(thread, offset, operation, operand);
}

uint64_t emu_load64(struct emu_thread *thread, uint64_t offset)
{
	return delays(thread) ? delay_load64(thread, offset) : incoherent_load64(thread, offset);
}

void emu_store64(struct emu_thread *thread, uint64_t offset, uint64_t value)
{
	if (delays(thread))
		delay_store64(thread, offset, value);
	else
		incoherent_store64(thread, offset, value);
}

void emu_line_out(struct emu_thread *thread, uint64_t line, void *dst, size_t bytes)
{
	if (delays(thread))
		delay_line_out(thread, line, dst, bytes);
	else
		incoherent_line_out(thread, line, dst, bytes);
}

void emu_line_in(struct emu_thread *thread, uint64_t line, const void *src, size_t bytes)
{
	if (delays(thread))
		delay_line_in(thread, line, src, bytes);
	else
		incoherent_line_in(thread, line, src, bytes);
}

uint64_t emu_line_read(struct emu_thread *thread, uint64_t line, void *payload, size_t bytes)
{
	assert(bytes == EMU_LINE_BYTES - sizeof(uint64_t));
	if (delays(thread))
		return delay_line_read(thread, line, payload, bytes);
	uint64_t tag = incoherent_load64(thread, line + bytes);
	incoherent_line_out(thread, line, payload, bytes);
	return tag;
}

void emu_line_write(struct emu_thread *thread, uint64_t line, const void *payload, size_t bytes, uint64_t tag)
{
	assert(bytes == EMU_LINE_BYTES - sizeof(uint64_t));
	if (delays(thread)) {
		delay_line_write(thread, line, payload, bytes, tag);
		return;
	}
	incoherent_line_in(thread, line, payload, bytes);
	incoherent_store64(thread, line + bytes, tag);
}

void emu_stream_out(struct emu_thread *thread, uint64_t line, void *dst, size_t bytes)
{
	if (delays(thread))
		delay_stream_out(thread, line, dst, bytes);
	else
		incoherent_stream_out(thread, line, dst, bytes);
}

void emu_stream_in(struct emu_thread *thread, uint64_t line, const void *src, size_t bytes)
{
	if (delays(thread))
		delay_stream_in(thread, line, src, bytes);
	else
		incoherent_stream_in(thread, line, src, bytes);
}

void emu_write_back(struct emu_thread *thread, uint64_t offset)
{
	if (delays(thread))
		delay_write_back(thread, offset);
	else
		incoherent_write_back(thread, offset);
}

void emu_flush(struct emu_thread *thread, uint64_t offset)
{
	if (delays(thread))
		delay_flush(thread, offset);
	else
		incoherent_flush(thread, offset);
}

void emu_fence(struct emu_thread *thread)
{
	if (delays(thread))
		delay_fence(thread);
	else
		incoherent_fence(thread);
}

void emu_full_fence(struct emu_thread *thread)
{
	if (delays(thread))
		delay_full_fence(thread);
	else
		incoherent_full_fence(thread);
}
