// SPDX-License-Identifier: GPL-2.0-only
/*
 * KHO place - memory that can be preserved because the next kernel finds it.
 *
 * Owns the rule: it was there when this kernel booted. The next kernel takes
 * preserved memory over before it detects memory that was added later or belongs to
 * a device. Also allocates pages for which the rule holds.
 */

#include <linux/export.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/mmzone.h>

#include "kexec_handover_internal.h"

static const char *kho_section_fault(const struct mem_section *section,
				     unsigned long pfn, unsigned long end)
{
	/* Devices may have a part of a section that was there at boot */
	while (online_device_section(section) && pfn < end) {
		if (is_zone_device_page(pfn_to_page(pfn)))
			return "is memory of a device";
		pfn = SUBSECTION_ALIGN_UP(pfn + 1);
	}

	return early_section(section) ? NULL : "is in memory that was added after boot";
}

/**
 * kho_place_fault - why the next kernel would not find pages where they are
 * @pfn: the first page frame, with a struct page.
 * @end: the page frame after the last one.
 *
 * Context: any, but for as long as the answer matters nobody may remove the memory.
 * Return: the reason, for the log; %NULL if the next kernel knows the memory.
 */
const char *kho_place_fault(unsigned long pfn, unsigned long end)
{
	while (pfn < end) {
		unsigned long border = min(SECTION_ALIGN_UP(pfn + 1), end);
		const char *fault;

		fault = kho_section_fault(__pfn_to_section(pfn), pfn, border);
		if (fault)
			return fault;
		pfn = border;
	}

	return NULL;
}

/* The second one is memory of boot on every machine that has it */
static const gfp_t kho_zones[] = { 0, __GFP_DMA32 };

/**
 * kho_alloc_pages - allocate pages that the next kernel finds where they are
 * @gfp: flags, without any that names a zone.
 * @order: of the pages.
 *
 * Context: as for alloc_pages() with @gfp.
 * Return: the pages, %NULL if there are none.
 */
struct page *kho_alloc_pages(gfp_t gfp, unsigned int order)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(kho_zones); i++) {
		struct page *page = alloc_pages(gfp | kho_zones[i], order);
		unsigned long pfn;

		if (!page)
			break;

		pfn = page_to_pfn(page);
		if (!kho_place_fault(pfn, pfn + BIT(order)))
			return page;
		__free_pages(page, order);
	}

	return NULL;
}
