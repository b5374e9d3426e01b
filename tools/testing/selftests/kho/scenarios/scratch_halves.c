// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nothing as large as scratch is free in one piece, as where KASLR puts the kernel
 * into the middle of a small machine: scratch is two areas of half the size, and a
 * live update works with these.
 *
 * needs arch: x86_64
 * needs cmdline: nokaslr memmap=4M$256M kho_scratch=300M,0,0
 */
#include "scenario.h"

static const struct memfile file = { .name = "ram", .token = 1, .size = MIB(32) };

static void before_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_create(device, "halves"), "create session");

	check(kmsg_has("KHO: scratch: 300 MiB set aside in 2 areas"),
	      "scratch is two areas");
	memfiles_preserve(session, &file, 1);
}

static void after_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_retrieve(device, "halves"), "retrieve session");

	memfiles_retrieve(session, &file, 1);
	check_result(luo_finish(session), 0, "finish");
}

SCENARIO(scratch_halves, { before_kexec }, { after_kexec });
