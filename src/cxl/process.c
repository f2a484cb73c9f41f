/* process.c: see process.h. */
#include "cxl/process.h"

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

uint64_t process_birth(pid_t pid)
{
	char path[64], text[1024];
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	if (!read_text(path, text, sizeof text))
		return 0;
	/* The name, in brackets, may hold anything: what counts begins behind the last bracket. */
	const char *rest = strrchr(text, ')');
	char state;
	uint64_t birth;
	if (!rest ||
	        sscanf(rest + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %" SCNu64,
	                &state, &birth) != 2)
		return 0;
	return state == 'Z' || state == 'X' ? 0 : birth;
}

bool process_runs(pid_t pid, uint64_t birth)
{
	return birth != 0 && process_birth(pid) == birth;
}

void process_kill(pid_t pid, uint64_t birth)
{
	/* The descriptor holds the process: between the look at its birth and the signal its pid cannot become another's. */
	int fd = pidfd_open(pid, 0);
	if (fd < 0)
		return;
	if (process_runs(pid, birth))
		pidfd_send_signal(fd, SIGKILL, NULL, 0);
	close(fd);
}
