// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit suite of KHO block sets.
 *
 * Outgoing sets preserve their blocks for real, so that a release that does
 * not match shows as a warning of the core. Incoming sets are lists of forged
 * pages written by hand, good ones and damaged ones.
 */

#include <kunit/static_stub.h>
#include <kunit/test-bug.h>
#include <kunit/test.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/block.h>
#include <linux/kho/block.h>

#include "../kexec_handover_internal.h"
#include "kho_kunit.h"

/* By the ABI a block is a page: two words of header, then the entries. */
#define NEXT		0
#define COUNT		1
#define HEADER_BYTES	16
#define CAPACITY(entry_size)	((PAGE_SIZE - HEADER_BYTES) / (entry_size))

/* The longest list that is read or written. */
#define MAX_BLOCKS	10000

/* Three words do not divide the room in a block. */
struct entry {
	u64 number;
	u64 unused[2];
};

#define CAP		CAPACITY(sizeof(struct entry))

struct block_test {
	struct kho_block_set bs;
	struct kho_kunit_held pages;	/* blocks, above all of outgoing sets */
	unsigned int allocs;	/* requests for a block */
	unsigned int fail_at;	/* which of them fails, counted from 1; 0: none */
	struct kho_kunit_forgery *forgery;	/* blocks of incoming sets */
};

static void *alloc_preserve_stub(size_t size)
{
	struct kunit *test = kunit_get_current_test();
	struct block_test *bt = test->priv;
	struct folio *folio;

	KUNIT_EXPECT_EQ(test, PAGE_SIZE, size);
	if (++bt->allocs == bt->fail_at)
		return ERR_PTR(-ENOMEM);

	folio = folio_alloc(GFP_KERNEL | __GFP_ZERO, 0);
	if (!folio)
		return ERR_PTR(-ENOMEM);
	if (kho_preserve_folio(folio)) {
		folio_put(folio);
		return ERR_PTR(-ENOMEM);
	}
	if (!kho_kunit_hold(&bt->pages, folio_page(folio, 0)))
		KUNIT_FAIL(test, "more than %u blocks", bt->pages.max);
	return folio_address(folio);
}

static int block_test_init(struct kunit *test)
{
	struct block_test *bt;

	kho_kunit_needs_kho(test);

	bt = kunit_kzalloc(test, sizeof(*bt), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, bt);
	kho_kunit_held_init(test, &bt->pages, MAX_BLOCKS + 1);
	bt->forgery = kho_kunit_forgery_init(test, MAX_BLOCKS + 1);
	kho_block_set_init(&bt->bs, sizeof(struct entry));
	test->priv = bt;

	kunit_activate_static_stub(test, kho_alloc_preserve, alloc_preserve_stub);
	return 0;
}

/* Whatever a test did to its set, destroying it must give every block back. */
static void block_test_exit(struct kunit *test)
{
	struct block_test *bt = test->priv;

	if (!bt)
		return;
	kho_block_set_destroy(&bt->bs);
	KUNIT_EXPECT_EQ(test, 0, kho_kunit_in_use(test, &bt->pages));
	KUNIT_EXPECT_EQ(test, 0, kho_block_set_head_pa(&bt->bs));
	KUNIT_EXPECT_TRUE(test, kho_block_set_is_empty(&bt->bs));
}

/* The block with a given place in the list, found by physical addresses. */
static u64 *nth_block(struct kho_block_set *bs, unsigned int n)
{
	u64 phys = kho_block_set_head_pa(bs);

	while (n-- && phys)
		phys = *(u64 *)phys_to_virt(phys);
	return phys ? phys_to_virt(phys) : NULL;
}

static unsigned int list_length(struct kho_block_set *bs)
{
	unsigned int nr = 0;

	for (u64 phys = kho_block_set_head_pa(bs); phys; nr++)
		phys = *(u64 *)phys_to_virt(phys);
	return nr;
}

/* Set, list and page allocator agree on the number of blocks. */
static void expect_blocks(struct kunit *test, unsigned int nr)
{
	struct block_test *bt = test->priv;

	KUNIT_EXPECT_EQ(test, nr, list_length(&bt->bs));
	KUNIT_EXPECT_EQ(test, nr, kho_kunit_in_use(test, &bt->pages));
	KUNIT_EXPECT_EQ(test, !nr, kho_block_set_is_empty(&bt->bs));
}

