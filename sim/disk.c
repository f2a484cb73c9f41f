/* disk.c: see disk.h. */
#include "disk.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

static struct {
	struct disk_node *nodes, *root;
	uint64_t random;
} disk;

static void *grown(void *memory, size_t bytes)
{
	void *more = realloc(memory, bytes);
	if (!more) {
		perror("liger sim: no memory for a disk");
		exit(1);
	}
	return more;
}

static uint64_t below(uint64_t bound)
{
	return random_below(&disk.random, bound);
}

/* ---- Nodes --------------------------------------------------------------------------------------------------------- */

static struct disk_node *new_node(bool is_directory)
{
	struct disk_node *node = grown(NULL, sizeof *node);
	*node = (struct disk_node){.next = disk.nodes, .is_directory = is_directory};
	disk.nodes = node;
	return node;
}

static void free_node(struct disk_node *node)
{
	free(node->written);
	free(node->kept);
	free(node->dirty);
	free(node->names.entries);
	free(node->kept_names.entries);
	free(node->changes);
	free(node);
}

static void mark(struct disk_node *node);

static void mark_names(const struct disk_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		mark(names->entries[i].node);
}

static void mark(struct disk_node *node)
{
	if (node->marked)
		return;
	node->marked = true;
	mark_names(&node->names);
	mark_names(&node->kept_names);
	for (size_t i = 0; i < node->change_count; i++)
		if (node->changes[i].node)
			mark(node->changes[i].node);
}

/* Frees what no name leads to any more, nor may after a loss of power, and nobody has open. */
static void sweep(void)
{
	for (struct disk_node *node = disk.nodes; node; node = node->next)
		node->marked = false;
	mark(disk.root);
	for (struct disk_node *node = disk.nodes; node; node = node->next)
		if (node->opens > 0)
			mark(node);
	for (struct disk_node **at = &disk.nodes; *at;) {
		struct disk_node *node = *at;
		if (node->marked) {
			at = &node->next;
			continue;
		}
		*at = node->next;
		free_node(node);
	}
}

void disk_begin(uint64_t seed)
{
	disk_end();
	disk.random = seed ^ UINT64_C(0x6469736b6469736b);
	disk.root = new_node(true);
}

void disk_end(void)
{
	while (disk.nodes) {
		struct disk_node *node = disk.nodes;
		disk.nodes = node->next;
		free_node(node);
	}
	disk.root = NULL;
}

struct disk_node *disk_root(void)
{
	return disk.root;
}

/* ---- Names --------------------------------------------------------------------------------------------------------- */

static struct disk_entry *find(const struct disk_names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->entries[i].name, name) == 0)
			return &names->entries[i];
	return NULL;
}

static void drop_name(struct disk_names *names, const char *name)
{
	struct disk_entry *entry = find(names, name);
	if (!entry)
		return;
	size_t at = (size_t)(entry - names->entries);
	names->count--;
	memmove(entry, entry + 1, (names->count - at) * sizeof *entry);
}

static void set_name(struct disk_names *names, const char *name, struct disk_node *node)
{
	drop_name(names, name);
	if (names->count == names->capacity) {
		names->capacity = names->capacity ? 2 * names->capacity : 16;
		names->entries = grown(names->entries, names->capacity * sizeof *names->entries);
	}
	struct disk_entry *entry = &names->entries[names->count++];
	entry->node = node;
	snprintf(entry->name, sizeof entry->name, "%s", name);
}

static void apply(struct disk_names *names, const struct disk_change *change)
{
	if (change->gone[0])
		drop_name(names, change->gone);
	if (change->come[0])
		set_name(names, change->come, change->node);
}

static void change_names(struct disk_node *directory, const char *gone, const char *come, struct disk_node *node)
{
	assert(strlen(gone) < DISK_NAME_BYTES && strlen(come) < DISK_NAME_BYTES);
	if (directory->change_count == directory->change_capacity) {
		directory->change_capacity = directory->change_capacity ? 2 * directory->change_capacity : 16;
		directory->changes = grown(directory->changes, directory->change_capacity * sizeof *directory->changes);
	}
	struct disk_change *change = &directory->changes[directory->change_count++];
	change->node = node;
	snprintf(change->gone, sizeof change->gone, "%s", gone);
	snprintf(change->come, sizeof change->come, "%s", come);
	apply(&directory->names, change);
}

struct disk_node *disk_lookup(const struct disk_node *directory, const char *name)
{
	const struct disk_entry *entry = find(&directory->names, name);
	return entry ? entry->node : NULL;
}

struct disk_node *disk_make(struct disk_node *directory, const char *name, bool is_directory)
{
	struct disk_node *node = new_node(is_directory);
	change_names(directory, "", name, node);
	return node;
}

bool disk_remove(struct disk_node *directory, const char *name)
{
	if (!find(&directory->names, name))
		return false;
	change_names(directory, name, "", NULL);
	return true;
}

bool disk_rename(struct disk_node *directory, const char *from, const char *to)
{
	struct disk_node *node = disk_lookup(directory, from);
	if (node)
		change_names(directory, from, to, node);
	return node != NULL;
}

void disk_sync_names(struct disk_node *directory, size_t changes)
{
	assert(changes <= directory->change_count);
	for (size_t i = 0; i < changes; i++)
		apply(&directory->kept_names, &directory->changes[i]);
	directory->change_count -= changes;
	memmove(directory->changes, directory->changes + changes, directory->change_count * sizeof *directory->changes);
	sweep();
}

/* ---- Bytes --------------------------------------------------------------------------------------------------------- */

