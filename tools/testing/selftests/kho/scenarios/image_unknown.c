// SPDX-License-Identifier: GPL-2.0-only
/*
 * An image that does not say what it reads, or not in a way that makes sense,
 * may be one of Linux 7.3: while that could take over it is loaded with a
 * warning. In strict mode it is not, nor when something is handed over that
 * Linux 7.3 cannot read, or with a command line by which it would not try, or
 * if its pages have another size, which an arm64 Image tells without a note.
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
	{ "stock", "it does not say what it can read" },
	{ "ours:drop", "it does not say what it can read" },
	{ "ours:sum=1", "has a wrong sum" },
	{ "ours:version=2", "is of a version that this kernel does not know" },
	{ "ours:duplicate,radix=2-3", "differs from the one before it" },
};

static const struct memfile file = {
	.name = "file", .token = 1, .size = MIB(2),
};

static void load_all(const char *when, int expected)
{
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		check_result(load_kernel(unknown[i].kernel, ""), expected,
			     "%s: load %s", when, unknown[i].kernel);
		check(kmsg_has(unknown[i].log), "the log says \"%s\"",
		      unknown[i].log);
		if (!expected)
			check_kho("next/status", "unknown");
	}
}

/* All that is known of such an image, and it can be enough */
static void ruled_out_by_command_line(void)
{
	check_result(load_kernel("stock", "kho=off"), -EPROTONOSUPPORT,
		     "load a stock kernel that starts with KHO off");
	check(kmsg_has("image: it starts with KHO off"), "the log says so");
	check_result(load_kernel("stock", "liveupdate=off"), -EPROTONOSUPPORT,
		     "load a stock kernel that starts with live update off");
	check(kmsg_has("luo: 1 preserved with version 5, the image starts with live update off"),
	      "the log says so");
}

static void ruled_out_by_page_size(void)
{
#ifdef __aarch64__
	check_result(load_kernel("ours:page-shift=14,drop", ""), -EPROTONOSUPPORT,
		     "load a kernel with other pages and no note");
	check(kmsg_has("image: its pages have 2^14 bytes, expected 2^"),
	      "the log says so");
#endif
}

static void in_use(void)
{
	load_all("enforce", 0);
	ruled_out_by_command_line();
	ruled_out_by_page_size();
	check_kho("next/memfd", "-");
	check_result(load_kernel("ours:duplicate", ""), 0,
		     "load one that says the same thing twice");
	check_kho("next/status", "compatible");

	check_result(load_kernel("stock", ""), 0, "load a stock kernel");
	set_kho_check("strict");
	check_result(try_kexec(), -EPROTONOSUPPORT, "strict: kexec");
	check(kmsg_has("reboot refused by kho_check=strict"), "the log says so");
	load_all("strict", -EPROTONOSUPPORT);
	check_kho("next/status", "unknown");

	set_kho_check("enforce");
	make_mismatch("compatible kho-v5");
	check_result(try_kexec(), -EPROTONOSUPPORT, "enforce, no kho-v4: kexec");
	load_all("enforce, no kho-v4", -EPROTONOSUPPORT);
}

static void first(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session;

	set_kho_check("strict");
	load_all("nothing in use, strict", 0);
	set_kho_check("enforce");
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