static void grow(struct kunit *test, u64 count)
{
	struct block_test *bt = test->priv;

	KUNIT_ASSERT_EQ_MSG(test, 0, kho_block_set_grow(&bt->bs, count),
			    "to %llu entries", count);
}

static void *entry_at(u64 *block, unsigned int i, size_t entry_size)
{
	return (void *)block + HEADER_BYTES + i * entry_size;
}

/* Reserve entries one by one, each at its place, and number them from @first. */
static void reserve(struct kunit *test, struct kho_block_set_it *it,
		    unsigned int first, unsigned int nr)
{
	struct block_test *bt = test->priv;

	for (unsigned int i = first; i < first + nr; i++) {
		struct entry *entry = kho_block_set_it_reserve_entry(it);
		u64 *block = nth_block(&bt->bs, i / CAP);

		KUNIT_ASSERT_NOT_NULL(test, block);
		KUNIT_ASSERT_PTR_EQ_MSG(test, entry_at(block, i % CAP, sizeof(*entry)),
					(void *)entry, "entry %u", i);
		KUNIT_ASSERT_EQ(test, i % CAP + 1, block[COUNT]);
		entry->number = i;
	}
}

static void expect_entries(struct kunit *test, struct kho_block_set *bs,
			   unsigned int nr)
{
	struct kho_block_set_it it;

	kho_block_set_it_init(&it, bs);
	for (unsigned int i = 0; i < nr; i++) {
		struct entry *entry = kho_block_set_it_read_entry(&it);

		KUNIT_ASSERT_NOT_NULL_MSG(test, entry, "entry %u of %u", i, nr);
		KUNIT_ASSERT_EQ(test, i, entry->number);
	}
	KUNIT_EXPECT_NULL(test, kho_block_set_it_read_entry(&it));
	KUNIT_EXPECT_NULL(test, kho_block_set_it_read_entry(&it));
}

static void empty_set(struct kunit *test)
{
	struct kho_block_set initialized = KHO_BLOCK_SET_INIT(initialized, 8);
	struct block_test *bt = test->priv;
	struct kho_block_set_it it;

	KUNIT_EXPECT_TRUE(test, kho_block_set_is_empty(&initialized));
	KUNIT_EXPECT_EQ(test, 0, kho_block_set_head_pa(&initialized));
	KUNIT_EXPECT_EQ(test, 0, kho_block_set_head_pa(&bt->bs));
	expect_blocks(test, 0);

	kho_block_set_it_init(&it, &bt->bs);
	KUNIT_EXPECT_NULL(test, kho_block_set_it_reserve_entry(&it));
	KUNIT_EXPECT_NULL(test, kho_block_set_it_read_entry(&it));
	KUNIT_EXPECT_NULL(test, kho_block_set_it_prev(&it));

	kho_block_set_shrink(&bt->bs, 0);
	kho_block_set_clear(&bt->bs);
	kho_block_set_destroy(&bt->bs);
	expect_blocks(test, 0);
}

static void grow_by_blocks(struct kunit *test)
{
	grow(test, 0);
	expect_blocks(test, 0);
	grow(test, 1);
	expect_blocks(test, 1);
	grow(test, CAP);
	expect_blocks(test, 1);
	grow(test, CAP + 1);
	expect_blocks(test, 2);
	grow(test, 5 * CAP);
	expect_blocks(test, 5);

	/* Room is never given up by growing. */
	grow(test, 1);
	expect_blocks(test, 5);
}

static void grown_blocks_are_blank(struct kunit *test)
{
	struct block_test *bt = test->priv;

	grow(test, 3 * CAP);
	for (unsigned int n = 0; n < 3; n++) {
		u64 *block = nth_block(&bt->bs, n);

		KUNIT_ASSERT_NOT_NULL(test, block);
		KUNIT_EXPECT_EQ(test, n == 2, !block[NEXT]);
		KUNIT_EXPECT_NULL(test, memchr_inv(block + COUNT, 0,
						   PAGE_SIZE - sizeof(u64)));
	}
}

