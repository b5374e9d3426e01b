// SPDX-License-Identifier: GPL-2.0-only
/* What the core carries from one kernel to the next. */

#include <linux/kho/abi/vmalloc.h>
#include <linux/kho/compat.h>

#include "kexec_handover_internal.h"
#include "tap.h"

TEST(cold_boot)
{
	sim_boot(NULL);
	CHECK(!is_kho_boot());
	CHECK(kho_is_enabled());
	CHECK_MACHINE();
}

TEST(folio_comes_back_once)
{
	struct folio *folio;
	phys_addr_t phys;

	sim_boot(NULL);
	folio = folio_alloc(GFP_KERNEL, 3);
	phys = page_to_phys(&folio->page);
	strcpy(folio_address(folio), "from the first kernel");
	CHECK_EQ(0, kho_preserve_folio(folio));

	sim_reboot();
	CHECK(is_kho_boot());
	CHECK(sim_logged("exec from: 7.3-sim (count 1)"));
	CHECK_EQ(3, kho_preserved_order(phys));
	folio = kho_restore_folio(phys);
	if (!CHECK(folio))
		return;
	CHECK(!strcmp(folio_address(folio), "from the first kernel"));
	CHECK_EQ(3, folio_order(folio));
	CHECK_MACHINE();

	CHECK(!kho_restore_folio(phys));
	folio_put(folio);
	CHECK_EQ(-ENOENT, kho_preserved_order(phys));
	CHECK_MACHINE();
}

TEST(unpreserved_folio_does_not_come_back)
{
	struct folio *folio;
	phys_addr_t phys;

	sim_boot(NULL);
	folio = folio_alloc(GFP_KERNEL, 0);
	phys = page_to_phys(&folio->page);
	CHECK_EQ(0, kho_preserve_folio(folio));
	kho_unpreserve_folio(folio);

	sim_reboot();
	CHECK_EQ(-ENOENT, kho_preserved_order(phys));
	CHECK_MACHINE();
}

/* 2^order pages that are not aligned to anything, so recorded in pieces */
TEST(pages_come_back_as_recorded)
{
	struct page *block, *page;
	phys_addr_t phys;

	sim_boot(NULL);
	block = alloc_pages(GFP_KERNEL, 5);
	phys = page_to_phys(block + 3);
	for (unsigned int i = 0; i < 21; i++)
		*(unsigned int *)page_address(block + 3 + i) = i;
	CHECK_EQ(0, kho_preserve_pages(block + 3, 21));

	sim_reboot();
	CHECK(!kho_restore_pages(phys, 20));
	CHECK(!kho_restore_pages(phys, 22));
	CHECK(!kho_restore_pages(phys + 1, 21));
	CHECK(!kho_restore_pages(phys, ~0UL));
	page = kho_restore_pages(phys, 21);
	if (!CHECK(page))
		return;
	CHECK(!kho_restore_pages(phys, 21));
	for (unsigned int i = 0; i < 21; i++) {
		CHECK_EQ(i, *(unsigned int *)page_address(page + i));
		put_page(page + i);
	}
	CHECK_MACHINE();
}

/* Each order that is in use takes nodes of the map */
TEST(extents_have_few_orders)
{
	struct kho_extent extent = { .nr_pages = 1022 };
	unsigned long pfn, end;
	struct page *page;

	sim_boot(NULL);
	extent.pfn = page_to_pfn(alloc_pages(GFP_KERNEL, 10)) + 1;
	end = extent.pfn + extent.nr_pages;
	CHECK_EQ(0, kho_preserve_extents(&extent, 1));
	kho_unpreserve_extents(&extent, 1);
	CHECK_EQ(0, kho_preserve_extents(&extent, 1));

	sim_reboot();
	for (pfn = extent.pfn; pfn < end;) {
		int order = kho_preserved_order(PFN_PHYS(pfn));

		if (!CHECK(order == 0 || order == 5))
			return;
		pfn += 1UL << order;
	}
	CHECK_EQ(end, pfn);

	page = kho_restore_pages(PFN_PHYS(extent.pfn), extent.nr_pages);
	if (!CHECK(page))
		return;
	for (unsigned long i = 0; i < extent.nr_pages; i++)
		put_page(page + i);
	CHECK_MACHINE();
}

