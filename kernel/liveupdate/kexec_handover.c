// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kexec Handover core - the FDT handover and preserved ranges of pages.
 *
 * Owns the outgoing and the incoming FDT, the named subtrees in them, the outgoing
 * map of preserved memory, the functions that preserve and restore pages, and the
 * count of pages that have not been restored.
 *
 * In early boot it decides whether a handover is accepted: kho_memory_known()
 * validates the FDT, the versions and the list of scratch areas,
 * kho_memory_init_early() the map, and kho_memory_init() takes preserved memory over.
 * If one of them rejects the handover, the boot continues as a cold boot: all that was
 * preserved is free memory.
 *
 * The tree that holds the map is kho_radix.c, scratch is kho_scratch.c, and
 * preserved memory during boot is kho_takeover.c. Versions are compared by
 * kho_compat.c. vmalloc areas and blocks are built on this file.
 *
 * The layout is in linux/kho/abi/kexec_handover.h.
 *
 * Takes the place of the file of this name in Linux 7.3:
 * Copyright (C) 2023 Alexander Graf <graf@amazon.com>
 * Copyright (C) 2025 Microsoft Corporation, Mike Rapoport <rppt@kernel.org>
 * Copyright (C) 2025 Google LLC, Changyuan Lyu <changyuanl@google.com>
 * Copyright (C) 2025 Pasha Tatashin <pasha.tatashin@soleen.com>
 * Copyright (C) 2026 Google LLC, Jason Miu <jasonmiu@google.com>
 */

#define pr_fmt(fmt) "KHO: " fmt

#include <kunit/static_stub.h>
#include <linux/bitops.h>
#include <linux/cleanup.h>
#include <linux/cma.h>
#include <linux/count_zeros.h>
#include <linux/crash_dump.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/kexec.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/kexec_handover.h>
#include <linux/kho/abi/kexec_metadata.h>
#include <linux/kho/compat.h>
#include <linux/kho/radix_tree.h>
#include <linux/libfdt.h>
#include <linux/lockdep.h>
#include <linux/memblock.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/mutex.h>
#include <linux/pgalloc_tag.h>
#include <linux/sizes.h>
#include <linux/unaligned.h>
#include <linux/utsname.h>
#include <linux/vmstat.h>

#include <asm/early_ioremap.h>

#include "../../mm/mm_init.h"
#include "../kexec_internal.h"
#include "kexec_handover_internal.h"

static bool kho_enable __ro_after_init =
	IS_ENABLED(CONFIG_KEXEC_HANDOVER_ENABLE_DEFAULT);

/* For the next kernel; complete, or without an FDT */
static struct {
	void *fdt;
	struct mutex lock;	/* serialises changes to the FDT */
	struct kho_radix_tree map;
} kho_out = {
	.lock = __MUTEX_INITIALIZER(kho_out.lock),
	.map.lock = __MUTEX_INITIALIZER(kho_out.map.lock),
};

/* The FDT of a handover has one page, and its nodes begin at a tag */
#define KHO_FDT_TAGS	(PAGE_SIZE / FDT_TAGSIZE)

/*
 * From the previous kernel; fdt_phys is 0 without a handover. Of the pages
 * that were taken over, held counts those that have not been restored;
 * held_back is set if some of them never will be; held_told is the number that was
 * logged last. batches counts open batches. A bit of retrieved is the offset of a
 * subtree in the FDT; with given_up no subtree can be retrieved any more.
 */
static struct {
	phys_addr_t fdt_phys;
	u32 kexec_count;
	atomic_long_t held;
	atomic_long_t held_told;
	atomic_t batches;
	bool held_back;
	bool given_up;
	DECLARE_BITMAP(retrieved, KHO_FDT_TAGS);
} kho_in;

/* The previous kernel's map of preserved memory, read while booting only */
static struct kho_radix_tree kho_in_map __initdata;

static int __init kho_parse_enable(char *arg)
{
	return kstrtobool(arg, &kho_enable);
}
early_param("kho", kho_parse_enable);

/**
 * kho_is_enabled - check whether this kernel can preserve memory for the next one
 *
 * Independent of a handover from the previous kernel, see is_kho_boot().
 *
 * Context: any; not final before the end of kho_init().
 * Return: %true if memory can be preserved.
 */
bool kho_is_enabled(void)
{
	return kho_enable;
}
EXPORT_SYMBOL_GPL(kho_is_enabled);

/**
 * kho_in_fdt - the FDT of the previous kernel
 *
 * It stays for as long as this kernel runs.
 *
 * Return: the FDT; %NULL without a handover, or if it is yet to be read.
 */
const void *kho_in_fdt(void)
{
	return kho_in.fdt_phys ? phys_to_virt(kho_in.fdt_phys) : NULL;
}

/**
 * is_kho_boot - check whether the previous kernel handed anything over
 *
 * True under kho=off as well: what was preserved stays reserved.
 *
 * Context: any, after kho_memory_known().
 * Return: %true if there is a handover that this kernel can read.
 */
bool is_kho_boot(void)
{
	KUNIT_STATIC_STUB_REDIRECT(is_kho_boot);

	return kho_in.fdt_phys;
}
EXPORT_SYMBOL_GPL(is_kho_boot);

/* Preserved memory: before kexec */

/* Both run under the lock of the map */
static int kho_preserve_range(unsigned long pfn, unsigned int order)
{
	return __kho_radix_add_key(&kho_out.map,
				   kho_radix_encode_key(PFN_PHYS(pfn), order));
}

static void kho_unpreserve_range(unsigned long pfn, unsigned int order)
{
	__kho_radix_del_key(&kho_out.map,
			    kho_radix_encode_key(PFN_PHYS(pfn), order));
}

/* 0 if the next kernel finds these pages where they are */
static int kho_check_place(unsigned long pfn, unsigned long end)
{
	const char *fault = kho_place_fault(pfn, end);

	if (!fault && !kho_scratch_overlap(PFN_PHYS(pfn), PFN_PHYS(end - pfn)))
		return 0;

	pr_warn_ratelimited("page frame 0x%lx %s and cannot be preserved\n", pfn,
			    fault ?: "lies in scratch");
	if (fault)
		return -EADDRNOTAVAIL;

	WARN_ON(IS_ENABLED(CONFIG_KEXEC_HANDOVER_DEBUG));
	return -EINVAL;
}

/*
 * Page frames that the next kernel is known to find, the newest first: several, as
 * memory may come from nodes in turn. Only within one call, whose caller has pages
 * there: sections come and go.
 */
struct kho_known {
	struct {
		unsigned long pfn;
		unsigned long end;
	} parts[4];
};

/* Whole sections around a range, as far as there is no scratch in them */
static noinline int kho_look_up_place(struct kho_known *known, unsigned long pfn,
				      unsigned long end)
{
	unsigned long first = SECTION_ALIGN_DOWN(pfn), last = SECTION_ALIGN_UP(end);
	int err = kho_check_place(pfn, end);

	if (err)
		return err;

	kho_scratch_beside(pfn, end, &first, &last);
	/* A part of a section that is a device's is not known by that */
	if (kho_place_fault(first, last))
		return 0;

	memmove(&known->parts[1], &known->parts[0],
		sizeof(known->parts) - sizeof(known->parts[0]));
	known->parts[0].pfn = first;
	known->parts[0].end = last;
	return 0;
}

static __always_inline int kho_check_known(struct kho_known *known, unsigned long pfn,
					   unsigned long nr_pages)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(known->parts); i++) {
		if (pfn >= known->parts[i].pfn && pfn + nr_pages <= known->parts[i].end)
			return 0;
	}

	return kho_look_up_place(known, pfn, pfn + nr_pages);
}

