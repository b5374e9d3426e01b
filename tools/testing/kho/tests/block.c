// SPDX-License-Identifier: GPL-2.0-only
/* Block sets across kexec, whole and damaged. */

#include <linux/kho/block.h>

#include "tap.h"

#define ENTRY_SIZE	72

struct entry {
	u64 number;
	char rest[ENTRY_SIZE - sizeof(u64)];
};

static u64 write_set(struct kho_block_set *bs, unsigned int nr)
{
	struct kho_block_set_it it;
	struct entry *entry;

	kho_block_set_init(bs, sizeof(*entry));
	CHECK_EQ(0, kho_block_set_grow(bs, nr));
	kho_block_set_it_init(&it, bs);
	for (unsigned int i = 0; i < nr; i++) {
		entry = kho_block_set_it_reserve_entry(&it);
		if (!CHECK(entry))
			break;
		entry->number = i;
	}

	return kho_block_set_head_pa(bs);
}

static unsigned int read_set(struct kho_block_set *bs)
{
	struct kho_block_set_it it;
	struct entry *entry;
	unsigned int nr = 0;

	kho_block_set_it_init(&it, bs);
	while ((entry = kho_block_set_it_read_entry(&it)))
		CHECK_EQ(nr++, entry->number);

	return nr;
}

static struct kho_block_header_ser *header(u64 phys)
{
	return phys_to_virt(phys);
}

/* A set of three blocks in the previous kernel; returns where it starts */
static u64 three_blocks(struct kho_block_set *bs)
{
	u64 head;

	sim_boot(NULL);
	head = write_set(bs, 3 * bs->count_per_block);
	CHECK_EQ(3, bs->nblocks);
	return head;
}

static u64 three_incoming(struct kho_block_set *bs)
{
	u64 head;

	kho_block_set_init(bs, ENTRY_SIZE);
	head = three_blocks(bs);
	sim_reboot();
	kho_block_set_init(bs, ENTRY_SIZE);
	return head;
}

static void expect_damage(struct kho_block_set *bs, u64 head, const char *text)
{
	unsigned long held = kho_held_kib();

	CHECK_EQ(-EINVAL, kho_block_set_restore(bs, head));
	CHECK(sim_logged(text));
	CHECK(kho_block_set_is_empty(bs));
	CHECK_EQ(0, kho_block_set_head_pa(bs));
	CHECK_EQ(held, kho_held_kib());
	CHECK_MACHINE();
}

TEST(round_trip)
{
	const unsigned int counts[] = { 0, 1, 55, 56, 57, 112, 1000 };

	for (unsigned int i = 0; i < ARRAY_SIZE(counts); i++) {
		struct kho_block_set bs;
		u64 head;

		sim_power_on();
		sim_boot(NULL);
		head = write_set(&bs, counts[i]);
		sim_reboot();
		kho_block_set_init(&bs, ENTRY_SIZE);
		CHECK_EQ(0, kho_block_set_restore(&bs, head));
		CHECK_EQ(counts[i], read_set(&bs));
		kho_block_set_destroy(&bs);
		CHECK_MACHINE();
	}
}

TEST(given_up_in_the_first_kernel)
{
	struct kho_block_set bs;

	sim_boot(NULL);
	write_set(&bs, 200);
	kho_block_set_shrink(&bs, 60);
	CHECK_EQ(2, bs.nblocks);
	kho_block_set_clear(&bs);
	CHECK_EQ(0, read_set(&bs));
	kho_block_set_destroy(&bs);
	CHECK_MACHINE();
}

TEST(prev_undoes_reserve)
{
	struct kho_block_set_it it;
	struct kho_block_set bs;
	struct entry *entry;
	unsigned int nr = 0;

	sim_boot(NULL);
	write_set(&bs, 150);
	kho_block_set_it_init(&it, &bs);
	CHECK(!kho_block_set_it_prev(&it));
	while (kho_block_set_it_read_entry(&it))
		nr++;
	while ((entry = kho_block_set_it_prev(&it)))
		CHECK_EQ(--nr, entry->number);
	CHECK_EQ(0, nr);
	kho_block_set_destroy(&bs);

	kho_block_set_it_init(&it, &bs);
	CHECK(!kho_block_set_it_prev(&it));
	CHECK(!kho_block_set_it_read_entry(&it));
	CHECK(!kho_block_set_it_reserve_entry(&it));
	CHECK_MACHINE();
}

