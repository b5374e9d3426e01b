// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages for the KHO suites: held ones and forged ones, see kho_kunit.h.
 */

#include <kunit/test.h>
#include <linux/gfp.h>
#include <linux/log2.h>
#include <linux/mm.h>

#include "kho_kunit.h"

/**
 * kho_kunit_release - Give up the test's references
 * @held: the set, which is empty then; this also happens when a test ends
 */
void kho_kunit_release(struct kho_kunit_held *held)
{
	/* A count of zero is a page freed twice; it is not ours any more. */
	for (unsigned int i = 0; i < held->nr; i++)
		if (page_count(held->pages[i]))
			put_page(held->pages[i]);
	held->nr = 0;
}

static void release_action(void *held)
{
	kho_kunit_release(held);
}

/**
 * kho_kunit_held_init - Prepare to hold pages until the end of a test
 * @test: the running test
 * @held: the set to prepare
 * @max: the number of pages it has room for
 */
void kho_kunit_held_init(struct kunit *test, struct kho_kunit_held *held,
			 unsigned int max)
{
	held->pages = kunit_kcalloc(test, max, sizeof(*held->pages), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, held->pages);
	held->nr = 0;
	held->max = max;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action(test, release_action, held));
}

/**
 * kho_kunit_hold - Take the test's reference on a page
 * @held: the set to add the page to
 * @page: an order-0 page on its way to the code under test
 *
 * Return: false if the set is full.
 */
bool kho_kunit_hold(struct kho_kunit_held *held, struct page *page)
{
	if (held->nr == held->max)
		return false;

	get_page(page);
	held->pages[held->nr++] = page;
	return true;
}

/**
 * kho_kunit_in_use - Count the held pages that the code under test still owns
 * @test: the running test, which fails if a page was freed twice
 * @held: the set
 *
 * Return: the number of pages not freed yet.
 */
unsigned int kho_kunit_in_use(struct kunit *test,
			      const struct kho_kunit_held *held)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < held->nr; i++) {
		KUNIT_EXPECT_NE_MSG(test, 0, page_count(held->pages[i]),
				    "page %u of %u was freed twice", i, held->nr);
		nr += page_count(held->pages[i]) > 1;
	}
	return nr;
}

/**
 * kho_kunit_is_held - check whether a physical address is that of a held page in use
 * @held: the set
 * @phys: the address
 *
 * Return: true if it does.
 */
bool kho_kunit_is_held(const struct kho_kunit_held *held, phys_addr_t phys)
{
	for (unsigned int i = 0; i < held->nr; i++)
		if (page_to_phys(held->pages[i]) == phys)
			return page_count(held->pages[i]) > 1;
	return false;
}

struct forged_page {
	struct page *page;
	unsigned int order;
};

struct kho_kunit_forgery {
	unsigned int nr;
	unsigned int max;
	struct forged_page pages[] __counted_by(max);
};

/* "KHOP" in the upper half, the order in the lower, on a 64-bit LE machine. */
static unsigned long forged_mark(unsigned int order)
{
	return 0x4b484f5000000000UL | order;
}

static bool still_forged(const struct forged_page *forged)
{
	return page_private(forged->page) == forged_mark(forged->order);
}

static void forgery_undo(void *data)
{
	struct kho_kunit_forgery *forgery = data;

	for (unsigned int i = 0; i < forgery->nr; i++) {
		struct forged_page *forged = &forgery->pages[i];
		unsigned long nr_pages = 1UL << forged->order;

		if (!still_forged(forged))
			continue;

		set_page_private(forged->page, 0);
		adjust_managed_page_count(forged->page, nr_pages);
		for (unsigned long j = 0; j < nr_pages; j++)
			__free_page(forged->page + j);
	}
	forgery->nr = 0;
}

/**
 * kho_kunit_forgery_init - Prepare to forge pages until the end of a test
 * @test: the running test
 * @max: the number of forgeries there is room for
 *
 * What has not been restored by the end of the test is freed.
 *
 * Return: the set; the test is aborted if there is no memory for it.
 */
struct kho_kunit_forgery *kho_kunit_forgery_init(struct kunit *test,
						 unsigned int max)
{
	struct kho_kunit_forgery *forgery;

	forgery = kunit_kzalloc(test, struct_size(forgery, pages, max),
				GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, forgery);
	forgery->max = max;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action(test, forgery_undo, forgery));
	return forgery;
}

/**
 * kho_kunit_forge_ranges - Make memory that looks preserved, in several ranges
 * @forgery: the set to add them to
 * @orders: log2 of the number of pages of each range; they follow each other
 *	in memory, and their sum must be a power of two
 * @nr: the number of ranges
 *
 * Return: the zeroed memory, or NULL.
 */
void *kho_kunit_forge_ranges(struct kho_kunit_forgery *forgery,
			     const unsigned int *orders, unsigned int nr)
{
	unsigned long nr_pages = 0;
	struct page *start, *page;

	for (unsigned int i = 0; i < nr; i++)
		nr_pages += 1UL << orders[i];
	if (!is_power_of_2(nr_pages) || nr > forgery->max - forgery->nr)
		return NULL;

	start = alloc_pages(GFP_KERNEL | __GFP_ZERO, ilog2(nr_pages));
	if (!start)
		return NULL;

	/* Restored pages have a count each, and so must forged ones. */
	split_page(start, ilog2(nr_pages));
	adjust_managed_page_count(start, -(long)nr_pages);
	page = start;
	for (unsigned int i = 0; i < nr; i++) {
		set_page_private(page, forged_mark(orders[i]));
		forgery->pages[forgery->nr++] =
			(struct forged_page) { page, orders[i] };
		page += 1UL << orders[i];
	}
	return page_address(start);
}

/**
 * kho_kunit_forge - Make memory that looks preserved by the previous kernel
 * @forgery: the set to add it to
 * @order: log2 of the number of pages
 *
 * Return: the zeroed memory, or NULL.
 */
void *kho_kunit_forge(struct kho_kunit_forgery *forgery, unsigned int order)
{
	return kho_kunit_forge_ranges(forgery, &order, 1);
}

/**
 * kho_kunit_forged - Count the forgeries that nobody has restored
 * @forgery: the set
 *
 * Return: the number of forgeries, not of pages.
 */
unsigned long kho_kunit_forged(const struct kho_kunit_forgery *forgery)
{
	unsigned long nr = 0;

	for (unsigned int i = 0; i < forgery->nr; i++)
		nr += still_forged(&forgery->pages[i]);
	return nr;
}
