// SPDX-License-Identifier: GPL-2.0-only
/*
 * With kho_check=warn nothing is refused, neither at load nor at reboot. It is
 * said all the same. These images read more than their notes say, so this ends
 * well.
 *
 * needs memory: 1G
 * needs cmdline: initcall_blacklist=test_kho_init kho_check=warn
 * needs kernels: ours ours:radix=2-3 ours:memfd=- ours:drop ours:page-shift=14
 */
#include "scenario.h"

static const char *const kernels[] = {
	"ours:radix=2-3", "ours:drop", "ours:page-shift=14", "ours:memfd=-",
};

static const struct memfile file = {
	.name = "file", .token = 1, .size = MIB(2),
};

static void preserve(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_create(device, "vm"), "create session");

	memfiles_preserve(session, &file, 1);
}

static void first(void)
{
	check_kho("check", "warn");
	preserve();
	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++)
		check_result(load_kernel(kernels[i], ""), 0, "load %s", kernels[i]);
	check_result(load_kernel("ours", "kho=off"), 0, "load with kho=off");
	check(kmsg_each("the next kernel may be unable to take over", NULL) ==
	      ARRAY_SIZE(kernels) + 1, "the log warns of each");
	check(!kmsg_has("refused"), "the log knows of no refusal");
	check_result(load_next_kernel(), 0, "load the last one again");
	check_kho("next/status", "incompatible");
}

static void second(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");

	memfiles_retrieve(require_fd(luo_retrieve(device, "vm"),
				     "retrieve session"), &file, 1);
}

SCENARIO(image_warn, { first }, { second, "ours:memfd=-" });
