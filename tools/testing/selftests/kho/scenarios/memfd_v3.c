// SPDX-License-Identifier: GPL-2.0-only
/*
 * memfds in version 3: what is not there is not made, memory that was never
 * written to stays that, mode, owner and name arrive, and so does what is written
 * after the file was preserved. A page that fails while it is held costs itself only.
 * The ordinary files go on in version 2, and then in version 3 again.
 *
 * needs memory: 768M
 * needs cmdline: kho_write=memfd:3
 * needs log: Memory failure: |poisoned
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "scenario.h"

#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC	0x0020
#endif
#ifndef MADV_HWPOISON
#define MADV_HWPOISON	100
#endif

#define WRITE_VERSION	"/sys/kernel/kho/components/memfd/write"
#define SEALED	(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)
#define PROGRAM_SEALS	(F_SEAL_EXEC | F_SEAL_SHRINK | F_SEAL_GROW |	\
			 F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)

static const struct memfile files[] = {
	{ .name = "one-page", .token = 1, .size = KIB(4) },
	{ .name = "odd-size", .token = 2, .size = 12345, .position = 4321 },
	{ .name = "empty", .token = 3, .size = 0, .position = 77 },
	{ .name = "ordinary", .token = 4, .size = MIB(24), .position = MIB(1) },
	{ .name = "huge", .token = 5, .size = MIB(16), .huge = true },
	{ .name = "holes", .token = 6, .size = MIB(16) + 100,
	  .position = MIB(20), .hole = { MIB(4), MIB(8) } },
	{ .name = "sealed", .token = 7, .size = MIB(1), .seals = SEALED },
	{ .name = "program", .token = 8, .size = KIB(8),
	  .seals = PROGRAM_SEALS },
};

static const struct memfile torn = { .name = "torn", .token = 9, .size = MIB(4) };

/* Tokens of the others, and of the blocks that they had */
enum { SPARSE = 20, ALLOCATED, LATE, OWNED, POISONED, BUSY, HELD, BLOCKS = 40 };

#define TIB	((__u64)MIB(1) << 20)
#define TOUCHED	MIB(32)

static int new_file(const char *name, __u64 size)
{
	int fd = require_fd(memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING),
			    "%s: create", name);

	require(!ftruncate(fd, size), "%s: set its size", name);
	return fd;
}

static __u64 blocks(int fd)
{
	struct stat st;

	require(!fstat(fd, &st), "stat of a file");
	return st.st_blocks;
}

static void write_number(int fd, __u64 offset, __u64 number)
{
	if (pwrite(fd, &number, sizeof(number), offset) != sizeof(number))
		require(false, "write at %#llx", offset);
}

static void check_number(int fd, __u64 offset, __u64 expected)
{
	__u64 number = ~0ULL;

	pread(fd, &number, sizeof(number), offset);
	check(number == expected, "%#llx at offset %#llx, expected %#llx", number,
	      offset, expected);
}

static void preserve_file(int session, int fd, __u64 token, const char *name)
{
	__u64 had = blocks(fd);

	check_result(luo_preserve(session, fd, token), 0, "%s: preserve", name);
	check(blocks(fd) == had, "%s: %llu blocks, %llu before it was preserved",
	      name, blocks(fd), had);
	carry_number(session, token + BLOCKS, had);
}

static int retrieve_file(int session, __u64 token, const char *name)
{
	int fd = require_fd(luo_retrieve_fd(session, token), "%s: retrieve", name);
	__u64 had = carried_number(session, token + BLOCKS);

	check(blocks(fd) == had, "%s: %llu blocks, %llu before the kexec", name,
	      blocks(fd), had);
	return fd;
}

/* 1 TiB with ends and a middle, in a machine that has a thousandth of it */
static void preserve_sparse(int session)
{
	int fd = new_file("sparse", TIB);

	for (__u64 at = 0; at < TOUCHED; at += KIB(4))
		write_number(fd, at, at + 1);
	write_number(fd, TIB / 2, 2);
	write_number(fd, TIB - KIB(4), 3);
	preserve_file(session, fd, SPARSE, "sparse");
	close(fd);
}

static void check_sparse(int session)
{
	int fd = retrieve_file(session, SPARSE, "sparse");

	for (__u64 at = 0; at < TOUCHED; at += MIB(1) - KIB(4))
		check_number(fd, at, at + 1);
	check_number(fd, TOUCHED, 0);
	check_number(fd, TIB / 2, 2);
	check_number(fd, TIB - KIB(4), 3);
	check(lseek(fd, TOUCHED, SEEK_DATA) == (off_t)(TIB / 2),
	      "sparse: there is a hole up to the middle");
}

/* Some of it was never written to, or only after it was preserved */
static void preserve_allocated(int session)
{
	int fd = new_file("allocated", MIB(8));

	require(!fallocate(fd, 0, 0, MIB(8)), "allocated: fallocate");
	write_number(fd, MIB(1), 1);
	preserve_file(session, fd, ALLOCATED, "allocated");
	write_number(fd, MIB(2), 2);
	close(fd);
}