TEST(range_of_several_orders)
{
	struct page *block;
	phys_addr_t phys;

	sim_boot(NULL);
	block = alloc_pages(GFP_KERNEL, 5);
	phys = page_to_phys(block + 3);
	CHECK_EQ(0, kho_preserve_pages(block + 3, 21));

	sim_reboot();
	CHECK(kho_range_preserved(phys, 21 * PAGE_SIZE));
	CHECK(kho_range_preserved(phys, 20 * PAGE_SIZE + 1));
	CHECK(!kho_range_preserved(phys, 21 * PAGE_SIZE + 1));
	CHECK(!kho_range_preserved(phys, ~0ULL));
	CHECK(!kho_range_preserved(phys + 2 * PAGE_SIZE, PAGE_SIZE));
	CHECK(!kho_range_preserved(SIM_END, 1));
	CHECK_MACHINE();
}

/* As reserve_mem= does it: more than the page allocator hands out at once */
TEST(order_above_max_page_order)
{
	phys_addr_t phys = SIM_END - SZ_8M;

	sim_scratch_parse((char[]){ "4M,0,4M" });
	sim_boot_early(NULL);
	memblock_reserve(phys, SZ_8M);
	sim_boot_memory();
	sim_kho_init();
	CHECK_EQ(0, kho_preserve_pages(phys_to_page(phys), PHYS_PFN(SZ_8M)));

	sim_reboot();
	CHECK_EQ(MAX_PAGE_ORDER + 1, kho_preserved_order(phys));
	CHECK(kho_restore_pages(phys, PHYS_PFN(SZ_8M)));
	CHECK_MACHINE();
}

/* With and without a word: memory that was never preserved, or none at all */
TEST(free_what_was_not_preserved)
{
	void *mem;

	sim_boot(NULL);
	sim_reboot();
	mem = folio_address(folio_alloc(GFP_KERNEL, 0));
	kho_restore_free(NULL);
	CHECK(!sim_logged("to restore"));
	kho_restore_free(mem);
	CHECK(sim_logged("no folio to restore at 0x"));
	CHECK(sim_logged("no preserved memory to free"));
	CHECK_EQ(0, sim_warnings());
	sim_log_clear();
	CHECK(!kho_restore_folio(virt_to_phys(mem) + 8));
	CHECK(sim_logged("no folio to restore at 0x"));
	CHECK_EQ(0, sim_warnings());
	CHECK_EQ(0, sim_objects());
}

/* Each allocation fails once: all is preserved, or nothing is */
TEST(memory_is_short)
{
	struct folio *folios[8];
	phys_addr_t phys[ARRAY_SIZE(folios)];
	struct page *block;
	unsigned int nr = 0;
	int err;

	sim_boot(NULL);
	for (unsigned int order = 0; order < ARRAY_SIZE(folios); order++) {
		folios[order] = folio_alloc(GFP_KERNEL, order);
		phys[order] = page_to_phys(&folios[order]->page);
	}
	block = alloc_pages(GFP_KERNEL, 10);
	do {
		sim_fail_allocation(++nr);
		err = kho_preserve_pages(block + 1, 1022);
	} while (err == -ENOMEM);
	CHECK_EQ(0, err);
	CHECK(nr > 1);
	kho_unpreserve_pages(block + 1, 1022);
	for (nr = 0; nr < 20; nr++) {
		sim_fail_allocation(nr);
		err = kho_preserve_folios(folios, ARRAY_SIZE(folios));
		CHECK(!err || err == -ENOMEM);
		sim_fail_allocation(0);
		if (!err)
			kho_unpreserve_folios(folios, ARRAY_SIZE(folios));
	}
	CHECK_EQ(0, kho_preserve_folios(folios, ARRAY_SIZE(folios)));

	sim_reboot();
	CHECK_EQ(-ENOENT, kho_preserved_order(page_to_phys(block + 1)));
	for (unsigned int order = 0; order < ARRAY_SIZE(folios); order++) {
		CHECK_EQ(order, kho_preserved_order(phys[order]));
		CHECK(kho_restore_folio(phys[order]));
	}
	CHECK_MACHINE();
}

