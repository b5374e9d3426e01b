// SPDX-License-Identifier: GPL-2.0-only
/* The array of scratch areas. */

#include "fuzz.h"

static struct sim_handover handover;

void fuzz_init(void)
{
	sim_boot(NULL);
	handover = sim_kexec();
}

void fuzz_one(void)
{
	struct sim_handover from = handover;
	const u8 *list;
	size_t size;

	list = fuzz_rest(&size);
	if (size > PAGE_SIZE)
		return;
	memcpy(phys_to_virt(from.scratch), list, size);
	from.scratch_len = size;

	sim_boot(&from);
	if (is_kho_boot())
		fuzz_restore_all();
	else
		fuzz_check_machine();
}

void fuzz_seeds(void)
{
	fuzz_put_bytes(phys_to_virt(handover.scratch), handover.scratch_len);
	fuzz_end_seed("list");
}