static void check_allocated(int session)
{
	int fd = retrieve_file(session, ALLOCATED, "allocated");

	check_number(fd, 0, 0);
	check_number(fd, MIB(1), 1);
	check_number(fd, MIB(2), 2);
	check_number(fd, MIB(8) - 8, 0);
}

/* A hole that is filled later is not lost */
static void preserve_late(int session)
{
	int fd = new_file("late", MIB(64));

	write_number(fd, MIB(1), 1);
	check_result(luo_preserve(session, fd, LATE), 0, "late: preserve");
	write_number(fd, MIB(32), 32);
	carry_number(session, LATE + BLOCKS, blocks(fd));
	close(fd);
}

static void check_late(int session)
{
	int fd = retrieve_file(session, LATE, "late");

	check_number(fd, MIB(1), 1);
	check_number(fd, MIB(2), 0);
	check_number(fd, MIB(32), 32);
}

static void preserve_owned(int session)
{
	int fd = new_file("owned", KIB(8));

	require(!fchown(fd, 1000, 64055) && !fchmod(fd, 0640), "owned: change owner");
	preserve_file(session, fd, OWNED, "owned");
	close(fd);
}

static void check_owned(int session)
{
	int fd = retrieve_file(session, OWNED, "owned");
	char path[32], name[64] = "";
	struct stat st;

	fstat(fd, &st);
	check(st.st_uid == 1000 && st.st_gid == 64055 && st.st_mode == 0100640,
	      "owned: owner %u, group %u, mode 0%o", st.st_uid, st.st_gid, st.st_mode);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	readlink(path, name, sizeof(name) - 1);
	check(!strcmp(name, "/memfd:owned (deleted)"), "owned: it is called '%s'", name);
}

static sigjmp_buf caught;

static void catch(int number)
{
	siglongjmp(caught, number);
}

/* A process that has the page mapped gets a signal */
static void poison_page(char *page)
{
	signal(SIGBUS, catch);
	if (!sigsetjmp(caught, 1))
		require(!madvise(page, KIB(4), MADV_HWPOISON), "poison a page");
	signal(SIGBUS, SIG_DFL);
}

