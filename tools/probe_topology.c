/* probe_topology.c: `liger probe topology`. All of it is read from sysfs, or from a copy of it. */
#include "probe.h"

#include "cli.h"
#include "cxl/region_machine.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char topology_help[] =
        "usage: liger probe topology [--json FILE] [--sysfs DIR]\n"
        "\n"
        "Prints the NUMA nodes of this machine with their memory, CPUs and distances, and its dax\n"
        "devices with mode, size, alignment and node. A node that has memory and no CPU looks like CXL.\n"
        "A region is put on a node with shm:NAME?node=N, on a devdax device with dax:/dev/NAME.\n"
        "\n"
        "  --json FILE   write the same as JSON; '-': to standard output, instead of the text\n"
        "  --sysfs DIR   read a copy of another machine's /sys (default /sys)\n";

struct node {
	unsigned id;
	struct node_memory memory;
	unsigned cpu_count;
	char cpus[SYSFS_TEXT_BYTES]; /* as the kernel lists them: "0-3,8" */
	unsigned distance[MAX_NUMA_NODES];
	unsigned distance_count; /* one for each node, in the order of their ids; 0: the kernel does not tell */
};

struct topology {
	const char *sysfs;
	bool has_numa, has_dax;
	struct node *nodes;
	unsigned node_count;
	struct dax_device *devices;
	size_t device_count;
};

/* A CPU-less node with memory is how the kernel shows a CXL memory expander (and few things else). */
static bool looks_like_cxl(const struct node *node)
{
	return node->memory.total_bytes > 0 && node->cpu_count == 0;
}

/* ---- Reading ---- */

/* Makes room for one more element; NULL, after a message, when there is none. */
static void *one_more(void *elements, size_t count, size_t bytes)
{
	void *more = realloc(elements, (count + 1) * bytes);

	if (!more)
		fputs("liger probe topology: out of memory\n", stderr);
	return more;
}

static void read_cpus(const char *sysfs, struct node *node)
{
	char path[64];
	const char *at = node->cpus;
	unsigned from, to;

	snprintf(path, sizeof(path), "devices/system/node/node%u/cpulist", node->id);
	if (!sysfs_text(sysfs, path, node->cpus))
		node->cpus[0] = '\0';
	while (sysfs_list_next(&at, &from, &to))
		node->cpu_count += to - from + 1;
}

static void read_distances(const char *sysfs, struct node *node)
{
	char path[64], text[SYSFS_TEXT_BYTES];
	const char *at = text;
	unsigned from, to;

	snprintf(path, sizeof(path), "devices/system/node/node%u/distance", node->id);
	if (!sysfs_text(sysfs, path, text))
		return;
	while (node->distance_count < MAX_NUMA_NODES && sysfs_list_next(&at, &from, &to))
		node->distance[node->distance_count++] = from;
}

static bool read_node(struct topology *t, unsigned id)
{
	struct node *nodes = one_more(t->nodes, t->node_count, sizeof(*nodes));

	if (!nodes)
		return false;
	t->nodes = nodes;
	struct node *node = &nodes[t->node_count];
	memset(node, 0, sizeof(*node));
	node->id = id;
	if (!node_memory_of(t->sysfs, id, &node->memory))
		return true; /* it went off line after the list was read */
	read_cpus(t->sysfs, node);
	read_distances(t->sysfs, node);
	t->node_count++;
	return true;
}

static bool read_nodes(struct topology *t)
{
	char text[SYSFS_TEXT_BYTES];
	const char *at = text;
	unsigned from, to;

	t->has_numa = sysfs_text(t->sysfs, "devices/system/node/online", text);
	if (!t->has_numa)
		return true;
	while (sysfs_list_next(&at, &from, &to))
		for (unsigned id = from; id <= to && id < MAX_NUMA_NODES; id++)
			if (!read_node(t, id))
				return false;
	return true;
}

static bool read_device(struct topology *t, const char *name)
{
	char directory[512];
	struct dax_device *devices = one_more(t->devices, t->device_count, sizeof(*devices));

	if (!devices)
		return false;
	t->devices = devices;
	snprintf(directory, sizeof(directory), "bus/dax/devices/%s", name);
	if (dax_device_of(t->sysfs, directory, &devices[t->device_count]))
		t->device_count++;
	return true; /* one that cannot be read has gone meanwhile */
}

static int by_name(const void *a, const void *b)
{
	const struct dax_device *x = a, *y = b;

	return strverscmp(x->name, y->name);
}