/**
 * kho_find_poison - find a page that memory failure has taken out
 * @pfn: the first page frame to look at, with a struct page.
 * @nr_pages: how many.
 *
 * Costs next to nothing as long as there is no such page in the machine.
 *
 * Context: any; the result may be outdated at once.
 * Return: the first page frame that is poisoned, or @pfn + @nr_pages.
 */
unsigned long kho_find_poison(unsigned long pfn, unsigned long nr_pages)
{
	unsigned long end = pfn + nr_pages;

	if (!IS_ENABLED(CONFIG_MEMORY_FAILURE) ||
	    !atomic_long_read(&num_poisoned_pages))
		return end;

	while (pfn < end && !PageHWPoison(pfn_to_page(pfn)))
		pfn++;
	return pfn;
}

/* No format can mark a page as poisoned */
static __always_inline int kho_check_poison(unsigned long pfn, unsigned long nr_pages)
{
	unsigned long bad = kho_find_poison(pfn, nr_pages);

	if (bad == pfn + nr_pages)
		return 0;

	pr_warn_ratelimited("page frame 0x%lx is poisoned and cannot be preserved\n",
			    bad);
	return -EHWPOISON;
}

/* Page frames that nothing preserved is allocated from, but are counted as available */
static unsigned long kho_unpreservable_pages(void)
{
	unsigned long free_cma = global_zone_page_state(NR_FREE_CMA_PAGES);
	unsigned long cma = totalcma_pages + kho_scratch_pages();
	unsigned long cache = global_node_page_state(NR_ACTIVE_FILE) +
			      global_node_page_state(NR_INACTIVE_FILE);
	unsigned long nr_pages;
	struct zone *zone;

	/* Page cache is not counted per area: assume that all of it is page cache */
	nr_pages = free_cma + min(cma - min(cma, free_cma), cache);

	for_each_populated_zone(zone) {
		if (zone_idx(zone) == ZONE_MOVABLE)
			nr_pages += zone_page_state(zone, NR_FREE_PAGES) +
				    zone_page_state(zone, NR_ZONE_ACTIVE_FILE) +
				    zone_page_state(zone, NR_ZONE_INACTIVE_FILE);
	}

	return nr_pages;
}

/**
 * kho_preservable_pages - estimate how much more can be preserved
 *
 * Of what can be allocated without swapping, that which is neither scratch nor
 * otherwise for movable allocations only, nor kept for root (vm.admin_reserve_kbytes):
 * processes need more than the watermarks leave. Memory that is in use already, and
 * is not movable, can be preserved without any of it.
 *
 * Context: any.
 * Return: an estimate in pages, rather too small than too large.
 */
unsigned long kho_preservable_pages(void)
{
	long available = si_mem_available() -
			 (sysctl_admin_reserve_kbytes >> (PAGE_SHIFT - 10));
	unsigned long unpreservable = kho_unpreservable_pages();

	if (!kho_enable || available < 0 || available < unpreservable)
		return 0;

	return available - unpreservable;
}
EXPORT_SYMBOL_GPL(kho_preservable_pages);

/* Folios preserved under one hold of the lock; pages restored in one batch */
#define KHO_BATCH	1024

static int kho_preserve_batch(struct folio **folios, unsigned long nr)
{
	struct kho_known known = {};
	unsigned long i;
	int err = 0;

	guard(mutex)(&kho_out.map.lock);

	for (i = 0; i < nr; i++) {
		unsigned long pfn = folio_pfn(folios[i]);
		unsigned long nr_pages = folio_nr_pages(folios[i]);

		err = kho_check_known(&known, pfn, nr_pages) ?:
		      kho_check_poison(pfn, nr_pages) ?:
		      kho_preserve_range(pfn, folio_order(folios[i]));
		if (err)
			break;
	}

	while (err && i--)
		kho_unpreserve_range(folio_pfn(folios[i]),
				     folio_order(folios[i]));
	return err;
}

/**
 * kho_preserve_folios - preserve many folios, each with its order
 * @folios: the folios; none may lie in scratch, which is where movable
 *	allocations may come from, or in memory that was added after boot.
 * @nr: how many, any number.
 *
 * The caller keeps the folios and its references, and must not let them be
 * migrated, split or freed while they are preserved. The next kernel gets them
 * back from kho_restore_folio() or kho_restore_folio_batch(), in any order.
 *
 * Context: may sleep.
 * Return: 0; -ENOMEM; -EHWPOISON if a page is poisoned; -EINVAL if one lies in
 * scratch; -EADDRNOTAVAIL if the next kernel would not know the memory yet: it was
 * added after boot, or is a device's. After an error none is preserved, and for
 * all but -ENOMEM the log has the page frame.
 */
int kho_preserve_folios(struct folio **folios, unsigned long nr)
{
	unsigned long done, n;
	int err;

	for (done = 0; done < nr; done += n) {
		n = min(nr - done, KHO_BATCH);
		err = kho_preserve_batch(folios + done, n);
		if (err) {
			kho_unpreserve_folios(folios, done);
			return err;
		}
		cond_resched();
	}

	return 0;
}
EXPORT_SYMBOL_GPL(kho_preserve_folios);

/**
 * kho_unpreserve_folios - undo kho_preserve_folios()
 * @folios: preserved folios, of the same orders as when they were preserved.
 * @nr: how many; they need not all be from one call.
 *
 * Context: may sleep.
 */
void kho_unpreserve_folios(struct folio **folios, unsigned long nr)
{
	while (nr) {
		unsigned long n = min(nr, KHO_BATCH);

		scoped_guard(mutex, &kho_out.map.lock)
			for (unsigned long i = 0; i < n; i++)
				kho_unpreserve_range(folio_pfn(folios[i]),
						     folio_order(folios[i]));
		folios += n;
		nr -= n;
		cond_resched();
	}
}
EXPORT_SYMBOL_GPL(kho_unpreserve_folios);

/**
 * kho_preserve_folio - preserve a folio with its order
 * @folio: the folio.
 *
 * Otherwise like kho_preserve_folios().
 *
 * Context: may sleep.
 * Return: as kho_preserve_folios().
 */
int kho_preserve_folio(struct folio *folio)
{
	unsigned long pfn = folio_pfn(folio), nr_pages = folio_nr_pages(folio);

	guard(mutex)(&kho_out.map.lock);

	return kho_check_place(pfn, pfn + nr_pages) ?:
	       kho_check_poison(pfn, nr_pages) ?:
	       kho_preserve_range(pfn, folio_order(folio));
}
EXPORT_SYMBOL_GPL(kho_preserve_folio);

/**
 * kho_unpreserve_folio - undo kho_preserve_folio()
 * @folio: the folio, of the same order as when it was preserved.
 *
 * Context: may sleep.
 */
void kho_unpreserve_folio(struct folio *folio)
{
	guard(mutex)(&kho_out.map.lock);

	kho_unpreserve_range(folio_pfn(folio), folio_order(folio));
}
EXPORT_SYMBOL_GPL(kho_unpreserve_folio);

/* Order of the largest range that can start at @pfn and end before @end */
static unsigned int kho_range_order(unsigned long pfn, unsigned long end)
{
	unsigned int order = min_t(unsigned int, count_trailing_zeros(pfn),
				   ilog2(end - pfn));

	/* A range that is restored in one go must lie on one node */
	while (order && pfn_to_nid(pfn) != pfn_to_nid(pfn + BIT(order) - 1))
		order--;

	return order;
}