static void preserve_poisoned(int session)
{
	int fd = new_file("poisoned", KIB(64));
	char *map = mmap(NULL, KIB(64), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	require(map != MAP_FAILED, "poisoned: map it");
	for (__u64 at = 0; at < KIB(64); at += KIB(4))
		map[at] = 7;
	poison_page(map + KIB(20));
	munmap(map, KIB(64));
	check_result(luo_preserve(session, fd, POISONED), 0, "poisoned: preserve");
	close(fd);
}

static char seen;

static bool can_read(const char *from)
{
	if (sigsetjmp(caught, 1))
		return false;
	seen = *from;
	return seen == 7;
}

/* Of a file in which all bytes are there but the page at @bad */
static void check_bad_page(int fd, const char *name, __u64 size, __u64 bad)
{
	char *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	char byte;

	require(map != MAP_FAILED, "%s: map it", name);
	signal(SIGBUS, catch);
	for (__u64 at = 0; at < size; at += KIB(4)) {
		if (at != bad && !can_read(map + at))
			check(false, "%s: page at %#llx", name, at);
	}
	check(!can_read(map + bad), "%s: SIGBUS at %#llx", name, bad);
	signal(SIGBUS, SIG_DFL);
	check(pread(fd, &byte, 1, bad) < 0 && errno == EIO, "%s: EIO", name);
	check(pread(fd, &byte, 1, bad + KIB(4)) == 1 && byte == 7, "%s: the next page",
	      name);
	munmap(map, size);
}

static void check_poisoned(int session)
{
	int fd = require_fd(luo_retrieve_fd(session, POISONED), "poisoned: retrieve");

	check_bad_page(fd, "poisoned", KIB(64), KIB(20));
	check(!ftruncate(fd, KIB(4)) && blocks(fd) == 8, "poisoned: cut it off");
	close(fd);
}

#define CORRUPT_PFN	"/sys/kernel/debug/hwpoison/corrupt-pfn"

/* Only kernels for x86_64 are built with what makes memory fail */
static bool memory_can_fail(void)
{
	struct utsname kernel;

	return !uname(&kernel) && !strcmp(kernel.machine, "x86_64");
}

/* In the middle of pages that are a large folio when the file is retrieved */
#define HELD_SIZE	MIB(8)
#define HELD_BAD	(MIB(4) + KIB(20))

static void preserve_held(int session)
{
	int fd = new_file("held", HELD_SIZE);
	char *map = mmap(NULL, HELD_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	require(map != MAP_FAILED, "held: map it");
	memset(map, 7, HELD_SIZE);
	munmap(map, HELD_SIZE);
	check_result(luo_preserve(session, fd, HELD), 0, "held: preserve");
	carry_number(session, HELD + BLOCKS, memfile_pfn(fd, HELD_BAD));
	close(fd);
}

/* Memory that belongs to no file yet */
static void fail_held(int session)
{
	char pfn[32];

	snprintf(pfn, sizeof(pfn), "%#llx", carried_number(session, HELD + BLOCKS));
	/* It does not succeed, but the page is noted */
	write_file(CORRUPT_PFN, pfn);
}

static void check_held(int session)
{
	int fd;

	fail_held(session);
	fd = require_fd(luo_retrieve_fd(session, HELD), "held: retrieve");
	check_bad_page(fd, "held", HELD_SIZE, HELD_BAD);
	close(fd);
}

/*
 * One hole after the other is filled up to the kexec, and a page that is there says
 * how many are. It never says more than arrive.
 */
#define BUSY_PAGES	20000

static void fill_holes(int fd)
{
	__u64 *count = mmap(NULL, KIB(4) * (BUSY_PAGES + 1), PROT_READ | PROT_WRITE,
			    MAP_SHARED, fd, 0);

	for (__u64 i = 1; i <= BUSY_PAGES; i++) {
		count[i * KIB(4) / sizeof(*count)] = i;
		__atomic_store_n(count, i, __ATOMIC_SEQ_CST);
		usleep(500);
	}
	_exit(0);
}

static void preserve_busy(int session)
{
	int fd = new_file("busy", KIB(4) * (BUSY_PAGES + 1));

	write_number(fd, 0, 0);
	check_result(luo_preserve(session, fd, BUSY), 0, "busy: preserve");
	if (!fork())
		fill_holes(fd);
	close(fd);
}

static void check_busy(int session)
{
	int fd = require_fd(luo_retrieve_fd(session, BUSY), "busy: retrieve");
	__u64 filled = 0, found, number;

	pread(fd, &filled, sizeof(filled), 0);
	for (found = 0; found < filled; found++) {
		pread(fd, &number, sizeof(number), (found + 1) * KIB(4));
		if (number != found + 1)
			break;
	}
	check(filled > 0 && found == filled, "busy: %llu of %llu pages arrived", found,
	      filled);
	note("%llu blocks", blocks(fd));
	close(fd);
}

static void preserve_torn(int session)
{
	int other, fd = memfile_create_torn(&torn, &other);

	check_result(luo_preserve(session, fd, torn.token), 0, "torn: preserve");
	close(fd);
	close(other);
}

static void before_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_create(device, "first"), "create session");

	check_kho("components/memfd/write", "3");
	memfiles_preserve(session, files, ARRAY_SIZE(files));
	preserve_torn(session);
	preserve_sparse(session);
	preserve_allocated(session);
	preserve_late(session);
	preserve_owned(session);
	preserve_busy(session);
	if (memory_can_fail()) {
		preserve_poisoned(session);
		preserve_held(session);
	}
}

static void check_others(int session)
{
	check_sparse(session);
	check_allocated(session);
	check_late(session);
	check_owned(session);
	check_busy(session);
	if (memory_can_fail()) {
		check_poisoned(session);
		check_held(session);
	}
}

static void verify_all(int session, int *fds)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		fds[i] = require_fd(luo_retrieve_fd(session, files[i].token),
				    "%s: retrieve", files[i].name);
		memfile_verify(&files[i], fds[i]);
	}
	fds[i] = require_fd(luo_retrieve_fd(session, torn.token), "torn: retrieve");
	memfile_verify(&torn, fds[i]);
}

/* From one session to another, in that version */
static void hand_on(int device, int session, const char *to, const char *version)
{
	int fds[ARRAY_SIZE(files) + 1], next;
	size_t i;

	verify_all(session, fds);
	check_result(luo_finish(session), 0, "finish");
	close(session);
	check_result(write_file(WRITE_VERSION, version), 0, "write version %s", version);

	next = require_fd(luo_create(device, to), "create session");
	for (i = 0; i < ARRAY_SIZE(files); i++)
		check_result(luo_preserve(next, fds[i], files[i].token), 0,
			     "%s: preserve", files[i].name);
	check_result(luo_preserve(next, fds[i], torn.token), 0, "torn: preserve");
	check_kho("components/memfd/write", version);
}

static void to_version_2(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");

	int session = require_fd(luo_retrieve(device, "first"), "retrieve session");

	use_free_memory();
	check_others(session);
	hand_on(device, session, "second", "2");
}

static void to_version_3(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");

	int session = require_fd(luo_retrieve(device, "second"), "retrieve session");

	hand_on(device, session, "third", "3");
}

static void last(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_retrieve(device, "third"), "retrieve session");

	use_free_memory();
	memfiles_retrieve(session, files, ARRAY_SIZE(files));
	memfiles_retrieve(session, &torn, 1);
	check_result(luo_finish(session), 0, "finish");
}

SCENARIO(memfd_v3, { before_kexec }, { to_version_2 }, { to_version_3 }, { last });
