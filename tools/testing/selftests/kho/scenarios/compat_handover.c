// SPDX-License-Identifier: GPL-2.0-only
/*
 * A handover that cannot be read as a whole, because of its tree of preserved
 * memory, its page size or its FDT, makes a cold boot: the log says why, there
 * are no sessions, and this kernel can hand over in its turn. Its memory is not
 * protected, which also shows that check_intact() can fail.
 *
 * needs memory: 256M
 * needs cmdline: test_kho.max_mem=0
 */
#include <unistd.h>

#include "scenario.h"

static const struct {
	const char *announce;
	const char *log;
} table[] = {
	{ "radix 7",
	  "radix: version 7 in the handover is too-new, this kernel reads 1 to 1" },
	{ "radix absent",
	  "radix: not in the handover, this kernel reads version 1 to 1" },
	{ "radix bytes 3", "radix: no valid version in the handover" },
	{ "page-shift 14", "page-shift is 14 in the handover, expected 1" },
	{ "compatible kho-v9",
	  "the handover is compatible with neither 'kho-v5' nor 'kho-v4'" },
	{ "node absent", "no node 'components' in a handover of 'kho-v5'" },
	{ "header broken", "no valid FDT header" },
};

#define ROWS	((int)ARRAY_SIZE(table))

static struct memfile describe(int row)
{
	return (struct memfile){
		.name = row < ROWS ? table[row].announce : "readable",
		.token = 1, .size = MIB(48),
	};
}

/* Left for the boot that follows: row number ROWS is one that can be read. */
static void prepare(int device, int row)
{
	struct memfile file = describe(row);
	int session = require_fd(luo_create(device, "vm"), "create session");

	memfiles_preserve(session, &file, 1);
	if (row < ROWS)
		make_mismatch(table[row].announce);
}

static void check_cold(int device, int row)
{
	check(kmsg_has(table[row].log), "the log says \"%s\"", table[row].log);
	check(kmsg_has("refused, what was preserved is lost"),
	      "and what follows from it");
	check(access("/sys/kernel/debug/kho/in", F_OK) < 0,
	      "there is no handover");
	check_result(luo_retrieve(device, "vm"), -ENOENT, "retrieve session");
}

static void check_lost(int row)
{
	struct memfile file = describe(row);
	size_t pages = file.size / KIB(4), found;

	use_free_memory();
	found = pages_in_memory(&file);
	check(found < pages, "%s: memory is reused, %zu of %zu pages are left",
	      file.name, found, pages);
}

static void first(void)
{
	prepare(require_fd(luo_device(), "open /dev/liveupdate"), 0);
}

static void refused(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int row = boot_number() - 2;

	check_cold(device, row);
	if (!row)
		check_lost(row);
	prepare(device, row + 1);
}

static void readable(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_retrieve(device, "vm"), "retrieve session");
	struct memfile file = describe(ROWS);

	check(!kmsg_has("refused"), "the handover is accepted");
	memfiles_retrieve(session, &file, 1);
	check_result(luo_finish(session), 0, "finish");
}

SCENARIO(compat_handover, { first }, { refused }, { refused }, { refused },
	 { refused }, { refused }, { refused }, { refused }, { readable });
