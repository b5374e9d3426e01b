// SPDX-License-Identifier: GPL-2.0-only
/*
 * The round trip of lib/test_kho.c, which is built in: it preserves folios,
 * pages, vmalloc areas, blocks and a subtree in the first boot, verifies them
 * in the second, and says PASS or FAIL for each in the kernel log.
 */
#include <string.h>

#include "scenario.h"

static void first(void)
{
	check(!kmsg_has("test_kho: FAIL"), "test_kho reports no failure");
	check(!kmsg_has("KHO restore succeeded"),
	      "test_kho finds nothing to restore at a cold boot");
}

static void report_line_of_module(const char *message)
{
	check(strstr(message, "PASS"), "%s", message);
}

static void second(void)
{
	int lines = kmsg_each("test_kho: PASS", report_line_of_module);

	kmsg_each("test_kho: FAIL", report_line_of_module);
	/* The module of the stock kernel has only the last line. */
	if (kernel_is_ours())
		check(lines > 0, "test_kho reports each item");
	check(kmsg_has("KHO restore succeeded"), "KHO restore succeeded");
}

SCENARIO(test_kho, { first }, { second });
