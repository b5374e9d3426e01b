// SPDX-License-Identifier: GPL-2.0-only
/*
 * The next kernel reserves an area for a crash kernel, too, before anything but scratch
 * is free: there is room for one, and memory is left for a memfd.
 *
 * needs memory: 2G
 * needs cmdline: crashkernel=200M
 */
#include <stdlib.h>

#include "scenario.h"

static const struct memfile file = { .name = "ram", .token = 1, .size = MIB(64) };

static void check_area(void)
{
	char size[32] = "";

	read_file("/sys/kernel/kexec/crash_size", size, sizeof(size));
	check(atol(size) >= (long)MIB(200), "there is an area for a crash kernel");
}

static void before_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	long mib = scratch_set_aside();
	int session = require_fd(luo_create(device, "crash"), "create session");

	check_area();
	check(mib > 200 && mib <= 500, "%ld MiB are set aside, at most 500", mib);
	memfiles_preserve(session, &file, 1);
}

static void after_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_retrieve(device, "crash"), "retrieve session");

	check_area();
	memfiles_retrieve(session, &file, 1);
	check_result(luo_finish(session), 0, "finish");
}

SCENARIO(crash_area, { before_kexec }, { after_kexec });
