// SPDX-License-Identifier: GPL-2.0-only
/*
 * A session that is closed before the kexec, or whose owner dies, gives its
 * files back and hands nothing over. The files can then be preserved again.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "scenario.h"

#define ROUNDS	20

static const struct memfile file = {
	.name = "guest", .token = 1, .size = MIB(8),
};

static const struct memfile orphan = {
	.name = "orphan", .token = 1, .size = MIB(1),
};

static void preserve_in_dying_process(int device)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		int session = luo_create(device, "orphan");
		int fd = memfile_create(&orphan);

		_exit(session < 0 || fd < 0 ||
		      luo_preserve(session, fd, orphan.token));
	}
	waitpid(pid, &status, 0);
	check(!status, "a process preserves a file and exits");
}

static int preserve_in_new_session(int device, int fd)
{
	int session = luo_create(device, "guest");

	if (session >= 0 && luo_preserve(session, fd, file.token)) {
		close(session);
		return -1;
	}
	return session;
}

static void preserve_and_close(int device, int fd)
{
	int done = 0;

	for (; done < ROUNDS; done++) {
		int session = preserve_in_new_session(device, fd);

		if (session < 0)
			break;
		close(session);
	}
	check(done == ROUNDS, "preserve and close the session %d times", ROUNDS);
}

static void check_nothing_leaked(long before)
{
	long lost = before - free_kib();

	if (!check(lost < 2048, "memory is free again"))
		note("%ld kB less free than before", lost);
}

static void before_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int fd = require_fd(memfile_create(&file), "create a memfd");
	long free_before;

	preserve_in_dying_process(device);
	preserve_and_close(device, fd);
	free_before = free_kib();
	preserve_and_close(device, fd);
	check_nothing_leaked(free_before);

	check(!ftruncate(fd, MIB(9)) && !ftruncate(fd, file.size),
	      "its size is not frozen any more");
	check(memfile_same(&file, fd), "its contents are what they were");
	require_fd(preserve_in_new_session(device, fd), "preserve it at last");
}

static void after_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session;

	check_result(luo_retrieve(device, "orphan"), -ENOENT,
		     "the dead process's session is not there");
	session = require_fd(luo_retrieve(device, "guest"), "retrieve session");
	memfiles_retrieve(session, &file, 1);
	check_result(luo_finish(session), 0, "finish");
}

SCENARIO(unpreserve, { before_kexec }, { after_kexec });