static bool read_devices(struct topology *t)
{
	char path[4096];
	bool ok = true;

	snprintf(path, sizeof(path), "%s/bus/dax/devices", t->sysfs);
	DIR *directory = opendir(path);
	t->has_dax = directory != NULL;
	if (!directory)
		return true;
	for (const struct dirent *entry; ok && (entry = readdir(directory));)
		if (entry->d_name[0] != '.')
			ok = read_device(t, entry->d_name);
	(void)closedir(directory); /* it was only read */
	if (t->device_count)
		qsort(t->devices, t->device_count, sizeof(*t->devices), by_name);
	return ok;
}

/* ---- Text ---- */

static void print_matrix(const struct topology *t)
{
	printf("\ndistances (10: the node itself)\n%8s", "from\\to");
	for (unsigned i = 0; i < t->node_count; i++)
		printf(" %5u", t->nodes[i].id);
	putchar('\n');
	for (unsigned i = 0; i < t->node_count; i++) {
		printf("%8u", t->nodes[i].id);
		for (unsigned j = 0; j < t->nodes[i].distance_count; j++)
			printf(" %5u", t->nodes[i].distance[j]);
		putchar('\n');
	}
}

static void print_nodes(const struct topology *t)
{
	if (!t->has_numa) {
		printf("NUMA: none; this kernel knows no nodes (there is no %s/devices/system/node)\n", t->sysfs);
		return;
	}
	printf("%-6s %12s %12s %6s  %-18s %s\n", "node", "memory MiB", "free MiB", "CPUs", "which", "");
	for (unsigned i = 0; i < t->node_count; i++) {
		const struct node *node = &t->nodes[i];
		printf("%-6u %12" PRIu64 " %12" PRIu64 " %6u  %-18s %s\n", node->id, node->memory.total_bytes >> 20,
		        node->memory.free_bytes >> 20, node->cpu_count, node->cpu_count ? node->cpus : "-",
		        looks_like_cxl(node) ? "looks like CXL (memory, no CPU)" : "");
	}
	print_matrix(t);
}

static const char *mode_name(const struct dax_device *device)
{
	switch (device->mode) {
	case DAX_DEVDAX: return "devdax";
	case DAX_SYSTEM_RAM: return "system-ram";
	case DAX_UNBOUND: return "no driver";
	case DAX_OTHER: return "other driver";
	}
	return "unknown";
}

static void print_node_id(int node)
{
	if (node < 0)
		printf(" %6s", "-");
	else
		printf(" %6d", node);
}

static void print_devices(const struct topology *t)
{
	if (t->device_count == 0) {
		printf("\ndax devices: none%s\n",
		        t->has_dax ? "" : "; this kernel has no dax (modprobe device_dax dax_hmem dax_pmem)");
		return;
	}
	printf("\n%-10s %-12s %12s %10s %6s %6s\n", "dax", "mode", "size MiB", "align KiB", "node", "target");
	for (size_t i = 0; i < t->device_count; i++) {
		const struct dax_device *d = &t->devices[i];
		printf("%-10s %-12s %12" PRIu64 " %10" PRIu64, d->name, mode_name(d), d->bytes >> 20,
		        d->align_bytes >> 10);
		print_node_id(d->numa_node);
		print_node_id(d->target_node);
		putchar('\n');
	}
}

/* ---- JSON ---- */

/* cJSON keeps numbers as doubles, which would round what is over 2^53: so they are added as text. */
static bool add_number(cJSON *object, const char *name, uint64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, n);
	return cJSON_AddRawToObject(object, name, text) != NULL;
}

static bool add_node_id(cJSON *object, const char *name, int node)
{
	return node < 0 ? cJSON_AddNullToObject(object, name) != NULL : add_number(object, name, (uint64_t)node);
}

/* A new object at the end of an array; NULL when there is no memory for it. */
static cJSON *add_object(cJSON *array)
{
	cJSON *object = cJSON_CreateObject();

	if (object && cJSON_AddItemToArray(array, object))
		return object;
	cJSON_Delete(object);
	return NULL;
}

static bool add_integer(cJSON *array, unsigned n)
{
	cJSON *number = cJSON_CreateNumber(n);

	if (number && cJSON_AddItemToArray(array, number))
		return true;
	cJSON_Delete(number);
	return false;
}

static bool add_node(cJSON *array, const struct node *node)
{
	const char *at = node->cpus;
	unsigned from, to;
	cJSON *object = add_object(array);
	cJSON *cpus = object ? cJSON_AddArrayToObject(object, "cpus") : NULL;
	cJSON *distances = object ? cJSON_AddArrayToObject(object, "distances") : NULL;

	if (!cpus || !distances)
		return false;
	bool ok = add_number(object, "node", node->id);
	ok &= add_number(object, "memory_bytes", node->memory.total_bytes);
	ok &= add_number(object, "free_bytes", node->memory.free_bytes);
	ok &= cJSON_AddBoolToObject(object, "looks_like_cxl", looks_like_cxl(node)) != NULL;
	while (ok && sysfs_list_next(&at, &from, &to))
		for (unsigned cpu = from; ok && cpu <= to; cpu++)
			ok = add_integer(cpus, cpu);
	for (unsigned i = 0; ok && i < node->distance_count; i++)
		ok = add_integer(distances, node->distance[i]);
	return ok;
}

