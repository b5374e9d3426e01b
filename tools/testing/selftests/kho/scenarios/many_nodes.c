// SPDX-License-Identifier: GPL-2.0-only
/*
 * A machine with as many NUMA nodes as the kernel takes. Each has an area of
 * scratch, which is more than memblock has room for at first.
 *
 * needs nodes: 64
 * needs memory: 4G
 * needs cmdline: kho_scratch=48M,40M,8M
 */
#include <unistd.h>

#include "scenario.h"

static const struct memfile file = {
	.name = "nodes", .token = 1, .size = MIB(64),
};

static void before_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_create(device, "nodes"), "create session");

	check(!access("/sys/devices/system/node/node63", F_OK),
	      "there are 64 nodes");
	memfiles_preserve(session, &file, 1);
}

static void after_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session;

	use_free_memory();
	session = require_fd(luo_retrieve(device, "nodes"), "retrieve session");
	memfiles_retrieve(session, &file, 1);
	check_result(luo_finish(session), 0, "finish");
}

SCENARIO(many_nodes, { before_kexec }, { after_kexec });
