// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that was added after boot: the next kernel gets to know it after it has
 * taken over what was preserved. A file with a page there is not preserved. A
 * file in memory of boot arrives, although everything that is allocated for it
 * would come from the memory that was added.
 *
 * needs memory: 512M
 * needs hotplug: 256M
 * needs arch: x86_64
 */
#include <stdio.h>
#include <unistd.h>

#include "scenario.h"

#define NR_BLOCKS	256
#define PFN_ADDED	(MIB(4096) / KIB(4))	/* all memory of boot is below */

static const struct memfile low = { .name = "low", .token = 1, .size = MIB(8) };
static const struct memfile partly = {
	.name = "partly", .token = 2, .size = MIB(1),
	.hole = { .start = KIB(64), .size = KIB(64) },
};

static const struct memfile high = { .name = "high", .token = 3, .size = MIB(1) };

/* Those that are offline, for the kernel's own allocations, too */
static int online_blocks(void)
{
	char path[64], state[16];
	int nr = 0;

	for (int i = 0; i < NR_BLOCKS; i++) {
		snprintf(path, sizeof(path),
			 "/sys/devices/system/memory/memory%d/state", i);
		if (read_file(path, state, sizeof(state)) > 0 &&
		    state[1] == 'f')
			nr += !write_file(path, "online_kernel");
	}
	return nr;
}

static void before_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int in_low = require_fd(memfile_create(&low), "%s: create", low.name);
	int in_both = require_fd(memfile_create(&partly), "%s: create",
				 partly.name);
	int session, in_high;

	check(online_blocks() > 0, "memory is added");
	in_high = require_fd(memfile_create(&high), "%s: create", high.name);
	check(pwrite(in_both, "x", 1, partly.hole.start) == 1, "%s: fill the hole",
	      partly.name);
	check(memfile_pfn(in_high, 0) > PFN_ADDED, "%s: is where memory was added",
	      high.name);
	check(memfile_pfn(in_both, partly.hole.start) > PFN_ADDED,
	      "%s: a page is there, too", partly.name);

	session = require_fd(luo_create(device, "hotplug"), "create session");
	check_result(luo_preserve(session, in_high, high.token), -EADDRNOTAVAIL,
		     "%s: preserve", high.name);
	check(kmsg_has("added after boot and cannot be preserved"),
	      "the log says why");
	check_result(luo_preserve(session, in_both, partly.token),
		     -EADDRNOTAVAIL, "%s: preserve", partly.name);
	check_result(luo_preserve(session, in_low, low.token), 0, "%s: preserve",
		     low.name);
}

static void after_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_retrieve(device, "hotplug"),
				 "retrieve session");

	memfiles_retrieve(session, &low, 1);
	check_result(luo_finish(session), 0, "finish");
	check(!kmsg_has(" lost"), "nothing was lost");
}

SCENARIO(hotplug, { before_kexec }, { after_kexec });