static void shrink_by_blocks(struct kunit *test)
{
	struct block_test *bt = test->priv;

	grow(test, 4 * CAP);
	kho_block_set_shrink(&bt->bs, 4 * CAP);
	expect_blocks(test, 4);
	kho_block_set_shrink(&bt->bs, 3 * CAP + 1);
	expect_blocks(test, 4);
	kho_block_set_shrink(&bt->bs, 3 * CAP);
	expect_blocks(test, 3);
	kho_block_set_shrink(&bt->bs, 100 * CAP);
	expect_blocks(test, 3);
	kho_block_set_shrink(&bt->bs, 1);
	expect_blocks(test, 1);
	kho_block_set_shrink(&bt->bs, 0);
	expect_blocks(test, 0);
	KUNIT_EXPECT_EQ(test, 0, kho_block_set_head_pa(&bt->bs));

	grow(test, CAP + 1);
	expect_blocks(test, 2);
}

static void shrink_keeps_the_front(struct kunit *test)
{
	struct block_test *bt = test->priv;
	struct kho_block_set_it it;

	grow(test, 3 * CAP);
	kho_block_set_it_init(&it, &bt->bs);
	reserve(test, &it, 0, 2 * CAP);
	kho_block_set_shrink(&bt->bs, 2 * CAP);
	expect_blocks(test, 2);
	expect_entries(test, &bt->bs, 2 * CAP);
}

static void reserve_until_full(struct kunit *test)
{
	struct block_test *bt = test->priv;
	struct kho_block_set_it it;

	grow(test, 2 * CAP + 1);
	kho_block_set_it_init(&it, &bt->bs);
	reserve(test, &it, 0, 3 * CAP);
	KUNIT_EXPECT_NULL(test, kho_block_set_it_reserve_entry(&it));
	KUNIT_EXPECT_NULL(test, kho_block_set_it_reserve_entry(&it));
	expect_entries(test, &bt->bs, 3 * CAP);

	/* The same position goes on after more room has been made. */
	grow(test, 3 * CAP + 1);
	reserve(test, &it, 3 * CAP, 1);
	expect_entries(test, &bt->bs, 3 * CAP + 1);
}

/* A set with room for more than it holds ends where the entries do. */
static void read_stops_at_count(struct kunit *test)
{
	const unsigned int counts[] = { 0, 1, CAP - 1, CAP, CAP + 1, 2 * CAP };
	struct block_test *bt = test->priv;
	struct kho_block_set_it it;

	for (unsigned int i = 0; i < ARRAY_SIZE(counts); i++) {
		grow(test, 3 * CAP);
		kho_block_set_it_init(&it, &bt->bs);
		reserve(test, &it, 0, counts[i]);
		expect_entries(test, &bt->bs, counts[i]);
		kho_block_set_destroy(&bt->bs);
	}
}

static void entry_sizes(struct kunit *test)
{
	const size_t sizes[] = { 1, 8, 24, 80, 1360, PAGE_SIZE - HEADER_BYTES };
	struct block_test *bt = test->priv;

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct kho_block_set_it it;
		unsigned int nr = 0;
		u8 *entry;

		kho_block_set_init(&bt->bs, sizes[i]);
		grow(test, CAPACITY(sizes[i]) + 1);
		expect_blocks(test, 2);

		kho_block_set_it_init(&it, &bt->bs);
		while ((entry = kho_block_set_it_reserve_entry(&it))) {
			u64 *block = nth_block(&bt->bs, nr / CAPACITY(sizes[i]));

			KUNIT_ASSERT_NOT_NULL(test, block);
			KUNIT_ASSERT_PTR_EQ(test, (void *)entry,
					    entry_at(block, nr % CAPACITY(sizes[i]),
						     sizes[i]));
			nr++;
		}
		KUNIT_EXPECT_EQ_MSG(test, 2 * CAPACITY(sizes[i]), nr,
				    "entries of %zu bytes", sizes[i]);
		kho_block_set_destroy(&bt->bs);
		expect_blocks(test, 0);
	}
}

