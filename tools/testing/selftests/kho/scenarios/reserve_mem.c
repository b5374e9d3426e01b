// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory reserved with reserve_mem= survives at its place with its contents.
 * 64 MiB aligned to 64 MiB is preserved as one range of order 14, above
 * MAX_PAGE_ORDER; the second region has an odd number of 4 KiB pages,
 * and ends in the midst of a page of 64 KiB.
 *
 * needs cmdline: reserve_mem=64M:64M:large reserve_mem=580K:64K:small
 */
#include <stdio.h>
#include <sys/mman.h>

#include "scenario.h"

static void fill(const char *name, size_t size)
{
	void *area = reserve_mem_map(name, size);

	pattern_fill(area, size, pattern_seed(name), 0);
	munmap(area, size);
}

static void verify(const char *name, size_t size)
{
	void *area = reserve_mem_map(name, size);
	char line[96];

	snprintf(line, sizeof(line),
		 "Revived memory reservation '%s' from KHO", name);
	check(kmsg_has(line), "the log says \"%s\"", line);
	check(pattern_mismatch(area, size, pattern_seed(name), 0) == size,
	      "%s: contents", name);
	munmap(area, size);
}

static void first(void)
{
	fill("large", MIB(64));
	fill("small", KIB(580));
}

static void later(void)
{
	use_free_memory();
	verify("large", MIB(64));
	verify("small", KIB(580));
}

SCENARIO(reserve_mem, { first }, { later }, { later });
