// SPDX-License-Identifier: GPL-2.0-only
/*
 * Struct pages of preserved memory that are initialized with those around them,
 * or when the memory is restored before that. The simulated machine ends the
 * program if one is used too early, initialized twice, or if a page is freed while
 * one in its block is missing.
 */

#include "kexec_handover_internal.h"
#include "tap.h"

static struct sim_handover handover;
static phys_addr_t folios[32];

static bool deferred(phys_addr_t phys)
{
	return phys >= SIM_DEFERRED;
}

/* A folio where struct pages are initialized later; what it contains is its address */
static phys_addr_t preserve(unsigned int order)
{
	struct folio *folio;

	do {
		folio = folio_alloc(GFP_KERNEL, order);
		if (!CHECK(folio))
			return 0;
	} while (!deferred(page_to_phys(&folio->page)));

	*(phys_addr_t *)folio_address(folio) = page_to_phys(&folio->page);
	CHECK_EQ(0, kho_preserve_folio(folio));
	return page_to_phys(&folio->page);
}

static void preserve_some(void)
{
	sim_boot(NULL);
	for (unsigned int i = 0; i < ARRAY_SIZE(folios); i++)
		folios[i] = preserve(i % 8 ? i % 8 : i % 3 * 4);
	handover = sim_kexec();
}

/* As far as early init functions */
static void boot_free(void (*change)(void))
{
	sim_scratch_parse((char[]){ "4M,0,4M" });
	sim_boot_map(&handover);
	if (change)
		change();
	kho_memory_init_early();
	kho_memory_init();
	sim_boot_free();
}

static void boot_rest(void)
{
	sim_deferred_init();
	sim_kho_takeover_done();
	sim_boot_init();
}

static void expect_restored(phys_addr_t phys)
{
	struct folio *folio = kho_restore_folio(phys);

	if (!CHECK(folio))
		return;
	CHECK_EQ(phys, *(phys_addr_t *)folio_address(folio));
	folio_put(folio);
}

static unsigned long missing(void)
{
	unsigned long nr = 0;

	for (phys_addr_t phys = SIM_DEFERRED; phys < SIM_END; phys += PAGE_SIZE)
		nr += !phys_to_page(phys)->initialized;
	return nr;
}

TEST(late_first_pages_only)
{
	unsigned long heads = 0;

	sim_boot(NULL);
	for (unsigned int i = 0; i < 5; i++)
		folios[i] = preserve(9);
	handover = sim_kexec();

	boot_free(NULL);
	for (unsigned int i = 0; i < 5; i++) {
		struct page *page = phys_to_page(folios[i]);

		heads += page->initialized;
		for (unsigned int j = 1; j < 512; j++)
			CHECK(!page[j].initialized);
		CHECK_EQ(9, kho_preserved_order(folios[i]));
	}
	CHECK_EQ(5, heads);
	boot_rest();
	CHECK_EQ(0, missing());
	for (unsigned int i = 0; i < 5; i++)
		expect_restored(folios[i]);
	CHECK(!sim_logged("were not initialized"));
	CHECK_MACHINE();
}

/* What a struct page says that is not initialized is anything, marks included */
TEST(late_nothing_elsewhere)
{
	preserve_some();
	boot_free(NULL);
	for (phys_addr_t phys = SIM_DEFERRED; phys < SIM_END; phys += PAGE_SIZE) {
		if (phys_to_page(phys)->initialized)
			continue;
		CHECK_EQ(-ENOENT, kho_preserved_order(phys));
		CHECK(!kho_restore_folio(phys));
	}
	boot_rest();
	for (unsigned int i = 0; i < ARRAY_SIZE(folios); i++)
		expect_restored(folios[i]);
	CHECK_MACHINE();
}

/* Each folio in turn, some of them, all of them: the others come later */
TEST(late_restored_early)
{
	for (unsigned int first = 0; first < ARRAY_SIZE(folios); first += 5) {
		for (unsigned int step = 1; step < ARRAY_SIZE(folios); step *= 3) {
			sim_power_on();
			preserve_some();
			boot_free(NULL);
			for (unsigned int i = first; i < ARRAY_SIZE(folios); i += step)
				expect_restored(folios[i]);
			boot_rest();
			for (unsigned int i = 0; i < ARRAY_SIZE(folios); i++) {
				if (i < first || (i - first) % step)
					expect_restored(folios[i]);
				else
					CHECK(!kho_restore_folio(folios[i]));
			}
			CHECK_EQ(0, missing());
			CHECK(!sim_logged("were not initialized"));
			CHECK_MACHINE();
		}
	}
}

/* Pages, of ranges of several orders, and what lies around them */
TEST(late_pages_restored_early)
{
	struct folio *folio;
	phys_addr_t phys;

	sim_boot(NULL);
	do {
		folio = folio_alloc(GFP_KERNEL, 10);
		phys = page_to_phys(&folio->page);
	} while (!deferred(phys));
	CHECK_EQ(0, kho_preserve_pages(&folio->page + 3, 709));
	CHECK_EQ(0, kho_preserve_pages(&folio->page + 720, 100));
	handover = sim_kexec();

	boot_free(NULL);
	CHECK(kho_restore_pages(phys + 3 * PAGE_SIZE, 709));
	boot_rest();
	CHECK(kho_restore_pages(phys + 720 * PAGE_SIZE, 100));
	CHECK(!sim_logged("were not initialized"));
	CHECK_MACHINE();
}

/* Where memblock has a border no two parts of a range are initialized apart */
static phys_addr_t middle;

static void border_in_middle(void)
{
	memblock_mark_hotplug(middle + 3 * PAGE_SIZE, 5 * PAGE_SIZE);
}

TEST(late_range_with_a_border)
{
	sim_boot(NULL);
	middle = preserve(4);
	handover = sim_kexec();

	boot_free(border_in_middle);
	boot_rest();
	CHECK(!sim_logged("were not initialized"));
	expect_restored(middle);
	CHECK_MACHINE();
}

/* If something is forgotten all the same */
TEST(late_range_forgotten)
{
	sim_boot(NULL);
	middle = preserve(10);
	handover = sim_kexec();

	sim_forgotten_start = middle;
	sim_forgotten_end = middle + SZ_4M;
	boot_free(NULL);
	boot_rest();
	CHECK(sim_logged("struct pages of 1 preserved ranges were not initialized"));
	CHECK_EQ(0, missing());
	expect_restored(middle);
	CHECK_MACHINE();
}

/* Without deferred initialization nothing is late */
TEST(late_nothing_deferred)
{
	preserve_some();
	sim_pages_all();
	boot_free(NULL);
	CHECK_EQ(0, missing());
	for (unsigned int i = 0; i < ARRAY_SIZE(folios); i++)
		expect_restored(folios[i]);
	sim_kho_takeover_done();
	sim_boot_init();
	CHECK_MACHINE();
}
