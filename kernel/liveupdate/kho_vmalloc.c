// SPDX-License-Identifier: GPL-2.0-only
/*
 * KHO vmalloc - vmalloc areas that survive kexec.
 *
 * Owns the list of chunks that describes the pages of an area, and the mapping of
 * those pages in the next kernel. Pages and chunks are preserved and restored by the
 * core, through its public functions and, for pages that have been validated
 * already, kho_restore_range().
 *
 * The layout is in linux/kho/abi/vmalloc.h.
 *
 * Takes the place of a part of kernel/liveupdate/kexec_handover.c of Linux 7.3:
 * Copyright (C) 2023 Alexander Graf <graf@amazon.com>
 * Copyright (C) 2025 Microsoft Corporation, Mike Rapoport <rppt@kernel.org>
 * Copyright (C) 2025 Google LLC, Changyuan Lyu <changyuanl@google.com>
 * Copyright (C) 2025 Pasha Tatashin <pasha.tatashin@soleen.com>
 * Copyright (C) 2026 Google LLC, Jason Miu <jasonmiu@google.com>
 */

#define pr_fmt(fmt) "KHO: vmalloc: " fmt

#include <linux/cleanup.h>
#include <linux/export.h>
#include <linux/io.h>
#include <linux/kasan.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/vmalloc.h>
#include <linux/kho/compat.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/vmstat.h>

#include "../../mm/vmalloc.h"
#include "kexec_handover_internal.h"

struct kho_component kho_vmalloc_component = {
	.name = "vmalloc",
	KHO_COMPONENT_VERSIONS(KHO_VMALLOC),
};

#define KHO_VMALLOC_KNOWN_VM_FLAGS	(VM_ALLOC | VM_ALLOW_HUGE_VMAP)
#define KHO_VMALLOC_KNOWN_FLAGS						\
	(KHO_VMALLOC_ALLOC | KHO_VMALLOC_HUGE_VMAP |			\
	 KHO_VMALLOC_EXTENTS | KHO_VMALLOC_SPARSE)

static u16 kho_vmalloc_flags(unsigned long vm_flags, u32 version)
{
	return (vm_flags & VM_ALLOC ? KHO_VMALLOC_ALLOC : 0) |
	       (vm_flags & VM_ALLOW_HUGE_VMAP ? KHO_VMALLOC_HUGE_VMAP : 0) |
	       (vm_flags & VM_SPARSE ? KHO_VMALLOC_SPARSE : 0) |
	       (version >= 2 ? KHO_VMALLOC_EXTENTS : 0);
}

static unsigned long kho_vmalloc_vm_flags(u16 flags)
{
	return (flags & KHO_VMALLOC_ALLOC ? VM_ALLOC : 0) |
	       (flags & KHO_VMALLOC_HUGE_VMAP ? VM_ALLOW_HUGE_VMAP : 0);
}

/* Append an empty, preserved chunk of either kind behind @link */
static void *kho_vmalloc_add_chunk(struct kho_vmalloc_hdr *link)
{
	struct page *page = kho_alloc_pages(GFP_KERNEL | __GFP_ZERO, 0);
	struct kho_vmalloc_chunk *chunk;
	int err;

	if (!page)
		return ERR_PTR(-ENOMEM);

	err = kho_preserve_pages(page, 1);
	if (err) {
		put_page(page);
		return ERR_PTR(err);
	}

	chunk = page_address(page);
	KHOSER_STORE_PTR(link->next, chunk);
	return chunk;
}

static bool kho_vmalloc_placed(const void *ptr)
{
	struct vm_struct *vm = find_vm_area(ptr);

	for (unsigned int i = 0; i < vm->nr_pages; i++) {
		unsigned long pfn = page_to_pfn(vm->pages[i]);

		if (kho_place_fault(pfn, pfn + 1))
			return false;
	}

	return true;
}