/*
 * Each order that is in use takes four or more nodes of the map, so ranges of extents
 * have only multiples of this one, up to twice as much. Those of kho_preserve_pages()
 * have any: Linux 7.3 restores just what it would have recorded itself.
 */
#define KHO_EXTENT_ORDER	5

/* Of the range with which an extent goes on at @pfn */
static unsigned int kho_extent_order(const struct kho_extent *extent, unsigned long pfn,
				     bool any)
{
	unsigned int order;

	if (extent->order)
		return extent->order;

	order = kho_range_order(pfn, extent->pfn + extent->nr_pages);
	if (any)
		return order;
	return min(order / KHO_EXTENT_ORDER, 2U) * KHO_EXTENT_ORDER;
}

/* Both under the lock of the map; @any order may be recorded */
static void kho_unpreserve_extent(const struct kho_extent *extent, unsigned long end,
				  bool any)
{
	unsigned int order;

	for (unsigned long pfn = extent->pfn; pfn < end; pfn += BIT(order)) {
		order = kho_extent_order(extent, pfn, any);
		kho_unpreserve_range(pfn, order);
	}
}

static __always_inline int kho_preserve_extent(struct kho_known *known,
					       const struct kho_extent *extent, bool any)
{
	unsigned long end = extent->pfn + extent->nr_pages;
	unsigned int order;
	int err;

	err = kho_check_known(known, extent->pfn, extent->nr_pages) ?:
	      kho_check_poison(extent->pfn, extent->nr_pages);
	if (err || extent->nr_pages == 1)
		return err ?: kho_preserve_range(extent->pfn, 0);

	for (unsigned long pfn = extent->pfn; pfn < end; pfn += BIT(order)) {
		order = kho_extent_order(extent, pfn, any);
		err = kho_preserve_range(pfn, order);
		if (err) {
			kho_unpreserve_extent(extent, pfn, any);
			return err;
		}
	}

	return 0;
}

/**
 * kho_preserve_extents - preserve many extents, which are runs of contiguous pages
 * @extents: the extents.
 * @nr: how many, so few that it does not matter that nobody else can preserve
 *	anything meanwhile.
 *
 * For users that would otherwise call kho_preserve_pages(), or kho_preserve_folio()
 * for each folio, many times. What is said there about the memory holds here. Pages
 * are recorded with few orders, and Linux 7.3 cannot restore them.
 *
 * Context: may sleep.
 * Return: as kho_preserve_folios(); after an error none is preserved.
 */
int kho_preserve_extents(const struct kho_extent *extents, unsigned int nr)
{
	struct kho_known known = {};
	int err;

	guard(mutex)(&kho_out.map.lock);

	for (unsigned int i = 0; i < nr; i++) {
		err = kho_preserve_extent(&known, &extents[i], false);
		if (!err)
			continue;
		while (i--)
			kho_unpreserve_extent(&extents[i],
					      extents[i].pfn + extents[i].nr_pages, false);
		return err;
	}

	return 0;
}
EXPORT_SYMBOL_GPL(kho_preserve_extents);

/**
 * kho_unpreserve_extents - undo kho_preserve_extents()
 * @extents: extents that are preserved; they need not all be from one call.
 * @nr: how many.
 *
 * Context: may sleep.
 */
void kho_unpreserve_extents(const struct kho_extent *extents, unsigned int nr)
{
	guard(mutex)(&kho_out.map.lock);

	for (unsigned int i = 0; i < nr; i++)
		kho_unpreserve_extent(&extents[i],
				      extents[i].pfn + extents[i].nr_pages, false);
}
EXPORT_SYMBOL_GPL(kho_unpreserve_extents);

/**
 * kho_preserve_pages - preserve contiguous pages as pages of their own
 * @page: the first one.
 * @nr_pages: how many; the orders that they are recorded with, and that no
 *	recorded range spans NUMA nodes, is seen to here.
 *
 * The caller keeps the pages, and must not free them while they are preserved.
 * The next kernel gets them back from kho_restore_pages() with the same
 * @nr_pages.
 *
 * Context: may sleep.
 * Return: as kho_preserve_folios().
 */
int kho_preserve_pages(struct page *page, unsigned long nr_pages)
{
	const struct kho_extent extent = { page_to_pfn(page), nr_pages };
	struct kho_known known = {};

	KUNIT_STATIC_STUB_REDIRECT(kho_preserve_pages, page, nr_pages);

	guard(mutex)(&kho_out.map.lock);

	return kho_preserve_extent(&known, &extent, true);
}
EXPORT_SYMBOL_GPL(kho_preserve_pages);

/**
 * kho_unpreserve_pages - undo kho_preserve_pages()
 * @page: the first page.
 * @nr_pages: how many; parts of what was preserved in one call cannot be
 *	unpreserved.
 *
 * Context: may sleep.
 */
void kho_unpreserve_pages(struct page *page, unsigned long nr_pages)
{
	const struct kho_extent extent = { page_to_pfn(page), nr_pages };

	KUNIT_STATIC_STUB_REDIRECT(kho_unpreserve_pages, page, nr_pages);

	guard(mutex)(&kho_out.map.lock);

	kho_unpreserve_extent(&extent, extent.pfn + nr_pages, true);
}
EXPORT_SYMBOL_GPL(kho_unpreserve_pages);

/**
 * kho_alloc_preserve - allocate memory that is preserved
 * @size: bytes; rounded up to a power of two pages.
 *
 * The memory is zeroed and physically contiguous. It is freed by
 * kho_unpreserve_free() in this kernel or kho_restore_free() in the next.
 *
 * Context: may sleep.
 * Return: the memory, in the direct map; ERR_PTR() of -EINVAL if @size is 0,
 * -E2BIG if it is more than the page allocator hands out, -ENOMEM.
 */
void *kho_alloc_preserve(size_t size)
{
	struct folio *folio;
	struct page *page;
	int err;

	KUNIT_STATIC_STUB_REDIRECT(kho_alloc_preserve, size);

	if (!size)
		return ERR_PTR(-EINVAL);
	if (size > PAGE_SIZE << MAX_PAGE_ORDER)
		return ERR_PTR(-E2BIG);

	page = kho_alloc_pages(GFP_KERNEL | __GFP_ZERO | __GFP_COMP,
			       get_order(size));
	if (!page)
		return ERR_PTR(-ENOMEM);

	folio = page_folio(page);
	err = kho_preserve_folio(folio);
	if (!err)
		return folio_address(folio);

	folio_put(folio);
	return ERR_PTR(err);
}
EXPORT_SYMBOL_GPL(kho_alloc_preserve);

/**
 * kho_unpreserve_free - free memory from kho_alloc_preserve()
 * @mem: the memory, or %NULL.
 *
 * Context: may sleep.
 */
void kho_unpreserve_free(void *mem)
{
	struct folio *folio;

	if (!mem)
		return;

	folio = virt_to_folio(mem);
	kho_unpreserve_folio(folio);
	folio_put(folio);
}
EXPORT_SYMBOL_GPL(kho_unpreserve_free);

/* @data: page frames of which some may be preserved; pfn becomes the first that is */
static int kho_probe_keys(unsigned long first, const unsigned long *bitmap,
			  void *data)
{
	struct kho_run run, *probe = data;
	unsigned long bit = 0;

	while (kho_next_run(&run, &bit, first, bitmap) > 0) {
		if (run.pfn < probe->end && probe->pfn < run.end) {
			probe->pfn = max(run.pfn, probe->pfn);
			return 1;
		}
	}

	return 0;
}

/*
 * Find a page frame that is preserved for the next kernel, from *@pfn up to @end;
 * stores it there.
 */
