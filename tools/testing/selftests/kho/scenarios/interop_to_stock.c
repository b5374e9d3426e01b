// SPDX-License-Identifier: GPL-2.0-only
/*
 * From our kernel to a stock one and back to ours.
 *
 * needs kernels: ours stock
 * needs cmdline: test_kho.max_mem=65536 reserve_mem=64M:64M:region
 */
#include "scenario.h"

static void first(void)
{
	check(kernel_is_ours(), "this is our kernel");
	interop_first();
}

static void between(void)
{
	check(!kernel_is_ours(), "this is a stock kernel");
	interop_between();
}

static void last(void)
{
	check(kernel_is_ours(), "this is our kernel");
	interop_last();
}

SCENARIO(interop_to_stock, { first }, { between, "stock" }, { last, "ours" });
