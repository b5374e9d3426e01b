// SPDX-License-Identifier: GPL-2.0-only
/*
 * A file whose handler is missing waits for it, and one whose handler is there
 * in another version only says so; other files work. Its session cannot be
 * finished without it, and can be retrieved again.
 *
 * needs memory: 256M
 * needs cmdline: test_kho.max_mem=0
 */
#include <unistd.h>

#include "scenario.h"

enum { MEMFD = 1, WAITING };

/* Token WAITING + i has page i of the file. */
#define LEFT_PAGES	64

static const struct memfile memfd = {
	.name = "memfd", .token = MEMFD, .size = MIB(1),
};

static const struct memfile waiting = { .name = "waiting", .size = KIB(4) };
static const struct memfile left = {
	.name = "left", .size = LEFT_PAGES * KIB(4),
};

static int preserve_pages(int session, const struct memfile *file)
{
	int done = 0;

	for (size_t at = 0; at < file->size; at += KIB(4)) {
		int fd = testfile_create(file, at);

		done += !luo_preserve(session, fd, WAITING + at / KIB(4));
		close(fd);
	}
	return done;
}

static void before_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_create(device, "vm"), "create session");

	check_result(register_handler(1), 0, "register version 1");
	memfiles_preserve(session, &memfd, 1);
	check(preserve_pages(session, &waiting) == 1, "preserve a test file");
}

static void handler_comes_late(int session)
{
	int fd;

	check_result(luo_retrieve_fd(session, WAITING), -ENODEV,
		     "retrieve without a handler");
	check_result(luo_finish(session), -EBUSY, "finish without a handler");
	memfiles_retrieve(session, &memfd, 1);
	check_result(register_handler(2), 0, "register version 2");
	check_result(luo_retrieve_fd(session, WAITING), -EPROTONOSUPPORT,
		     "retrieve with a handler of another version");
	check_result(register_handler(1), 0, "register version 1");
	fd = require_fd(luo_retrieve_fd(session, WAITING),
			"retrieve with the handler");
	check(testfile_same(&waiting, 0, fd), "the file is what it was");
}

static void between(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_retrieve(device, "vm"), "retrieve session");

	handler_comes_late(session);
	check_result(luo_finish(session), 0, "finish");
	session = require_fd(luo_create(device, "left"), "create session");
	check(preserve_pages(session, &left) == LEFT_PAGES,
	      "preserve %d test files", LEFT_PAGES);
}

static void without_handler(void)
{
	int fd, device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_retrieve(device, "left"),
				 "retrieve session");

	check_result(luo_finish(session), -EBUSY, "finish without a handler");
	check(kmsg_has("cannot be finished, no handler for 'kho-test-file-v"),
	      "the log says so");
	close(session);
	check_intact(&left);

	check_result(register_handler(2), 0, "register version 2");
	session = require_fd(luo_retrieve(device, "left"),
			     "retrieve session again");
	fd = require_fd(luo_retrieve_fd(session, WAITING), "retrieve a file");
	check(testfile_same(&left, 0, fd), "the file is what it was");
	check_result(luo_finish(session), 0, "finish with the handler");
}

SCENARIO(compat_handler, { before_kexec }, { between }, { without_handler });