bool kho_find_preserved(unsigned long *pfn, unsigned long end)
{
	const struct kho_radix_walk_cb cb = { .keys = kho_probe_keys };
	struct kho_run probe = { .pfn = *pfn, .end = end };

	if (!kho_out.fdt || kho_radix_walk_tree(&kho_out.map, &cb, &probe) <= 0)
		return false;

	*pfn = probe.pfn;
	return true;
}

/* Preserved memory: after kexec */

/* Restoring the range that starts at @page needs all of its struct pages */
static __always_inline bool kho_range_complete(struct page *page)
{
	return !deferred_pages_enabled() || kho_complete_range(page);
}

/**
 * kho_preserved_order - find a preserved range that is not restored yet
 * @phys: where it would start, any value.
 *
 * For callers that use an address that the previous kernel wrote: it is that of
 * preserved memory, or this returns an error.
 *
 * Context: any, once the page allocator is up. Before core initcalls, restoring a
 * range may have to wait for its struct pages: kho_restore_folio() and similar
 * functions may sleep until then.
 * Return: the order of the range that starts at @phys; -EINVAL if @phys is not
 * the address of a page; -ENOENT if no range starts there, or if it has been
 * restored.
 */
int kho_preserved_order(phys_addr_t phys)
{
	unsigned long info;
	struct page *page;

	if (!PAGE_ALIGNED(phys))
		return -EINVAL;

	/* As long as struct pages are missing, only those of preserved memory are known */
	page = pfn_to_online_page(PHYS_PFN(phys));
	if (!page || (deferred_pages_enabled() && !kho_frame_initialized(PHYS_PFN(phys))))
		return -ENOENT;

	/* Once: its owner may be restoring the range, and what follows is anything */
	info = READ_ONCE(page->private);
	return kho_page_marked(info) ? kho_page_order(info) : -ENOENT;
}
EXPORT_SYMBOL_GPL(kho_preserved_order);

/*
 * Find a page frame that the previous kernel has preserved and that is not restored
 * yet, from *@pfn up to @end; stores it there. A range may begin before *@pfn.
 */
bool kho_find_held(unsigned long *pfn, unsigned long end)
{
	for (unsigned int order = 1; order <= MAX_FOLIO_ORDER; order++) {
		unsigned long head = round_down(*pfn, BIT(order));

		if (head < *pfn &&
		    kho_preserved_order(PFN_PHYS(head)) >= (int)order)
			return true;
	}

	for (unsigned long i = *pfn; i < end; i++) {
		if (IS_ALIGNED(i, pageblock_nr_pages))
			cond_resched();
		if (kho_preserved_order(PFN_PHYS(i)) >= 0) {
			*pfn = i;
			return true;
		}
	}

	return false;
}

/* True if preserved ranges that are not restored yet hold all of these bytes */
bool kho_range_preserved(phys_addr_t phys, u64 size)
{
	for (u64 done = 0; done < size;) {
		int order = kho_preserved_order(phys + done);

		if (order < 0)
			return false;
		done += PAGE_SIZE << order;
	}

	return true;
}

/*
 * If several callers claim the same range, because data of the previous kernel is
 * corrupt, one succeeds.
 */
static bool kho_claim_range(struct page *page, unsigned long info)
{
	return try_cmpxchg(&page->private, &info, 0);
}

static void kho_account_restored(struct page *page, unsigned long nr_pages)
{
	adjust_managed_page_count(page, nr_pages);
	atomic_long_sub(nr_pages, &kho_in.held);
}

/*
 * A batch remembers pages that may be free already, so no memory goes offline until
 * it ends. It begins before it claims anything, and what is not claimed is held.
 */
static void kho_restore_batch_begin(struct kho_restore_batch *batch)
{
	if (batch->open)
		return;

	batch->open = true;
	/* Before kho_claim_range(), which is a full barrier */
	atomic_inc(&kho_in.batches);
}

/* For those who have found out that memory is not held, and want to remove it */
bool kho_is_restoring(void)
{
	/* See kho_restore_batch_begin() */
	smp_mb();
	return atomic_read(&kho_in.batches);
}

static void kho_restore_batch_account(struct kho_restore_batch *batch,
				      unsigned int i)
{
	if (batch->zone[i].nr_pages)
		kho_account_restored(batch->zone[i].page, batch->zone[i].nr_pages);
	batch->zone[i].nr_pages = 0;
}

/**
 * kho_restore_batch_end - account for what a batch has restored
 * @batch: the batch; may be used for more afterwards.
 *
 * Until then the pages are missing from the managed pages of their zone, and no
 * memory can be taken offline.
 *
 * Context: any.
 */
void kho_restore_batch_end(struct kho_restore_batch *batch)
{
	kho_restore_batch_account(batch, 0);
	for (unsigned int i = 1; i < KHO_BATCH_ZONES && batch->zone[i].nr_pages; i++)
		kho_restore_batch_account(batch, i);

	if (!batch->open)
		return;

	batch->open = false;
	batch->zone[0].page = NULL;
	/* The last page is accounted for before its memory may go offline */
	smp_mb__before_atomic();
	atomic_dec(&kho_in.batches);
}
EXPORT_SYMBOL_GPL(kho_restore_batch_end);

static bool kho_batch_has_zone(const struct kho_restore_batch *batch,
			       unsigned int i, struct page *page)
{
	return !batch->zone[i].nr_pages ||
	       page_zone_id(batch->zone[i].page) == page_zone_id(page);
}

/*
 * To another zone. One that has to make room for it is accounted for; the places
 * behind the first are filled in order, and none becomes empty.
 */
static noinline void kho_restore_batch_turn(struct kho_restore_batch *batch,
					    struct page *page)
{
	unsigned int i = 1;

	while (i < KHO_BATCH_ZONES - 1 && !kho_batch_has_zone(batch, i, page))
		i++;
	if (!kho_batch_has_zone(batch, i, page))
		kho_restore_batch_account(batch, i);
	swap(batch->zone[0], batch->zone[i]);
}

/* Bounded, so that the figures that userspace sees are never far off */
static __always_inline void kho_restore_batch_add(struct kho_restore_batch *batch,
						  struct page *page, unsigned long nr_pages)
{
	if (!kho_batch_has_zone(batch, 0, page))
		kho_restore_batch_turn(batch, page);

	batch->zone[0].page = page;
	batch->zone[0].nr_pages += nr_pages;
	if (batch->zone[0].nr_pages >= KHO_BATCH)
		kho_restore_batch_account(batch, 0);
}

/**
 * kho_held_kib - how much memory of the previous kernel is still reserved
 *
 * What was preserved and has not been restored, because it was not retrieved yet or
 * could not be read. Regions of reserve_mem= that this
 * kernel has taken over do not count.
 *
 * Context: any.
 * Return: its size in KiB.
 */
unsigned long kho_held_kib(void)
{
	return atomic_long_read(&kho_in.held) << (PAGE_SHIFT - 10);
}
EXPORT_SYMBOL_GPL(kho_held_kib);

/**
 * kho_hold_back - record that memory of the previous kernel stays reserved
 * @what: what it is, for the log.
 * @err: why it cannot be read.
 *
 * It is neither freed nor used until root releases it, and does not reach the next
 * kernel, which is logged when an image is loaded.
 *
 * Context: any.
 */
