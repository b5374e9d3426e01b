// SPDX-License-Identifier: GPL-2.0-only
/*
 * An image that does not say what it reads, or not in a way that makes sense, is
 * refused, at load and at kexec, and loaded where refusals are turned off. If root
 * says that it is Linux 7.3 it is judged as that: not when its note is damaged, or
 * something is handed over that Linux 7.3 cannot read, or with a command line by
 * which it would not try, or if its pages have another size, which an arm64 Image
 * tells without a note.
 *
 * needs memory: 1G
 * needs cmdline: initcall_blacklist=test_kho_init kho_scratch=256M,16M,16M
 * needs kernels: ours stock ours:drop ours:sum=1 ours:version=2
 * needs kernels: ours:duplicate,radix=2-3 ours:duplicate ours:page-shift=14,drop
 */
#include "scenario.h"

static const struct {
	const char *kernel;
	const char *log;
} unknown[] = {
	{ "stock", "it has no note" },
	{ "ours:drop", "it has no note" },
	{ "ours:sum=1", "has a wrong sum" },
	{ "ours:version=2", "has an unknown version" },
	{ "ours:duplicate,radix=2-3", "differs from the one before it" },
};

/* The first of them: no note at all */
#define NR_SILENT	2

static const struct memfile file = {
	.name = "file", .token = 1, .size = MIB(2),
};

static int load_as_stock(const char *kernel, const char *cmdline)
{
	check_result(write_file("/sys/kernel/kho/next/assume", "7.3"), 0,
		     "assume 7.3");
	return load_kernel(kernel, cmdline);
}

static void load_all(const char *when, int expected)
{
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		check_result(load_kernel(unknown[i].kernel, ""), expected,
			     "%s: load %s", when, unknown[i].kernel);
		check(kmsg_has(unknown[i].log), "the log says \"%s\"",
		      unknown[i].log);
	}
}

static void load_all_as_stock(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
		check_result(load_as_stock(unknown[i].kernel, ""),
			     i < NR_SILENT ? 0 : -EPROTONOSUPPORT,
			     "load %s as 7.3", unknown[i].kernel);
}

/* All that is known of such an image, and it can be enough */
static void ruled_out_by_command_line(void)
{
	check_result(load_as_stock("stock", "kho=off"), -EPROTONOSUPPORT,
		     "load a stock kernel that starts with KHO off");
	check(kmsg_has("image: it starts with KHO off"), "the log says so");
	check_result(load_as_stock("stock", "liveupdate=off"), -EPROTONOSUPPORT,
		     "load a stock kernel that starts with live update off");
	check(kmsg_has("luo: 1 in use with version 5, the image starts with live update off"),
	      "the log says so");
}

static void ruled_out_by_page_size(void)
{
#ifdef __aarch64__
	check_result(load_as_stock("ours:page-shift=14,drop", ""), -EPROTONOSUPPORT,
		     "load a kernel with other pages and no note");
	check(kmsg_has("image: its pages have 2^14 bytes, expected 2^"),
	      "the log says so");
#endif
}

static void in_use(void)
{
	load_all("in use", -EPROTONOSUPPORT);
	load_all_as_stock();
	ruled_out_by_command_line();
	ruled_out_by_page_size();
	check_kho("next/memfd", "2-2");
	check_result(load_kernel("ours:duplicate", ""), 0,
		     "load one that says the same thing twice");
	check_kho("next/status", "compatible");

	set_kho_check("warn");
	check_result(load_kernel("stock", ""), 0, "warn: load a stock kernel");
	check_kho("next/status", "unknown");
	check_kho("next/memfd", "-");
	set_kho_check("enforce");
	check_result(try_kexec(), -EPROTONOSUPPORT, "enforce: kexec");
	check(kmsg_has("reboot refused by kho_check=enforce"), "the log says so");

	check_result(load_as_stock("stock", ""), 0, "load a stock kernel as 7.3");
	make_mismatch("compatible kho-v5");
	check_result(try_kexec(), -EPROTONOSUPPORT, "no kho-v4: kexec");
	check_result(load_as_stock("stock", ""), -EPROTONOSUPPORT,
		     "no kho-v4: load a stock kernel as 7.3");
}

static void first(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session;

	load_all("nothing in use", -EPROTONOSUPPORT);
	set_kho_check("warn");
	load_all("nothing in use, warn", 0);
	check_kho("next/status", "compatible");
	check_kho("next/potential", "unknown");
	set_kho_check("enforce");

	/* A kernel of Linux 7.3 decides what is written from here on */
	check_result(load_as_stock("stock", ""), 0, "load a stock kernel as 7.3");
	session = require_fd(luo_create(device, "vm"), "create session");
	memfiles_preserve(session, &file, 1);
	in_use();
	check_result(load_next_kernel(), 0, "load a good one");
}

static void second(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");

	memfiles_retrieve(require_fd(luo_retrieve(device, "vm"),
				     "retrieve session"), &file, 1);
}

SCENARIO(image_unknown, { first }, { second });
