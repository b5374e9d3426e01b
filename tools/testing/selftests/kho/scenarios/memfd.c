// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contents, size, file position, seals and holes of memfds arrive, of ordinary
 * and of huge pages, even when the new kernel has written over every page that
 * it believes is free before they are retrieved, and has tested free memory while
 * it booted.
 *
 * needs cmdline: memtest=1
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <unistd.h>

#include "scenario.h"

/* glibc has it from 2.38 on. */
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC	0x0020
#endif

#define SEALED	(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

/* F_SEAL_EXEC on a file that can be executed brings the others along. */
#define PROGRAM_SEALS	(F_SEAL_EXEC | F_SEAL_SHRINK | F_SEAL_GROW |	\
			 F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)

static const struct memfile files[] = {
	{ .name = "one-page", .token = 1, .size = KIB(4) },
	{ .name = "odd-size", .token = 2, .size = 12345, .position = 4321 },
	{ .name = "empty", .token = 3, .size = 0, .position = 77 },
	{ .name = "ordinary", .token = 4, .size = MIB(32), .position = MIB(1) },
	{ .name = "huge", .token = 5, .size = MIB(32), .huge = true },
	{ .name = "holes", .token = 6, .size = MIB(16) + 100,
	  .position = MIB(20), .hole = { MIB(4), MIB(8) } },
	{ .name = "sealed", .token = 7, .size = MIB(1), .seals = SEALED },
	{ .name = "future", .token = 8, .size = MIB(1),
	  .seals = F_SEAL_FUTURE_WRITE },
	{ .name = "program", .token = 9, .size = KIB(8),
	  .seals = PROGRAM_SEALS },
};

static const struct memfile late = {
	.name = "late", .token = 10, .size = MIB(1), .position = 4096,
};

/* With 64 KiB pages the next larger ones have 512 MiB: none of these files. */
static void check_huge(const char *when)
{
	long kib = meminfo_kib("ShmemHugePages");

	if (sysconf(_SC_PAGESIZE) != KIB(4))
		return;
	if (!check(kib == 32 * 1024, "32 MiB of huge pages %s", when))
		note("ShmemHugePages: %ld kB", kib);
}

/* Preserving fixes the size, but not the bytes nor the position. */
static void change_after_preserve(int session)
{
	int fd = require_fd(memfile_create(&late), "late: create");

	require(!luo_preserve(session, fd, late.token), "late: preserve");
	check(ftruncate(fd, MIB(2)) < 0 && errno == EPERM,
	      "late: its size is frozen");
	memfile_change(fd, KIB(64), KIB(64));
	lseek(fd, 999, SEEK_SET);
}

static void undo_change(int session)
{
	int fd = require_fd(luo_retrieve_fd(session, late.token),
			    "late: retrieve");

	check(lseek(fd, 0, SEEK_CUR) == 999,
	      "late: position set after preserving");
	check(!memfile_same(&late, fd), "late: differs from what it was");
	memfile_change(fd, KIB(64), KIB(64));
	check(memfile_same(&late, fd), "late: bytes written after preserving");
	check(!ftruncate(fd, MIB(2)), "late: its size can be changed again");
}

static void before_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_create(device, "memfd"), "create session");

	memfiles_preserve(session, files, ARRAY_SIZE(files));
	change_after_preserve(session);
	check_huge("before the kexec");
}

static void check_seals_hold(int session)
{
	int sealed = require_fd(luo_retrieve_fd(session, 7), "sealed: again");

	check(pwrite(sealed, "x", 1, 0) < 0 && errno == EPERM,
	      "sealed: no write");
	check(ftruncate(sealed, 1) < 0 && errno == EPERM, "sealed: no shrink");
	check(ftruncate(sealed, MIB(8)) < 0 && errno == EPERM,
	      "sealed: no growth");
	check(fcntl(sealed, F_GETFD) == FD_CLOEXEC, "sealed: closed by exec");
	check(fcntl(sealed, F_ADD_SEALS, F_SEAL_EXEC) < 0 && errno == EPERM,
	      "sealed: no further seal");
}

static void after_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session;

	check(kmsg_has("early_memtest: # of tests: 1"), "memory was tested");
	use_free_memory();
	session = require_fd(luo_retrieve(device, "memfd"), "retrieve session");
	memfiles_retrieve(session, files, ARRAY_SIZE(files));
	check_huge("after the kexec");
	check_seals_hold(session);
	undo_change(session);
	check_result(luo_finish(session), 0, "finish");
}

SCENARIO(memfd, { before_kexec }, { after_kexec });