void kho_hold_back(const char *what, int err)
{
	long held = atomic_long_read(&kho_in.held);

	WRITE_ONCE(kho_in.held_back, true);
	pr_warn_ratelimited("%s of the previous kernel cannot be read: %pe; it stays reserved\n",
			    what, ERR_PTR(err));

	/* Once for each total; early boot finds it out before anything is counted */
	if (atomic_long_xchg(&kho_in.held_told, held) != held)
		pr_warn_ratelimited("%lu KiB of the previous kernel are reserved now\n",
				    kho_held_kib());
}
EXPORT_SYMBOL_GPL(kho_hold_back);

/* A pageblock has struct pages and is online as a whole: @near stands for its */
static struct page *kho_online_page(phys_addr_t phys, struct page *near)
{
	unsigned long pfn = PHYS_PFN(phys);

	if (!near ||
	    pageblock_start_pfn(pfn) != pageblock_start_pfn(page_to_pfn(near)))
		return pfn_to_online_page(pfn);

	return pfn_to_page(pfn);
}

/* @near is a page of a batch that is open, or %NULL; *@order is for the caller */
static __always_inline struct folio *
kho_take_folio(phys_addr_t phys, struct page *near, unsigned int *order)
{
	struct page *page = NULL;
	unsigned long info;

	if (PAGE_ALIGNED(phys))
		page = kho_online_page(phys, near);
	if (!page || !kho_range_complete(page))
		goto refuse;

	info = page_private(page);
	*order = lower_32_bits(info);
	if (!kho_page_marked(info) || *order > MAX_FOLIO_ORDER ||
	    !kho_claim_range(page, info))
		goto refuse;

	/* The allocation was charged to the previous kernel's profile, not ours */
	clear_page_tag_ref(page);
	set_page_count(page, 1);
	if (*order) {
		const struct page *end = page + BIT(*order);

		for (struct page *tail = page + 1; tail < end; tail++)
			set_page_count(tail, 0);
		prep_compound_page(page, *order);
	}

	return (struct folio *)page;

refuse:
	pr_warn_ratelimited("no folio to restore at %pa\n", &phys);
	return NULL;
}

/**
 * kho_restore_folio_batch - restore one of many preserved folios
 * @batch: all zeroes before the first; after the last one the caller calls
 *	kho_restore_batch_end(), whether or not all could be restored.
 * @phys: physical address of the folio.
 *
 * Context: as kho_preserved_order().
 * Return: the folio, with its order and one reference that is the caller's;
 * %NULL if no folio was preserved at @phys, or if it has been restored.
 */
struct folio *kho_restore_folio_batch(struct kho_restore_batch *batch,
				      phys_addr_t phys)
{
	struct folio *folio;
	unsigned int order;

	kho_restore_batch_begin(batch);
	folio = kho_take_folio(phys, batch->zone[0].page, &order);
	if (folio)
		kho_restore_batch_add(batch, folio_page(folio, 0), BIT(order));

	return folio;
}
EXPORT_SYMBOL_GPL(kho_restore_folio_batch);

/**
 * kho_restore_folio - restore a preserved folio
 * @phys: its physical address.
 *
 * Context: as kho_preserved_order().
 * Return: as kho_restore_folio_batch().
 */
struct folio *kho_restore_folio(phys_addr_t phys)
{
	struct folio *folio;
	unsigned int order;

	folio = kho_take_folio(phys, NULL, &order);
	if (folio)
		kho_account_restored(folio_page(folio, 0), BIT(order));

	return folio;
}
EXPORT_SYMBOL_GPL(kho_restore_folio);

/* True if preserved ranges fill the pages from @pfn to @end exactly */
static bool kho_pfns_preserved(unsigned long pfn, unsigned long end)
{
	while (pfn < end) {
		int order = kho_preserved_order(PFN_PHYS(pfn));

		if (order < 0 || BIT(order) > end - pfn)
			return false;
		pfn += BIT(order);
	}

	return true;
}

/* How many pages from @page on are in its zone; not all that are */
static unsigned long kho_pages_in_zone(struct page *page, unsigned long nr_pages)
{
	nr_pages = min(nr_pages, KHO_BATCH);
	while (page_zone_id(page) != page_zone_id(page + nr_pages - 1))
		nr_pages /= 2;

	return nr_pages;
}

/* Pages that have been claimed, each for itself */
static void kho_hand_out_pages(struct kho_restore_batch *batch,
			       unsigned long pfn, unsigned long end)
{
	unsigned long nr_pages;

	for (; pfn < end; pfn += nr_pages) {
		struct page *page = pfn_to_page(pfn);

		nr_pages = kho_pages_in_zone(page, end - pfn);
		for (unsigned long i = 0; i < nr_pages; i++) {
			set_page_count(page + i, 1);
			clear_page_tag_ref(page + i);
		}
		kho_restore_batch_add(batch, page, nr_pages);
	}
}

/*
 * Get a range back as single pages, of which kho_preserved_order() has said that
 * it starts at @page and is of this order. False if it has been restored since.
 */
bool kho_restore_range(struct kho_restore_batch *batch, struct page *page,
		       unsigned int order)
{
	unsigned long pfn = page_to_pfn(page);

	kho_restore_batch_begin(batch);
	if (!kho_range_complete(page) ||
	    !kho_claim_range(page, kho_page_info(order)))
		return false;

	kho_hand_out_pages(batch, pfn, pfn + BIT(order));
	return true;
}

/* One page, for which there is no need to look at others */
static __always_inline struct page *
kho_restore_page_batch(struct kho_restore_batch *batch, phys_addr_t phys)
{
	struct page *page = kho_online_page(phys, batch->zone[0].page);

	if (!page || !kho_range_complete(page) ||
	    !kho_claim_range(page, kho_page_info(0)))
		return NULL;

	set_page_count(page, 1);
	clear_page_tag_ref(page);
	kho_restore_batch_add(batch, page, 1);
	return page;
}

/**
 * kho_restore_pages_batch - get one of many ranges of contiguous pages back
 * @batch: as for kho_restore_folio_batch().
 * @phys: physical address of the first page.
 * @nr_pages: how many, as they were preserved by kho_preserve_pages().
 *
 * Context: as kho_preserved_order().
 * Return: the first page, each with one reference that is the caller's; %NULL
 * if that is not what was preserved, or if any of it has been restored. Then
 * nothing of it reaches the page allocator.
 */
struct page *kho_restore_pages_batch(struct kho_restore_batch *batch,
				     phys_addr_t phys, unsigned long nr_pages)
{
	unsigned long start = PHYS_PFN(phys), end = start + nr_pages;
	struct page *first;
	unsigned long pfn;

	if (!PAGE_ALIGNED(phys) || end <= start)
		goto refuse;

	kho_restore_batch_begin(batch);
	if (nr_pages == 1) {
		first = kho_restore_page_batch(batch, phys);
		if (!first)
			goto refuse;
		return first;
	}

	if (!kho_pfns_preserved(start, end))
		goto refuse;

	/* Advances by what was recorded: it need not be what would be now */
	for (pfn = start; pfn < end;) {
		struct page *page = pfn_to_page(pfn);
		unsigned long info;

		if (!kho_range_complete(page))
			goto refuse;
		/*
		 * Two callers claim the same pages, so data of one of them is
		 * corrupt. What has been claimed here may belong to the other:
		 * keep it out of the page allocator.
		 */
		info = page_private(page);
		if (!kho_page_marked(info) || !kho_claim_range(page, info))
			goto refuse;
		pfn += BIT(kho_page_order(info));
	}

	kho_hand_out_pages(batch, start, end);
	return pfn_to_page(start);

refuse:
	pr_warn_ratelimited("no %lu pages to restore at %pa\n", nr_pages, &phys);
	return NULL;
}
EXPORT_SYMBOL_GPL(kho_restore_pages_batch);

