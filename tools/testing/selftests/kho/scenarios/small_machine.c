// SPDX-License-Identifier: GPL-2.0-only
/*
 * A machine of 256 MiB keeps most of its memory with kho=on, and what is set
 * aside is enough for the next kernel.
 *
 * needs memory: 256M
 */
#include "scenario.h"

static const struct memfile file = { .name = "ram", .token = 1, .size = MIB(32) };

static void before_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	long mib = scratch_set_aside();
	int session = require_fd(luo_create(device, "small"), "create session");

	check(mib > 0 && mib <= 40, "%ld MiB are set aside, at most 40", mib);
	memfiles_preserve(session, &file, 1);
}

static void after_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_retrieve(device, "small"), "retrieve session");

	memfiles_retrieve(session, &file, 1);
	check_result(luo_finish(session), 0, "finish");
}

SCENARIO(small_machine, { before_kexec }, { after_kexec });
