// SPDX-License-Identifier: GPL-2.0-only
/*
 * A reserve_mem region refuses nothing, and takes nothing away from the verdict:
 * what has not been preserved yet is judged as well with one as without.
 *
 * needs memory: 1G
 * needs cmdline: initcall_blacklist=test_kho_init reserve_mem=1M:4K:region
 * needs kernels: ours ours:memfd=8-9 ours:memblock=-
 */
#include "scenario.h"

static const struct memfile file = {
	.name = "file", .token = 1, .size = MIB(2),
};

static void first(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");

	check_kho("components/memblock/users", "1");
	check_kho("components/radix/users", "0");
	check_result(load_kernel("ours:memfd=8-9", ""), -EPROTONOSUPPORT,
		     "load an image that reads no memfds");
	check(kmsg_has("memfd: this kernel writes 2"),
	      "the log says why");
	set_kho_check("warn");
	check_result(load_kernel("ours:memfd=8-9", ""), 0, "load it all the same");
	set_kho_check("enforce");
	check_kho("next/status", "compatible");
	check_kho("next/potential", "incompatible");

	check_result(load_kernel("ours:memblock=-", ""), 0,
		     "load an image that allocates regions again");
	check(kmsg_has("memblock: 1 in use with version 1, the image lacks this component"),
	      "the log warns of it");
	check_kho("next/status", "compatible");
	check_kho("next/potential", "compatible");
	memfiles_preserve(require_fd(luo_create(device, "vm"), "create session"),
			  &file, 1);
}

/* That image reads more than its note says */
static void second(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");

	memfiles_retrieve(require_fd(luo_retrieve(device, "vm"),
				     "retrieve session"), &file, 1);
}

SCENARIO(image_reserve_mem, { first }, { second, "ours:memblock=-" });