/* What the next kernel would not find, or would use before it knew */
TEST(preserve_only_what_stays)
{
	struct page *block, *last;
	struct folio *folios[3];

	sim_boot(NULL);
	for (unsigned int i = 0; i < ARRAY_SIZE(folios); i++)
		folios[i] = folio_alloc(GFP_KERNEL, 2);
	block = alloc_pages(GFP_KERNEL, 10);

	folios[1] = pfn_folio(PHYS_PFN(kho_scratch[0].addr));
	sim_log_clear();
	CHECK_EQ(-EINVAL, kho_preserve_folios(folios, ARRAY_SIZE(folios)));
	CHECK_EQ(-EINVAL, kho_preserve_folio(folios[1]));
	last = &folios[1]->page + PHYS_PFN(kho_scratch[0].size) - 1;
	CHECK_EQ(-EINVAL, kho_preserve_pages(last, 2));
	CHECK(sim_logged("lies in scratch and cannot be preserved"));

	folios[1] = page_folio(block);
	sim_add_memory(page_to_phys(block) + SZ_2M, page_to_phys(block) + SZ_4M);
	CHECK_EQ(-EADDRNOTAVAIL, kho_preserve_folios(folios, ARRAY_SIZE(folios)));
	CHECK_EQ(-EADDRNOTAVAIL, kho_preserve_pages(block, 513));
	CHECK(sim_logged("is in memory that was added after boot"));
	CHECK_EQ(0, kho_preserve_pages(block, 511));
	sim_add_device(block + 511);
	CHECK_EQ(0, kho_preserve_pages(block + 500, 11));
	CHECK_EQ(-EADDRNOTAVAIL, kho_preserve_pages(block + 511, 1));
	CHECK(sim_logged("is memory of a device"));
	kho_unpreserve_pages(block, 511);
	kho_unpreserve_pages(block + 500, 11);
	CHECK_EQ(0, kho_preserve_folio(folios[0]));

	sim_reboot();
	CHECK_MACHINE();
}

/* What leads to preserved memory is not in memory that was added */
TEST(allocate_what_stays)
{
	const struct sim_range *node1 = &sim_memory[2];
	struct page *taken;
	phys_addr_t phys;
	u64 *area, *blob;
	struct kho_vmalloc *kv;

	sim_boot(NULL);
	sim_add_memory(node1->start, node1->end);
	taken = alloc_page(GFP_KERNEL);
	while (page_to_phys(taken) < node1->start) {
		put_page(taken);
		taken = alloc_page(GFP_KERNEL);
	}

	blob = kho_alloc_preserve(PAGE_SIZE);
	phys = virt_to_phys(blob);
	kv = (void *)blob;
	CHECK(phys < node1->start);
	area = kho_vcalloc(1000, sizeof(*area), GFP_KERNEL);
	area[999] = 999;
	CHECK_EQ(-EADDRNOTAVAIL, kho_preserve_pages(taken, 1));
	CHECK_EQ(0, kho_preserve_vmalloc(area, kv));
	CHECK_EQ(0, kho_add_subtree("kv", kv, sizeof(*kv)));

	sim_reboot();
	area = kho_restore_vmalloc(phys_to_virt(phys));
	CHECK(area && area[999] == 999);
	vfree(area);
	CHECK_MACHINE();
}