/**
 * kho_vcalloc - allocate an array that can be preserved
 * @n: number of elements.
 * @size: size of an element in bytes.
 * @gfp: what vmalloc() takes.
 *
 * As __vcalloc(), but in memory that was there at boot if there is enough of it.
 * That of vmalloc() will do on a host to which no memory is added.
 *
 * Context: may sleep.
 * Return: the array, zeroed, to be freed by vfree(); %NULL if there is no memory.
 */
void *kho_vcalloc(size_t n, size_t size, gfp_t gfp)
{
	void *mem = __vcalloc(n, size, gfp);

	if (!mem || kho_vmalloc_placed(mem))
		return mem;

	vfree(mem);
	return __vmalloc_node(array_size(n, size), 1,
			      gfp | __GFP_ZERO | __GFP_DMA32, NUMA_NO_NODE,
			      __builtin_return_address(0));
}
EXPORT_SYMBOL_GPL(kho_vcalloc);

/* Version 1: each block of the order of the area has an entry of its own */
static int kho_vmalloc_write_blocks(const struct vm_struct *vm,
				    struct kho_vmalloc_chunk *chunk, unsigned int order)
{
	unsigned int used = 0;
	int err;

	for (unsigned int i = 0; i < vm->nr_pages; i += 1U << order) {
		if (used == ARRAY_SIZE(chunk->phys)) {
			chunk = kho_vmalloc_add_chunk(&chunk->hdr);
			if (IS_ERR(chunk))
				return PTR_ERR(chunk);
			used = 0;
		}

		err = kho_preserve_pages(vm->pages[i], 1UL << order);
		if (err)
			return err;
		chunk->phys[used++] = page_to_phys(vm->pages[i]);
		cond_resched();
	}

	return 0;
}

/* The page at an index of an area, %NULL if there is none */
static struct page *kho_vmalloc_page(const struct vm_struct *vm, unsigned long i)
{
	return vm->flags & VM_SPARSE ? vmalloc_to_page(vm->addr + i * PAGE_SIZE) :
				       vm->pages[i];
}

/* Number of pages from @i on, which is @page, that are contiguous memory */
static unsigned long kho_vmalloc_run(const struct vm_struct *vm, struct page *page,
				     unsigned long i, unsigned long end)
{
	unsigned long pfn = page_to_pfn(page), nr = 1;

	while (i + nr < end) {
		page = kho_vmalloc_page(vm, i + nr);
		if (!page || page_to_pfn(page) != pfn + nr)
			break;
		nr++;
	}

	return nr;
}

/* Version 2: contiguous memory has one entry, and holes have none */
static int kho_vmalloc_write_extents(const struct vm_struct *vm,
				     struct kho_vmalloc_extent_chunk *chunk,
				     unsigned long nr_pages)
{
	unsigned long nr;
	int err;

	for (unsigned long i = 0; i < nr_pages; i += nr) {
		struct page *page = kho_vmalloc_page(vm, i);

		cond_resched();
		nr = 1;
		if (!page)
			continue;

		if (chunk->nr == ARRAY_SIZE(chunk->extents)) {
			chunk = kho_vmalloc_add_chunk(&chunk->hdr);
			if (IS_ERR(chunk))
				return PTR_ERR(chunk);
		}

		nr = kho_vmalloc_run(vm, page, i, nr_pages);
		err = kho_preserve_pages(page, nr);
		if (err)
			return err;
		chunk->extents[chunk->nr++] = (struct kho_vmalloc_extent) {
			.phys = page_to_phys(page),
			.first = i,
			.nr_pages = nr,
		};
	}

	return 0;
}

static void kho_vmalloc_unpreserve_blocks(const struct kho_vmalloc_chunk *chunk,
					  unsigned int order)
{
	for (int i = 0; i < ARRAY_SIZE(chunk->phys) && chunk->phys[i]; i++)
		kho_unpreserve_pages(phys_to_page(chunk->phys[i]), 1UL << order);
}

