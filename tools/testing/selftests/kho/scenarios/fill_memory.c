// SPDX-License-Identifier: GPL-2.0-only
/*
 * Between a kexec and the retrieval of files whose pages lie scattered in
 * memory the new kernel takes every page that it can get and writes over it.
 * The files are what they were then, and no page got lost: with them back, the
 * machine has as much memory as after a kexec with nothing preserved.
 *
 * needs memory: 1G
 * needs cmdline: test_kho.max_mem=0 nokaslr
 */
#define _GNU_SOURCE
#include <unistd.h>

#include "scenario.h"

#define NUMBER	100

static const struct memfile files[] = {
	{ .name = "one", .token = 1, .size = KIB(4) },
	{ .name = "few", .token = 2, .size = KIB(52) + 7 },
	{ .name = "some", .token = 3, .size = MIB(1) },
	{ .name = "huge", .token = 4, .size = MIB(64), .huge = true },
	{ .name = "many", .token = 5, .size = MIB(96) },
	{ .name = "huge-few", .token = 6, .size = MIB(6), .huge = true },
};

static void cold(void)
{
	note("%llu pages in the machine", memory_in_machine());
}

/* Pages between those of the files: some become free, some stay in use. */
static void preserve_torn(int session)
{
	int other[ARRAY_SIZE(files)];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		int fd = require_fd(memfile_create_torn(&files[i], &other[i]),
				    "%s: create %zu bytes", files[i].name,
				    files[i].size);

		check_result(luo_preserve(session, fd, files[i].token), 0,
			     "%s: preserve", files[i].name);
		close(fd);
	}
	for (size_t i = 0; i < ARRAY_SIZE(files); i += 2)
		close(other[i]);
}

static void after_kexec_of_nothing(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_create(device, "torn"), "create session");

	carry_number(session, NUMBER, memory_in_machine());
	preserve_torn(session);
	note_map();
}

static void after_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	__u64 before;
	int session;

	grab_everything();
	session = require_fd(luo_retrieve(device, "torn"), "retrieve session");
	before = carried_number(session, NUMBER);
	memfiles_retrieve(session, files, ARRAY_SIZE(files));
	check_result(luo_finish(session), 0, "finish");
	close(session);
	check_memory_in_machine(before);
}

SCENARIO(fill_memory, { cold }, { after_kexec_of_nothing }, { after_kexec });