/* A kernel that cannot hand anything over says so and uses all its memory */
TEST(memory_is_short_at_boot)
{
	unsigned int nr = 0;

	do {
		sim_power_on();
		sim_scratch_parse((char[]){ "4M,0,4M" });
		sim_boot_early(NULL);
		sim_boot_memory();
		sim_fail_allocation(++nr);
		sim_kho_init();
		sim_fail_allocation(0);
		CHECK_EQ(!kho_is_enabled(), sim_logged("nothing can be handed over: ENOMEM"));
		CHECK_MACHINE();
	} while (!kho_is_enabled() && nr < 100);
	CHECK(kho_is_enabled());
	CHECK(nr > 3);
}

/* More than what is accounted for at once, in many zones, some of them twice */
TEST(batch_of_folios)
{
	static struct folio *folios[1500];
	static phys_addr_t phys[ARRAY_SIZE(folios)];
	struct kho_restore_batch batch = {};
	unsigned int nr = ARRAY_SIZE(folios);

	sim_boot(NULL);
	for (unsigned int i = 0; i < nr; i++) {
		folios[i] = folio_alloc(GFP_KERNEL, i % 100 ? 0 : 4);
		phys[i] = page_to_phys(&folios[i]->page);
	}
	CHECK_EQ(0, kho_preserve_folios(folios, nr));
	kho_unpreserve_folios(folios, nr);
	CHECK_EQ(0, kho_preserve_folios(folios, nr));

	sim_reboot();
	/* From zone to zone by turns: 37 and 1500 have no common factor */
	for (unsigned int n = 0; n < nr; n++) {
		unsigned int i = n * 37 % nr;

		folios[i] = kho_restore_folio_batch(&batch, phys[i]);
		if (!CHECK(folios[i]))
			return;
		CHECK(!kho_restore_folio_batch(&batch, phys[i]));
		folio_put(folios[i]);
	}
	kho_restore_batch_end(&batch);
	CHECK_MACHINE();
}

TEST(subtree_without_an_address)
{
	struct sim_handover h;
	phys_addr_t phys;
	size_t size;
	void *fdt;

	sim_boot(NULL);
	CHECK_EQ(0, kho_add_subtree("blob", kho_alloc_preserve(PAGE_SIZE), PAGE_SIZE));
	h = sim_kexec();
	fdt = phys_to_virt(h.fdt);
	fdt_nop_property(fdt, fdt_subnode_offset(fdt, 0, "blob"), "preserved-data");
	sim_boot(&h);
	CHECK_EQ(-EINVAL, kho_retrieve_subtree("blob", &phys, &size));
	CHECK(sim_logged("subtree 'blob' has no valid preserved-data and blob-size"));
	CHECK_MACHINE();
}

TEST(subtree)
{
	phys_addr_t phys, found = 0;
	size_t size = 0;
	void *blob;

	sim_boot(NULL);
	blob = kho_alloc_preserve(3 * PAGE_SIZE);
	phys = virt_to_phys(blob);
	CHECK_EQ(0, kho_add_subtree("blob", blob, 3 * PAGE_SIZE));
	CHECK_EQ(-EEXIST, kho_add_subtree("blob", blob, 3 * PAGE_SIZE));
	CHECK_EQ(-ENOENT, kho_retrieve_subtree("blob", &found, &size));

	sim_reboot();
	CHECK_EQ(0, kho_retrieve_subtree("blob", &found, &size));
	CHECK_EQ(phys, found);
	CHECK_EQ(3 * PAGE_SIZE, size);
	CHECK_EQ(-ENOENT, kho_retrieve_subtree("other", &found, &size));
	CHECK_EQ(-EINVAL, kho_retrieve_subtree("blob", NULL, &size));
	kho_restore_free(phys_to_virt(phys));
	CHECK_MACHINE();
}

