// SPDX-License-Identifier: GPL-2.0-only
/*
 * The next kernel starts with KHO or with live update switched off on its
 * command line. It boots, has no /dev/liveupdate, and leaves the memory that
 * the old kernel preserved alone: its pages are looked for in physical memory.
 * A kernel after that starts afresh. None of this happens unless refusals are
 * turned off.
 *
 * needs cmdline: kho_check=warn
 */
#include "scenario.h"

static const struct memfile file = {
	.name = "stranded", .token = 1, .size = MIB(24),
};

static void before_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session;

	check_result(luo_retrieve(device, "stranded"), -ENOENT,
		     "no session came over");
	session = require_fd(luo_create(device, "stranded"), "create session");
	memfiles_preserve(session, &file, 1);
}

static void off(void)
{
	size_t pages;

	check_result(luo_device(), -ENOENT, "no /dev/liveupdate");
	use_free_memory();
	pages = pages_in_memory(&file);
	check(pages == file.size / KIB(4), "%zu of %zu pages are untouched",
	      pages, file.size / KIB(4));
}

SCENARIO(switched_off,
	 { before_kexec },
	 { off, .cmdline = "kho=off" },
	 { before_kexec },
	 { off, .cmdline = "liveupdate=off" },
	 { before_kexec });
