// SPDX-License-Identifier: GPL-2.0-only
/*
 * When reserve_mem regions of the previous kernel cannot be read, they are
 * allocated again, with a warning, and the old ones stay reserved and untouched.
 * What is allocated again lies in scratch and is not handed on, so each case starts
 * from a cold boot, which a broken handover makes.
 *
 * needs cmdline: test_kho.max_mem=0 reserve_mem=40M:4K:region
 */
#include <sys/mman.h>

#include "scenario.h"

static const struct {
	const char *announce;
	const char *log;
} table[] = {
	{ "memblock 7", "memblock: version 7 in the handover is too-new" },
	{ "memblock absent", "memblock: not in the handover" },
	{ "memblock bytes 3",
	  "memblock: no valid version in the handover" },
};

/* Two boots for each */
static struct memfile describe(int row)
{
	return (struct memfile){
		.name = table[row].announce, .size = MIB(40),
	};
}

static void cold(void)
{
	int row = (boot_number() - 1) / 2;
	struct memfile file = describe(row);
	void *area = reserve_mem_map("region", file.size);

	pattern_fill(area, file.size, pattern_seed(file.name), 0);
	munmap(area, file.size);
	make_mismatch(table[row].announce);
}

static void unreadable(void)
{
	int row = (boot_number() - 1) / 2;
	struct memfile file = describe(row);

	check(kmsg_has(table[row].log), "the log says \"%s\"", table[row].log);
	check(kmsg_has("reserve_mem of the previous kernel cannot be read"),
	      "and what follows from it");
	check(!kmsg_has("Revived memory reservation"), "nothing is revived");
	check(!kmsg_has("memblock allocation failed"), "it is allocated again");
	check(kmsg_has("reserve_mem 'region' lies in scratch and is not handed"),
	      "in scratch, where it cannot be handed on");
	check_intact(&file);
	make_mismatch("header broken");
}

SCENARIO(compat_memblock, { cold }, { unreadable }, { cold }, { unreadable },
	 { cold }, { unreadable });