static void step_back(struct kunit *test)
{
	const unsigned int nr = 2 * CAP + 5;
	struct block_test *bt = test->priv;
	struct kho_block_set_it it;

	grow(test, nr);
	kho_block_set_it_init(&it, &bt->bs);
	KUNIT_EXPECT_NULL(test, kho_block_set_it_prev(&it));

	reserve(test, &it, 0, nr);
	for (unsigned int i = nr; i--;) {
		struct entry *entry = kho_block_set_it_prev(&it);

		KUNIT_ASSERT_NOT_NULL_MSG(test, entry, "entry %u", i);
		KUNIT_ASSERT_EQ(test, i, entry->number);
	}
	KUNIT_EXPECT_NULL(test, kho_block_set_it_prev(&it));

	/* Back at the start, where the first entry comes next. */
	reserve(test, &it, 0, 1);
}

static void step_back_over_a_full_block(struct kunit *test)
{
	struct block_test *bt = test->priv;
	struct kho_block_set_it it;
	struct entry *entry;

	grow(test, 2 * CAP);
	kho_block_set_it_init(&it, &bt->bs);
	reserve(test, &it, 0, CAP + 1);

	entry = kho_block_set_it_prev(&it);
	KUNIT_ASSERT_NOT_NULL(test, entry);
	KUNIT_EXPECT_EQ(test, CAP, entry->number);
	entry = kho_block_set_it_prev(&it);
	KUNIT_ASSERT_NOT_NULL(test, entry);
	KUNIT_EXPECT_EQ(test, CAP - 1, entry->number);
}

static void clear_keeps_the_room(struct kunit *test)
{
	struct block_test *bt = test->priv;
	struct kho_block_set_it it;
	u64 *blocks[3];

	grow(test, 3 * CAP);
	kho_block_set_it_init(&it, &bt->bs);
	reserve(test, &it, 0, 2 * CAP + 1);
	for (unsigned int n = 0; n < ARRAY_SIZE(blocks); n++)
		blocks[n] = nth_block(&bt->bs, n);

	kho_block_set_clear(&bt->bs);
	expect_blocks(test, 3);
	for (unsigned int n = 0; n < ARRAY_SIZE(blocks); n++) {
		KUNIT_ASSERT_PTR_EQ(test, blocks[n], nth_block(&bt->bs, n));
		KUNIT_EXPECT_NULL(test, memchr_inv(blocks[n] + COUNT, 0,
						   PAGE_SIZE - sizeof(u64)));
	}

	expect_entries(test, &bt->bs, 0);
	kho_block_set_it_init(&it, &bt->bs);
	reserve(test, &it, 0, 3 * CAP);
	expect_entries(test, &bt->bs, 3 * CAP);
}

/* The core warns if a block was not preserved, or is unpreserved twice. */
static void destroy_unpreserves(struct kunit *test)
{
	struct block_test *bt = test->priv;

	kunit_warning_suppress(test) {
		grow(test, 3 * CAP);
		kho_block_set_destroy(&bt->bs);
		expect_blocks(test, 0);
		kho_block_set_destroy(&bt->bs);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);

		KUNIT_ASSERT_EQ(test, 3, bt->pages.nr);
		kho_unpreserve_folio(page_folio(bt->pages.pages[0]));
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 1);
	}
}

static void grow_fails_halfway(struct kunit *test)
{
	struct block_test *bt = test->priv;

	for (unsigned int start = 0; start <= 2; start++) {
		for (unsigned int n = 1; n <= 4; n++) {
			grow(test, start * CAP);
			bt->allocs = 0;
			bt->fail_at = n;
			KUNIT_EXPECT_EQ(test, -ENOMEM,
					kho_block_set_grow(&bt->bs, (start + 4) * CAP));
			KUNIT_EXPECT_EQ(test, n, bt->allocs);
			bt->fail_at = 0;
			expect_blocks(test, start);

			/* What is left works, and can grow after all. */
			grow(test, (start + 4) * CAP);
			expect_blocks(test, start + 4);
			kho_block_set_destroy(&bt->bs);
			kho_kunit_release(&bt->pages);
		}
	}
}

static void failed_grow_keeps_entries(struct kunit *test)
{
	struct block_test *bt = test->priv;
	struct kho_block_set_it it;

	grow(test, 2 * CAP);
	kho_block_set_it_init(&it, &bt->bs);
	reserve(test, &it, 0, 2 * CAP);

	bt->allocs = 0;
	bt->fail_at = 2;
	KUNIT_EXPECT_EQ(test, -ENOMEM, kho_block_set_grow(&bt->bs, 5 * CAP));
	expect_entries(test, &bt->bs, 2 * CAP);
	KUNIT_EXPECT_NULL(test, kho_block_set_it_reserve_entry(&it));
}

