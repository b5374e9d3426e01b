// SPDX-License-Identifier: GPL-2.0-only
/*
 * Live update is on but nobody preserves anything; and a session is made only
 * after that kexec, with the image loaded before the file is preserved.
 */
#include "scenario.h"

static const struct memfile file = {
	.name = "afterwards", .token = 1, .size = MIB(2),
};

static void nothing(void)
{
	check_result(luo_device(), 0, "open /dev/liveupdate");
}

static void load_then_preserve(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session;

	check_result(luo_retrieve(device, "afterwards"), -ENOENT,
		     "no session came over");
	check_result(load_next_kernel(), 0, "load the next kernel first");
	session = require_fd(luo_create(device, "afterwards"),
			     "create session");
	memfiles_preserve(session, &file, 1);
}

static void after_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_retrieve(device, "afterwards"),
				 "retrieve session");

	memfiles_retrieve(session, &file, 1);
	check_result(luo_finish(session), 0, "finish");
}

SCENARIO(nothing_preserved, { nothing }, { load_then_preserve }, { after_kexec });
