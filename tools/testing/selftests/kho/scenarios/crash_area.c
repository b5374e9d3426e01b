// SPDX-License-Identifier: GPL-2.0-only
/*
 * An area for a crash kernel does not make scratch larger: the next kernel
 * reserves it elsewhere.
 *
 * needs memory: 1G
 * needs cmdline: crashkernel=200M
 */
#include <stdlib.h>

#include "scenario.h"

static const struct memfile file = { .name = "ram", .token = 1, .size = MIB(64) };

static void before_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	long mib = scratch_set_aside();
	int session = require_fd(luo_create(device, "crash"), "create session");
	char size[32] = "";

	read_file("/sys/kernel/kexec/crash_size", size, sizeof(size));
	check(atol(size) >= (long)MIB(200), "there is an area for a crash kernel");
	check(mib > 0 && mib <= 200, "%ld MiB are set aside, at most 200", mib);
	memfiles_preserve(session, &file, 1);
}

static void after_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_retrieve(device, "crash"), "retrieve session");

	memfiles_retrieve(session, &file, 1);
	check_result(luo_finish(session), 0, "finish");
}

SCENARIO(crash_area, { before_kexec }, { after_kexec });
