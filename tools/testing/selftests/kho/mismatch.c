// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mismatches on purpose, the test files, and the proof that memory which
 * nobody could restore was left alone. The kernel's side of the first two is
 * kernel/liveupdate/tests/kho_mismatch.c.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "scenario.h"

#define DIRECTORY	"/sys/kernel/debug/kho_test/"
#define PAGE		KIB(4)

/* In the FDT for the next kernel, at once. */
void make_mismatch(const char *what)
{
	int ret = write_file(DIRECTORY "announce", what);

	require(!ret, "announce \"%s\"", what);
}

/* In what LUO serializes when kexec comes. */
void make_damage(const char *what)
{
	int ret = write_file(DIRECTORY "damage", what);

	require(!ret, "damage \"%s\"", what);
}

static int write_number(const char *path, int number)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", number);
	return write_file(path, text);
}

int register_handler(int version)
{
	return write_number(DIRECTORY "handler", version);
}

/* The next kexecs with a test file in a session, that many, fail with EBUSY. */
int refuse_kexec(int times)
{
	return write_number(DIRECTORY "refuse", times);
}

int testfile_create(const struct memfile *file, size_t offset)
{
	int fd = open(DIRECTORY "file", O_RDWR | O_CLOEXEC);
	char page[PAGE];

	if (fd < 0)
		return -errno;
	pattern_fill(page, PAGE, pattern_seed(file->name), offset);
	if (write(fd, page, PAGE) == PAGE)
		return fd;
	close(fd);
	return -EIO;
}

bool testfile_same(const struct memfile *file, size_t offset, int fd)
{
	char page[PAGE];

	return lseek(fd, 0, SEEK_SET) == 0 && read(fd, page, PAGE) == PAGE &&
	       pattern_mismatch(page, PAGE, pattern_seed(file->name), offset) ==
	       PAGE;
}

/*
 * All that the kernel believes is free is written over first. What it keeps
 * for itself meanwhile has no room for all pages of a large file, so a file
 * that was freed cannot pass.
 */
void check_intact(const struct memfile *file)
{
	size_t pages = file->size / PAGE, found;

	use_free_memory();
	found = pages_in_memory(file);
	check(found == pages, "%s: %zu of %zu pages are untouched", file->name,
	      found, pages);
}