static size_t sectors(size_t bytes)
{
	return (bytes + DISK_SECTOR - 1) / DISK_SECTOR;
}

static void make_room(struct disk_node *file, size_t bytes)
{
	if (bytes <= file->capacity)
		return;
	size_t capacity = file->capacity ? file->capacity : DISK_PAGE;
	while (capacity < bytes)
		capacity *= 2;
	file->written = grown(file->written, capacity);
	file->kept = grown(file->kept, capacity);
	file->dirty = grown(file->dirty, sectors(capacity) * sizeof *file->dirty);
	memset(file->written + file->capacity, 0, capacity - file->capacity);
	memset(file->kept + file->capacity, 0, capacity - file->capacity);
	memset(file->dirty + sectors(file->capacity), 0,
	        (sectors(capacity) - sectors(file->capacity)) * sizeof *file->dirty);
	file->capacity = capacity;
}

static void keep_sector(struct disk_node *file, size_t sector)
{
	memcpy(file->kept + sector * DISK_SECTOR, file->written + sector * DISK_SECTOR, DISK_SECTOR);
	file->dirty[sector] = false;
}

void disk_resize(struct disk_node *file, size_t bytes)
{
	make_room(file, bytes);
	file->dirty_bytes |= bytes != file->written_bytes;
	/* What is cut off is zeros if the file grows again. */
	if (bytes < file->written_bytes) {
		memset(file->written + bytes, 0, file->written_bytes - bytes);
		for (size_t i = bytes / DISK_SECTOR; i < sectors(file->written_bytes); i++)
			file->dirty[i] = true;
	}
	file->written_bytes = bytes;
}

void disk_write(struct disk_node *file, const void *data, size_t bytes, size_t offset)
{
	enum { KEPT_ONE_IN = 4 };
	if (bytes == 0)
		return;
	if (offset + bytes > file->written_bytes)
		disk_resize(file, offset + bytes);
	for (size_t i = offset / DISK_SECTOR; i < sectors(offset + bytes); i++) {
		if (file->dirty[i] && below(KEPT_ONE_IN) == 0)
			keep_sector(file, i);
		file->dirty[i] = true;
	}
	memcpy(file->written + offset, data, bytes);
}

size_t disk_read(const struct disk_node *file, void *data, size_t bytes, size_t offset)
{
	if (offset >= file->written_bytes)
		return 0;
	if (bytes > file->written_bytes - offset)
		bytes = file->written_bytes - offset;
	memcpy(data, file->written + offset, bytes);
	return bytes;
}

void disk_sync(struct disk_node *file)
{
	for (size_t i = 0; i < sectors(file->capacity); i++)
		if (file->dirty[i])
			keep_sector(file, i);
	file->kept_bytes = file->written_bytes;
	file->dirty_bytes = false;
}

void disk_lose_dirty(struct disk_node *file)
{
	bool now = below(2);
	for (size_t i = 0; i < sectors(file->capacity); i++) {
		if (!file->dirty[i])
			continue;
		if (below(4) == 0)
			keep_sector(file, i); /* it got there before the failure */
		else if (now)
			memcpy(file->written + i * DISK_SECTOR, file->kept + i * DISK_SECTOR, DISK_SECTOR);
		file->dirty[i] = false;
	}
}

/* ---- The power goes ------------------------------------------------------------------------------------------------ */

static void lose_file(struct disk_node *file, struct disk_loss *loss)
{
	enum { NONE, EACH, PAGES, SECTORS, WAYS };
	uint64_t way = below(WAYS);
	bool page = false;
	for (size_t i = 0; i < sectors(file->capacity); i++) {
		if (way != PAGES || i % (DISK_PAGE / DISK_SECTOR) == 0)
			page = below(2);
		if (!file->dirty[i])
			continue;
		bool keep = way == EACH || (way != NONE && page);
		loss->sectors_kept += keep;
		loss->sectors_lost += !keep;
		if (keep)
			keep_sector(file, i);
		file->dirty[i] = false;
	}
	if (file->dirty_bytes && (way == EACH || (way != NONE && below(2))))
		file->kept_bytes = file->written_bytes;
	file->dirty_bytes = false;
	file->written_bytes = file->kept_bytes;
	if (file->capacity == 0)
		return;
	/* Sectors behind the end are nobody's. */
	memset(file->kept + file->kept_bytes, 0, file->capacity - file->kept_bytes);
	memcpy(file->written, file->kept, file->capacity);
}

static void lose_directory(struct disk_node *directory, struct disk_loss *loss)
{
	enum { NONE, EACH, FIRST, ANY, WAYS };
	uint64_t way = below(WAYS), first = directory->change_count ? below(directory->change_count + 1) : 0;
	for (size_t i = 0; i < directory->change_count; i++) {
		bool keep = way == EACH || (way == FIRST && i < first) || (way == ANY && below(2));
		loss->changes_kept += keep;
		loss->changes_lost += !keep;
		if (keep)
			apply(&directory->kept_names, &directory->changes[i]);
	}
	directory->change_count = 0;
	directory->names.count = 0;
	for (size_t i = 0; i < directory->kept_names.count; i++)
		set_name(&directory->names, directory->kept_names.entries[i].name,
		        directory->kept_names.entries[i].node);
}

struct disk_loss disk_lose_power(void)
{
	struct disk_loss loss = {0};
	for (struct disk_node *node = disk.nodes; node; node = node->next) {
		node->opens = 0;
		node->locked_by = NULL;
		if (node->is_directory)
			lose_directory(node, &loss);
		else
			lose_file(node, &loss);
	}
	sweep();
	return loss;
}
