// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit suite of preserving and restoring physical ranges.
 *
 * What is preserved cannot be looked up in the outgoing map; but to unpreserve
 * a range that is not in it warns, once for each, and that can be counted.
 * Restoring runs on forged pages. The FDT and boot are tested in a virtual
 * machine.
 */

#include <kunit/test.h>
#include <linux/io.h>
#include <linux/kexec_handover.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include "../kexec_handover_internal.h"
#include "kho_kunit.h"

static int core_test_init(struct kunit *test)
{
	kho_kunit_needs_kho(test);

	test->priv = kho_kunit_forgery_init(test, 64);
	return 0;
}

static void *forge(struct kunit *test, unsigned int order)
{
	void *mem = kho_kunit_forge(test->priv, order);

	KUNIT_ASSERT_NOT_NULL(test, mem);
	return mem;
}

static void free_action(void *page)
{
	__free_pages(page, 6);
}

/* Preserve pages @first to @first + @nr - 1 of 64 that are naturally aligned. */
static void expect_ranges(struct kunit *test, struct page *block,
			  unsigned long first, unsigned long nr, int ranges)
{
	kunit_warning_suppress(test) {
		/* Twice, so that the first round must undo all it did. */
		for (int round = 0; round < 2; round++) {
			KUNIT_ASSERT_EQ(test, 0,
					kho_preserve_pages(block + first, nr));
			kho_unpreserve_pages(block + first, nr);
		}
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);

		kho_unpreserve_pages(block + first, nr);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, ranges);
	}
}

static void preserve_in_largest_ranges(struct kunit *test)
{
	struct page *block = alloc_pages(GFP_KERNEL, 6);

	KUNIT_ASSERT_NOT_NULL(test, block);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, free_action, block));

	expect_ranges(test, block, 0, 1, 1);
	expect_ranges(test, block, 0, 64, 1);
	expect_ranges(test, block, 0, 63, 6);	/* 32 16 8 4 2 1 */
	expect_ranges(test, block, 1, 63, 6);	/* 1 2 4 8 16 32 */
	expect_ranges(test, block, 1, 62, 10);	/* 1 2 4 8 16 16 8 4 2 1 */
	expect_ranges(test, block, 8, 24, 2);	/* 8 16 */
	expect_ranges(test, block, 5, 2, 2);	/* 1 1 */
}

static void preserve_folio(struct kunit *test)
{
	struct folio *folio = folio_alloc(GFP_KERNEL, 3);

	KUNIT_ASSERT_NOT_NULL(test, folio);
	kunit_warning_suppress(test) {
		for (int round = 0; round < 2; round++) {
			KUNIT_EXPECT_EQ(test, 0, kho_preserve_folio(folio));
			kho_unpreserve_folio(folio);
		}
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);

		/* It was preserved with its own order: as pages it is one range. */
		KUNIT_EXPECT_EQ(test, 0, kho_preserve_folio(folio));
		kho_unpreserve_pages(folio_page(folio, 0), 8);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
	}
	folio_put(folio);
}

/* More than are preserved under one hold of the lock */
#define NR_FOLIOS	2500

static void free_folios(void *data)
{
	struct folio **folios = data;

	for (unsigned int i = 0; i < NR_FOLIOS && folios[i]; i++)
		folio_put(folios[i]);
}

static struct folio **alloc_folios(struct kunit *test)
{
	struct folio **folios = kunit_kcalloc(test, NR_FOLIOS, sizeof(*folios),
					      GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, folios);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, free_folios, folios));
	for (unsigned int i = 0; i < NR_FOLIOS; i++) {
		folios[i] = folio_alloc(GFP_KERNEL, i % 100 ? 0 : 2);
		KUNIT_ASSERT_NOT_NULL(test, folios[i]);
	}
	return folios;
}

static void preserve_folios(struct kunit *test)
{
	struct folio **folios = alloc_folios(test);

	KUNIT_EXPECT_EQ(test, 0, kho_preserve_folios(folios, 0));
	kunit_warning_suppress(test) {
		for (int round = 0; round < 2; round++) {
			KUNIT_ASSERT_EQ(test, 0,
					kho_preserve_folios(folios, NR_FOLIOS));
			kho_unpreserve_folios(folios, NR_FOLIOS);
		}

		/* What one call preserved need not be undone by one call */
		KUNIT_ASSERT_EQ(test, 0, kho_preserve_folios(folios, NR_FOLIOS));
		kho_unpreserve_folios(folios + 1, NR_FOLIOS - 1);
		kho_unpreserve_folio(folios[0]);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);

		/* There were that many, and none is left */
		kho_unpreserve_folios(folios, NR_FOLIOS);
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, NR_FOLIOS);
	}
}

