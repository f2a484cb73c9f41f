/* fuzz_text.c: what people write on command lines and in configurations: numbers with their units, names of
 * emulations, URIs of regions, durabilities. */
#include "cxl/region_private.h"
#include "emulation/model.h"
#include "fuzz/fuzz.h"
#include "../tools/cli.h"

#include <stdlib.h>
#include <string.h>

static void try_number(const char *text, struct fuzz_input bounds)
{
	uint64_t min = fuzz_number(&bounds, 4), max = min + fuzz_number(&bounds, 4), value = 0;
	if (cli_number("fuzz", "--number", text, min, max, &value) && (value < min || value > max))
		fuzz_fail("'%s' gave %llu, out of bounds", text, (unsigned long long)value);
}

static void try_arguments(char *text)
{
	char *argv[] = {(char[]){"liger"}, text, (char[]){"value"}};
	struct cli_args args = {.command = "fuzz", .argc = 3, .next = 1, .argv = argv};
	for (const char *option; (option = cli_next(&args)) != NULL;) {
		if (strlen(option) % 2)
			cli_value(&args);
		else
			cli_is_flag(&args);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct emu_spec spec;
	struct region_place place;
	struct lg_error err;
	enum lg_durability durability;
	char message[EMU_MESSAGE_BYTES];
	char *text = malloc(bytes + 1);
	if (!text)
		fuzz_fail("no memory for a text");
	memcpy(text, data, bytes);
	text[bytes] = 0;
	emu_spec_parse(text, &spec, message);
	region_place_of(text, &place, &err);
	lg_durability_parse(text, &durability);
	try_number(text, (struct fuzz_input){data, bytes});
	try_arguments(text);
	free(text);
	return 0;
}