static bool add_device(cJSON *array, const struct dax_device *device)
{
	char path[80];
	cJSON *object = add_object(array);

	if (!object)
		return false;
	snprintf(path, sizeof(path), "/dev/%s", device->name);
	bool ok = cJSON_AddStringToObject(object, "name", device->name) != NULL;
	ok &= cJSON_AddStringToObject(object, "path", path) != NULL;
	ok &= cJSON_AddStringToObject(object, "mode", mode_name(device)) != NULL;
	ok &= (device->driver[0] ? cJSON_AddStringToObject(object, "driver", device->driver)
	                         : cJSON_AddNullToObject(object, "driver")) != NULL;
	ok &= add_number(object, "bytes", device->bytes);
	ok &= add_number(object, "align_bytes", device->align_bytes);
	ok &= add_node_id(object, "numa_node", device->numa_node);
	return ok & add_node_id(object, "target_node", device->target_node);
}

/* Node i of "nodes" is what "distances"[i] of every node speaks of. */
static cJSON *topology_json(const struct topology *t)
{
	cJSON *root = cJSON_CreateObject();
	bool ok = root && cJSON_AddBoolToObject(root, "numa", t->has_numa) &&
	          cJSON_AddBoolToObject(root, "dax", t->has_dax);
	cJSON *nodes = ok ? cJSON_AddArrayToObject(root, "nodes") : NULL;
	cJSON *devices = ok ? cJSON_AddArrayToObject(root, "dax_devices") : NULL;

	ok = nodes && devices;
	for (unsigned i = 0; ok && i < t->node_count; i++)
		ok = add_node(nodes, &t->nodes[i]);
	for (size_t i = 0; ok && i < t->device_count; i++)
		ok = add_device(devices, &t->devices[i]);
	if (ok)
		return root;
	cJSON_Delete(root);
	return NULL;
}

static bool print_json(FILE *out, const struct topology *t)
{
	cJSON *root = topology_json(t);
	char *text = root ? cJSON_Print(root) : NULL;
	bool ok = text && fprintf(out, "%s\n", text) > 0;

	cJSON_free(text);
	cJSON_Delete(root);
	return ok;
}

/* Writes the JSON to a file; what is there is replaced. */
static int write_json(const char *path, const struct topology *t)
{
	FILE *out = fopen(path, "w");

	if (!out) {
		fprintf(stderr, "liger probe topology: cannot write %s: %s\n", path, strerror(errno));
		return CLI_FAILED;
	}
	bool written = print_json(out, t);
	if (fclose(out) == 0 && written)
		return CLI_OK;
	fprintf(stderr, "liger probe topology: cannot write all of %s: %s\n", path, strerror(errno));
	return CLI_FAILED;
}

static int print(const struct topology *t, const char *json)
{
	if (json && strcmp(json, "-") == 0)
		return cli_end_output("probe topology", print_json(stdout, t) ? CLI_OK : CLI_FAILED);
	print_nodes(t);
	print_devices(t);
	if (json && write_json(json, t) != CLI_OK)
		return CLI_FAILED;
	return cli_end_output("probe topology", CLI_OK);
}

int probe_topology_main(int argc, char **argv)
{
	struct cli_args args = {.command = "probe topology", .argc = argc, .next = 1, .argv = argv};
	struct topology t = {.sysfs = region_this_machine.sysfs};
	const char *argument, *json = NULL;

	while ((argument = cli_next(&args))) {
		if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
			fputs(topology_help, stdout);
			return cli_end_output(args.command, CLI_OK);
		}
		const char **value = strcmp(argument, "--json") == 0    ? &json
		                     : strcmp(argument, "--sysfs") == 0 ? &t.sysfs
		                                                        : NULL;
		if (!value)
			return cli_usage_error(args.command, "there is no option '%s'", argument);
		*value = cli_value(&args);
		if (!*value)
			return CLI_USAGE;
	}
	/* Where there is nothing, everything would be none. */
	if (access(t.sysfs, R_OK | X_OK) != 0) {
		fprintf(stderr, "liger probe topology: cannot read %s: %s\n", t.sysfs, strerror(errno));
		return CLI_FAILED;
	}
	int code = read_nodes(&t) && read_devices(&t) ? print(&t, json) : CLI_FAILED;
	free(t.nodes);
	free(t.devices);
	return code;
}