static void preserve_all_folios_or_none(struct kunit *test)
{
	const unsigned int bad[] = { 0, 700, 1024, 1500, NR_FOLIOS - 1 };
	struct folio **folios = alloc_folios(test);
	const int warnings = IS_ENABLED(CONFIG_KEXEC_HANDOVER_DEBUG);
	struct folio *scratch;

	scratch = pfn_folio(PHYS_PFN(kho_scratch[0].addr));

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		struct folio *good = folios[bad[i]];

		kunit_warning_suppress(test) {
			folios[bad[i]] = scratch;
			KUNIT_EXPECT_EQ(test, -EINVAL,
					kho_preserve_folios(folios, NR_FOLIOS));
			folios[bad[i]] = good;
			KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, warnings);

			kho_unpreserve_folios(folios, NR_FOLIOS);
			KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, warnings + NR_FOLIOS);
		}
	}
}

/* Movable memory ends up there, and the next image is loaded over it. */
static void preserve_nothing_in_scratch(struct kunit *test)
{
	const int warnings = IS_ENABLED(CONFIG_KEXEC_HANDOVER_DEBUG);
	struct page *page;

	KUNIT_ASSERT_GT(test, kho_scratch_cnt, 0);
	page = pfn_to_page(PHYS_PFN(kho_scratch[0].addr));

	kunit_warning_suppress(test) {
		KUNIT_EXPECT_EQ(test, -EINVAL, kho_preserve_pages(page, 1));
		KUNIT_EXPECT_EQ(test, -EINVAL, kho_preserve_pages(page - 1, 2));
		KUNIT_EXPECT_EQ(test, -EINVAL, kho_preserve_folio(page_folio(page)));
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 3 * warnings);
	}
}

static void scratch_overlap(struct kunit *test)
{
	for (unsigned int i = 0; i < kho_scratch_cnt; i++) {
		phys_addr_t start = kho_scratch[i].addr;
		phys_addr_t end = start + kho_scratch[i].size;

		KUNIT_EXPECT_TRUE(test, kho_scratch_overlap(start, 1));
		KUNIT_EXPECT_TRUE(test, kho_scratch_overlap(end - 1, 1));
		KUNIT_EXPECT_TRUE(test, kho_scratch_overlap(start - 1, 2));
		KUNIT_EXPECT_TRUE(test, kho_scratch_overlap(end - 1, 2));
		KUNIT_EXPECT_TRUE(test, kho_scratch_overlap(start - 1, end - start + 2));
	}

	/* No kernel puts scratch at the very start or end of the addresses. */
	KUNIT_EXPECT_FALSE(test, kho_scratch_overlap(0, PAGE_SIZE));
	KUNIT_EXPECT_FALSE(test, kho_scratch_overlap(1ULL << 50, SZ_1G));
}

static void allocate_preserved(struct kunit *test)
{
	const size_t sizes[] = { 1, PAGE_SIZE, PAGE_SIZE + 1, 5 * PAGE_SIZE };
	const size_t largest = PAGE_SIZE << MAX_PAGE_ORDER;

	KUNIT_EXPECT_EQ(test, -EINVAL, PTR_ERR_OR_ZERO(kho_alloc_preserve(0)));
	KUNIT_EXPECT_EQ(test, -E2BIG, PTR_ERR_OR_ZERO(kho_alloc_preserve(largest + 1)));
	kho_unpreserve_free(NULL);
	kho_restore_free(NULL);

	kunit_warning_suppress(test) {
		for (int i = 0; i < ARRAY_SIZE(sizes); i++) {
			void *mem = kho_alloc_preserve(sizes[i]);

			KUNIT_ASSERT_NOT_ERR_OR_NULL(test, mem);
			KUNIT_EXPECT_NULL(test, memchr_inv(mem, 0, sizes[i]));
			KUNIT_EXPECT_EQ(test, get_order(sizes[i]),
					folio_order(virt_to_folio(mem)));
			kho_unpreserve_free(mem);
		}
		KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(test, 0);
	}
}

