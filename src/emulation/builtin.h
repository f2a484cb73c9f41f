/* builtin.h: the profiles that are compiled in. */
#ifndef LIGER_EMULATION_BUILTIN_H
#define LIGER_EMULATION_BUILTIN_H

#include <stddef.h>

struct emu_builtin {
	const char *name;
	const char *json, *end;
};

/* NULL after the last. */
const struct emu_builtin *emu_builtin(unsigned n);

#endif
