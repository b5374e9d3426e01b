// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory with something preserved cannot go offline: it is refused at once, before the
 * kexec and after it, also where memory is for movable allocations only.
 *
 * needs memory: 1G
 * needs log: memory cannot go offline
 */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "scenario.h"

#define NR_BLOCKS	8

/* So large that there are blocks in which only it does not move */
static const struct memfile file = { .name = "ram", .token = 1, .size = MIB(448) };

static void wake(int sig)
{
	(void)sig;
}

/* A signal ends the attempt to move what does not move */
static int offline(int block)
{
	static const struct sigaction action = { .sa_handler = wake };
	char path[64];
	int err;

	snprintf(path, sizeof(path), "/sys/devices/system/memory/memory%d/state",
		 block);
	sigaction(SIGALRM, &action, NULL);
	alarm(20);
	err = write_file(path, "offline");
	alarm(0);
	if (!err)
		write_file(path, "online");
	return err;
}

static void expect_refused(void)
{
	bool waited = false;
	int refused = 0;

	for (int block = 0; block < NR_BLOCKS; block++) {
		int err = offline(block);

		note("memory%d: %s", block, result_name(err));
		waited |= err == -EINTR;
		refused += err == -EBUSY;
	}
	check(!waited, "no block is tried until a signal comes");
	check(refused > 0, "%d blocks are refused", refused);
}

static void before_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_create(device, "offline"), "create session");

	memfiles_preserve(session, &file, 1);
	expect_refused();
	check(kmsg_has("is preserved"), "the log says why");
}

static void after_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_retrieve(device, "offline"), "retrieve session");

	expect_refused();
	check(kmsg_has("is held for the previous kernel"), "the log says why");
	memfiles_retrieve(session, &file, 1);
	check_result(luo_finish(session), 0, "finish");
}

SCENARIO(offline, { before_kexec },
	 { after_kexec, .cmdline = "kernelcore=100M" });