static void
kho_vmalloc_unpreserve_extents(const struct kho_vmalloc_extent_chunk *chunk)
{
	for (u64 i = 0; i < chunk->nr; i++)
		kho_unpreserve_pages(phys_to_page(chunk->extents[i].phys),
				     chunk->extents[i].nr_pages);
}

static void kho_vmalloc_unwrite(const struct kho_vmalloc *p)
{
	struct kho_vmalloc_chunk *next, *chunk = KHOSER_LOAD_PTR(p->first);

	for (; chunk; chunk = next) {
		next = KHOSER_LOAD_PTR(chunk->hdr.next);

		if (p->flags & KHO_VMALLOC_EXTENTS)
			kho_vmalloc_unpreserve_extents((void *)chunk);
		else
			kho_vmalloc_unpreserve_blocks(chunk, p->order);

		kho_unpreserve_pages(virt_to_page(chunk), 1);
		free_page((unsigned long)chunk);
		cond_resched();
	}
}

static int kho_vmalloc_write(struct vm_struct *vm, u32 version,
			     struct kho_vmalloc *p)
{
	const bool sparse = vm->flags & VM_SPARSE;
	unsigned long nr_pages = sparse ? get_vm_area_size(vm) >> PAGE_SHIFT : vm->nr_pages;
	struct kho_vmalloc_hdr first = {};
	void *chunk;
	int err;

	if (sparse && (version < 2 || nr_pages > U32_MAX))
		return -EOPNOTSUPP;

	chunk = kho_vmalloc_add_chunk(&first);
	if (IS_ERR(chunk))
		return PTR_ERR(chunk);

	/* Complete from the start: the error path below uses it */
	*p = (struct kho_vmalloc) {
		.first.phys = first.next.phys,
		.total_pages = nr_pages,
		.flags = kho_vmalloc_flags(vm->flags, version),
		.order = get_vm_area_page_order(vm),
	};
	err = version < 2 ? kho_vmalloc_write_blocks(vm, chunk, p->order) :
			    kho_vmalloc_write_extents(vm, chunk, nr_pages);
	if (err)
		kho_vmalloc_unwrite(p);
	return err;
}

/**
 * kho_preserve_vmalloc - preserve a vmalloc area
 * @ptr: start of an area from vmalloc(), vmalloc_huge() or a variant, or of one with
 *	VM_SPARSE.
 * @preservation: descriptor to fill in. The caller hands it over in memory of
 *	its own, and to kho_unpreserve_vmalloc() if kexec does not come.
 *
 * On failure nothing stays preserved and @preservation means nothing. The area
 * remains the caller's: it must neither free nor grow it while it is preserved,
 * nor map or unmap pages in it. Which NUMA node the pages came from is kept, a
 * policy for them is not. Pages of a sparse area that have no memory are left out.
 *
 * Context: may sleep.
 * Return: 0; -EINVAL if @ptr is not a vmalloc area; -EOPNOTSUPP if the area is
 * not plain memory of the kernel, or if it is sparse and the next kernel is not
 * known to read such areas; as kho_preserve_pages().
 */
int kho_preserve_vmalloc(void *ptr, struct kho_vmalloc *preservation)
{
	struct vm_struct *vm = find_vm_area(ptr);
	int err;

	if (!vm)
		return -EINVAL;
	if (vm->flags != VM_SPARSE && vm->flags & ~KHO_VMALLOC_KNOWN_VM_FLAGS)
		return -EOPNOTSUPP;

	err = kho_vmalloc_write(vm, kho_component_get(&kho_vmalloc_component),
				preservation);
	if (err)
		kho_component_put(&kho_vmalloc_component);
	return err;
}
EXPORT_SYMBOL_GPL(kho_preserve_vmalloc);