static void grow_to_the_limit(struct kunit *test)
{
	struct block_test *bt = test->priv;

	/* One entry fills a block. */
	kho_block_set_init(&bt->bs, PAGE_SIZE - HEADER_BYTES);
	KUNIT_EXPECT_EQ(test, -ENOSPC, kho_block_set_grow(&bt->bs, MAX_BLOCKS + 1));
	expect_blocks(test, 0);
	kho_kunit_release(&bt->pages);

	grow(test, MAX_BLOCKS);
	expect_blocks(test, MAX_BLOCKS);
}

static void grow_incoming(struct kunit *test)
{
	struct block_test *bt = test->priv;

	KUNIT_ASSERT_EQ(test, 0, kho_block_set_restore(&bt->bs, 0));
	kunit_warning_suppress(test)
		KUNIT_EXPECT_EQ(test, -EINVAL, kho_block_set_grow(&bt->bs, 1));
	KUNIT_EXPECT_EQ(test, 0, bt->allocs);
	expect_blocks(test, 0);
}

/* A block of the previous kernel whose entries are numbered from @first. */
static u64 *forge_block(struct kunit *test, unsigned int first, u64 count)
{
	struct block_test *bt = test->priv;
	u64 *block = kho_kunit_forge(bt->forgery, 0);

	KUNIT_ASSERT_NOT_NULL(test, block);
	block[COUNT] = count;
	for (unsigned int i = 0; i < count; i++) {
		struct entry *entry = entry_at(block, i, sizeof(*entry));

		entry->number = first + i;
	}
	return block;
}

/* A list with so many entries in each block; returns the first block. */
static u64 *forge_list(struct kunit *test, u64 **blocks,
		       const unsigned int *counts, unsigned int nr)
{
	unsigned int first = 0;

	for (unsigned int n = 0; n < nr; n++) {
		blocks[n] = forge_block(test, first, counts[n]);
		if (n)
			blocks[n - 1][NEXT] = virt_to_phys(blocks[n]);
		first += counts[n];
	}
	return blocks[0];
}

static void restore(struct kunit *test, u64 *head)
{
	struct block_test *bt = test->priv;
	u64 phys = virt_to_phys(head);

	KUNIT_ASSERT_EQ(test, 0, kho_block_set_restore(&bt->bs, phys));
	KUNIT_EXPECT_EQ(test, phys, kho_block_set_head_pa(&bt->bs));
	KUNIT_EXPECT_FALSE(test, kho_block_set_is_empty(&bt->bs));
}

static void restore_nothing(struct kunit *test)
{
	struct block_test *bt = test->priv;

	KUNIT_EXPECT_EQ(test, 0, kho_block_set_restore(&bt->bs, 0));
	expect_blocks(test, 0);
	expect_entries(test, &bt->bs, 0);
}

static void restore_and_free(struct kunit *test)
{
	const unsigned int counts[] = { CAP, CAP, 3 };
	unsigned long managed = totalram_pages();
	struct block_test *bt = test->priv;
	u64 *blocks[ARRAY_SIZE(counts)];

	forge_list(test, blocks, counts, ARRAY_SIZE(counts));
	KUNIT_EXPECT_EQ(test, managed - 3, totalram_pages());
	restore(test, blocks[0]);
	expect_entries(test, &bt->bs, 2 * CAP + 3);

	/* They are the set's now, and nobody else's */
	KUNIT_EXPECT_EQ(test, 0, kho_kunit_forged(bt->forgery));
	KUNIT_EXPECT_EQ(test, managed, totalram_pages());
	for (unsigned int n = 0; n < ARRAY_SIZE(blocks); n++)
		kho_kunit_hold(&bt->pages, virt_to_page(blocks[n]));
	KUNIT_EXPECT_EQ(test, 3, kho_kunit_in_use(test, &bt->pages));

	kho_block_set_destroy(&bt->bs);
	KUNIT_EXPECT_EQ(test, 0, kho_kunit_in_use(test, &bt->pages));
	KUNIT_EXPECT_EQ(test, 0, kho_block_set_head_pa(&bt->bs));
}

