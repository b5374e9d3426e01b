// SPDX-License-Identifier: GPL-2.0-only
/*
 * A machine with two NUMA nodes: files with pages on either and on both. A
 * preservation never spans nodes, and the new kernel leaves each page where
 * it is.
 *
 * needs nodes: 2
 * needs memory: 768M
 */
#include <linux/mempolicy.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "scenario.h"

static const struct {
	unsigned long nodes;
	int policy;
	struct memfile file;
} table[] = {
	{ 1, MPOL_BIND, { .name = "node0", .token = 1, .size = MIB(16) } },
	{ 2, MPOL_BIND, { .name = "node1", .token = 2, .size = MIB(16) } },
	{ 3, MPOL_INTERLEAVE, { .name = "both", .token = 3, .size = MIB(16) } },
	{ 3, MPOL_INTERLEAVE, { .name = "huge", .token = 4, .size = MIB(16),
				.huge = true } },
};

static void before_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_create(device, "numa"), "create session");

	check(!access("/sys/devices/system/node/node1", F_OK),
	      "there are two nodes");
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		unsigned long nodes = table[i].nodes;
		long ret = syscall(SYS_set_mempolicy, table[i].policy, &nodes,
				   8 * sizeof(nodes));

		check(!ret, "%s: set its memory policy", table[i].file.name);
		memfiles_preserve(session, &table[i].file, 1);
	}
}

static void after_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session;

	use_free_memory();
	session = require_fd(luo_retrieve(device, "numa"), "retrieve session");
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		memfiles_retrieve(session, &table[i].file, 1);
	check_result(luo_finish(session), 0, "finish");
}

SCENARIO(numa, { before_kexec }, { after_kexec });
