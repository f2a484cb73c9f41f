/* process.c: see process.h. */
#include "cxl/process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

/* Reads a small file of /proc as text; bytes read, 0 if there are none. */
static size_t read_text(const char *path, char *text, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	ssize_t bytes = read(fd, text, room - 1);
	close(fd);
	text[bytes > 0 ? bytes : 0] = '\0';
	return bytes > 0 ? (size_t)bytes : 0;
}

uint64_t machine_identity(void)
{
	char text[256];
	size_t boot = read_text("/proc/sys/kernel/random/boot_id", text, 64);
	ssize_t space = readlink("/proc/self/ns/pid", text + boot, sizeof text - boot);
	if (boot == 0 || space <= 0)
		return 0;
	return XXH3_64bits(text, boot + (size_t)space);
}

struct process_look {
	bool gone; /* it does not exist, or is a zombie without a thread left */
	uint64_t birth;
};

/* What /proc says of a process; false if that cannot be read. */
static bool look_at(pid_t pid, struct process_look *look)
{
	char path[64], text[1024], state;
	long threads;
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	*look = (struct process_look){0};
	if (!read_text(path, text, sizeof text)) {
		/* Not to be seen is not gone: only the kernel's word that there is no such process is. */
		look->gone = kill(pid, 0) != 0 && errno == ESRCH;
		return look->gone;
	}
	/* The name, in brackets, may hold anything: what counts begins behind the last bracket. */
	const char *rest = strrchr(text, ')');
	if (!rest ||
	        sscanf(rest + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld %*d %" SCNu64,
	                &state, &threads, &look->birth) != 3)
		return false;
	look->birth &= UINT32_MAX;
	/* A main thread that has ended is a zombie while the others run on. */
	look->gone = (state == 'Z' || state == 'X') && threads <= 1;
	return true;
}

uint64_t process_birth(pid_t pid)
{
	struct process_look look;
	return look_at(pid, &look) && !look.gone ? look.birth : 0;
}

bool process_gone(pid_t pid, uint64_t birth)
{
	struct process_look look;
	return look_at(pid, &look) && (look.gone || (birth != 0 && look.birth != birth));
}

void process_kill(pid_t pid, uint64_t birth)
{
	/* The descriptor holds the process: between the look at its birth and the signal its pid cannot become another's. */
	int fd = pidfd_open(pid, 0);
	if (fd < 0)
		return;
	if (!process_gone(pid, birth))
		pidfd_send_signal(fd, SIGKILL, NULL, 0);
	close(fd);
}
