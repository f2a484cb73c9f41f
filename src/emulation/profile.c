/* profile.c: profiles from JSON to figures, and every reason not to believe one. */
#include "emulation/profile.h"

#include <assert.h>
#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emulation/builtin.h"

enum { PROFILE_MAX_BYTES = 64 * 1024 };

/* Where each figure is, and what can be believed of it. */
struct figure {
	const char *name, *unit;
	size_t offset;
	double min, max;
	bool optional, whole;
};

#define FIGURE(member, unit, min, max, ...)                                                                            \
	{                                                                                                              \
#member, unit, offsetof(struct emu_profile, member), min, max, __VA_ARGS__                             \
	}
static const struct figure figures[] = {
        FIGURE(read_ns, "ns", 1, 1e6, false, false),
        FIGURE(write_back_ns, "ns", 0, 1e6, false, false),
        FIGURE(flush_ns, "ns", 0, 1e6, false, false),
        FIGURE(coherence_ns, "ns", 1, 1e6, false, false),
        FIGURE(atomic_ns, "ns", 0, 1e6, false, false),
        FIGURE(fence_ns, "ns", 0, 1e6, false, false),
        FIGURE(lines_in_flight, "lines", 1, 1024, false, false),
        FIGURE(host_read_gbps, "GB/s", 0.01, 10000, false, false),
        FIGURE(host_write_gbps, "GB/s", 0.01, 10000, false, false),
        FIGURE(device_read_gbps, "GB/s", 0.01, 10000, false, false),
        FIGURE(device_write_gbps, "GB/s", 0.01, 10000, false, false),
        FIGURE(cache_bytes, "bytes", 4096, 68719476736.0, false, true),
        FIGURE(read_p99_ns, "ns", 1, 1e6, true, false),
        FIGURE(read_p999_ns, "ns", 1, 1e6, true, false),
};
enum { FIGURE_COUNT = sizeof figures / sizeof figures[0] };

/* What is being read, for messages. */
struct reading {
	const char *where;
	char *message;
};

__attribute__((format(printf, 2, 3))) static bool wrong(const struct reading *r, const char *format, ...)
{
	char what[EMU_MESSAGE_BYTES];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(what, sizeof what, format, arguments);
	va_end(arguments);
	/* A message that is cut has lost its end only: what says where comes first. */
	int written = snprintf(r->message, EMU_MESSAGE_BYTES, "profile %.150s: %s", r->where, what);
	assert(written > 0);
	return false;
}

/* cache_bytes is the one figure that is no double. */
static void set_figure(struct emu_profile *profile, const struct figure *f, double value)
{
	char *at = (char *)profile + f->offset;
	uint64_t whole = (uint64_t)value;
	if (f->whole)
		memcpy(at, &whole, sizeof whole);
	else
		memcpy(at, &value, sizeof value);
}

/* Every member known, each once. `known` ends with NULL. */
static bool check_members(
        const struct reading *r, const cJSON *object, const char *of, const char *known[], bool figures_too)
{
	for (const cJSON *member = object->child; member; member = member->next) {
		bool found = false;
		for (unsigned i = 0; known[i]; i++)
			found |= strcmp(member->string, known[i]) == 0;
		for (unsigned i = 0; figures_too && i < FIGURE_COUNT; i++)
			found |= strcmp(member->string, figures[i].name) == 0;
		if (!found)
			return wrong(r, "%s\"%.60s\" is no member that a profile has", of, member->string);
		for (const cJSON *other = member->next; other; other = other->next)
			if (strcmp(member->string, other->string) == 0)
				return wrong(r, "%s\"%s\" is there twice", of, member->string);
	}
	return true;
}

