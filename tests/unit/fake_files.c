/* fake_files.c: see fake_files.h. */
#include "unit/fake_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Does this operation fail? */
static bool fails(struct log_io *io, const char *operation)
{
	struct fake_files *f = (struct fake_files *)io;
	f->step++;
	if (f->fail_at == 0 || (f->stop ? f->step < f->fail_at : f->step != f->fail_at))
		return false;
	if (f->failed[0] == 0)
		snprintf(f->failed, sizeof f->failed, "%s", operation);
	return true;
}

static bool is_dead(const struct fake_files *f)
{
	return f->stop && f->fail_at != 0 && f->step >= f->fail_at;
}

static const char *last_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static struct fake_name *lookup(struct fake_files *f, const char *name)
{
	for (int i = 0; i < FAKE_FILES; i++)
		if (strcmp(f->names[i].name, name) == 0)
			return &f->names[i];
	return NULL;
}

static struct fake_name *enter(struct fake_files *f, const char *name)
{
	struct fake_name *found = lookup(f, name);
	if (!found)
		found = lookup(f, "");
	if (!found)
		fail_msg("more than %d names", FAKE_FILES);
	assert_true(strlen(name) < sizeof found->name);
	strcpy(found->name, name);
	return found;
}

static void set_bytes(struct fake_file *file, size_t offset, const void *data, size_t bytes)
{
	if (offset + bytes > file->capacity) {
		file->capacity = 2 * (offset + bytes);
		file->data = realloc(file->data, file->capacity);
		assert_non_null(file->data);
	}
	if (offset > file->bytes)
		memset(file->data + file->bytes, 0, offset - file->bytes);
	if (bytes > 0)
		memcpy(file->data + offset, data, bytes);
	if (offset + bytes > file->bytes)
		file->bytes = offset + bytes;
}

/* ---- The operations ---- */

static int fake_list(struct log_io *io, const char *path, int (*entry)(void *, const char *), void *context)
{
	struct fake_files *f = (struct fake_files *)io;
	(void)path;
	int code = fails(io, "list") ? -f->error : 0;
	for (int i = 0; code == 0 && i < FAKE_FILES; i++)
		if (f->names[i].name[0])
			code = entry(context, f->names[i].name);
	return code;
}

static int fake_sync_directory(struct log_io *io, const char *path)
{
	struct fake_files *f = (struct fake_files *)io;
	(void)path;
	if (fails(io, "sync_directory"))
		return -f->error;
	memcpy(f->durable, f->names, sizeof f->durable);
	return 0;
}

static int fake_rename(struct log_io *io, const char *from, const char *to)
{
	struct fake_files *f = (struct fake_files *)io;
	if (fails(io, "rename"))
		return -f->error;
	struct fake_name *old = lookup(f, last_name(from));
	if (!old)
		return -ENOENT;
	enter(f, last_name(to))->file = old->file;
	old->name[0] = 0;
	return 0;
}

static int fake_remove(struct log_io *io, const char *path)
{
	struct fake_files *f = (struct fake_files *)io;
	if (fails(io, "remove"))
		return -f->error;
	struct fake_name *old = lookup(f, last_name(path));
	if (!old)
		return -ENOENT;
	old->name[0] = 0;
	return 0;
}

static int fake_open(struct log_io *io, const char *path, enum log_io_mode mode)
{
	struct fake_files *f = (struct fake_files *)io;
	if (fails(io, "open"))
		return -f->error;
	struct fake_name *name = lookup(f, last_name(path));
	if (mode != LOG_IO_CREATE)
		return name ? name->file : -ENOENT;
	if (name) {
		f->files[name->file].bytes = 0;
		f->made = name->file;
		return name->file;
	}
	assert_in_range(f->file_count, 0, FAKE_FILES - 1);
	name = enter(f, last_name(path));
	f->made = name->file = f->file_count++;
	return name->file;
}

static int fake_close(struct log_io *io, int file)
{
	struct fake_files *f = (struct fake_files *)io;
	const bool made = file == f->made;
	if (made)
		f->made = -1;
	return fails(io, made ? "close made" : "close") ? -f->error : 0;
}

static int fake_size(struct log_io *io, int file, uint64_t *bytes)
{
	struct fake_files *f = (struct fake_files *)io;
	*bytes = f->files[file].bytes;
	return fails(io, "size") ? -f->error : 0;
}

static ssize_t fake_read(struct log_io *io, int file, void *data, size_t bytes, uint64_t offset)
{
	struct fake_files *f = (struct fake_files *)io;
	const struct fake_file *from = &f->files[file];
	if (fails(io, "read"))
		return -f->error;
	if (offset >= from->bytes)
		return 0;
	if (bytes > from->bytes - offset)
		bytes = (size_t)(from->bytes - offset);
	memcpy(data, from->data + offset, bytes);
	return (ssize_t)bytes;
}

/* One that fails has written a part. */
static int fake_write(struct log_io *io, int file, const void *data, size_t bytes, uint64_t offset)
{
	struct fake_files *f = (struct fake_files *)io;
	const bool was_dead = is_dead(f), failing = fails(io, "write");
	if (!was_dead)
		set_bytes(&f->files[file], (size_t)offset, data, failing ? bytes / 2 : bytes);
	return failing ? -f->error : 0;
}

static int fake_sync(struct log_io *io, int file)
{
	struct fake_files *f = (struct fake_files *)io;
	struct fake_file *synced = &f->files[file];
	if (fails(io, "sync"))
		return -f->error;
	synced->durable = realloc(synced->durable, synced->bytes + 1);
	assert_non_null(synced->durable);
	if (synced->bytes > 0)
		memcpy(synced->durable, synced->data, synced->bytes);
	synced->durable_bytes = synced->bytes;
	return 0;
}

static uint64_t fake_random(struct log_io *io)
{
	return pod_random(&((struct fake_files *)io)->random);
}

static const struct log_io_ops fake_ops = {
        .list = fake_list,
        .sync_directory = fake_sync_directory,
        .rename = fake_rename,
        .remove = fake_remove,
        .open = fake_open,
        .close = fake_close,
        .size = fake_size,
        .read = fake_read,
        .write = fake_write,
        .sync = fake_sync,
        .random = fake_random,
};

/* ---- For tests ---- */

void fake_begin(struct fake_files *f)
{
	*f = (struct fake_files){.io.ops = &fake_ops, .random = 1, .made = -1};
}

void fake_end(struct fake_files *f)
{
	for (int i = 0; i < f->file_count; i++) {
		free(f->files[i].data);
		free(f->files[i].durable);
	}
	*f = (struct fake_files){0};
}

void fake_lose_power(struct fake_files *f, bool all_names)
{
	if (!all_names)
		memcpy(f->names, f->durable, sizeof f->names);
	for (int i = 0; i < f->file_count; i++) {
		f->files[i].bytes = 0;
		set_bytes(&f->files[i], 0, f->files[i].durable, f->files[i].durable_bytes);
	}
}

struct fake_file *fake_find(struct fake_files *f, const char *name)
{
	const struct fake_name *found = lookup(f, name);
	return found ? &f->files[found->file] : NULL;
}

void fake_put(struct fake_files *f, const char *name, const void *data, size_t bytes)
{
	int file = fake_open(&f->io, name, LOG_IO_CREATE);
	set_bytes(&f->files[file], 0, data, bytes);
}
