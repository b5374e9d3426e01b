// SPDX-License-Identifier: GPL-2.0-only
/*
 * An image that cannot read what is in use is refused when it is loaded, with
 * the reason in the log, and the image that was loaded before it stays. What is
 * not in use does not matter then, but is warned about. A crash kernel is
 * loaded whatever it reads.
 *
 * needs memory: 1G
 * needs cmdline: initcall_blacklist=test_kho_init crashkernel=128M
 * needs kernels: ours ours:radix=2-3 ours:vmalloc=2-3 ours:block=- ours:memblock=-
 * needs kernels: ours:luo=6-7 ours:memfd=3-4 ours:memfd=1-1 ours:memfd=-
 * needs kernels: ours:page-shift=14 ours:flags=0 ours:flags=1
 */
#include <string.h>
#include <unistd.h>

#include "scenario.h"

static const struct {
	const char *kernel;
	const char *cmdline;
	bool unused;	/* by the session below */
	const char *log;
} table[] = {
	{ "ours:radix=2-3", "", false,
	  "preserved with version 1, the image reads 2 to 3" },
	{ "ours:vmalloc=2-3", "", false,
	  "vmalloc: 1 preserved with version 1, the image reads 2 to 3" },
	{ "ours:block=-", "", false,
	  "block: 2 preserved with version 1, the image has none of it" },
	{ "ours:memblock=-", "", true,
	  "memblock: 0 preserved with version 1, the image has none of it" },
	{ "ours:luo=6-7", "", false,
	  "luo: 1 preserved with version 5, the image reads 6 to 7" },
	{ "ours:memfd=3-4", "", false,
	  "memfd: 1 preserved with version 2, the image reads 3 to 4" },
	{ "ours:memfd=1-1", "", false,
	  "memfd: 1 preserved with version 2, the image reads 1 to 1" },
	{ "ours:memfd=-", "", false,
	  "memfd: 1 preserved with version 2, the image has none of it" },
	{ "ours:page-shift=14", "", false,
	  "its pages have 2^14 bytes, expected 2^" },
	{ "ours:flags=0", "kho=off", false, "it starts with KHO off" },
	{ "ours", "kho=off", false, "it starts with KHO off" },
	{ "ours:flags=1", "", false,
	  "luo: 1 preserved with version 5, the image starts with live update off" },
	{ "ours", "liveupdate=off", false,
	  "luo: 1 preserved with version 5, the image starts with live update off" },
};

static const struct memfile file = {
	.name = "file", .token = 1, .size = MIB(2),
};

/* All can be loaded, but it is said of each that it could not take over. */
static void load_all_unused(void)
{
	check_kho("components/radix/users", "0");
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		check_result(load_kernel(table[i].kernel, table[i].cmdline), 0,
			     "nothing in use: load %s %s", table[i].kernel,
			     table[i].cmdline);
		check_kho("next/status", "incompatible");
	}
	check(kmsg_each("the next kernel may be unable to take over", NULL) ==
	      ARRAY_SIZE(table), "the log warns of each");
}

static void load_row(size_t i)
{
	int expected = table[i].unused ? 0 : -EPROTONOSUPPORT;

	check_result(load_kernel(table[i].kernel, table[i].cmdline), expected,
		     "in use: load %s %s", table[i].kernel, table[i].cmdline);
	check(kmsg_has(table[i].log), "the log says \"%s\"", table[i].log);
	check_kho("next/status", "compatible");
	check_kho("next/memfd", "2-2");
	if (table[i].unused)
		check_result(load_next_kernel(), 0, "load a good one again");
}

static void first(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session;

	check_kho("next/status", "none");
	check_kho("next/memfd", "-");
	load_all_unused();
	check_kho("next/page-shift", "");

	check_result(load_next_kernel(), 0, "load a good one");
	check_kho("next/status", "compatible");
	session = require_fd(luo_create(device, "vm"), "create session");
	memfiles_preserve(session, &file, 1);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		load_row(i);

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
