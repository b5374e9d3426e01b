// SPDX-License-Identifier: GPL-2.0-only
/*
 * The next kernel reserves an area for a crash kernel, too, before anything but scratch
 * is free: where this one has it, so that scratch need not hold it. So does the one
 * after it, which finds a smaller area, and memory is left for a memfd.
 *
 * needs memory: 1G
 * needs cmdline: crashkernel=200M
 */
#include <stdlib.h>
#include <unistd.h>

#include "scenario.h"

static const struct memfile file = { .name = "ram", .token = 1, .size = MIB(64) };

static void check_area(size_t expected)
{
	char size[32] = "";

	read_file("/sys/kernel/kexec/crash_size", size, sizeof(size));
	check(strtoul(size, NULL, 0) == expected,
	      "the area for a crash kernel has %lu MiB, expected %zu",
	      strtoul(size, NULL, 0) / MIB(1), expected / MIB(1));
}

static void preserve(int device)
{
	int session = require_fd(luo_create(device, "crash"), "create session");

	memfiles_preserve(session, &file, 1);
}

static void retrieve(int device)
{
	int session = require_fd(luo_retrieve(device, "crash"), "retrieve session");

	memfiles_retrieve(session, &file, 1);
	check_result(luo_finish(session), 0, "finish");
	close(session);
}

static void cold_boot(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	long mib = scratch_set_aside();

	check_area(MIB(200));
	check(mib > 0 && mib <= 200, "%ld MiB are set aside, at most 200", mib);
	preserve(device);
}

/* The image is loaded when it happens, and finds out */
static void shrink(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");

	check_area(MIB(200));
	retrieve(device);
	preserve(device);
	check_result(load_next_kernel(), 0, "load");
	check_result(write_file("/sys/kernel/kexec/crash_size", "104857600"), 0,
		     "make the area smaller");
	check_area(MIB(100));
}

static void after_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");

	check_area(MIB(100));
	retrieve(device);
}

SCENARIO(crash_area, { cold_boot }, { shrink },
	 { after_kexec, .cmdline = "crashkernel=100M" });
