// SPDX-License-Identifier: GPL-2.0-only
/* Block sets: the list, the counts, the entries. */

#include <linux/kho/block.h>

#include "fuzz.h"

#define ENTRY_SIZE	72
#define NR_SETS		4

static u64 heads[NR_SETS];
static u64 sum;	/* of all that has been read */

static u64 write_set(unsigned int nr, unsigned int room)
{
	struct kho_block_set_it it;
	struct kho_block_set bs;
	u64 phys;

	kho_block_set_init(&bs, ENTRY_SIZE);
	if (kho_block_set_grow(&bs, room))
		abort();
	kho_block_set_it_init(&it, &bs);
	for (unsigned int i = 0; i < nr; i++)
		*(u64 *)kho_block_set_it_reserve_entry(&it) = i;

	for (phys = bs.head_pa; phys;
	     phys = ((struct kho_block_header_ser *)phys_to_virt(phys))->next)
		fuzz_add_page(phys);
	return bs.head_pa;
}

/* None, one, three of them, and one that is followed by an empty one */
void fuzz_init(void)
{
	sim_boot(NULL);
	heads[1] = write_set(10, 10);
	heads[2] = write_set(150, 150);
	heads[3] = write_set(56, 57);
	sim_reboot();
}

static void read_set(struct kho_block_set *bs)
{
	struct kho_block_set_it it;
	unsigned char *entry;

	kho_block_set_it_init(&it, bs);
	while ((entry = kho_block_set_it_read_entry(&it))) {
		for (unsigned int i = 0; i < ENTRY_SIZE; i++)
			sum += entry[i];
	}
	while ((entry = kho_block_set_it_prev(&it)))
		sum -= *entry;
}

/* Two sets: damage may make them share blocks */
void fuzz_one(void)
{
	struct kho_block_set bs[2];
	u64 head[2] = { fuzz_take(8), fuzz_take(8) };

	fuzz_damage_pages();

	for (int i = 0; i < 2; i++) {
		kho_block_set_init(&bs[i], ENTRY_SIZE);
		kho_block_set_restore(&bs[i], head[i]);
	}
	for (int i = 0; i < 2; i++) {
		read_set(&bs[i]);
		kho_block_set_shrink(&bs[i], 0);
		kho_block_set_destroy(&bs[i]);
	}

	fuzz_check_machine();
	fuzz_restore_all();
}

void fuzz_seeds(void)
{
	char name[16];

	for (unsigned int i = 0; i < NR_SETS; i++) {
		fuzz_put(heads[i], 8);
		fuzz_put(heads[i / 2 * 2], 8);
		fuzz_put_pages();
		snprintf(name, sizeof(name), "set%u", i);
		fuzz_end_seed(name);
	}
}