static void read_partly_filled_blocks(struct kunit *test)
{
	const unsigned int counts[] = { 1, CAP, CAP - 1, 2, CAP };
	struct block_test *bt = test->priv;
	u64 *blocks[ARRAY_SIZE(counts)];

	restore(test, forge_list(test, blocks, counts, ARRAY_SIZE(counts)));
	expect_entries(test, &bt->bs, 3 * CAP + 2);
}

/* Linux 7.3 leaves one at the end of its list of sessions. */
static void trailing_empty_block(struct kunit *test)
{
	const unsigned int counts[] = { CAP, 0 };
	struct block_test *bt = test->priv;
	u64 *blocks[ARRAY_SIZE(counts)];

	restore(test, forge_list(test, blocks, counts, ARRAY_SIZE(counts)));
	expect_entries(test, &bt->bs, CAP);
}

static void empty_blocks_anywhere(struct kunit *test)
{
	const unsigned int counts[] = { 0, 0, 2, 0, CAP, 0, 0, 1, 0, 0 };
	struct block_test *bt = test->priv;
	u64 *blocks[ARRAY_SIZE(counts)];

	restore(test, forge_list(test, blocks, counts, ARRAY_SIZE(counts)));
	expect_entries(test, &bt->bs, CAP + 3);
}

static void only_an_empty_block(struct kunit *test)
{
	struct block_test *bt = test->priv;

	restore(test, forge_block(test, 0, 0));
	expect_entries(test, &bt->bs, 0);
}

/*
 * The list is refused: the set is empty, and every block stays reserved, for
 * what it holds is unknown.
 */
static void expect_bad(struct kunit *test, u64 head, const char *what)
{
	struct block_test *bt = test->priv;
	unsigned long before = kho_kunit_forged(bt->forgery);

	KUNIT_EXPECT_EQ_MSG(test, -EINVAL, kho_block_set_restore(&bt->bs, head),
			    "%s", what);
	KUNIT_EXPECT_EQ_MSG(test, 0, kho_block_set_head_pa(&bt->bs), "%s", what);
	KUNIT_EXPECT_TRUE_MSG(test, kho_block_set_is_empty(&bt->bs), "%s", what);

	kho_block_set_destroy(&bt->bs);
	KUNIT_EXPECT_EQ_MSG(test, before, kho_kunit_forged(bt->forgery), "%s", what);
}

/* Three blocks, so that damage can be in the first, a middle and the last one. */
static void damaged_blocks(struct kunit *test)
{
	const unsigned int counts[] = { CAP, CAP, 3 };
	struct block_test *bt = test->priv;
	u64 *blocks[ARRAY_SIZE(counts)];
	u64 *ordinary = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	u64 *pair = kho_kunit_forge(bt->forgery, 1);
	struct {
		u64 value;
		const char *what;
	} bad_count[] = {
		{ CAP + 1, "one entry too many" },
		{ PAGE_SIZE, "count of a page" },
		{ U32_MAX, "count of all ones, 32 bits" },
		{ U64_MAX, "count of all ones" },
		{ 1ULL << 63, "negative count" },
	}, bad_link[] = {
		{ 1ULL << 50, "block beyond memory" },
		{ ~0ULL << PAGE_SHIFT, "last page that there could be" },
		{ U64_MAX, "link of all ones" },
		{ 1, "link of one" },
		{ PAGE_SIZE / 2, "middle of the first page" },
		{ kho_scratch[0].addr, "block in scratch" },
		{ virt_to_phys(ordinary), "block not preserved" },
		{ virt_to_phys(pair), "block of two pages" },
	};

	KUNIT_ASSERT_NOT_NULL(test, ordinary);
	KUNIT_ASSERT_NOT_NULL(test, pair);
	forge_list(test, blocks, counts, ARRAY_SIZE(counts));
	const u64 head = virt_to_phys(blocks[0]);

	for (unsigned int n = 0; n < ARRAY_SIZE(blocks); n++) {
		for (unsigned int i = 0; i < ARRAY_SIZE(bad_count); i++) {
			blocks[n][COUNT] = bad_count[i].value;
			expect_bad(test, head, bad_count[i].what);
		}
		blocks[n][COUNT] = counts[n];
	}

	for (unsigned int i = 0; i < ARRAY_SIZE(bad_link); i++) {
		expect_bad(test, bad_link[i].value, bad_link[i].what);
		for (unsigned int n = 0; n < ARRAY_SIZE(blocks); n++) {
			u64 good = blocks[n][NEXT];

			blocks[n][NEXT] = bad_link[i].value;
			expect_bad(test, head, bad_link[i].what);
			blocks[n][NEXT] = good;
		}
	}

	expect_bad(test, head + 8, "head not aligned");
	blocks[0][NEXT] += 8;
	expect_bad(test, head, "link not aligned");
	blocks[0][NEXT] -= 8;

	/* Repaired, the very same list is read after all. */
	restore(test, blocks[0]);
	expect_entries(test, &bt->bs, 2 * CAP + 3);
}

