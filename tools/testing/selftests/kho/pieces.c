// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pieces of memory of random orders, as scattered as their seeds have it, that
 * go from kernel to kernel: each takes all other memory and writes over it,
 * restores and verifies the pieces of its predecessor, and preserves new ones.
 * The same steps on machines of different kinds; see scenarios/random_*.c.
 */
#include <unistd.h>

#include "scenario.h"

/* At each boot. The pages are all that are allocated, not just preserved. */
#define SEEDS		8
#define PAGES_PER_SEED	((int)MIB(16) / getpagesize())

#define TOKEN		1

static void preserve_pieces(int device, __u64 in_machine)
{
	__u64 seed = boot_seed() / 2 + boot_number() * SEEDS;
	int session = require_fd(luo_create(device, "numbers"),
				 "create session");

	for (int i = 0; i < SEEDS; i++)
		memory_job("preserve", "%llu %d", seed + i, PAGES_PER_SEED);
	check(memory_report("preserved"), "%llu pages in %llu pieces preserved",
	      memory_report("preserved"), memory_report("preserved_pieces"));
	carry_number(session, TOKEN, in_machine);
	note_map();
}

static __u64 check_pieces(int device)
{
	int session = require_fd(luo_retrieve(device, "numbers"),
				 "retrieve session");
	__u64 in_machine = carried_number(session, TOKEN);

	check_result(luo_finish(session), 0, "finish");
	close(session);
	grab_everything();
	memory_job("restore", "all");
	check(memory_report("restored"), "%llu pages in %llu pieces restored",
	      memory_report("restored"), memory_report("restored_pieces"));
	check(!memory_report("restore_wrong"),
	      "contents, order and references of all but %llu",
	      memory_report("restore_wrong"));
	check_memory_in_machine(in_machine);
	return in_machine;
}

/* A machine that has seen a kexec is what later ones are compared with. */
void pieces_cold(void)
{
	note("%llu pages in the machine", memory_in_machine());
}

void pieces_first(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");

	preserve_pieces(device, memory_in_machine());
}

void pieces_next(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");

	preserve_pieces(device, check_pieces(device));
}

void pieces_last(void)
{
	check_pieces(require_fd(luo_device(), "open /dev/liveupdate"));
}