TEST(empty_blocks_are_read)
{
	struct kho_block_set bs;
	u64 head = three_incoming(&bs), second = header(head)->next;

	header(second)->count = 0;
	header(header(second)->next)->count = 0;
	CHECK_EQ(0, kho_block_set_restore(&bs, head));
	CHECK_EQ(bs.count_per_block, read_set(&bs));
	/* Blocks of the previous kernel stay until all go */
	kho_block_set_shrink(&bs, 0);
	CHECK_EQ(3, bs.nblocks);
	CHECK_EQ(-EINVAL, kho_block_set_grow(&bs, 1000));
	CHECK_EQ(1, sim_warnings());
	kho_block_set_destroy(&bs);
}

TEST(too_many_entries)
{
	struct kho_block_set bs;
	u64 head = three_incoming(&bs);

	header(header(head)->next)->count = bs.count_per_block + 1;
	expect_damage(&bs, head, "claims 57 entries, there is room for 56");
}

TEST(circle)
{
	struct kho_block_set bs;
	u64 head = three_incoming(&bs);

	header(header(head)->next)->next = head;
	expect_damage(&bs, head, "has more than 10000 blocks");
}

TEST(next_is_no_page)
{
	struct kho_block_set bs;
	u64 head = three_incoming(&bs), second = header(head)->next;

	header(second)->next = second + 8;
	expect_damage(&bs, head, "is not a preserved page");
	header(second)->next = SIM_END + PAGE_SIZE;
	expect_damage(&bs, head, "is not a preserved page");
	header(second)->next = ~0ULL << PAGE_SHIFT;
	expect_damage(&bs, head, "block at 0xfffffffffffff000 is not");
	header(second)->next = page_to_phys(alloc_pages(GFP_KERNEL, 0));
	expect_damage(&bs, head, "is not a preserved page");
}

TEST(no_memory_in_the_first_kernel)
{
	struct kho_block_set bs;
	unsigned int nr = 1;
	int err;

	sim_boot(NULL);
	kho_block_set_init(&bs, ENTRY_SIZE);
	do {
		sim_fail_allocation(nr++);
		err = kho_block_set_grow(&bs, 3 * bs.count_per_block);
		sim_fail_allocation(0);
		CHECK(!err || (err == -ENOMEM && kho_block_set_is_empty(&bs)));
	} while (err && nr < 100);
	CHECK(nr > 6);
	kho_block_set_destroy(&bs);
	CHECK_MACHINE();
}

TEST(no_memory_in_the_second_kernel)
{
	struct kho_block_set bs;
	u64 head = three_incoming(&bs);

	for (unsigned int nr = 1; nr <= 3; nr++) {
		sim_fail_allocation(nr);
		CHECK_EQ(-ENOMEM, kho_block_set_restore(&bs, head));
		CHECK(kho_block_set_is_empty(&bs));
		CHECK_MACHINE();
	}
	CHECK_EQ(0, kho_block_set_restore(&bs, head));
	CHECK_EQ(3 * bs.count_per_block, read_set(&bs));
	kho_block_set_destroy(&bs);
	CHECK_MACHINE();
}

/* As many blocks as there may be are not reached: memory ends before */
TEST(more_than_memory)
{
	struct kho_block_set bs;

	sim_boot(NULL);
	kho_block_set_init(&bs, PAGE_SIZE / 2);
	CHECK_EQ(-ENOMEM, kho_block_set_grow(&bs, 10001));
	CHECK(kho_block_set_is_empty(&bs));
	CHECK_MACHINE();
}

/* Whoever comes first reads and frees its blocks, whatever the other does */
TEST(two_lists_share_blocks)
{
	struct kho_block_set bs, other;
	u64 head = three_incoming(&bs);

	kho_block_set_init(&other, ENTRY_SIZE);
	CHECK_EQ(0, kho_block_set_restore(&bs, head));
	CHECK_EQ(-EINVAL, kho_block_set_restore(&other, header(head)->next));
	CHECK(sim_logged("is not a preserved page"));
	CHECK(kho_block_set_is_empty(&other));

	CHECK_EQ(3 * bs.count_per_block, read_set(&bs));
	kho_block_set_destroy(&bs);
	CHECK_MACHINE();
}

TEST(block_is_restored_by_others)
{
	struct kho_block_set bs;
	u64 head = three_incoming(&bs);

	CHECK_EQ(0, kho_block_set_restore(&bs, head));
	CHECK(!kho_restore_folio(header(head)->next));
	CHECK(!kho_restore_pages(header(head)->next, 1));
	kho_block_set_destroy(&bs);
	CHECK_MACHINE();
}
