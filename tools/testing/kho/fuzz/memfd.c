// SPDX-License-Identifier: GPL-2.0-only
/* memfds: the state of the file, and the array of its folios. */

#include <linux/kho/abi/memfd.h>

#include "fuzz.h"

static const struct {
	unsigned int nr, order;
} shapes[] = {
	{ 0, 0 }, { 3, 0 }, { 20, 0 }, { 4, 2 },
};

static u64 states[ARRAY_SIZE(shapes)];

static void add_state(u64 data)
{
	const struct memfd_luo_ser *ser = phys_to_virt(data);
	const struct kho_vmalloc_chunk *chunk;

	fuzz_add_page(data);
	if (!ser->nr_folios)
		return;

	chunk = phys_to_virt(ser->folios.area.first.phys);
	fuzz_add_page(virt_to_phys(chunk));
	fuzz_add_page(chunk->phys[0]);
}

void fuzz_init(void)
{
	sim_boot(NULL);
	for (unsigned int i = 0; i < ARRAY_SIZE(shapes); i++)
		states[i] = sim_memfd_preserve(sim_file(shapes[i].nr, shapes[i].order));

	sim_reboot();
	for (unsigned int i = 0; i < ARRAY_SIZE(shapes); i++)
		add_state(states[i]);
}

/* Two files, each retrieved, or finished without that */
void fuzz_one(void)
{
	struct file *file[2] = {};
	bool finish[2];
	u64 data[2];

	for (int i = 0; i < 2; i++) {
		data[i] = fuzz_take(8);
		finish[i] = fuzz_take(1) & 1;
	}
	fuzz_damage_pages();

	for (int i = 0; i < 2; i++) {
		if (finish[i])
			sim_memfd_finish(data[i]);
		else
			sim_memfd_retrieve(data[i], &file[i]);
	}
	for (int i = 0; i < 2; i++) {
		if (file[i])
			fput(file[i]);
	}
	fuzz_check_machine();
}

void fuzz_seeds(void)
{
	char name[16];

	for (unsigned int i = 0; i < ARRAY_SIZE(shapes); i++) {
		fuzz_put(states[i], 8);
		fuzz_put(0, 1);
		fuzz_put(states[i / 2 * 2], 8);
		fuzz_put(i & 1, 1);
		fuzz_put_pages();
		snprintf(name, sizeof(name), "file%u", i);
		fuzz_end_seed(name);
	}
}
