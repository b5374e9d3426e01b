// SPDX-License-Identifier: GPL-2.0-only
/* The array of scratch areas. */

#include "fuzz.h"

static struct sim_handover handover;

void fuzz_init(void)
{
	sim_boot(NULL);
	handover = sim_kexec();
}

/*
 * When the list is read nothing is known of the memory there is, so an area
 * where there is none is believed in.
 */
static bool in_memory(const struct kho_scratch *area, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		const struct sim_range *r = sim_memory;

		while (r->end && (area[i].addr < r->start || area[i].addr >= r->end ||
				  area[i].size > r->end - area[i].addr))
			r++;
		if (!r->end)
			return false;
	}

	return true;
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

	if (!in_memory(phys_to_virt(from.scratch), size / sizeof(struct kho_scratch))) {
		kho_populate(from.fdt, from.fdt_len, from.scratch, size);
		return;
	}

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
