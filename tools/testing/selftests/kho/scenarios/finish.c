// SPDX-License-Identifier: GPL-2.0-only
/*
 * finish gives memory that nobody retrieved back to the kernel, and so does
 * closing a retrieved file afterwards; closing the session without finish keeps
 * it for another retrieve, also if its manager was killed.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenario.h"

#define SIZE_MIB	48

static const char *const names[] = { "finished", "closed", "retrieved", "killed" };

static const struct memfile other = {
	.name = "other", .token = 2, .size = KIB(64),
};

static struct memfile describe(const char *name)
{
	return (struct memfile){
		.name = name, .token = 1, .size = MIB(SIZE_MIB),
	};
}

static void before_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct memfile file = describe(names[i]);
		int session = require_fd(luo_create(device, names[i]),
					 "create session");

		memfiles_preserve(session, &file, 1);
		memfiles_preserve(session, &other, 1);
	}
}

/* What else the kernel takes and frees meanwhile, LUO's own memory included */
static void check_freed(const char *how, long before)
{
	long freed = (free_kib() - before) / 1024;

	check(freed >= SIZE_MIB - 8 && freed <= SIZE_MIB + 8,
	      "%s: %ld of %d MiB are free again", how, freed, SIZE_MIB);
}

/* It has retrieved one of two files, and another process goes on */
static void kill_manager(int device, const char *name)
{
	struct memfile file = describe(name);
	int session, status = 0;
	pid_t pid = fork();

	if (!pid) {
		session = luo_retrieve(device, name);
		if (session >= 0 && luo_retrieve_fd(session, file.token) >= 0)
			raise(SIGKILL);
		_exit(1);
	}
	waitpid(pid, &status, 0);
	check(WIFSIGNALED(status), "%s: the manager is killed", name);

	session = require_fd(luo_retrieve(device, name), "%s: retrieve it again",
			     name);
	memfiles_retrieve(session, &file, 1);
	memfiles_retrieve(session, &other, 1);
	check_result(luo_finish(session), 0, "finish");
	check_result(luo_retrieve(device, name), -ENOENT,
		     "%s: retrieve it when it is finished", name);
}

static void after_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session[3], fd;
	long before;

	kill_manager(device, names[3]);
	for (size_t i = 0; i < ARRAY_SIZE(session); i++)
		session[i] = require_fd(luo_retrieve(device, names[i]),
					"retrieve session %s", names[i]);
	before = free_kib();
	check_result(luo_finish(session[0]), 0, "finish");
	check_freed("finished", before);

	before = free_kib();
	close(session[1]);
	check(labs(free_kib() - before) < 8 * 1024, "closed: nothing is freed");
	session[1] = require_fd(luo_retrieve(device, names[1]),
				"retrieve it again");
	before = free_kib();
	check_result(luo_finish(session[1]), 0, "finish");
	check_freed("closed and finished", before);

	fd = require_fd(luo_retrieve_fd(session[2], 1), "retrieve a file");
	check_result(luo_finish(session[2]), 0, "finish");
	before = free_kib();
	close(fd);
	check_freed("retrieved", before);
}

SCENARIO(finish, { before_kexec }, { after_kexec });