TEST(removed_subtree)
{
	phys_addr_t phys;
	void *blob;

	sim_boot(NULL);
	blob = kho_alloc_preserve(PAGE_SIZE);
	CHECK_EQ(0, kho_add_subtree("blob", blob, PAGE_SIZE));
	kho_remove_subtree(blob);
	kho_unpreserve_free(blob);
	CHECK_MACHINE();

	sim_reboot();
	CHECK_EQ(-ENOENT, kho_retrieve_subtree("blob", &phys, NULL));
	CHECK_MACHINE();
}

TEST(full_fdt)
{
	unsigned int nr = 0;
	char name[16];
	void *blob;
	int err;

	sim_boot(NULL);
	blob = kho_alloc_preserve(PAGE_SIZE);
	do {
		snprintf(name, sizeof(name), "blob%u", nr++);
		err = kho_add_subtree(name, blob, PAGE_SIZE);
	} while (!err && nr < 1000);
	CHECK_EQ(-ENOMEM, err);
	CHECK(nr > 10);

	sim_reboot();
	CHECK(is_kho_boot());
	CHECK_MACHINE();
}

/* What is preserved stays reserved, and this kernel hands nothing on */
TEST(off_in_the_second_kernel)
{
	struct sim_handover next;
	struct folio *folio;
	phys_addr_t phys;

	sim_boot(NULL);
	folio = folio_alloc(GFP_KERNEL, 0);
	phys = page_to_phys(&folio->page);
	CHECK_EQ(0, kho_preserve_folio(folio));

	next = sim_kexec();
	sim_kho_parse_enable((char[]){ "off" });
	sim_boot(&next);
	CHECK(is_kho_boot());
	CHECK(!kho_is_enabled());
	CHECK_EQ(0, kho_preserved_order(phys));
	CHECK_EQ(-ENOENT, kho_component_readable(&kho_radix_component));
	CHECK_MACHINE();
}

TEST(many_kernels)
{
	struct folio *folio;
	phys_addr_t phys = 0;

	sim_boot(NULL);
	for (unsigned int i = 0; i < 20; i++) {
		folio = folio_alloc(GFP_KERNEL, i % 4);
		*(unsigned int *)folio_address(folio) = i;
		phys = page_to_phys(&folio->page);
		CHECK_EQ(0, kho_preserve_folio(folio));

		sim_reboot();
		folio = kho_restore_folio(phys);
		if (!CHECK(folio))
			return;
		CHECK_EQ(i, *(unsigned int *)folio_address(folio));
		folio_put(folio);
		CHECK_MACHINE();
	}
	CHECK(sim_logged("(count 20)"));
}

#define NR_RANDOM	1500

struct preserved {
	phys_addr_t phys;
	unsigned int order;
};

/* Many ranges of all orders, some given up again, each with its number in it */
TEST(random_ranges)
{
	static struct preserved all[NR_RANDOM];
	unsigned int nr = 0;

	srand(1);
	sim_boot(NULL);
	while (nr < NR_RANDOM) {
		unsigned int order = rand() % 8 ? 0 : rand() % 6;
		struct folio *folio = folio_alloc(GFP_KERNEL, order);

		if (!folio)
			break;
		CHECK_EQ(0, kho_preserve_folio(folio));
		if (rand() % 3 == 0) {
			kho_unpreserve_folio(folio);
			if (rand() % 2)
				folio_put(folio);
			continue;
		}
		*(unsigned int *)folio_address(folio) = nr;
		all[nr++] = (struct preserved) { page_to_phys(&folio->page), order };
	}
	CHECK(nr > 500);

	sim_reboot();
	for (unsigned int i = 0; i < nr; i++) {
		struct folio *folio = kho_restore_folio(all[i].phys);

		if (!CHECK(folio) || !CHECK_EQ(all[i].order, folio_order(folio)))
			return;
		CHECK_EQ(i, *(unsigned int *)folio_address(folio));
		folio_put(folio);
	}
	CHECK_MACHINE();
}
