// SPDX-License-Identifier: GPL-2.0-only
/*
 * The next kernel is told to use less memory than there is. Where scratch is
 * beyond the limit it boots without the handover and says so; a kernel after that
 * starts afresh.
 *
 * needs memory: 2G
 * needs cmdline: kho_check=warn
 */
#include "scenario.h"

static const struct memfile file = {
	.name = "limited", .token = 1, .size = MIB(24),
};

static void before_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session;

	check_result(luo_retrieve(device, "limited"), -ENOENT,
		     "no session came over");
	session = require_fd(luo_create(device, "limited"), "create session");
	memfiles_preserve(session, &file, 1);
}

static void limited(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");

	check(meminfo_kib("MemTotal") < 1024 * 1024, "there is less memory");
	check(kmsg_has("is in no memory that this kernel knows") ||
	      kmsg_has("expected whole pages of memory that this kernel knows"),
	      "the log says what is wrong");
	check(kmsg_has("refused, what was preserved is lost"),
	      "the handover is refused");
	check_result(luo_retrieve(device, "limited"), -ENOENT,
		     "the session is lost");
}

SCENARIO(less_memory,
	 { before_kexec },
	 { limited, .cmdline = "mem=1G" },
	 { before_kexec });