/**
 * kho_unpreserve_vmalloc - undo kho_preserve_vmalloc()
 * @preservation: the descriptor that kho_preserve_vmalloc() filled in.
 *
 * Frees the list of chunks. The area itself stays mapped and is its owner's. With
 * a descriptor that is all zeroes there is nothing to undo.
 *
 * Context: may sleep.
 */
void kho_unpreserve_vmalloc(struct kho_vmalloc *preservation)
{
	if (!preservation->first.phys)
		return;

	kho_vmalloc_unwrite(preservation);
	kho_component_put(&kho_vmalloc_component);
}
EXPORT_SYMBOL_GPL(kho_unpreserve_vmalloc);

static bool kho_vmalloc_valid(const struct kho_vmalloc *p)
{
	if (p->flags & ~KHO_VMALLOC_KNOWN_FLAGS) {
		pr_warn("area has flags 0x%x, known are 0x%lx\n",
			p->flags, KHO_VMALLOC_KNOWN_FLAGS);
		return false;
	}
	if (p->order > MAX_PAGE_ORDER) {
		pr_warn("area has blocks of order %u, the largest is %u\n",
			p->order, MAX_PAGE_ORDER);
		return false;
	}
	if (!p->total_pages) {
		pr_warn("area has no pages\n");
		return false;
	}
	if (p->flags & KHO_VMALLOC_SPARSE &&
	    (p->flags != (KHO_VMALLOC_SPARSE | KHO_VMALLOC_EXTENTS) || p->order)) {
		pr_warn("sparse area has flags 0x%x and order %u, expected 0x%lx and 0\n",
			p->flags, p->order, KHO_VMALLOC_SPARSE | KHO_VMALLOC_EXTENTS);
		return false;
	}

	return true;
}

/*
 * Reading a list. Entries are copied and only the copy is validated and used: only
 * the previous kernel determines the owner of a chunk, so its page may change. It is
 * preserved memory when it is copied. If it still is when it is claimed, it has not
 * changed in between.
 */
struct kho_vmalloc_reader {
	const struct kho_vmalloc *area;
	struct page **pages;			/* of the area, or NULL */
	struct kho_vmalloc_extent *extents;	/* of a sparse one, or NULL */
	unsigned long max_entries;		/* that there is room for */
	unsigned long end;		/* of what has been read, in pages */
	unsigned long entries;
};

static bool kho_vmalloc_read_blocks(struct kho_vmalloc_reader *reader,
				    const struct kho_vmalloc_chunk *chunk)
{
	const struct kho_vmalloc *p = reader->area;
	const unsigned long step = 1UL << p->order;

	for (int i = 0; i < ARRAY_SIZE(chunk->phys); i++) {
		phys_addr_t block = READ_ONCE(chunk->phys[i]);

		if (!block)
			break;
		if (kho_preserved_order(block) != p->order) {
			pr_warn("block at %pa is not a preserved range of order %u\n",
				&block, p->order);
			return false;
		}
		if (step > p->total_pages - reader->end) {
			pr_warn("chunk with block at %pa goes beyond the end of its area\n",
				&block);
			return false;
		}
		for (unsigned long j = 0; reader->pages && j < step; j++)
			reader->pages[reader->end + j] = phys_to_page(block) + j;
		reader->end += step;
		reader->entries++;
	}

	return true;
}

/* True if the memory consists of whole ranges that are not restored yet */
static bool kho_extent_preserved(const struct kho_vmalloc_extent *extent)
{
	unsigned long nr = 0;

	while (nr < extent->nr_pages) {
		int order = kho_preserved_order(extent->phys + PFN_PHYS(nr));

		if (order < 0)
			return false;
		nr += 1UL << order;
	}

	return nr == extent->nr_pages;
}

