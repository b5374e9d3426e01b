// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory reserved with reserve_mem= survives at its place with its contents.
 * 64 MiB aligned to 64 MiB is preserved as one range of order 14, above
 * MAX_PAGE_ORDER; the second region has an odd number of pages.
 *
 * needs cmdline: reserve_mem=64M:64M:large reserve_mem=36K:4K:small
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "scenario.h"

static struct reserved find(const char *name, size_t size)
{
	struct reserved region;
	int ret = reserve_mem_find(name, &region);

	check_result(ret, 0, "%s: is handed over", name);
	require(!ret && region.size == size, "%s: %zu KiB", name, size / 1024);
	note("%s at %#llx", name, region.start);
	return region;
}

static void *map_region(const struct reserved *region)
{
	int fd = open("/dev/mem", O_RDWR | O_CLOEXEC);
	void *area = mmap(NULL, region->size, PROT_READ | PROT_WRITE,
			  MAP_SHARED, fd, region->start);

	close(fd);
	require(area != MAP_FAILED, "map it from /dev/mem");
	return area;
}

static void fill(const char *name, size_t size)
{
	struct reserved region = find(name, size);

	pattern_fill(map_region(&region), size, pattern_seed(name), 0);
}

static void verify(const char *name, size_t size)
{
	struct reserved region = find(name, size);
	char line[96];

	snprintf(line, sizeof(line),
		 "Revived memory reservation '%s' from KHO", name);
	check(kmsg_has(line), "the log says \"%s\"", line);
	check(pattern_mismatch(map_region(&region), size, pattern_seed(name), 0) ==
	      size, "%s: contents", name);
}

static void first(void)
{
	fill("large", MIB(64));
	fill("small", KIB(36));
}

static void later(void)
{
	use_free_memory();
	verify("large", MIB(64));
	verify("small", KIB(36));
}

SCENARIO(reserve_mem, { first }, { later }, { later });
