/* fuzz_attach.c: attaching to a region whose header, and what else lg_pod_info() looks at, is anything. The first byte
 * tells whether the header gets the checksum that fits; the rest is strokes (fuzz.h). */
#include "cxl/region.h"
#include "fuzz/fuzz.h"

#include <string.h>
#include <xxhash.h>

static struct fuzz_pod pod;

static void set_checksum(void)
{
	struct pod_header *header = (void *)pod.map;
	size_t from = offsetof(struct pod_header, format_version);
	header->checksum = XXH3_64bits(pod.map + from, offsetof(struct pod_header, checksum) - from);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct lg_pod_info info;
	struct fuzz_input input = {data, bytes};
	struct lg_error err;
	if (!pod.map) {
		struct lg_pod_config config;
		fuzz_pod_config(&config);
		fuzz_pod_make(&pod, &config);
		fuzz_pod_keep(&pod);
	}
	bool seal = fuzz_number(&input, 1) & 1;
	fuzz_pod_scribble(&pod, input);
	if (seal)
		set_checksum();
	int code = lg_pod_info(pod.uri, &info, &err);
	if (code != LG_OK && !err.message[0])
		fuzz_fail("lg_pod_info() returned %d without a message", code);
	struct region region;
	if (region_attach(pod.uri, 0, &region, &err) == LG_OK)
		region_detach(&region);
	fuzz_pod_restore(&pod, input);
	memcpy(pod.map, pod.image, sizeof(struct pod_header));
	return 0;
}
