// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a stock kernel to ours and back to a stock one.
 *
 * needs kernels: stock ours
 * needs cmdline: test_kho.max_mem=65536 reserve_mem=64M:64M:region
 */
#include "scenario.h"

#define BASELINE	\
	"handover of kho-v4: radix 1 vmalloc 1 block 1 memblock 1 luo 5 memfd 2"

static void first(void)
{
	check(!kernel_is_ours(), "this is a stock kernel");
	interop_first();
}

static void between(void)
{
	check(kernel_is_ours(), "this is our kernel");
	check(kmsg_has(BASELINE), "it takes each component to be at its baseline");
	interop_between();
}

static void last(void)
{
	check(!kernel_is_ours(), "this is a stock kernel");
	interop_last();
}

SCENARIO(interop_from_stock, { first }, { between, "ours" }, { last, "stock" });