static const char *kho_extent_flaw(const struct kho_vmalloc_reader *reader,
				   const struct kho_vmalloc_extent *extent)
{
	const struct kho_vmalloc *p = reader->area;

	if (!extent->nr_pages || (u64)extent->first + extent->nr_pages > p->total_pages)
		return "is not in its area";
	if (extent->first < reader->end)
		return "overlaps the one before it";
	if (extent->first > reader->end && !(p->flags & KHO_VMALLOC_SPARSE))
		return "leaves a gap";
	if (!IS_ALIGNED(extent->first | extent->nr_pages, 1U << p->order))
		return "is not made of whole blocks";
	if (!kho_extent_preserved(extent))
		return "is not preserved memory";

	return NULL;
}

static bool kho_vmalloc_read_extents(struct kho_vmalloc_reader *reader,
				     const struct kho_vmalloc_extent_chunk *chunk)
{
	const u64 nr = READ_ONCE(chunk->nr);

	if (nr > ARRAY_SIZE(chunk->extents)) {
		pr_warn("chunk has %llu extents, at most %zu fit in\n", nr,
			ARRAY_SIZE(chunk->extents));
		return false;
	}

	for (u64 i = 0; i < nr; i++) {
		const struct kho_vmalloc_extent extent = {
			.phys = READ_ONCE(chunk->extents[i].phys),
			.first = READ_ONCE(chunk->extents[i].first),
			.nr_pages = READ_ONCE(chunk->extents[i].nr_pages),
		};
		const char *flaw = kho_extent_flaw(reader, &extent);

		if (flaw) {
			pr_warn("extent of %u pages at 0x%llx, page %u of the area, %s\n",
				extent.nr_pages, extent.phys, extent.first, flaw);
			return false;
		}
		for (u32 j = 0; reader->pages && j < extent.nr_pages; j++)
			reader->pages[extent.first + j] = phys_to_page(extent.phys) + j;
		/* There may be more than when they were counted, see above */
		if (reader->extents && reader->entries == reader->max_entries) {
			pr_warn("list has changed, it had %lu extents\n",
				reader->max_entries);
			return false;
		}
		if (reader->extents)
			reader->extents[reader->entries] = extent;
		reader->end = extent.first + extent.nr_pages;
		reader->entries++;
	}

	return true;
}

static bool kho_vmalloc_read_chunk(struct kho_vmalloc_reader *reader, phys_addr_t phys)
{
	const unsigned long before = reader->entries;
	const struct kho_vmalloc_chunk *chunk;

	if (kho_preserved_order(phys) != 0) {
		pr_warn("chunk at %pa is not a preserved page\n", &phys);
		return false;
	}

	chunk = phys_to_virt(phys);
	if (!(reader->area->flags & KHO_VMALLOC_EXTENTS ?
	      kho_vmalloc_read_extents(reader, (const void *)chunk) :
	      kho_vmalloc_read_blocks(reader, chunk)))
		return false;

	/* Only the last chunk may be empty */
	if (reader->entries == before && chunk->hdr.next.phys) {
		pr_warn("chunk at %pa is empty but not the last one\n", &phys);
		return false;
	}

	return true;
}

/*
 * The size that an area claims is no bound for the walk, it may be as wrong as
 * the list. So one chunk is remembered, a later one each time that the number
 * of chunks has doubled: in a circle it comes back.
 */
static bool kho_vmalloc_read(struct kho_vmalloc_reader *reader)
{
	const struct kho_vmalloc *p = reader->area;
	phys_addr_t phys = p->first.phys, remembered = 0;
	unsigned long chunks = 0;

	reader->end = 0;
	reader->entries = 0;
	while (phys) {
		if (!kho_vmalloc_read_chunk(reader, phys))
			return false;
		if (phys == remembered) {
			pr_warn("list of chunks is cyclic at %pa\n", &phys);
			return false;
		}
		if (is_power_of_2(++chunks))
			remembered = phys;
		phys = ((struct kho_vmalloc_chunk *)phys_to_virt(phys))->hdr.next.phys;
		cond_resched();
	}

	if (chunks && p->flags & KHO_VMALLOC_SPARSE)
		return true;
	if (reader->end != p->total_pages) {
		pr_warn("area lists %lu pages, expected %u\n", reader->end,
			p->total_pages);
		return false;
	}

	return true;
}

