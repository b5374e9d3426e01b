// SPDX-License-Identifier: GPL-2.0-only
/*
 * What KHO says about the image of the next kernel, and the ways to load one
 * that only tests of that need.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/kexec.h>

#include "scenario.h"

#define DIRECTORY	"/sys/kernel/kho/"

/* What a file says, without the end of the line, until the next call. */
const char *kho_says(const char *file)
{
	static char text[64];
	char path[128];
	ssize_t size;
	int fd;

	snprintf(path, sizeof(path), DIRECTORY "%s", file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	size = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[size > 0 ? size : 0] = 0;
	text[strcspn(text, "\n")] = 0;
	return text;
}

bool check_kho(const char *file, const char *expected)
{
	const char *found = kho_says(file);

	if (check(!strcmp(found, expected), "%s says %s", file, expected))
		return true;
	note("it says \"%s\"", found);
	return false;
}

void set_kho_check(const char *mode)
{
	check_result(write_file(DIRECTORY "check", mode), 0, "set check to %s",
		     mode);
}

/* Resets the machine, as a kexec that starts it shows by ending the machine */
#ifdef __x86_64__
static const unsigned char reset[] = {
	0x0f, 0x01, 0x1d, 0x00, 0x01, 0x00, 0x00,	/* lidt: an empty table */
	0xcc,						/* int3 */
};
#else
static const uint32_t reset[] = {
	0x52800120, 0x72b08000,	/* w0 = 0x84000009, SYSTEM_RESET of PSCI */
	0xd4000002,		/* hvc #0 */
	0x14000000,		/* b . */
};
#endif

/*
 * With the system call that knows of no handover. It takes segments as they
 * are, so one page of code is an image.
 */
int load_bare(void)
{
	struct kexec_segment segment = {
		.buf = reset,
		.bufsz = sizeof(reset),
		.mem = (void *)MIB(64),
		.memsz = getpagesize(),
	};
	unsigned long entry = MIB(64);

#ifdef __aarch64__
	entry += MIB(1024);
	segment.mem = (void *)entry;
#endif
	return syscall(SYS_kexec_load, entry, 1UL, &segment, 0UL) ? -errno : 0;
}

int load_crash(const char *name)
{
	static const char cmdline[] = "";
	char path[128];
	int image, ret;

	snprintf(path, sizeof(path), "/kernels/%s", name);
	image = open(path, O_RDONLY | O_CLOEXEC);
	ret = syscall(SYS_kexec_file_load, image, -1, sizeof(cmdline), cmdline,
		      KEXEC_FILE_ON_CRASH | KEXEC_FILE_NO_INITRAMFS);
	if (ret < 0)
		ret = -errno;
	close(image);
	return ret;
}

int unload(void)
{
	return syscall(SYS_kexec_file_load, -1, -1, 0UL, NULL,
		       KEXEC_FILE_UNLOAD) ? -errno : 0;
}