static void preserved_order(struct kunit *test)
{
	void *ordinary = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, ordinary);
	for (int order = 0; order <= MAX_PAGE_ORDER; order++) {
		phys_addr_t phys = virt_to_phys(forge(test, order));

		KUNIT_EXPECT_EQ(test, order, kho_preserved_order(phys));
		KUNIT_EXPECT_EQ(test, -EINVAL, kho_preserved_order(phys + 8));
		/* Only the start of a range is preserved memory by itself. */
		if (order)
			KUNIT_EXPECT_EQ(test, -ENOENT,
					kho_preserved_order(phys + PAGE_SIZE));
	}

	KUNIT_EXPECT_EQ(test, -ENOENT, kho_preserved_order(virt_to_phys(ordinary)));
	KUNIT_EXPECT_EQ(test, -ENOENT, kho_preserved_order(1ULL << 50));
	KUNIT_EXPECT_EQ(test, -ENOENT, kho_preserved_order(~0ULL << PAGE_SHIFT));
	KUNIT_EXPECT_EQ(test, -EINVAL, kho_preserved_order(~0ULL));
}

static void restore_folio(struct kunit *test)
{
	for (int order = 0; order <= MAX_PAGE_ORDER; order++) {
		unsigned long managed = totalram_pages();
		phys_addr_t phys = virt_to_phys(forge(test, order));
		struct folio *folio;

		KUNIT_EXPECT_NULL(test, kho_restore_folio(phys + 8));
		if (order)
			KUNIT_EXPECT_NULL(test, kho_restore_folio(phys + PAGE_SIZE));

		folio = kho_restore_folio(phys);
		KUNIT_ASSERT_NOT_NULL(test, folio);
		KUNIT_EXPECT_EQ(test, phys, PFN_PHYS(folio_pfn(folio)));
		KUNIT_EXPECT_EQ(test, order, folio_order(folio));
		KUNIT_EXPECT_EQ(test, 1, folio_ref_count(folio));
		KUNIT_EXPECT_EQ(test, managed, totalram_pages());

		KUNIT_EXPECT_NULL(test, kho_restore_folio(phys));
		KUNIT_EXPECT_EQ(test, -ENOENT, kho_preserved_order(phys));
		folio_put(folio);
	}
}

static void restore_folios_in_batch(struct kunit *test)
{
	unsigned long large = 1UL << MAX_PAGE_ORDER;
	unsigned long managed = totalram_pages();
	struct kho_restore_batch batch = {};
	struct folio *folios[4];
	phys_addr_t phys[4];

	for (int i = 0; i < ARRAY_SIZE(folios); i++) {
		phys[i] = virt_to_phys(forge(test, i ? 0 : MAX_PAGE_ORDER));
		if (page_zone(phys_to_page(phys[i])) !=
		    page_zone(phys_to_page(phys[0])))
			kunit_skip(test, "no memory in one zone");
	}
	KUNIT_ASSERT_EQ(test, managed - large - 3, totalram_pages());

	/* Pages are accounted for when they have become many, or at the end */
	folios[1] = kho_restore_folio_batch(&batch, phys[1]);
	KUNIT_EXPECT_EQ(test, managed - large - 3, totalram_pages());
	folios[0] = kho_restore_folio_batch(&batch, phys[0]);
	KUNIT_EXPECT_EQ(test, managed - 2, totalram_pages());
	folios[2] = kho_restore_folio_batch(&batch, phys[2]);
	KUNIT_EXPECT_EQ(test, managed - 2, totalram_pages());

	/* What cannot be restored changes nothing */
	KUNIT_EXPECT_NULL(test, kho_restore_folio_batch(&batch, phys[1]));
	KUNIT_EXPECT_NULL(test, kho_restore_folio_batch(&batch, phys[3] + 8));
	KUNIT_EXPECT_EQ(test, managed - 2, totalram_pages());
	kho_restore_batch_end(&batch);
	KUNIT_EXPECT_EQ(test, managed - 1, totalram_pages());

	/* The batch can go on, and end twice */
	folios[3] = kho_restore_folio_batch(&batch, phys[3]);
	kho_restore_batch_end(&batch);
	kho_restore_batch_end(&batch);
	KUNIT_EXPECT_EQ(test, managed, totalram_pages());

	for (int i = 0; i < ARRAY_SIZE(folios); i++) {
		KUNIT_ASSERT_NOT_NULL(test, folios[i]);
		KUNIT_EXPECT_EQ(test, 1, folio_ref_count(folios[i]));
		folio_put(folios[i]);
	}
}

