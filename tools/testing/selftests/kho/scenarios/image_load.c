// SPDX-License-Identifier: GPL-2.0-only
/*
 * An image that cannot read what can be preserved is refused when it is loaded,
 * with the reason in the log, whether that is in use or not, and the image that
 * was loaded before it stays. reserve_mem regions do not count. A crash kernel is
 * loaded whatever it reads.
 *
 * needs memory: 1G
 * needs cmdline: initcall_blacklist=test_kho_init crashkernel=128M
 * needs kernels: ours ours:radix=2-3 ours:vmalloc=8-9 ours:block=-
 * needs kernels: ours:luo=6-7 ours:memfd=8-9 ours:memfd=1-1 ours:memfd=-
 * needs kernels: ours:page-shift=14 ours:flags=0 ours:flags=1 ours:memblock=-
 */
#include <string.h>
#include <unistd.h>

#include "scenario.h"

static const struct {
	const char *kernel;
	const char *cmdline;
	const char *log;
} table[] = {
	{ "ours:radix=2-3", "",
	  "preserved as version 1, the image reads 2 to 3: no version that this kernel writes" },
	{ "ours:vmalloc=8-9", "",
	  "vmalloc: this kernel writes 1 to 2, the image reads 8 to 9" },
	{ "ours:block=-", "",
	  "block: 2 in use with version 1, the image lacks this component" },
	{ "ours:luo=6-7", "",
	  "luo: 1 preserved as version 5, the image reads 6 to 7: no version" },
	{ "ours:memfd=8-9", "",
	  "memfd: 1 preserved as version 3, the image reads 8 to 9: no version" },
	{ "ours:memfd=1-1", "",
	  "memfd: 1 preserved as version 3, the image reads 1: no version" },
	{ "ours:memfd=-", "",
	  "memfd: 1 in use with version 3, the image lacks this component" },
	{ "ours:page-shift=14", "",
	  "its pages have 2^14 bytes, expected 2^" },
	{ "ours:flags=0", "kho=off", "it starts with KHO off" },
	{ "ours", "kho=off", "it starts with KHO off" },
	{ "ours:flags=1", "",
	  "luo: 1 in use with version 5, the image starts with live update off" },
	{ "ours", "mem=256M", "its command line limits memory" },
	{ "ours", "liveupdate=off",
	  "luo: 1 in use with version 5, the image starts with live update off" },
};

static const struct memfile file = {
	.name = "file", .token = 1, .size = MIB(2),
};

static void load_row(size_t i, bool in_use)
{
	check_result(load_kernel(table[i].kernel, table[i].cmdline),
		     -EPROTONOSUPPORT, "%sin use: load %s %s", in_use ? "" : "not ",
		     table[i].kernel, table[i].cmdline);
	if (in_use)
		check(kmsg_has(table[i].log), "the log says \"%s\"", table[i].log);
	check_kho("next/status", "compatible");
	check_kho("next/potential", "compatible");
	check_kho("next/memfd", "2-3");
}

/* Nobody sees by these what could be lost, who looks ahead does */
static void load_all_the_same(void)
{
	set_kho_check("warn");
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		check_result(load_kernel(table[i].kernel, table[i].cmdline), 0,
			     "warn: load %s %s", table[i].kernel,
			     table[i].cmdline);
		check_kho("next/status", "compatible");
		check_kho("next/potential", "incompatible");
	}
	check(kmsg_each("the next kernel may be unable to take over", NULL) ==
	      ARRAY_SIZE(table), "the log warns of each");
	set_kho_check("enforce");
}

static void first(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session;

	check_kho("next/status", "none");
	check_kho("next/memfd", "-");
	check_kho("next/potential", "none");
	check_kho("components/radix/users", "0");
	load_all_the_same();
	check_kho("next/page-shift", "");

	check_result(load_kernel("ours:memblock=-", ""), 0,
		     "load one that allocates regions again");
	check_result(load_next_kernel(), 0, "load a good one");
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		load_row(i, false);
	session = require_fd(luo_create(device, "vm"), "create session");
	memfiles_preserve(session, &file, 1);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		load_row(i, true);

	check_result(load_crash("ours:radix=2-3"), 0, "load a crash kernel");
	check_kho("next/status", "compatible");
	check_result(load_crash("ours:memfd=-"), 0, "load another");
	/* What runs next is the image that all of these have left alone */
}

static void second(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");

	memfiles_retrieve(require_fd(luo_retrieve(device, "vm"),
				     "retrieve session"), &file, 1);
}

SCENARIO(image_load, { first }, { second });
