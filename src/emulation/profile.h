/* profile.h: what a device costs: the figures of the delay model, read from a JSON file or built in.
 *
 * A profile is an object: "name", "description", and a member for each figure below, {"value": NUMBER, "unit": "ns",
 * "source": "where it is from"}. Unknown members, missing ones, wrong units and numbers out of range are errors that
 * name the member. Built-in profiles are the files of src/emulation/profiles, compiled in.
 */
#ifndef LIGER_EMULATION_PROFILE_H
#define LIGER_EMULATION_PROFILE_H

#include "emulation/model.h"

struct emu_profile {
	char name[64];
	char description[200];
	/* latencies, ns */
	double read_ns;       /* load of a line that no cache has, idle */
	double write_back_ns; /* write-back of a dirty line until its fence is through, idle */
	double flush_ns;      /* flush of a clean line until its full fence is through */
	double coherence_ns;  /* load of a line that another host has newer than memory; or taking it to write */
	double atomic_ns;     /* locked instruction on a line that this host has for itself */
	double fence_ns;      /* full fence with nothing to wait for */
	/* 64-byte lines that one thread has under way at once: what makes a frame cost less than its lines one by
	 * one */
	double lines_in_flight;
	/* bandwidths, GB/s (10^9 bytes) */
	double host_read_gbps, host_write_gbps;     /* of a host's link */
	double device_read_gbps, device_write_gbps; /* of the device, all hosts together */
	/* of the host, for lines of pod memory, bytes */
	uint64_t cache_bytes;
	/* tails of read_ns: optional; 0: none. p50 is read_ns */
	double read_p99_ns, read_p999_ns;
};

/* Of reads with a tail: up to this quantile a read takes read_ns; above a half, so that the median stands on firm ground.
 * From there the quantiles that the profile names are joined by straight lines on a logarithmic scale, and nothing is
 * slower than the last. */
#define EMU_TAIL_FROM 0.6
/* The mean of that: what reads one after the other take each. Without a tail read_ns. */
double emu_profile_mean_read_ns(const struct emu_profile *profile);

/* `text`: a built-in profile's name, or a path (it has a '/' or ends in ".json").
 * False, and a sentence in message: no such profile, not readable, not JSON (line), a figure wrong (which, why). */
bool emu_profile_load(const char *text, struct emu_profile *profile, char message[EMU_MESSAGE_BYTES]);
/* The same from JSON text; `where` names it in messages. */
bool emu_profile_parse(const char *json, size_t bytes, const char *where, struct emu_profile *profile,
        char message[EMU_MESSAGE_BYTES]);
/* The n-th built-in profile's name, NULL after the last. */
const char *emu_profile_builtin(unsigned n);

#endif
