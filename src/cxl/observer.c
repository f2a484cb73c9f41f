/* observer.c: see observer.h. */
#include "cxl/observer.h"

#include "cxl/pod.h"
#include "cxl/region_private.h"

/* Who named a mode sees the pod as its members do, or not at all; who named none looks at the memory as it is. */
static int check_members(const struct cxl_port *port, const char *uri, uint64_t emulation, struct lg_error *err)
{
	unsigned other;
	if (!member_of_other_emulation(port, LG_MAX_HOSTS, emulation, &other))
		return LG_OK;
	return error_set(err, LG_MISMATCH,
	        "cannot look at %s under that emulation: host %u runs under another one (--emulate, "
	        "lg_host_config.emulate); give its mode, or none",
	        uri, other);
}

int observer_open(struct observer *observer, const char *uri, const char *mode, struct lg_error *err)
{
	struct region *region = &observer->region;
	struct emu_spec spec;
	char message[EMU_MESSAGE_BYTES];
	int code = emulation_check(uri ? uri : "", mode, err);
	if (code)
		return code;
	/* The model puts a dead observer's words right: it needs to write. */
	bool direct = emu_spec_parse(mode, &spec, message) && spec.mode == EMU_DIRECT;
	code = direct ? region_attach_read_only(uri, region, err) : region_attach(uri, 0, region, err);
	if (code)
		return code;
	code = emulation_begin(&observer->emulation, region, mode, EMU_OBSERVER, err);
	if (code) {
		region_detach(region);
		return code;
	}
	struct cxl_port port;
	observer_port(observer, &port);
	code = mode ? check_members(&port, uri, emu_pod_identity(observer->emulation.pod), err) : LG_OK;
	if (code)
		observer_close(observer);
	return code;
}

void observer_port(struct observer *observer, struct cxl_port *port)
{
	port_init(port, observer->region.base, &observer->region.geometry);
	port_emulate(port, observer->emulation.pod);
}

void observer_close(struct observer *observer)
{
	emulation_end(&observer->emulation, &observer->region);
	region_detach(&observer->region);
}
