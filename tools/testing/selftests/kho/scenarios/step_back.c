// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a kernel that writes a new format to a stock one, and back. What was
 * preserved before the stock kernel is loaded is in the new format, because that is
 * pinned: the load is refused, and what the refusal says to do helps.
 *
 * needs kernels: ours stock
 * needs cmdline: initcall_blacklist=test_kho_init kho_write=vmalloc:2
 */
#include <unistd.h>

#include "scenario.h"

#define WRITE	"/sys/kernel/kho/components/vmalloc/write"

static const struct memfile file = {
	.name = "file", .token = 1, .size = MIB(4) + 100,
};

static int preserve(int device)
{
	int session = require_fd(luo_create(device, "vm"), "create session");

	memfiles_preserve(session, &file, 1);
	return session;
}

static void retrieve(int device)
{
	int session = require_fd(luo_retrieve(device, "vm"), "retrieve session");

	memfiles_retrieve(session, &file, 1);
	check_result(luo_finish(session), 0, "finish");
	close(session);
}

/* The version cannot change while something is preserved */
static void refused(int device)
{
	int session = preserve(device);

	check_kho("components/vmalloc/write", "2");
	check_kho("components/vmalloc/users", "1");
	check_result(write_file(WRITE, "1"), -EBUSY, "pin another version");
	check_result(load_next_kernel(), -EPROTONOSUPPORT, "load the stock kernel");
	check(kmsg_has("vmalloc: 1 preserved as version 2, the image reads 1: close their"),
	      "the log says what to do");
	close(session);
}

static void first(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");

	check_result(write_file(WRITE, "3"), -EINVAL, "pin a version that there is not");
	check_result(write_file(WRITE, "none"), -EINVAL, "pin nonsense");
	refused(device);
	check_result(load_next_kernel(), -EPROTONOSUPPORT, "load it with the pin");
	check(kmsg_has("vmalloc: pinned to version 2, the image reads 1: lift the pin"),
	      "the log says what to do");
	check_result(write_file(WRITE, "auto"), 0, "lift the pin");
	check_kho("components/vmalloc/write", "1");
	check_result(load_next_kernel(), 0, "load the stock kernel");
	preserve(device);
	check_kho("components/vmalloc/write", "1");
	check_kho("next/status", "compatible");
}

static void second(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");

	check(!kernel_is_ours(), "this is a stock kernel");
	use_free_memory();
	retrieve(device);
	preserve(device);
}

/* Pinned again, by the command line */
static void back(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");

	check(kernel_is_ours(), "this is our kernel");
	check_kho("components/vmalloc/incoming", "1");
	check_kho("components/vmalloc/write", "2");
	retrieve(device);
	preserve(device);
}

static void last(void)
{
	check_kho("components/vmalloc/incoming", "2");
	retrieve(require_fd(luo_device(), "open /dev/liveupdate"));
}

SCENARIO(step_back, { first }, { second, "stock" }, { back, "ours" }, { last, "ours" });
