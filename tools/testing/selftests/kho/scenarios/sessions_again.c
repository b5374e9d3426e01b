// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions that are not finished: a manager that is killed leaves them to the
 * next one, a kexec that would lose them is refused and names them. One that is
 * finished takes in files again and survives another kexec.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenario.h"

enum { FIRST = 1, SECOND, AGAIN };

static const struct memfile first = {
	.name = "first", .token = FIRST, .size = MIB(8),
};

static const struct memfile second = {
	.name = "second", .token = SECOND, .size = MIB(8),
};

static const struct memfile again = {
	.name = "again", .token = AGAIN, .size = MIB(4),
};

static void before_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_create(device, "vm"), "create session");

	memfiles_preserve(session, &first, 1);
	memfiles_preserve(session, &second, 1);
	require_fd(luo_create(device, "empty"), "create an empty session");
}

/* It has one file when it is killed. */
static void killed_manager(int device)
{
	int ready[2], status;
	char done = 0;
	pid_t pid;

	require(!pipe(ready), "make a pipe");
	pid = fork();
	if (!pid) {
		int session = luo_retrieve(device, "vm");

		done = luo_retrieve_fd(session, FIRST) >= 0;
		if (write(ready[1], &done, 1) == 1)
			pause();
		_exit(1);
	}
	check(read(ready[0], &done, 1) == 1 && done, "a manager has one file");
	kill(pid, SIGKILL);
	check(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status),
	      "it is killed");
}

/* Loading is not refused: they can be finished until it is started */
static void check_refused(const char *log)
{
	check_result(load_next_kernel(), 0, "load the next kernel");
	check(kmsg_has("of the previous kernel not finished, a kexec would lose them"),
	      "the log says what would be lost");
	check_kho("next/status", "incompatible");
	check_kho("next/potential", "incompatible");
	check_result(try_kexec(), -EPROTONOSUPPORT, "kexec");
	check(kmsg_has(log), "the log says \"%s\"", log);
}

static void between(void)
{
	int device, session, empty;

	check_kho("components/luo/users", "2");
	check_kho("components/luo/unfinished", "2");
	check_refused("kexec refused: 2 sessions of the previous kernel");
	check(kmsg_has("session [vm] of the previous kernel is not finished"),
	      "and which ones");

	device = require_fd(luo_device(), "open /dev/liveupdate");
	empty = require_fd(luo_retrieve(device, "empty"), "retrieve a session");
	check_result(luo_finish(empty), 0, "finish it");
	close(empty);
	killed_manager(device);
	check_refused("kexec refused: 1 sessions of the previous kernel");

	session = require_fd(luo_retrieve(device, "vm"), "retrieve session");
	memfiles_retrieve(session, &first, 1);
	memfiles_retrieve(session, &second, 1);
	check_refused("kexec refused: 1 sessions of the previous kernel");
	check_kho("components/luo/unfinished", "1");
	check_result(luo_finish(session), 0, "finish");
	check_kho("components/luo/unfinished", "0");
	check_kho("next/status", "compatible");
	check_kho("next/potential", "compatible");
	memfiles_preserve(session, &again, 1);
}

static void after_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_retrieve(device, "vm"), "retrieve session");

	memfiles_retrieve(session, &again, 1);
	check_result(luo_finish(session), 0, "finish");
	check_kho("components/luo/users", "1");
	close(session);
	check_kho("components/luo/users", "0");
}

SCENARIO(sessions_again, { before_kexec }, { between }, { after_kexec });