static void cyclic_list(struct kunit *test)
{
	const unsigned int counts[] = { CAP, CAP, CAP, CAP, CAP, CAP, CAP };
	const unsigned int last = ARRAY_SIZE(counts) - 1;
	u64 *blocks[ARRAY_SIZE(counts)];
	u64 head;

	forge_list(test, blocks, counts, ARRAY_SIZE(counts));
	head = virt_to_phys(blocks[0]);

	/* From the end back to each of the blocks: with and without a tail. */
	for (unsigned int n = 0; n <= last; n++) {
		blocks[last][NEXT] = virt_to_phys(blocks[n]);
		expect_bad(test, head, "circle");
	}

	blocks[0][NEXT] = head;
	expect_bad(test, head, "block that links to itself");

	blocks[0][COUNT] = 0;
	expect_bad(test, head, "empty block that links to itself");
}

static void longest_list(struct kunit *test)
{
	struct block_test *bt = test->priv;
	u64 *block, *previous, head;

	previous = forge_block(test, 0, 1);
	head = virt_to_phys(previous);
	for (unsigned int n = 1; n < MAX_BLOCKS; n++) {
		block = forge_block(test, n, 1);
		previous[NEXT] = virt_to_phys(block);
		previous = block;
	}

	/* One more is one too many, and a circle is just that. */
	block = forge_block(test, MAX_BLOCKS, 1);
	previous[NEXT] = virt_to_phys(block);
	expect_bad(test, head, "more blocks than any writer makes");
	block[NEXT] = head;
	expect_bad(test, head, "long circle");

	previous[NEXT] = 0;
	restore(test, phys_to_virt(head));
	expect_entries(test, &bt->bs, MAX_BLOCKS);
}

static struct kunit_case block_cases[] = {
	KUNIT_CASE(empty_set),
	KUNIT_CASE(grow_by_blocks),
	KUNIT_CASE(grown_blocks_are_blank),
	KUNIT_CASE(shrink_by_blocks),
	KUNIT_CASE(shrink_keeps_the_front),
	KUNIT_CASE(reserve_until_full),
	KUNIT_CASE(read_stops_at_count),
	KUNIT_CASE(entry_sizes),
	KUNIT_CASE(step_back),
	KUNIT_CASE(step_back_over_a_full_block),
	KUNIT_CASE(clear_keeps_the_room),
	KUNIT_CASE(destroy_unpreserves),
	KUNIT_CASE(grow_fails_halfway),
	KUNIT_CASE(failed_grow_keeps_entries),
	KUNIT_CASE_SLOW(grow_to_the_limit),
	KUNIT_CASE(grow_incoming),
	KUNIT_CASE(restore_nothing),
	KUNIT_CASE(restore_and_free),
	KUNIT_CASE(read_partly_filled_blocks),
	KUNIT_CASE(trailing_empty_block),
	KUNIT_CASE(empty_blocks_anywhere),
	KUNIT_CASE(only_an_empty_block),
	KUNIT_CASE(damaged_blocks),
	KUNIT_CASE(cyclic_list),
	KUNIT_CASE_SLOW(longest_list),
	{}
};

static struct kunit_suite block_suite = {
	.name = "kho_block",
	.init = block_test_init,
	.exit = block_test_exit,
	.test_cases = block_cases,
};

kunit_test_suite(block_suite);