static struct vm_struct *kho_vmalloc_map(const struct kho_vmalloc *p,
					 struct page **pages, const void *caller)
{
	unsigned int shift = PAGE_SHIFT + p->order;
	unsigned long start, size = (unsigned long)p->total_pages << PAGE_SHIFT;
	struct vm_struct *area;

	area = __get_vm_area_node(size, BIT(shift), shift,
				  kho_vmalloc_vm_flags(p->flags) | VM_UNINITIALIZED,
				  VMALLOC_START, VMALLOC_END, NUMA_NO_NODE,
				  GFP_KERNEL, caller);
	if (!area)
		return NULL;

	start = (unsigned long)area->addr;
	if (vmap_pages_range(start, start + size, PAGE_KERNEL, pages, shift)) {
		free_vm_area(area);
		return NULL;
	}

	return area;
}

/* Returns the number of pages. Extents do not record the ranges they were preserved in */
static unsigned long kho_vmalloc_take_range(const struct kho_vmalloc *p,
					    struct page *page,
					    struct kho_restore_batch *batch)
{
	int order = p->order;

	if (p->flags & KHO_VMALLOC_EXTENTS)
		order = kho_preserved_order(page_to_phys(page));
	if (order >= 0 && kho_restore_range(batch, page, order))
		return 1UL << order;

	pr_warn("block at page frame 0x%lx is listed twice\n", page_to_pfn(page));
	return 0;
}

/*
 * Take the pages over. The one way left to fail is a block that stands in the
 * list twice, or in two lists: whose pages these are is then unknown, so none of
 * those that were taken is freed.
 */
static int kho_vmalloc_take_pages(const struct kho_vmalloc *p,
				  struct page **pages,
				  struct kho_restore_batch *batch)
{
	unsigned long i, step;

	for (i = 0; i < p->total_pages; i += step) {
		step = kho_vmalloc_take_range(p, pages[i], batch);
		if (!step)
			return -EINVAL;
		cond_resched();
	}

	/* vfree() will take them off again */
	step = 1UL << p->order;
	for (i = 0; i < p->total_pages; i += step) {
		mod_lruvec_page_state(pages[i], NR_VMALLOC, step);
		cond_resched();
	}

	return 0;
}

/*
 * Claim a list that has been read, with nothing left to fail but that others have
 * claimed a part of it. It may be theirs then, and none of it is freed.
 */
static int kho_vmalloc_claim_chunks(const struct kho_vmalloc *p,
				    struct kho_restore_batch *batch)
{
	phys_addr_t phys = p->first.phys;

	while (phys) {
		if (!kho_restore_folio_batch(batch, phys)) {
			pr_warn("chunk at %pa is not a preserved page any more\n", &phys);
			return -EINVAL;
		}
		phys = ((struct kho_vmalloc_chunk *)phys_to_virt(phys))->hdr.next.phys;
		cond_resched();
	}

	return 0;
}

static void kho_vmalloc_free_chunks(const struct kho_vmalloc *p)
{
	struct kho_vmalloc_chunk *next, *chunk = KHOSER_LOAD_PTR(p->first);

	for (; chunk; chunk = next) {
		next = KHOSER_LOAD_PTR(chunk->hdr.next);
		folio_put(virt_to_folio(chunk));
		cond_resched();
	}
}