static void restore_free(struct kunit *test)
{
	unsigned long managed = totalram_pages();
	void *mem = forge(test, 2);

	kho_restore_free(mem);
	KUNIT_EXPECT_EQ(test, 0, kho_kunit_forged(test->priv));
	KUNIT_EXPECT_EQ(test, managed, totalram_pages());

	kho_restore_free(mem);
	KUNIT_EXPECT_EQ(test, managed, totalram_pages());
}

/* Sixteen pages, however the previous kernel recorded them. */
static void restore_pages(struct kunit *test)
{
	static const struct {
		unsigned int orders[6];
		unsigned int nr;
	} recorded[] = {
		{ { 4 }, 1 },
		{ { 3, 3 }, 2 },
		{ { 3, 2, 1, 0, 0 }, 5 },
		{ { 0, 0, 1, 2, 3 }, 5 },
		{ { 2, 2, 3 }, 3 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(recorded); i++) {
		unsigned long managed = totalram_pages();
		struct page *page;
		phys_addr_t phys;
		void *mem;

		mem = kho_kunit_forge_ranges(test->priv, recorded[i].orders,
					     recorded[i].nr);
		KUNIT_ASSERT_NOT_NULL(test, mem);
		phys = virt_to_phys(mem);

		page = kho_restore_pages(phys, 16);
		KUNIT_ASSERT_NOT_NULL(test, page);
		KUNIT_EXPECT_EQ(test, phys, page_to_phys(page));
		KUNIT_EXPECT_EQ(test, managed, totalram_pages());
		KUNIT_EXPECT_EQ(test, 0, kho_kunit_forged(test->priv));
		KUNIT_EXPECT_NULL(test, kho_restore_pages(phys, 16));

		for (int j = 0; j < 16; j++) {
			KUNIT_EXPECT_EQ(test, 1, page_count(page + j));
			KUNIT_EXPECT_FALSE(test, PageCompound(page + j));
			__free_page(page + j);
		}
	}
}

/* All of what was asked for, or nothing. */
static void restore_other_pages(struct kunit *test)
{
	const unsigned int orders[] = { 2, 1, 0, 0 };
	void *mem = kho_kunit_forge_ranges(test->priv, orders, ARRAY_SIZE(orders));
	unsigned long managed = totalram_pages();
	phys_addr_t phys;

	KUNIT_ASSERT_NOT_NULL(test, mem);
	phys = virt_to_phys(mem);

	KUNIT_EXPECT_NULL(test, kho_restore_pages(phys, 0));
	KUNIT_EXPECT_NULL(test, kho_restore_pages(phys, 1));
	KUNIT_EXPECT_NULL(test, kho_restore_pages(phys, 3));
	KUNIT_EXPECT_NULL(test, kho_restore_pages(phys, 5));
	KUNIT_EXPECT_NULL(test, kho_restore_pages(phys, ULONG_MAX));
	KUNIT_EXPECT_NULL(test, kho_restore_pages(phys + PAGE_SIZE, 1));
	KUNIT_EXPECT_NULL(test, kho_restore_pages(phys + 8, 4));
	KUNIT_EXPECT_EQ(test, ARRAY_SIZE(orders), kho_kunit_forged(test->priv));

	/* Once the last page is gone, the eight are not there any more. */
	KUNIT_ASSERT_NOT_NULL(test, kho_restore_pages(phys + 7 * PAGE_SIZE, 1));
	KUNIT_EXPECT_NULL(test, kho_restore_pages(phys, 8));
	KUNIT_EXPECT_EQ(test, ARRAY_SIZE(orders) - 1, kho_kunit_forged(test->priv));
	KUNIT_EXPECT_EQ(test, managed + 1, totalram_pages());
	free_page((unsigned long)mem + 7 * PAGE_SIZE);
}

static struct kunit_case core_cases[] = {
	KUNIT_CASE(preserve_in_largest_ranges),
	KUNIT_CASE(preserve_folio),
	KUNIT_CASE(preserve_folios),
	KUNIT_CASE(preserve_all_folios_or_none),
	KUNIT_CASE(preserve_nothing_in_scratch),
	KUNIT_CASE(scratch_overlap),
	KUNIT_CASE(allocate_preserved),
	KUNIT_CASE(preserved_order),
	KUNIT_CASE(restore_folio),
	KUNIT_CASE(restore_folios_in_batch),
	KUNIT_CASE(restore_free),
	KUNIT_CASE(restore_pages),
	KUNIT_CASE(restore_other_pages),
	{}
};

static struct kunit_suite core_suite = {
	.name = "kho_core",
	.init = core_test_init,
	.test_cases = core_cases,
};

kunit_test_suite(core_suite);