/**
 * kho_restore_pages - restore contiguous pages
 * @phys: physical address of the first one.
 * @nr_pages: how many, as they were preserved by kho_preserve_pages().
 *
 * Context: as kho_preserved_order().
 * Return: as kho_restore_pages_batch().
 */
struct page *kho_restore_pages(phys_addr_t phys, unsigned long nr_pages)
{
	struct kho_restore_batch batch = {};
	struct page *page = kho_restore_pages_batch(&batch, phys, nr_pages);

	kho_restore_batch_end(&batch);
	return page;
}
EXPORT_SYMBOL_GPL(kho_restore_pages);

/**
 * kho_restore_free_batch - free memory of the previous kernel, as one of many
 * @batch: as for kho_restore_folio_batch().
 * @mem: what kho_restore_free() could free, not %NULL.
 *
 * Context: as kho_preserved_order().
 * Return: whether it was there to be freed. What was read from it before was then
 * what the previous kernel wrote.
 */
bool kho_restore_free_batch(struct kho_restore_batch *batch, void *mem)
{
	struct folio *folio = kho_restore_folio_batch(batch, virt_to_phys(mem));

	if (folio)
		folio_put(folio);
	return folio;
}
EXPORT_SYMBOL_GPL(kho_restore_free_batch);

/**
 * kho_restore_free - free what the previous kernel got from kho_alloc_preserve()
 * @mem: the memory, in this kernel's direct map, or %NULL.
 *
 * If it was not preserved, or has been restored, the log names the caller: the
 * address may be what the previous kernel wrote.
 *
 * Context: as kho_preserved_order().
 */
void kho_restore_free(void *mem)
{
	struct kho_restore_batch batch = {};

	if (!mem)
		return;

	if (!kho_restore_free_batch(&batch, mem))
		pr_warn("%pS: no preserved memory to free\n", (void *)_RET_IP_);
	kho_restore_batch_end(&batch);
}
EXPORT_SYMBOL_GPL(kho_restore_free);

/* Subtrees */

/**
 * kho_edit_out_fdt - change the FDT for the next kernel
 * @edit: makes the change, with as much room as the page of the FDT has.
 * @data: handed through to @edit.
 *
 * The FDT never moves: an image that is loaded for kexec refers to it.
 *
 * Context: may sleep; @edit runs under the lock of the FDT.
 * Return: what @edit returned; -EINVAL if there is no usable FDT.
 */
int kho_edit_out_fdt(int (*edit)(void *fdt, void *data), void *data)
{
	int err;

	guard(mutex)(&kho_out.lock);

	if (!kho_out.fdt || fdt_open_into(kho_out.fdt, kho_out.fdt, PAGE_SIZE))
		return -EINVAL;

	err = edit(kho_out.fdt, data);
	fdt_pack(kho_out.fdt);
	return err;
}

/**
 * kho_kexec_begins - the FDT stays as it is from now on
 *
 * A processor that is stopped while it edits the FDT would leave half of a change.
 * So whoever wants to change it waits, until there is another kernel.
 *
 * Context: called by kexec when nothing can fail any more and all devices are shut
 * down, before other processors are stopped; may sleep.
 */
void kho_kexec_begins(void)
{
	mutex_lock(&kho_out.lock);
}

/**
 * kho_read_out_fdt - read the FDT for the next kernel
 * @look: is called with the FDT, if there is one.
 * @data: handed through to @look.
 *
 * Anybody may make this happen at any time, kexec included, so the FDT is not
 * even unpacked and packed again.
 *
 * Context: may sleep; @look runs under the lock of the FDT.
 */
void kho_read_out_fdt(void (*look)(const void *fdt, void *data), void *data)
{
	guard(mutex)(&kho_out.lock);

	if (kho_out.fdt)
		look(kho_out.fdt, data);
}

/**
 * kho_fdt_crowded - check whether the reserve of the FDT is used
 * @fdt: the FDT for the next kernel, opened for a change.
 *
 * Return: %true if less than KHO_FDT_SPARE is left.
 */
bool kho_fdt_crowded(const void *fdt)
{
	return fdt_off_dt_strings(fdt) + fdt_size_dt_strings(fdt) + KHO_FDT_SPARE >
	       fdt_totalsize(fdt);
}

struct kho_subtree {
	const char *name;
	void *blob;
	u64 size;
};

static int kho_fdt_add_subtree(void *fdt, void *data)
{
	const struct kho_subtree *sub = data;
	u64 phys = virt_to_phys(sub->blob);
	int node, err;

	node = fdt_add_subnode(fdt, 0, sub->name);
	if (node < 0)
		return node == -FDT_ERR_EXISTS ? -EEXIST : -ENOMEM;

	err = fdt_setprop(fdt, node, KHO_SUB_TREE_PROP_NAME, &phys, sizeof(phys)) ?:
	      fdt_setprop(fdt, node, KHO_SUB_TREE_SIZE_PROP_NAME, &sub->size,
			  sizeof(sub->size));
	if (!err && !kho_fdt_crowded(fdt)) {
		kho_debugfs_add_out(sub->name, sub->blob, sub->size);
		return 0;
	}

	fdt_del_node(fdt, node);
	return -ENOMEM;
}

/**
 * kho_add_subtree - add a named blob to the handover
 * @name: the name under which the next kernel looks it up.
 * @blob: the blob, in the direct map; its pages must be preserved, too.
 * @size: its size in bytes.
 *
 * With CONFIG_KEXEC_HANDOVER_DEBUGFS the blob can be read from
 * kho/out/sub_fdts/@name in debugfs.
 *
 * Context: may sleep; not before kho_init().
 * Return: 0; -EEXIST if there is a subtree of that name; -ENOMEM if the FDT
 * has no room for another; -EINVAL if it is not usable.
 */
int kho_add_subtree(const char *name, void *blob, size_t size)
{
	struct kho_subtree sub = {
		.name = name,
		.blob = blob,
		.size = size,
	};
	int err = kho_edit_out_fdt(kho_fdt_add_subtree, &sub);

	kho_sysfs_notify();
	return err;
}
EXPORT_SYMBOL_GPL(kho_add_subtree);

/* Value of a property that is a u64 in the byte order of the machine */
int kho_fdt_u64(const void *fdt, int node, const char *name, u64 *val)
{
	const void *prop;
	int len;

	prop = fdt_getprop(fdt, node, name, &len);
	if (!prop || len != sizeof(*val))
		return -EINVAL;

	*val = get_unaligned((const u64 *)prop);
	return 0;
}

static int kho_fdt_remove_subtree(void *fdt, void *blob)
{
	int node;

	fdt_for_each_subnode(node, fdt, 0) {
		u64 phys;

		if (kho_fdt_u64(fdt, node, KHO_SUB_TREE_PROP_NAME, &phys) ||
		    phys != virt_to_phys(blob))
			continue;

		kho_debugfs_remove_out(blob);
		return fdt_del_node(fdt, node);
	}

	return -ENOENT;
}

/**
 * kho_remove_subtree - remove a blob from the handover
 * @blob: what was passed to kho_add_subtree().
 *
 * The blob stays preserved; that is its owner's to undo.
 *
 * Context: may sleep.
 */
void kho_remove_subtree(void *blob)
{
	kho_edit_out_fdt(kho_fdt_remove_subtree, blob);
	kho_sysfs_notify();
}
EXPORT_SYMBOL_GPL(kho_remove_subtree);

/* A node behind the page would be that of a damaged FDT: they share a bit */
static unsigned long kho_subtree_bit(int node)
{
	return min(node / FDT_TAGSIZE, KHO_FDT_TAGS - 1);
}

