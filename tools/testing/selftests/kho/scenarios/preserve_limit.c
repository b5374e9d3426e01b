// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files are created and preserved until what is free is scratch, which takes
 * new files and can hold nothing preserved. Then preserving one is ENOMEM: no
 * process is killed for it, and the file is as it was. It can be preserved once
 * there is room again. Everything that was preserved arrives.
 *
 * needs memory: 512M
 * needs cmdline: kho_scratch=32M,160M,0
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenario.h"

#define SIZE_MIB	8
#define FIRST_KEPT	4
#define NUMBER		1000
/* For page tables and the like; a process that touches memory may have it */
#define SPARE_KIB	(32 << 10)

static struct memfile describe(int token)
{
	static char name[16];

	snprintf(name, sizeof(name), "file-%d", token);
	return (struct memfile){
		.name = name, .token = token, .size = MIB(SIZE_MIB),
	};
}

static long preservable_kib(void)
{
	return atol(kho_says("preservable"));
}

/*
 * Returns the token of the file that could not be preserved; *@fd is that file.
 * The first files are in a session of their own.
 */
static int fill(int first, int session, int *fd)
{
	int result = 0, token = 0;

	while (!result && free_kib() > SPARE_KIB) {
		struct memfile file = describe(++token);

		*fd = memfile_create(&file);
		require(*fd >= 0, "%s: create", file.name);
		result = luo_preserve(token < FIRST_KEPT ? first : session, *fd,
				      token);
		if (!result)
			close(*fd);
	}

	check_result(result, -ENOMEM, "file-%d: preserve", token);
	require(result < 0, "preserving fails before all memory is in use");
	return token;
}

static void check_alive(void)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid)
		_exit(free_kib() < SPARE_KIB);
	waitpid(pid, &status, 0);
	check(!status, "processes run, and find memory free");
	check(!kmsg_has("invoked oom-killer"), "no process was killed");
}

static void check_untouched(int token, int fd)
{
	struct memfile file = describe(token);

	check(memfile_same(&file, fd), "%s: contents", file.name);
	memfile_change(fd, 0, KIB(64));
	check(!memfile_same(&file, fd), "%s: can be written", file.name);
	memfile_change(fd, 0, KIB(64));
	check(!ftruncate(fd, MIB(SIZE_MIB) + KIB(4)) &&
	      !ftruncate(fd, MIB(SIZE_MIB)), "%s: can grow and shrink",
	      file.name);
}

static void before_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int first = require_fd(luo_create(device, "given-up"), "create session");
	int session = require_fd(luo_create(device, "many"), "create session");
	long room, used;
	int failed, fd = -1;

	/* An image takes memory outside scratch, too, until it is started */
	check_result(load_next_kernel(), 0, "load the next kernel");
	room = preservable_kib();
	note("%ld KiB can be preserved, %ld are free", room, free_kib());
	check(room > 0 && room < free_kib(), "less can be preserved than is free");
	failed = fill(first, session, &fd);
	used = (failed - 1L) * SIZE_MIB * 1024;
	note("%ld KiB are preserved, %ld could be, %ld are free", used,
	     preservable_kib(), free_kib());
	check(used < room + SIZE_MIB * 1024 && used > room * 3 / 4,
	      "about as much was preserved as could be");
	check_alive();
	check_untouched(failed, fd);

	close(first);
	check_result(luo_preserve(session, fd, failed), 0,
		     "preserve it once there is room");
	carry_number(session, NUMBER, failed);
}

static void after_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_retrieve(device, "many"),
				 "retrieve session");
	int last = carried_number(session, NUMBER);

	for (int token = FIRST_KEPT; token <= last; token++) {
		struct memfile file = describe(token);

		memfiles_retrieve(session, &file, 1);
	}
	check_result(luo_finish(session), 0, "finish");
}

SCENARIO(preserve_limit, { before_kexec }, { after_kexec });
