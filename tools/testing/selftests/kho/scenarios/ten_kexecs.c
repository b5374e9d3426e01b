// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ten kexecs in a row with the same memfd: each kernel retrieves it, verifies
 * it, finishes the session and preserves the file again for the next kernel.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "scenario.h"

static const struct memfile file = {
	.name = "traveller", .token = 42, .size = MIB(16) + 5,
	.position = 1234, .seals = F_SEAL_GROW, .hole = { MIB(1), MIB(2) },
};

static void before_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_create(device, "journey"),
				 "create session");

	memfiles_preserve(session, &file, 1);
}

static void check_kexec_count(void)
{
	struct utsname uts;
	char line[128];

	uname(&uts);
	snprintf(line, sizeof(line), "exec from: %.65s (count %d)", uts.release,
		 boot_number() - 1);
	check(kmsg_has(line), "the log says '%s'", line);
}

/* The new session has the old one's name while that is still retrieved. */
static void retrieve_and_preserve(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int old = require_fd(luo_retrieve(device, "journey"), "retrieve session");
	int fd = require_fd(luo_retrieve_fd(old, file.token), "retrieve");
	int new;

	check_kexec_count();
	memfile_verify(&file, fd);
	check_result(luo_finish(old), 0, "finish");
	close(old);
	new = require_fd(luo_create(device, "journey"), "create session");
	check_result(luo_preserve(new, fd, file.token), 0, "preserve again");
}

SCENARIO(ten_kexecs, { before_kexec }, [1 ... 10] = { retrieve_and_preserve });