/**
 * kho_retrieve_subtree - find a blob of the previous kernel
 * @name: the name that it was added with.
 * @phys: where to store its physical address.
 * @size: where to store its size in bytes; may be %NULL.
 *
 * The blob stays preserved and becomes the caller's to restore.
 *
 * Context: any, after kho_memory_known() and once the direct map is up.
 * Return: 0; -ENOENT if there is none, or if root has given it up; -EINVAL if its
 * description is broken.
 */
int kho_retrieve_subtree(const char *name, phys_addr_t *phys, size_t *size)
{
	const void *fdt = kho_in_fdt();
	u64 addr, len;
	int node;

	if (!fdt || READ_ONCE(kho_in.given_up))
		return -ENOENT;
	if (!phys)
		return -EINVAL;

	node = fdt_subnode_offset(fdt, 0, name);
	if (node < 0)
		return -ENOENT;

	set_bit(kho_subtree_bit(node), kho_in.retrieved);

	if (kho_fdt_u64(fdt, node, KHO_SUB_TREE_PROP_NAME, &addr) ||
	    kho_fdt_u64(fdt, node, KHO_SUB_TREE_SIZE_PROP_NAME, &len)) {
		pr_warn("subtree '%s' has no valid %s and %s\n", name,
			KHO_SUB_TREE_PROP_NAME, KHO_SUB_TREE_SIZE_PROP_NAME);
		return -EINVAL;
	}

	*phys = addr;
	if (size)
		*size = len;
	return 0;
}
EXPORT_SYMBOL_GPL(kho_retrieve_subtree);

/* Number of subtrees of the previous kernel that have not been retrieved */
long kho_subtrees_waiting(void)
{
	const void *fdt = kho_in_fdt();
	long nr = 0;
	int node;

	if (!fdt || READ_ONCE(kho_in.given_up))
		return 0;

	fdt_for_each_subnode(node, fdt, 0) {
		u64 phys;

		/* Some nodes have no address; their properties are the data */
		if (!kho_fdt_u64(fdt, node, KHO_SUB_TREE_PROP_NAME, &phys) &&
		    !test_bit(kho_subtree_bit(node), kho_in.retrieved))
			nr++;
	}

	return nr;
}

/* Subtrees cannot be retrieved any more: their memory can be released */
void kho_subtrees_give_up(void)
{
	WRITE_ONCE(kho_in.given_up, true);
	WRITE_ONCE(kho_in.held_back, false);
}

/* True if the FDT is among these page frames: it is read as long as this kernel runs */
bool kho_in_fdt_range(unsigned long pfn, unsigned long end)
{
	unsigned long fdt = PHYS_PFN(kho_in.fdt_phys);

	return kho_in.fdt_phys && fdt >= pfn && fdt < end;
}

/* Boot: the handover of the previous kernel */

static int __init kho_check_fdt(const void *fdt, u64 len)
{
	int err = kho_compat_read(fdt, len, NULL);
	u64 map;

	if (err)
		return err;

	if (kho_fdt_u64(fdt, 0, KHO_FDT_MEMORY_MAP_PROP_NAME, &map) || !map) {
		pr_warn("the handover has no valid %s\n",
			KHO_FDT_MEMORY_MAP_PROP_NAME);
		return -EBADMSG;
	}

	return 0;
}

/* Addresses from the boot protocol, not validated until memory is known */
static struct {
	phys_addr_t fdt_phys;
	u64 fdt_len;
	phys_addr_t scratch_phys;
	u64 scratch_len;
} kho_announced __initdata;

/**
 * kho_populate - learn of a handover from the boot protocol
 * @fdt_phys: physical address of the FDT.
 * @fdt_len: bytes that there are for it.
 * @scratch_phys: physical address of the list of scratch areas.
 * @scratch_len: size of that list in bytes.
 *
 * Nothing is read there before kho_memory_known().
 *
 * Context: early, before memblock allocates.
 */
void __init kho_populate(phys_addr_t fdt_phys, u64 fdt_len,
			 phys_addr_t scratch_phys, u64 scratch_len)
{
	kho_announced.fdt_phys = fdt_phys;
	kho_announced.fdt_len = fdt_len;
	kho_announced.scratch_phys = scratch_phys;
	kho_announced.scratch_len = scratch_len;
}

static int __init kho_accept(phys_addr_t fdt_phys, u64 fdt_len)
{
	void *fdt;
	int err;

	if (!memblock_is_region_memory(fdt_phys, fdt_len) ||
	    !memblock_is_map_memory(fdt_phys)) {
		pr_warn("the FDT at %pa, %llu bytes, is in no memory that this kernel knows\n",
			&fdt_phys, fdt_len);
		return -EFAULT;
	}

	fdt = early_memremap(fdt_phys, fdt_len);
	if (!fdt)
		return -ENOMEM;

	err = kho_check_fdt(fdt, fdt_len) ?:
	      kho_scratch_accept(kho_announced.scratch_phys,
				 kho_announced.scratch_len);
	if (!err)
		kho_crash_read(fdt);
	early_memunmap(fdt, fdt_len);
	return err;
}

/**
 * kho_memory_known - validate the handover that the boot protocol announced
 *
 * For the architecture to call when memblock has the memory that this kernel will
 * use, limits of the command line included. From then on, if there is a handover
 * that can be read, memblock allocates from scratch only. If anything is wrong
 * the boot goes on as if there were none.
 *
 * Context: early, with early mappings only, before memblock allocates anything
 * that may lie where the previous kernel had memory.
 */
void __init kho_memory_known(void)
{
	int err;

	if (!kho_announced.fdt_phys)
		return;

	err = kho_accept(kho_announced.fdt_phys, kho_announced.fdt_len);
	if (err) {
		pr_err("handover at %pa refused, what was preserved is lost: %pe\n",
		       &kho_announced.fdt_phys, ERR_PTR(err));
		return;
	}

	memblock_set_kho_scratch_only();
	kho_in.fdt_phys = kho_announced.fdt_phys;
}

/* Continue as on a cold boot: preserved memory is not protected any more */
static void __init kho_drop_handover(void)
{
	kho_in.fdt_phys = 0;
	kho_in_map.root = NULL;
	kho_scratch_forget();
	memblock_clear_kho_scratch_only();
}

/**
 * kho_memory_init_early - open the preserved memory map
 *
 * Context: memblock knows all memory, nothing large has been allocated yet.
 */
void __init kho_memory_init_early(void)
{
	const void *fdt = kho_in_fdt();
	u64 map;
	int err;

	if (!fdt)
		return;

	kho_scratch_adopt(kho_announced.scratch_phys, kho_announced.scratch_len);

	/* It is read for as long as this kernel runs */
	if (!kho_in_memory(kho_in.fdt_phys) ||
	    kho_scratch_overlap(kho_in.fdt_phys, PAGE_SIZE)) {
		pr_err("the FDT at %pa is in scratch or no memory, handover dropped\n",
		       &kho_in.fdt_phys);
		kho_drop_handover();
		return;
	}

	if (kho_fdt_u64(fdt, 0, KHO_FDT_MEMORY_MAP_PROP_NAME, &map) ||
	    !kho_in_memory(map)) {
		pr_err("preserved memory map not found, handover dropped\n");
		kho_drop_handover();
		return;
	}

	kho_radix_init_tree(&kho_in_map, phys_to_virt(map));
	err = kho_scratch_extend(&kho_in_map, kho_in.fdt_phys);
	if (err) {
		pr_err("preserved memory map damaged, handover dropped: %pe\n",
		       ERR_PTR(err));
		kho_drop_handover();
	}
}