/* An area of which every page has memory */
static void *kho_vmalloc_restore_full(struct kho_vmalloc_reader *reader,
				      struct kho_restore_batch *batch,
				      const void *caller)
{
	kasan_vmalloc_flags_t kasan_flags = KASAN_VMALLOC_PROT_NORMAL;
	const struct kho_vmalloc *p = reader->area;
	struct page **pages __free(kvfree) = NULL;
	struct vm_struct *area;

	/* An array of more than one page is allocated only for a valid list */
	if (p->total_pages > PAGE_SIZE / sizeof(*pages) && !kho_vmalloc_read(reader))
		return ERR_PTR(-EINVAL);

	pages = kvmalloc_array(p->total_pages, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return ERR_PTR(-ENOMEM);

	/* Pages of a chunk may also belong to a file that is in use by now */
	reader->pages = pages;
	if (!kho_vmalloc_read(reader))
		return ERR_PTR(-EINVAL);

	area = kho_vmalloc_map(p, pages, caller);
	if (!area)
		return ERR_PTR(-ENOMEM);

	if (kho_vmalloc_claim_chunks(p, batch) || kho_vmalloc_take_pages(p, pages, batch)) {
		free_vm_area(area);
		return ERR_PTR(-EINVAL);
	}

	area->nr_pages = p->total_pages;
	area->pages = no_free_ptr(pages);

	if (p->flags & KHO_VMALLOC_ALLOC)
		kasan_flags |= KASAN_VMALLOC_VM_ALLOC;
	area->addr = kasan_unpoison_vmalloc(area->addr,
					    area->nr_pages * PAGE_SIZE, kasan_flags);
	clear_vm_uninitialized_flag(area);

	return area->addr;
}

/* Sparse areas: what has no memory is not mapped and costs nothing */

static int kho_vmalloc_map_extents(struct vm_struct *area,
				   const struct kho_vmalloc_reader *reader)
{
	const struct kho_vmalloc_extent *extent = reader->extents;
	struct page *pages[64];
	u32 nr;

	for (; extent < reader->extents + reader->entries; extent++) {
		for (u32 i = 0; i < extent->nr_pages; i += nr) {
			unsigned long start = (unsigned long)area->addr +
					      PFN_PHYS(extent->first + i);

			nr = min(extent->nr_pages - i, ARRAY_SIZE(pages));
			for (u32 j = 0; j < nr; j++)
				pages[j] = phys_to_page(extent->phys) + i + j;
			if (vm_area_map_pages(area, start, start + PFN_PHYS(nr), pages))
				return -ENOMEM;
			cond_resched();
		}
	}

	return 0;
}

static int kho_vmalloc_take_extents(const struct kho_vmalloc_reader *reader,
				    struct kho_restore_batch *batch)
{
	for (unsigned long i = 0; i < reader->entries; i++) {
		const struct kho_vmalloc_extent *extent = &reader->extents[i];
		unsigned long step;

		for (unsigned long nr = 0; nr < extent->nr_pages; nr += step) {
			step = kho_vmalloc_take_range(reader->area,
						      phys_to_page(extent->phys) + nr,
						      batch);
			if (!step)
				return -EINVAL;
			cond_resched();
		}
	}

	return 0;
}

static void *kho_vmalloc_restore_sparse(struct kho_vmalloc_reader *reader,
					struct kho_restore_batch *batch,
					const void *caller)
{
	struct kho_vmalloc_extent *extents __free(kvfree) = NULL;
	struct vm_struct *area;
	int err;

	if (!kho_vmalloc_read(reader))
		return ERR_PTR(-EINVAL);

	extents = kvmalloc_array(reader->entries, sizeof(*extents), GFP_KERNEL);
	if (!extents)
		return ERR_PTR(-ENOMEM);

	reader->extents = extents;
	reader->max_entries = reader->entries;
	if (!kho_vmalloc_read(reader))
		return ERR_PTR(-EINVAL);

	area = get_vm_area_caller((unsigned long)reader->area->total_pages << PAGE_SHIFT,
				  VM_SPARSE, caller);
	if (!area)
		return ERR_PTR(-ENOMEM);

	err = kho_vmalloc_map_extents(area, reader) ?:
	      kho_vmalloc_claim_chunks(reader->area, batch) ?:
	      kho_vmalloc_take_extents(reader, batch);
	if (err) {
		free_vm_area(area);
		return ERR_PTR(err);
	}

	return area->addr;
}

/* The descriptor is valid; what it leads to is yet to be checked */
static void *kho_vmalloc_restore(const struct kho_vmalloc *preservation,
				 struct kho_restore_batch *batch,
				 const void *caller)
{
	struct kho_vmalloc_reader reader = { .area = preservation };
	struct kho_restore_batch own = {};
	void *mem;

	mem = preservation->flags & KHO_VMALLOC_SPARSE ?
	      kho_vmalloc_restore_sparse(&reader, batch ?: &own, caller) :
	      kho_vmalloc_restore_full(&reader, batch ?: &own, caller);
	if (!IS_ERR(mem))
		kho_vmalloc_free_chunks(preservation);
	kho_restore_batch_end(&own);
	return mem;
}

/**
 * kho_restore_vmalloc - map a preserved vmalloc area again
 * @preservation: the descriptor that the previous kernel stored.
 *
 * The whole list of chunks is checked and the area mapped before the first
 * page is taken over: if anything is wrong with it, or memory is short, all of
 * it stays reserved, and nothing of it is ever freed. On success the chunks
 * are freed and the area is the caller's; it has another address than before. It
 * is to be freed with vfree(), or as its pages were allocated if it is sparse.
 * Areas may be restored at the same time.
 *
 * Context: may sleep.
 * Return: start of the area, %NULL on failure; the log has the reason
 * with a damaged description.
 */
void *kho_restore_vmalloc(const struct kho_vmalloc *preservation)
{
	const struct kho_vmalloc area = *preservation;
	void *mem;

	if (!kho_vmalloc_valid(&area))
		return NULL;

	mem = kho_vmalloc_restore(&area, NULL, __builtin_return_address(0));
	return IS_ERR(mem) ? NULL : mem;
}
EXPORT_SYMBOL_GPL(kho_restore_vmalloc);

/**
 * kho_restore_vmalloc_sized - map a preserved array again
 * @preservation: the descriptor that the previous kernel stored.
 * @nr: number of elements that the array must have.
 * @size: size of an element in bytes.
 * @batch: what accounts for the pages, as for kho_restore_folio_batch(), or
 *	%NULL.
 *
 * For kho_restore_vmalloc_array(), which has the type. The descriptor records the
 * number of pages, which must be what the elements need.
 *
 * Context: may sleep.
 * Return: start of the array; ERR_PTR() of -ENOMEM with the array untouched, so
 * that it can be tried again; of -EINVAL if it is damaged or has another size.
 */
void *kho_restore_vmalloc_sized(const struct kho_vmalloc *preservation, u64 nr,
				size_t size, struct kho_restore_batch *batch)
{
	const struct kho_vmalloc area = *preservation;
	u64 bytes, pages;

	if (!kho_vmalloc_valid(&area))
		return ERR_PTR(-EINVAL);
	if (area.flags & KHO_VMALLOC_SPARSE) {
		pr_warn("area is sparse, expected an array\n");
		return ERR_PTR(-EINVAL);
	}

	if (check_mul_overflow(nr, (u64)size, &bytes))
		bytes = U64_MAX;
	/* An area of larger blocks is rounded up to a whole one */
	pages = round_up(bytes / PAGE_SIZE + !!offset_in_page(bytes),
			 1ULL << area.order);
	if (pages != area.total_pages) {
		pr_warn("area has %u pages, %llu elements of %zu bytes need %llu\n",
			area.total_pages, nr, size, pages);
		return ERR_PTR(-EINVAL);
	}

	return kho_vmalloc_restore(&area, batch, __builtin_return_address(0));
}
EXPORT_SYMBOL_GPL(kho_restore_vmalloc_sized);