static bool read_figure(const struct reading *r, const cJSON *root, const struct figure *f, struct emu_profile *profile)
{
	const cJSON *object = cJSON_GetObjectItemCaseSensitive(root, f->name);
	char of[64];
	if (!object)
		return f->optional ? true : wrong(r, "\"%s\" is missing", f->name);
	if (!cJSON_IsObject(object))
		return wrong(r,
		        "\"%s\" must be {\"value\": NUMBER, \"unit\": \"%s\", \"source\": \"where it is from\"}",
		        f->name, f->unit);
	snprintf(of, sizeof of, "\"%s\": ", f->name);
	if (!check_members(r, object, of, (const char *[]){"value", "unit", "source", NULL}, false))
		return false;
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, "value");
	const cJSON *unit = cJSON_GetObjectItemCaseSensitive(object, "unit");
	const cJSON *source = cJSON_GetObjectItemCaseSensitive(object, "source");
	if (!value || !unit || !source)
		return wrong(r, "%s\"%s\" is missing", of, !value ? "value" : !unit ? "unit" : "source");
	if (!cJSON_IsNumber(value))
		return wrong(r, "%s\"value\" must be a number", of);
	if (!cJSON_IsString(unit) || strcmp(unit->valuestring, f->unit) != 0)
		return wrong(r, "%s\"unit\" must be \"%s\"", of, f->unit);
	if (!cJSON_IsString(source) || !source->valuestring[0])
		return wrong(r, "%s\"source\" must say where the figure is from", of);
	double v = value->valuedouble;
	/* Asked this way round, what is not a number at all is out of range too. */
	if (!(v >= f->min && v <= f->max))
		return wrong(r, "%s%.10g %s is out of range: %.10g to %.15g", of, v, f->unit, f->min, f->max);
	if (f->whole && v != floor(v))
		return wrong(r, "%s%.10g %s is not a whole number", of, v, f->unit);
	set_figure(profile, f, v);
	return true;
}

static bool read_text(const struct reading *r, const cJSON *root, const char *name, char *to, size_t size)
{
	const cJSON *member = cJSON_GetObjectItemCaseSensitive(root, name);
	if (!member)
		return wrong(r, "\"%s\" is missing", name);
	if (!cJSON_IsString(member) || !member->valuestring[0] || strlen(member->valuestring) >= size)
		return wrong(r, "\"%s\" must be a text of 1 to %zu bytes", name, size - 1);
	memcpy(to, member->valuestring, strlen(member->valuestring) + 1);
	return true;
}

/* What no figure shows alone. */
static bool check_whole(const struct reading *r, const struct emu_profile *p)
{
	const char *letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	if (strspn(p->name, letters) != strlen(p->name))
		return wrong(r, "\"name\" may have letters, digits, '-', '_' and '.' only: it stands in results");
	if (p->read_p99_ns != 0 && p->read_p99_ns < p->read_ns)
		return wrong(r, "\"read_p99_ns\" (%g) is below \"read_ns\" (%g), which is the median", p->read_p99_ns,
		        p->read_ns);
	if (p->read_p999_ns != 0 && p->read_p99_ns == 0)
		return wrong(r, "\"read_p999_ns\" needs \"read_p99_ns\" beside it");
	if (p->read_p999_ns != 0 && p->read_p999_ns < p->read_p99_ns)
		return wrong(r, "\"read_p999_ns\" (%g) is below \"read_p99_ns\" (%g)", p->read_p999_ns, p->read_p99_ns);
	return true;
}

static bool read_profile(const struct reading *r, const cJSON *root, struct emu_profile *profile)
{
	memset(profile, 0, sizeof *profile);
	if (!cJSON_IsObject(root))
		return wrong(r, "a profile is a JSON object");
	if (!check_members(r, root, "", (const char *[]){"name", "description", NULL}, true))
		return false;
	if (!read_text(r, root, "name", profile->name, sizeof profile->name) ||
	        !read_text(r, root, "description", profile->description, sizeof profile->description))
		return false;
	for (unsigned i = 0; i < FIGURE_COUNT; i++)
		if (!read_figure(r, root, &figures[i], profile))
			return false;
	return check_whole(r, profile);
}

static unsigned line_of(const char *json, const char *at)
{
	unsigned line = 1;
	for (const char *p = json; p < at; p++)
		line += *p == '\n';
	return line;
}

