// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host commits no more memory than it has (vm.overcommit_memory=2), and a file
 * is larger than what it may still commit. Retrieving it fails with ENOMEM as often
 * as it is tried, and takes nothing of it, until the limit is raised.
 *
 * needs memory: 256M
 */
#include <stdio.h>
#include <unistd.h>

#include "scenario.h"

#define SIZE_MIB	32
#define TRIES		3

/* The last folio goes beyond the end */
static const struct memfile file = {
	.name = "guest-ram", .token = 1, .size = MIB(SIZE_MIB) - KIB(16) - 100,
	.huge = true,
};

static void before_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_create(device, "vm"), "create session");

	memfiles_preserve(session, &file, 1);
}

static void set_limit_kib(long kib)
{
	char text[24];

	snprintf(text, sizeof(text), "%ld", kib);
	require(!write_file("/proc/sys/vm/overcommit_kbytes", text) &&
		!write_file("/proc/sys/vm/overcommit_memory", "2"),
		"at most %ld KiB are committed", kib);
}

static long committed_mib(void)
{
	return meminfo_kib("Committed_AS") >> 10;
}

static void after_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_retrieve(device, "vm"), "retrieve session");
	long before = committed_mib(), free = free_kib(), more;
	int fd;

	set_limit_kib((before + SIZE_MIB / 2) << 10);
	for (int i = 0; i < TRIES; i++)
		check_result(luo_retrieve_fd(session, file.token), -ENOMEM,
			     "retrieve more than the limit");
	check(free_kib() - free < SIZE_MIB << 8, "no part of it was freed");
	check(committed_mib() <= before + 1, "none of it is committed");

	set_limit_kib((before + SIZE_MIB * 2) << 10);
	fd = luo_retrieve_fd(session, file.token);
	check_result(fd, 0, "retrieve it when the limit was raised");
	memfile_verify(&file, fd);
	more = committed_mib() - before;
	check(more >= SIZE_MIB && more <= SIZE_MIB + 2,
	      "%ld MiB more are committed", more);

	check_result(luo_finish(session), 0, "finish");
	close(fd);
	check(committed_mib() <= before + 1, "none of it remains committed");
}

SCENARIO(retrieve_overcommit, { before_kexec }, { after_kexec });
