// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the previous kernel preserved and nobody takes back is seen in sysfs, and
 * released on root's word: not while somebody may still ask for it, unless root
 * gives that up, and never from under a session that is held. The next kexec is
 * then not refused for it. On arm64, /proc/iomem has it as reserved.
 */
#include <stdio.h>
#include <unistd.h>

#include "scenario.h"

#define RELEASE	"/sys/kernel/kho/release"

static const struct memfile forgotten = {
	.name = "forgotten", .token = 1, .size = MIB(32),
};

static const struct memfile wanted = {
	.name = "wanted", .token = 1, .size = MIB(8),
};

enum { FIRST_PAGE = 2, LAST_PAGE };

static void carry_frame(int session, __u64 token, int fd, size_t offset)
{
	__u64 pfn = memfile_pfn(fd, offset);

	check(!iomem_reserved(pfn), "page frame %#llx is not reserved", pfn);
	carry_number(session, token, pfn);
}

static void preserve_wanted(int session)
{
	int fd = require_fd(memfile_create(&wanted), "create a file");

	check_result(luo_preserve(session, fd, wanted.token), 0, "preserve it");
	carry_frame(session, FIRST_PAGE, fd, 0);
	carry_frame(session, LAST_PAGE, fd, wanted.size - getpagesize());
	close(fd);
}

static void before_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_create(device, "forgotten"), "create session");

	memfiles_preserve(session, &forgotten, 1);
	session = require_fd(luo_create(device, "wanted"), "create session");
	preserve_wanted(session);
}

/* Elsewhere kexec_load() does not look for places by /proc/iomem */
static void check_iomem(int session)
{
#ifdef __aarch64__
	check(iomem_reserved(carried_number(session, FIRST_PAGE)),
	      "the first page of a file is reserved");
	check(iomem_reserved(carried_number(session, LAST_PAGE)),
	      "the last page of a file is reserved");
#else
	note("the file had page frame %#llx", carried_number(session, FIRST_PAGE));
#endif
}

static void check_held(long least, long most, bool waiting)
{
	long held = -1, asked = -1;

	require(sscanf(kho_says("held"), "%ld %ld", &held, &asked) == 2,
		"read how much is held");
	check(held >= least && held <= most, "%ld KiB are held", held);
	check(asked == (waiting ? held : 0), "%ld KiB may be asked for", asked);
}

static void release_nothing(void)
{
	int device, session;

	check_held(KIB(40), KIB(42), true);
	check_result(write_file(RELEASE, "1"), -EBUSY, "release");
	check(kmsg_has("not released: 2 sessions and subtrees"), "the log says why");
	check_result(write_file(RELEASE, "yes"), -EINVAL, "release 'yes'");

	device = require_fd(luo_device(), "open /dev/liveupdate");
	check_result(write_file(RELEASE, "all"), -EBUSY,
		     "release all with the device open");
	session = require_fd(luo_retrieve(device, "wanted"), "retrieve session");
	close(device);
	check_result(write_file(RELEASE, "all"), -EBUSY,
		     "release all with a session in use");
	check_iomem(session);
	memfiles_retrieve(session, &wanted, 1);
	check_result(luo_finish(session), 0, "finish");
	close(session);
}

static void release(void)
{
	int device;
	long free;

	release_nothing();
	free = free_kib();
	check_result(write_file(RELEASE, "all"), 0, "release all");
	check(free_kib() > free + (long)KIB(28), "it is free");
	check_held(0, 64, false);
	check_result(write_file(RELEASE, "1"), 0, "release once more");
	device = require_fd(luo_device(), "open /dev/liveupdate");
	check_result(luo_retrieve(device, "forgotten"), -ENOENT,
		     "retrieve what was given up");
}

static void last(void)
{
	check_held(0, KIB(1), false);
}

SCENARIO(held, { before_kexec }, { release }, { last });