bool emu_profile_parse(
        const char *json, size_t bytes, const char *where, struct emu_profile *profile, char message[EMU_MESSAGE_BYTES])
{
	const struct reading r = {where, message};
	const char *end = NULL;
	if (bytes > PROFILE_MAX_BYTES)
		return wrong(&r, "more than %d bytes: this is no profile", PROFILE_MAX_BYTES);
	cJSON *root = cJSON_ParseWithLengthOpts(json, bytes, &end, false);
	if (!root)
		return wrong(&r, "line %u: not JSON", end ? line_of(json, end) : 1);
	while (end < json + bytes && strchr(" \t\r\n", *end) && *end)
		end++;
	bool good = end == json + bytes ? read_profile(&r, root, profile)
	                                : wrong(&r, "line %u: there is more after the profile", line_of(json, end));
	cJSON_Delete(root);
	return good;
}

static bool load_file(const char *path, struct emu_profile *profile, char message[EMU_MESSAGE_BYTES])
{
	const struct reading r = {path, message};
	bool good = false;
	char *text = malloc(PROFILE_MAX_BYTES + 1);
	FILE *file = fopen(path, "re");
	if (!text || !file) {
		wrong(&r, "cannot be opened: %s", text ? strerror(errno) : "no memory");
		goto out;
	}
	/* One byte more than there may be: parsing tells the difference. */
	size_t bytes = fread(text, 1, PROFILE_MAX_BYTES + 1, file);
	if (ferror(file))
		wrong(&r, "cannot be read: %s", strerror(errno));
	else
		good = emu_profile_parse(text, bytes, path, profile, message);
out:
	if (file)
		fclose(file); /* read only: nothing can be lost */
	free(text);
	return good;
}

static bool is_path(const char *text)
{
	size_t length = strlen(text);
	return strchr(text, '/') || (length >= 5 && strcmp(text + length - 5, ".json") == 0);
}

bool emu_profile_load(const char *text, struct emu_profile *profile, char message[EMU_MESSAGE_BYTES])
{
	const struct emu_builtin *b;
	if (is_path(text))
		return load_file(text, profile, message);
	for (unsigned i = 0; (b = emu_builtin(i)); i++)
		if (strcmp(text, b->name) == 0)
			return emu_profile_parse(b->json, (size_t)(b->end - b->json), b->name, profile, message);
	int written = snprintf(message, EMU_MESSAGE_BYTES, "there is no profile %.60s; built in are", text);
	for (unsigned i = 0; (b = emu_builtin(i)) && written > 0 && written < EMU_MESSAGE_BYTES; i++)
		written += snprintf(
		        message + written, (size_t)(EMU_MESSAGE_BYTES - written), "%s %s", i ? "," : "", b->name);
	if (written > 0 && written < EMU_MESSAGE_BYTES)
		snprintf(message + written, (size_t)(EMU_MESSAGE_BYTES - written),
		        "; a path with '/' or ending in .json names a file");
	return false;
}

const char *emu_profile_builtin(unsigned n)
{
	const struct emu_builtin *b = emu_builtin(n);
	return b ? b->name : NULL;
}

/* Of 2^x, where x goes evenly from `from` to `to`. */
static double mean_exp2(double from, double to)
{
	return to == from ? exp2(from) : (exp2(to) - exp2(from)) / ((to - from) * log(2));
}

double emu_profile_mean_read_ns(const struct emu_profile *profile)
{
	double p50 = profile->read_ns, p99 = profile->read_p99_ns, p999 = profile->read_p999_ns;
	if (!(p99 > 0))
		p99 = p999 > 0 ? p50 : 0;
	if (!(p99 > 0))
		return p50;
	double at_p99 = log2(p99 / p50), at_p999 = p999 > 0 ? log2(p999 / p50) : at_p99;
	return p50 * (EMU_TAIL_FROM + (0.99 - EMU_TAIL_FROM) * mean_exp2(0, at_p99) +
	                     0.009 * mean_exp2(at_p99, at_p999) + 0.001 * exp2(at_p999));
}
