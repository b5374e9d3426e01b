// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files are preserved while one processor replaces their pages by huge ones, by
 * MADV_COLLAPSE or as khugepaged, and written afterwards. The next kernel must
 * have what was written, not pages that were replaced meanwhile.
 *
 * needs memory: 1G
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenario.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

#define HUGE_PAGES	"/sys/kernel/mm/transparent_hugepage/"
#define KHUGEPAGED	HUGE_PAGES "khugepaged/"
#define FILES		40
#define COLLAPSED	20	/* of them; the others are left to khugepaged */
#define SIZE_MIB	8
#define PATIENCE	600000	/* looks, 100 us apart or more */

static struct memfile describe(int i)
{
	static char names[FILES][16];

	snprintf(names[i], sizeof(names[i]), "file-%d", i);
	return (struct memfile){
		.name = names[i], .token = i + 1, .size = MIB(SIZE_MIB),
	};
}

/* A file of small pages, on a border of huge ones in memory as well */
static char *create_mapped(const struct memfile *file, int *fd)
{
	char *room = mmap(NULL, file->size + MIB(2), PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uintptr_t at = ((uintptr_t)room + MIB(2) - 1) & ~(MIB(2) - 1);
	char *map;

	*fd = memfd_create(file->name, MFD_CLOEXEC);
	require(*fd >= 0 && !ftruncate(*fd, file->size), "create %s",
		file->name);
	map = mmap((void *)at, file->size, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_FIXED, *fd, 0);
	require(map != MAP_FAILED, "map %s", file->name);
	memset(map, 0xA5, file->size);
	return map;
}

/* Until the first huge page is there, and somebody at work on the next ones */
static void wait_for_huge_pages(const struct memfile *file, long before)
{
	int looks = 0;

	while (meminfo_kib("ShmemHugePages") <= before && looks++ < PATIENCE)
		usleep(100);
	check(looks < PATIENCE, "%s: gets huge pages", file->name);
}

static pid_t start_collapse(char *map, size_t size)
{
	pid_t pid = fork();

	if (!pid) {
		for (;;)
			madvise(map, size, MADV_COLLAPSE);
	}
	return pid;
}

static void start_khugepaged(char *map, size_t size)
{
	write_file(HUGE_PAGES "shmem_enabled", "advise");
	write_file(KHUGEPAGED "scan_sleep_millisecs", "0");
	write_file(KHUGEPAGED "alloc_sleep_millisecs", "0");
	require(!madvise(map, size, MADV_HUGEPAGE), "advise huge pages");
}

/*
 * What lies in scratch is migrated out of it, which fails for want of memory, as
 * far as the caller sees, while khugepaged has a reference to it, too. Then let
 * khugepaged rest.
 */
static int preserve_again(int session, int fd, const struct memfile *file)
{
	int ret, attempts = 0;

	while ((ret = luo_preserve(session, fd, file->token)) == -ENOMEM &&
	       attempts++ < 1000) {
		write_file(KHUGEPAGED "scan_sleep_millisecs", "60000");
		usleep(10000);
	}
	if (attempts)
		note("%s: there was no memory %d times", file->name, attempts);
	return ret;
}

static void preserve_one(int session, const struct memfile *file, bool scan)
{
	long before = meminfo_kib("ShmemHugePages");
	pid_t pid = 0;
	char *map;
	int fd;

	write_file(HUGE_PAGES "shmem_enabled", "never");
	map = create_mapped(file, &fd);
	if (scan)
		start_khugepaged(map, file->size);
	else
		pid = start_collapse(map, file->size);
	wait_for_huge_pages(file, before);
	check_result(preserve_again(session, fd, file), 0, "%s: preserve",
		     file->name);
	if (pid) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	pattern_fill(map, file->size, pattern_seed(file->name), 0);
	munmap(map, file->size);
}

static void before_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_create(device, "vm"), "create session");

	for (int i = 0; i < FILES; i++) {
		struct memfile file = describe(i);

		preserve_one(session, &file, i >= COLLAPSED);
	}
}

static int count_stale(int session, int from, int to)
{
	int stale = 0;

	for (int i = from; i < to; i++) {
		struct memfile file = describe(i);
		int fd = luo_retrieve_fd(session, file.token);

		if (!check_result(fd, 0, "%s: retrieve", file.name))
			continue;
		if (!memfile_same(&file, fd)) {
			note("%s: is not what was written", file.name);
			stale++;
		}
		close(fd);
	}
	return stale;
}

static void after_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_retrieve(device, "vm"),
				 "retrieve session");
	int stale = count_stale(session, 0, COLLAPSED);

	check(!stale, "MADV_COLLAPSE: %d of %d files are stale", stale,
	      COLLAPSED);
	stale = count_stale(session, COLLAPSED, FILES);
	check(!stale, "khugepaged: %d of %d files are stale", stale,
	      FILES - COLLAPSED);
	check_result(luo_finish(session), 0, "finish");
}

SCENARIO(collapse, { before_kexec }, { after_kexec });
