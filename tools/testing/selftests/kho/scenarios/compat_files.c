// SPDX-License-Identifier: GPL-2.0-only
/*
 * When memfds, or the vmalloc areas in them, cannot be read, sessions are
 * retrieved all the same: only the memfd in them fails, with an error that
 * says why. Another kind of file works, finish works, and the memfd's memory
 * stays untouched after it.
 *
 * needs memory: 256M
 * needs cmdline: test_kho.max_mem=0
 */
#include <unistd.h>

#include "scenario.h"

static const struct {
	const char *announce;
	int error;
	const char *log;
} table[] = {
	{ "vmalloc 7", -EPROTONOSUPPORT,
	  "vmalloc: version 7 in the handover is too-new" },
	{ "vmalloc absent", -EPROTONOSUPPORT, "vmalloc: not in the handover" },
	{ "vmalloc bytes 3", -EBADMSG,
	  "vmalloc: no valid version in the handover" },
	{ "memfd 7", -EPROTONOSUPPORT,
	  "memfd: version 7 in the handover is too-new" },
	{ "memfd 1", -EPROTONOSUPPORT,
	  "memfd: version 1 in the handover is too-old" },
	{ "memfd absent", -EPROTONOSUPPORT, "memfd: not in the handover" },
	{ "memfd bytes 3", -EBADMSG,
	  "memfd: no valid version in the handover" },
};

#define ROWS	((int)ARRAY_SIZE(table))

enum { MEMFD = 1, OTHER, FORGOTTEN };

static struct memfile describe(int row)
{
	return (struct memfile){
		.name = table[row].announce, .token = MEMFD, .size = MIB(40),
	};
}

static const struct memfile other = { .name = "other", .size = KIB(4) };

/* Of the second memfd nobody asks in the new kernel: finish sees it first. */
static const struct memfile forgotten = {
	.name = "forgotten", .token = FORGOTTEN, .size = KIB(64),
};

static void prepare(int device, int row)
{
	int session = require_fd(luo_create(device, "vm"), "create session");
	int fd = require_fd(testfile_create(&other, 0), "create a test file");
	struct memfile file = describe(row);

	memfiles_preserve(session, &file, 1);
	memfiles_preserve(session, &forgotten, 1);
	check_result(luo_preserve(session, fd, OTHER), 0,
		     "preserve the test file");
	close(fd);
	make_mismatch(table[row].announce);
}

static void check_other_works(int session)
{
	int fd = require_fd(luo_retrieve_fd(session, OTHER),
			    "retrieve the test file");

	check(testfile_same(&other, 0, fd), "it is what it was");
	close(fd);
}

static void unreadable(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int row = boot_number() - 2, session;
	struct memfile file = describe(row);

	check(kmsg_has(table[row].log), "the log says \"%s\"", table[row].log);
	check_result(register_handler(1), 0, "register the handler");
	session = require_fd(luo_retrieve(device, "vm"), "retrieve session");
	check_result(luo_retrieve_fd(session, MEMFD), table[row].error,
		     "%s: retrieve the memfd", file.name);
	check_result(luo_retrieve_fd(session, MEMFD), table[row].error,
		     "%s: retrieve it again", file.name);
	check_other_works(session);
	check_result(luo_finish(session), 0, "finish");
	check(kmsg_has("it stays reserved"), "the log says what is held back");
	check_intact(&file);
	if (row + 1 < ROWS)
		prepare(device, row + 1);
}

static void first(void)
{
	check_result(register_handler(1), 0, "register the handler");
	prepare(require_fd(luo_device(), "open /dev/liveupdate"), 0);
}

SCENARIO(compat_files, { first }, { unreadable }, { unreadable },
	 { unreadable }, { unreadable }, { unreadable }, { unreadable },
	 { unreadable });
