// SPDX-License-Identifier: GPL-2.0-only
/*
 * A memfd of which the array of folios fills a chunk of a preserved vmalloc
 * area exactly: 511 pages of 256 entries each. A stock kernel then hands over
 * another chunk, an empty one; ours does not. Each reads the other's.
 *
 * needs kernels: stock ours
 * needs memory: 1280M
 */
#include "scenario.h"

static const struct memfile file = {
	.name = "full-chunk", .token = 1, .size = 511 * 256 * KIB(4),
};

/* The next kernel decides what is written, so it is loaded first */
static void hand_on(int device)
{
	check_result(load_next_kernel(), 0, "load the next kernel");
	memfiles_preserve(require_fd(luo_create(device, "vm"),
				     "create session"), &file, 1);
}

static void take(int device)
{
	int session = require_fd(luo_retrieve(device, "vm"),
				 "retrieve session");

	memfiles_retrieve(session, &file, 1);
	check_result(luo_finish(session), 0, "finish");
}

static void first(void)
{
	hand_on(require_fd(luo_device(), "open /dev/liveupdate"));
}

static void between(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");

	check(kernel_is_ours(), "this is our kernel");
	take(device);
	hand_on(device);
}

static void last(void)
{
	check(!kernel_is_ours(), "this is a stock kernel");
	take(require_fd(luo_device(), "open /dev/liveupdate"));
}

SCENARIO(interop_full_chunk, { first }, { between, "ours" }, { last, "stock" });
