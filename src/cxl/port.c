/* port.c: what this CPU can do to a cache line. */
#include "cxl/port.h"

#include <cpuid.h>

void port_init(struct cxl_port *port, uint8_t *base, const struct pod_geometry *geometry)
{
	unsigned eax, ebx, ecx, edx;
	memset(port, 0, sizeof *port);
	port->base = base;
	port->geometry = geometry;
	port->seals = geometry && geometry->redo_workers;
	port->flush_kind = PORT_CLFLUSH;
	port->write_back_kind = PORT_CLFLUSH;
	if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx))
		return;
	if (ebx & bit_CLFLUSHOPT) {
		port->flush_kind = PORT_CLFLUSHOPT;
		port->write_back_kind = PORT_CLFLUSHOPT;
	}
	/* clwb may leave the line in the cache: the writer's next read of it hits. */
	if (ebx & bit_CLWB)
		port->write_back_kind = PORT_CLWB;
}

void port_emulate(struct cxl_port *port, struct emu_pod *pod)
{
	if (pod)
		emu_thread_init(&port->emulation, pod);
}