/**
 * kho_memory_init - keep preserved memory out of the page allocator
 *
 * Without a handover, or if it turns out to be unusable, sets scratch areas
 * aside instead.
 *
 * Context: as late as possible while memblock still allocates.
 */
void __init kho_memory_init(void)
{
	if (is_kdump_kernel()) {
		kho_enable = false;
		pr_info("off in a kdump kernel\n");
		return;
	}

	if (is_kho_boot()) {
		long pages = kho_take_over(&kho_in_map, kho_in.fdt_phys);

		if (pages >= 0) {
			atomic_long_set(&kho_in.held, pages);
			return;
		}
		pr_err("preserved memory not taken over: %pe\n", ERR_PTR(pages));
		kho_drop_handover();
	}

	if (kho_enable && kho_scratch_reserve()) {
		pr_warn("no scratch, nothing can be handed over\n");
		kho_enable = false;
	}
}

/* Log the release of the previous kernel and the number of kexecs */

static void __init kho_read_metadata(void)
{
	char release[__NEW_UTS_LEN + 1];
	struct kho_kexec_metadata *md;
	phys_addr_t phys;
	size_t size;

	/* Optional: not all kernels leave it */
	if (kho_retrieve_subtree(KHO_METADATA_NODE_NAME, &phys, &size))
		return;

	if (size < sizeof(*md) || kho_preserved_order(phys) < 0) {
		pr_warn("%s at %pa has %zu bytes, expected %zu of preserved memory\n",
			KHO_METADATA_NODE_NAME, &phys, size, sizeof(*md));
		return;
	}

	md = phys_to_virt(phys);
	if (md->version != KHO_KEXEC_METADATA_VERSION) {
		pr_warn("%s has version %u, expected %u\n",
			KHO_METADATA_NODE_NAME, md->version,
			KHO_KEXEC_METADATA_VERSION);
		return;
	}

	kho_in.kexec_count = md->kexec_count;
	strscpy(release, md->previous_release, sizeof(release));
	pr_info("exec from: %*pE (count %u)\n", (int)strlen(release), release,
		kho_in.kexec_count);
}

static int __init kho_write_metadata(void)
{
	struct kho_kexec_metadata *md = kho_alloc_preserve(sizeof(*md));
	int err;

	if (IS_ERR(md))
		return PTR_ERR(md);

	md->version = KHO_KEXEC_METADATA_VERSION;
	md->kexec_count = kho_in.kexec_count + 1;
	strscpy(md->previous_release, init_uts_ns.name.release,
		sizeof(md->previous_release));

	err = kho_add_subtree(KHO_METADATA_NODE_NAME, md, sizeof(*md));
	if (err)
		kho_unpreserve_free(md);
	return err;
}

/* Boot: the handover to the next kernel */

/* In an FDT that is being written, properties of a node precede its subnodes */
static int __init kho_create_fdt(void *fdt)
{
	u64 map = virt_to_phys(kho_out.map.root);
	int err;

	err = fdt_create(fdt, PAGE_SIZE) ?:
	      fdt_finish_reservemap(fdt) ?:
	      fdt_begin_node(fdt, "") ?:
	      fdt_property(fdt, KHO_FDT_MEMORY_MAP_PROP_NAME, &map, sizeof(map)) ?:
	      kho_compat_write(fdt, NULL) ?:
	      fdt_end_node(fdt) ?:
	      fdt_finish(fdt);

	return err ? -ENOSPC : 0;
}

static int __init kho_out_init(void)
{
	static struct lock_class_key map_lock;
	int err;

	err = kho_radix_init_tree(&kho_out.map, NULL);
	if (err)
		return err;

	/* Users preserve the nodes of trees of their own while they walk them */
	lockdep_set_class(&kho_out.map.lock, &map_lock);

	/* The map has a format from now on, whatever else is preserved */
	kho_component_get(&kho_radix_component);

	kho_out.fdt = kho_alloc_preserve(PAGE_SIZE);
	if (IS_ERR(kho_out.fdt)) {
		err = PTR_ERR(kho_out.fdt);
		goto destroy_map;
	}

	err = kho_create_fdt(kho_out.fdt) ?:
	      kho_edit_out_fdt(kho_crash_write, NULL) ?:
	      kho_write_metadata();
	if (!err)
		return 0;

	kho_unpreserve_free(kho_out.fdt);
destroy_map:
	kho_out.fdt = NULL;
	kho_component_put(&kho_radix_component);
	kho_radix_destroy_tree(&kho_out.map);
	return err;
}

static int __init kho_init(void)
{
	int err;

	if (!kho_enable)
		return 0;

	if (is_kho_boot())
		kho_read_metadata();

	kho_debugfs_init();
	err = kho_out_init();
	if (err) {
		pr_err("nothing can be handed over: %pe\n", ERR_PTR(err));
		kho_debugfs_exit();
		kho_scratch_free();
		kho_enable = false;
		return err;
	}

	if (is_kho_boot())
		kho_debugfs_add_in(kho_in_fdt());
	kho_scratch_release();

	return 0;
}
fs_initcall(kho_init);

/* The area for a crash kernel */

/**
 * kho_crash_shrunk - record in the FDT that the area has become smaller
 *
 * Context: under the lock of kexec, before the rest is freed; may sleep.
 */
void kho_crash_shrunk(void)
{
	if (kho_enable && kho_edit_out_fdt(kho_crash_write, NULL))
		pr_warn("the FDT cannot be updated: its area for a crash kernel is too large now\n");
}

/* Calls of kexec_file_load() */

/**
 * kho_fill_kimage - attach the handover to an image
 * @image: the image that is being loaded.
 *
 * Context: called by kexec_file_load() under its lock.
 * Return: 0; the error of kexec_add_buffer().
 */
int kho_fill_kimage(struct kimage *image)
{
	struct kexec_buf list = {
		.image = image,
		.buffer = kho_scratch,
		.bufsz = kho_scratch_cnt * sizeof(*kho_scratch),
		.memsz = kho_scratch_cnt * sizeof(*kho_scratch),
		.mem = KEXEC_BUF_MEM_UNKNOWN,
		/* The next kernel maps it with few early mappings */
		.buf_align = SZ_64K,
		.buf_max = ULONG_MAX,
		.top_down = true,
	};
	int err;

	if (!kho_enable || image->type == KEXEC_TYPE_CRASH)
		return 0;

	if (READ_ONCE(kho_in.held_back))
		pr_warn("%lu KiB of the previous kernel stay reserved and do not reach the next one\n",
			kho_held_kib());

	err = kexec_add_buffer(&list);
	if (err)
		return err;

	image->kho.fdt = virt_to_phys(kho_out.fdt);
	image->kho.scratch = &image->segment[image->nr_segments - 1];
	return 0;
}

/**
 * kho_locate_mem_hole - find a place for a segment in scratch
 * @kbuf: the segment.
 * @func: called with each area; returns 1 when the segment fits.
 *
 * Return: 0 if a place was found; -EADDRNOTAVAIL if there is none in scratch;
 * 1 if the segment may go anywhere.
 */
int kho_locate_mem_hole(struct kexec_buf *kbuf,
			int (*func)(struct resource *, void *))
{
	if (!kho_enable || kbuf->image->type == KEXEC_TYPE_CRASH)
		return 1;

	if (kho_scratch_walk(kbuf, func) == 1)
		return 0;

	kho_scratch_too_small(kbuf);
	return -EADDRNOTAVAIL;
}
