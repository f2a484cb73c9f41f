/* fuzz_profile.c: delay profiles (src/emulation/profile.c), which are JSON texts of whoever wrote them. */
#include "emulation/profile.h"
#include "fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct emu_profile profile;
	char message[EMU_MESSAGE_BYTES];
	message[0] = 0;
	if (!emu_profile_parse((const char *)data, bytes, "fuzz", &profile, message) && !message[0])
		fuzz_fail("a profile was refused without a reason");
	if (!memchr(message, 0, sizeof message))
		fuzz_fail("a message without an end");
	return 0;
}
