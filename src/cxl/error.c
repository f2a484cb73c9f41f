/* error.c: messages for people, and the names of codes and abort reasons. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cxl/region.h"

static const char *const code_text[LG_CODE_COUNT] = {
        [LG_OK] = "success",
        [LG_NOTFOUND] = "no such row, table or region",
        [LG_EXISTS] = "it exists already",
        [LG_CONFLICT] = "another transaction was in the way: abort and retry",
        [LG_UNAVAILABLE] = "the owning host is not there or did not answer in time",
        [LG_NOSPACE] = "a memory budget is used up",
        [LG_LIMIT] = "beyond a limit of Liger",
        [LG_INVALID] = "an argument or the order of calls makes no sense",
        [LG_READONLY] = "the table is read-only",
        [LG_ENDED] = "the transaction has ended",
        [LG_FORKED] = "the host was opened before fork() and is used in the child",
        [LG_MISMATCH] = "the region is no pod, or one of another version, layout or incarnation",
        [LG_INUSE] = "the region or the host id is in use",
        [LG_CORRUPT] = "bytes of the region contradict each other",
        [LG_SYSTEM] = "a system call failed",
        [LG_END] = "no further row",
        [LG_FENCED] = "this host was declared dead by the others",
};

static const char *const reason_text[LG_ABORT_REASON_COUNT] = {
        [LG_ABORT_USER] = "user",
        [LG_ABORT_INTENT] = "intent",
        [LG_ABORT_LOCK] = "lock",
        [LG_ABORT_VALIDATION] = "validation",
        [LG_ABORT_PHANTOM] = "phantom",
        [LG_ABORT_MOVED] = "moved",
        [LG_ABORT_BUSY] = "busy",
        [LG_ABORT_ERROR] = "error",
};

static const char *const durability_text[] = {
        [LG_DURABILITY_NONE] = "none", [LG_DURABILITY_CXL] = "cxl", [LG_DURABILITY_DISK] = "disk"};
enum { DURABILITY_COUNT = sizeof durability_text / sizeof durability_text[0] };

const char *lg_durability_name(enum lg_durability durability)
{
	return (unsigned)durability < DURABILITY_COUNT ? durability_text[durability] : "not a durability of Liger";
}

bool lg_durability_parse(const char *name, enum lg_durability *durability)
{
	for (unsigned i = 0; i < DURABILITY_COUNT; i++)
		if (strcmp(name, durability_text[i]) == 0) {
			*durability = (enum lg_durability)i;
			return true;
		}
	return false;
}

const char *lg_strerror(int code)
{
	if (code < 0 || code >= LG_CODE_COUNT)
		return "not a code of Liger";
	return code_text[code];
}

const char *lg_abort_reason_name(enum lg_abort_reason reason)
{
	if ((unsigned)reason >= LG_ABORT_REASON_COUNT)
		return "unknown";
	return reason_text[reason];
}

int error_set(struct lg_error *err, int code, const char *format, ...)
{
	if (!err)
		return code;
	va_list args;
	va_start(args, format);
	err->code = code;
	/* A message that is too long is cut; vsnprintf terminates it. It fails only on a bad format. */
	if (vsnprintf(err->message, sizeof err->message, format, args) < 0)
		err->message[0] = 0;
	va_end(args);
	return code;
}
