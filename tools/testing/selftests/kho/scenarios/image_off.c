// SPDX-License-Identifier: GPL-2.0-only
/*
 * With live update off and nothing but a reserve_mem region preserved anything
 * can be loaded and started, by either system call. What comes by kexec_load()
 * here is a page that resets the machine, which ends the scenario.
 *
 * needs cmdline: liveupdate=off reserve_mem=1M:4K:region
 * needs cmdline: initcall_blacklist=test_kho_init
 * needs kernels: ours stock ours:radix=2-3 ours:memblock=- ours:sum=1
 */
#include "scenario.h"

static const char *const kernels[] = {
	"ours:radix=2-3", "ours:memblock=-", "ours:sum=1", "stock",
};

static void first(void)
{
	check_kho("check", "enforce");
	check_kho("components/memblock/users", "1");
	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++) {
		check_result(load_kernel(kernels[i], ""), 0, "load %s",
			     kernels[i]);
		check_kho("next/status", "compatible");
		check_kho("next/potential", "compatible");
	}
	check(kmsg_has("memblock: 1 in use with version 1, the image lacks this component"),
	      "the log says what becomes of the region");
	check_result(load_bare(), 0, "load an image without a handover");
	check_kho("next/status", "compatible");
	check_result(load_kernel("ours:sum=1", "kho=off"), 0,
		     "load one with kho=off");
}

static void second(void)
{
	check_result(load_next_kernel(), 0, "load one with a good note");
}

static void third(void)
{
	check_result(load_bare(), 0, "load an image without a handover");
	start_last();
}

SCENARIO(image_off, { first }, { second, "ours:sum=1", "kho=off" },
	 { third, "ours" });
