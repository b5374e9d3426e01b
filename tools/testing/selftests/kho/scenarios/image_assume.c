// SPDX-License-Identifier: GPL-2.0-only
/*
 * A stock kernel says nothing about what it reads. It is refused until root says
 * that the next image is one, which counts for one load; then it takes over.
 *
 * needs kernels: ours stock ours:sum=1
 */
#include "scenario.h"

#define ASSUME	"/sys/kernel/kho/next/assume"

static const struct memfile file = {
	.name = "file", .token = 1, .size = MIB(2),
};

static void say_stock(void)
{
	check_result(write_file(ASSUME, "7.3\n"), 0, "assume 7.3");
	check_kho("next/assume", "7.3");
}

static void refused(void)
{
	check_result(load_kernel("stock", ""), -EPROTONOSUPPORT,
		     "load a stock kernel");
	check(kmsg_has("echo 7.3 > /sys/kernel/kho/next/assume"),
	      "the log says how to load it");
	check_kho("next/status", "none");
}

static void nonsense(void)
{
	check_kho("next/assume", "none");
	check_result(write_file(ASSUME, "6.18"), -EINVAL, "assume 6.18");
	check_kho("next/assume", "none");
	say_stock();
	check_result(write_file(ASSUME, "none"), 0, "take it back");
	check_kho("next/assume", "none");
	refused();
}

static void ruled_out(const char *kernel, const char *cmdline, const char *log)
{
	say_stock();
	check_result(load_kernel(kernel, cmdline), -EPROTONOSUPPORT,
		     "assume 7.3, load %s %s", kernel, cmdline);
	check(kmsg_has(log), "the log says \"%s\"", log);
	check_kho("next/assume", "none");
}

static void first(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session;

	nonsense();
	ruled_out("stock", "kho=off", "it starts with KHO off");
	ruled_out("stock", "liveupdate=off", "starts with live update off");
	ruled_out("ours:sum=1", "", "has a wrong sum");

	say_stock();
	check_result(load_kernel("stock", ""), 0, "load the stock kernel");
	check_kho("next/assume", "none");
	check_kho("next/status", "compatible");
	check_kho("next/potential", "compatible");
	check_kho("next/memfd", "2-2");

	session = require_fd(luo_create(device, "vm"), "create session");
	memfiles_preserve(session, &file, 1);
	check_kho("next/status", "compatible");
}

static void second(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");

	check(!kernel_is_ours(), "this is a stock kernel");
	memfiles_retrieve(require_fd(luo_retrieve(device, "vm"),
				     "retrieve session"), &file, 1);
}

SCENARIO(image_assume, { first }, { second, "stock" });
