/* emulation.c: from the mode's name to a model, and a mapping that only the model can read. */
#include "cxl/emulation.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "emulation/profile.h"

/* In the incoherent mode who goes past the port must fall, so the port's base is reserved addresses and nothing
 * else. */
static int hide(struct pod_emulation *emulation, struct region *region, struct lg_error *err)
{
	uint8_t *reserved = mmap(NULL, region->bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (reserved == MAP_FAILED)
		return error_set(err, LG_SYSTEM, "cannot emulate on %s: mmap of %zu bytes of address space: %m",
		        region->uri, (size_t)region->bytes);
	emulation->raw = region->base;
	region->base = reserved;
	return LG_OK;
}

static int failure_code(enum emu_failure failure)
{
	switch (failure) {
	case EMU_NONE: return LG_OK;
	case EMU_INVALID: return LG_INVALID;
	case EMU_OTHER_MODE: return LG_MISMATCH;
	case EMU_SYSTEM: return LG_SYSTEM;
	}
	return LG_SYSTEM;
}

const char *emulation_mode(const char *asked)
{
	const char *environment = getenv("LIGER_EMULATE");
	return asked || !environment || !*environment ? asked : environment;
}

static int parse(const char *uri, const char *mode, struct emu_spec *spec, struct lg_error *err)
{
	char message[EMU_MESSAGE_BYTES];
	if (!emu_spec_parse(mode, spec, message))
		return error_set(err, LG_INVALID, "cannot emulate on %s: %s", uri, message);
	if (spec->mode == EMU_DIRECT)
		return LG_OK;
	if (!LG_EMULATION)
		return error_set(err, LG_INVALID,
		        "cannot emulate on %s: this is a build without emulation; build with EMULATION=1", uri);
	if (strncmp(uri, "dax:", 4) == 0)
		return error_set(err, LG_INVALID,
		        "cannot emulate on %s: its hosts may run on several machines, but what they share of an "
		        "emulation lies in the memory of one; use shm: or file:",
		        uri);
	return LG_OK;
}

int emulation_check(const char *uri, const char *mode, struct lg_error *err)
{
	char message[EMU_MESSAGE_BYTES];
	struct emu_profile profile;
	struct emu_spec spec;
	int code = parse(uri, mode, &spec, err);
	if (code || spec.mode != EMU_DELAY || emu_profile_load(spec.profile, &profile, message))
		return code;
	return error_set(err, LG_INVALID, "cannot emulate on %s: %s", uri, message);
}

int emulation_begin(
        struct pod_emulation *emulation, struct region *region, const char *mode, unsigned host, struct lg_error *err)
{
	char message[EMU_MESSAGE_BYTES];
	enum emu_failure failure;
	struct emu_config config = {.raw = region->base,
	        .bytes = region->bytes,
	        .coherent_bytes = region->geometry.hwcc_bytes,
	        .cookie = region->geometry.cookie,
	        .host = host,
	        .host_count = region->geometry.host_count};
	*emulation = (struct pod_emulation){0};
	int code = parse(region->uri, mode, &config.spec, err);
	if (code || config.spec.mode == EMU_DIRECT)
		return code;
	emulation->pod = emu_pod_open(&config, &failure, message);
	if (!emulation->pod)
		return error_set(err, failure_code(failure), "cannot emulate on %s: %s", region->uri, message);
	code = config.spec.mode == EMU_INCOHERENT ? hide(emulation, region, err) : LG_OK;
	if (code)
		emulation_end(emulation, region);
	return code;
}

static void end(struct pod_emulation *emulation, struct region *region, void (*leave)(struct emu_pod *pod))
{
	if (emulation->pod)
		leave(emulation->pod);
	if (emulation->raw) {
		int failed = munmap(region->base, region->bytes);
		assert(!failed);
		region->base = emulation->raw;
	}
	*emulation = (struct pod_emulation){0};
}

void emulation_end(struct pod_emulation *emulation, struct region *region)
{
	end(emulation, region, emu_pod_close);
}

void emulation_end_lossy(struct pod_emulation *emulation, struct region *region)
{
	end(emulation, region, emu_pod_close_lossy);
}
