/* builtin.c: the files of src/emulation/profiles, as they are, in the library. A new one is a line here.
 *
 * The assembler reads them, by a path from the root of the repository, where make runs. With -flto it does so when the
 * program is linked. The symbols are global, because the linker's optimiser may put the text below into another object
 * than the table, and hidden, because they are nobody else's business.
 */
#include "emulation/builtin.h"

/* Each: what C calls it, what users call it. In the order of growing latency, the loaded one last. */
#define PROFILES(X)                                                                                                    \
	X(local_dram, "local-dram")                                                                                    \
	X(far_socket, "far-socket")                                                                                    \
	X(switch_best, "switch-best")                                                                                  \
	X(cxl_direct, "cxl-direct")                                                                                    \
	X(cxl_fpga, "cxl-fpga")                                                                                        \
	X(switch_typical, "switch-typical")                                                                            \
	X(cxl_pool_box, "cxl-pool-box")                                                                                \
	X(cxl_multi_headed, "cxl-multi-headed")                                                                        \
	X(switch_worst, "switch-worst")                                                                                \
	X(switch_loaded, "switch-loaded")

#define EMBED(symbol, name)                                                                                            \
	__asm__(".pushsection .rodata\n"                                                                               \
	        ".globl emu_json_" #symbol "\n.hidden emu_json_" #symbol "\n"                                          \
	        ".globl emu_json_end_" #symbol "\n.hidden emu_json_end_" #symbol "\n"                                  \
	        "emu_json_" #symbol ":\n"                                                                              \
	        ".incbin \"src/emulation/profiles/" name ".json\"\n"                                                   \
	        "emu_json_end_" #symbol ":\n"                                                                          \
	        ".byte 0\n"                                                                                            \
	        ".popsection\n");                                                                                      \
	extern const char emu_json_##symbol[] __attribute__((visibility("hidden")));                                   \
	extern const char emu_json_end_##symbol[] __attribute__((visibility("hidden")));
PROFILES(EMBED)

#define ROW(symbol, text) {text, emu_json_##symbol, emu_json_end_##symbol},
static const struct emu_builtin builtins[] = {PROFILES(ROW){0}};

const struct emu_builtin *emu_builtin(unsigned n)
{
	return n < sizeof builtins / sizeof builtins[0] - 1 ? &builtins[n] : NULL;
}
