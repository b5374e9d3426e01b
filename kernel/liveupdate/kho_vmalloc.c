// SPDX-License-Identifier: GPL-2.0-only
/*
 * KHO vmalloc - vmalloc areas that survive kexec.
 *
 * Owns the list of chunks that says which pages back an area, and the mapping
 * of those pages in the next kernel. The pages and chunks themselves are
 * preserved and restored by the core, through its public functions and, for
 * pages that have been checked already, kho_restore_range().
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
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/vmstat.h>

#include "../../mm/vmalloc.h"
#include "kexec_handover_internal.h"

struct kho_component kho_vmalloc_component = {
	.name = "vmalloc",
	.min_version = KHO_VMALLOC_MIN_VERSION,
	.version = KHO_VMALLOC_VERSION,
	.min_write = KHO_VMALLOC_MIN_WRITE_VERSION,
	.write = KHO_VMALLOC_WRITE_VERSION,
	.baseline = KHO_VMALLOC_BASELINE_VERSION,
};

#define KHO_VMALLOC_KNOWN_VM_FLAGS	(VM_ALLOC | VM_ALLOW_HUGE_VMAP)
#define KHO_VMALLOC_KNOWN_FLAGS		(KHO_VMALLOC_ALLOC | KHO_VMALLOC_HUGE_VMAP)

static u16 kho_vmalloc_flags(unsigned long vm_flags)
{
	return (vm_flags & VM_ALLOC ? KHO_VMALLOC_ALLOC : 0) |
	       (vm_flags & VM_ALLOW_HUGE_VMAP ? KHO_VMALLOC_HUGE_VMAP : 0);
}

static unsigned long kho_vmalloc_vm_flags(u16 flags)
{
	return (flags & KHO_VMALLOC_ALLOC ? VM_ALLOC : 0) |
	       (flags & KHO_VMALLOC_HUGE_VMAP ? VM_ALLOW_HUGE_VMAP : 0);
}

/* Append an empty, preserved chunk behind @link */
static struct kho_vmalloc_chunk *
kho_vmalloc_add_chunk(struct kho_vmalloc_hdr *link)
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

/**
 * kho_preserve_vmalloc - preserve a vmalloc area
 * @ptr: start of an area from vmalloc(), vmalloc_huge() or a variant of them.
 * @preservation: descriptor to fill in. The caller hands it over in memory of
 *	its own, and to kho_unpreserve_vmalloc() if kexec does not come.
 *
 * On failure nothing stays preserved and @preservation means nothing. The area
 * remains the caller's: it must neither free nor grow it while it is preserved.
 * Which NUMA node the pages came from is kept, a policy for them is not.
 *
 * Context: may sleep.
 * Return: 0; -EINVAL if @ptr is not a vmalloc area; -EOPNOTSUPP if the area is
 * not plain memory of the kernel; as kho_preserve_pages().
 */
int kho_preserve_vmalloc(void *ptr, struct kho_vmalloc *preservation)
{
	struct vm_struct *vm = find_vm_area(ptr);
	struct kho_vmalloc_hdr first = {};
	struct kho_vmalloc_chunk *chunk;
	unsigned int order, used = 0;
	int err;

	if (!vm)
		return -EINVAL;
	if (vm->flags & ~KHO_VMALLOC_KNOWN_VM_FLAGS)
		return -EOPNOTSUPP;

	chunk = kho_vmalloc_add_chunk(&first);
	if (IS_ERR(chunk))
		return PTR_ERR(chunk);

	/* Complete and counted from the start: the error path below undoes that */
	order = get_vm_area_page_order(vm);
	*preservation = (struct kho_vmalloc) {
		.first.phys = first.next.phys,
		.total_pages = vm->nr_pages,
		.flags = kho_vmalloc_flags(vm->flags),
		.order = order,
	};
	kho_component_get(&kho_vmalloc_component);

	for (unsigned int i = 0; i < vm->nr_pages; i += 1U << order) {
		if (used == ARRAY_SIZE(chunk->phys)) {
			chunk = kho_vmalloc_add_chunk(&chunk->hdr);
			if (IS_ERR(chunk)) {
				err = PTR_ERR(chunk);
				goto undo;
			}
			used = 0;
		}

		err = kho_preserve_pages(vm->pages[i], 1UL << order);
		if (err)
			goto undo;
		chunk->phys[used++] = page_to_phys(vm->pages[i]);
	}

	return 0;

undo:
	kho_unpreserve_vmalloc(preservation);
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
	struct kho_vmalloc_chunk *next, *chunk = KHOSER_LOAD_PTR(preservation->first);

	if (!chunk)
		return;

	for (; chunk; chunk = next) {
		next = KHOSER_LOAD_PTR(chunk->hdr.next);

		for (int i = 0; i < ARRAY_SIZE(chunk->phys) && chunk->phys[i]; i++)
			kho_unpreserve_pages(phys_to_page(chunk->phys[i]),
					     1UL << preservation->order);

		kho_unpreserve_pages(virt_to_page(chunk), 1);
		free_page((unsigned long)chunk);
	}
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

	return true;
}

/*
 * A list is read for long before its chunks are claimed. If two areas name the
 * same chunks, the second one has to find them gone.
 */
static DEFINE_MUTEX(kho_vmalloc_lock);

/*
 * Count the pages that the chunk at @phys names, without touching them, and store
 * them to @pages unless that is NULL. Returns a negative error if the chunk or
 * anything in it is not what the previous kernel preserved, or if there are more
 * than @max pages.
 */
static long kho_vmalloc_read_chunk(phys_addr_t phys, unsigned int order,
				   unsigned long max, struct page **pages)
{
	struct kho_vmalloc_chunk *chunk;
	unsigned long nr = 0;

	if (kho_preserved_order(phys) != 0) {
		pr_warn("chunk at %pa is not a preserved page\n", &phys);
		return -EINVAL;
	}

	chunk = phys_to_virt(phys);
	for (int i = 0; i < ARRAY_SIZE(chunk->phys) && chunk->phys[i]; i++) {
		phys_addr_t block = READ_ONCE(chunk->phys[i]);

		if (kho_preserved_order(block) != order) {
			pr_warn("block at %pa is not a preserved range of order %u\n",
				&block, order);
			return -EINVAL;
		}
		nr += 1UL << order;
		if (nr > max) {
			pr_warn("chunk at %pa goes beyond the end of its area\n",
				&phys);
			return -EINVAL;
		}
		for (unsigned long j = 0; pages && j < 1UL << order; j++)
			*pages++ = phys_to_page(block) + j;
	}

	/* Only the last chunk may be empty */
	if (!nr && chunk->hdr.next.phys) {
		pr_warn("chunk at %pa is empty but not the last one\n", &phys);
		return -EINVAL;
	}

	return nr;
}

/*
 * The size that an area claims is no bound for the walk, it may be as wrong as
 * the list. So one chunk is remembered, a later one each time that the number
 * of chunks has doubled: in a circle it comes back.
 */
static bool kho_vmalloc_read(const struct kho_vmalloc *p, struct page **pages)
{
	phys_addr_t phys = p->first.phys, remembered = 0;
	unsigned long total = 0, chunks = 0;

	while (phys) {
		long nr = kho_vmalloc_read_chunk(phys, p->order,
						 p->total_pages - total,
						 pages ? pages + total : NULL);

		if (nr < 0)
			return false;
		if (phys == remembered) {
			pr_warn("list of chunks goes in a circle at %pa\n", &phys);
			return false;
		}
		if (is_power_of_2(++chunks))
			remembered = phys;
		total += nr;
		phys = ((struct kho_vmalloc_chunk *)phys_to_virt(phys))->hdr.next.phys;
		cond_resched();
	}

	if (total != p->total_pages) {
		pr_warn("area lists %lu pages, expected %u\n", total,
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

/*
 * Take the pages over. The one way left to fail is a block that stands in the
 * list twice, or in two lists: whose pages these are is then unknown, so none of
 * those that were taken is freed.
 */
static int kho_vmalloc_take_pages(const struct kho_vmalloc *p,
				  struct page **pages,
				  struct kho_restore_batch *batch)
{
	unsigned long step = 1UL << p->order;
	unsigned long i;

	for (i = 0; i < p->total_pages; i += step) {
		if (!kho_restore_range(batch, pages[i], p->order)) {
			pr_warn("block at page frame 0x%lx is listed twice\n",
				page_to_pfn(pages[i]));
			return -EINVAL;
		}
	}

	/* vfree() will take them off again */
	for (i = 0; i < p->total_pages; i += step)
		mod_lruvec_page_state(pages[i], NR_VMALLOC, step);

	return 0;
}

static void kho_vmalloc_free_chunks(const struct kho_vmalloc *p,
				    struct kho_restore_batch *batch)
{
	struct kho_vmalloc_chunk *next, *chunk = KHOSER_LOAD_PTR(p->first);

	for (; chunk; chunk = next) {
		next = KHOSER_LOAD_PTR(chunk->hdr.next);
		/* Another owner may have written to it: the list is invalid then */
		if (!kho_restore_free_batch(batch, chunk))
			break;
	}
}

/* The descriptor is valid; what it leads to is yet to be checked */
static void *kho_vmalloc_restore(const struct kho_vmalloc *preservation,
				 struct kho_restore_batch *batch,
				 const void *caller)
{
	kasan_vmalloc_flags_t kasan_flags = KASAN_VMALLOC_PROT_NORMAL;
	struct page **pages __free(kvfree) = NULL;
	struct vm_struct *area;

	guard(mutex)(&kho_vmalloc_lock);

	/* An array of more than one page is allocated only for a valid list */
	if (preservation->total_pages > PAGE_SIZE / sizeof(*pages) &&
	    !kho_vmalloc_read(preservation, NULL))
		return ERR_PTR(-EINVAL);

	pages = kvmalloc_array(preservation->total_pages, sizeof(*pages),
			       GFP_KERNEL);
	if (!pages)
		return ERR_PTR(-ENOMEM);

	/* Pages of a chunk may also belong to a file that is in use by now */
	if (!kho_vmalloc_read(preservation, pages))
		return ERR_PTR(-EINVAL);

	area = kho_vmalloc_map(preservation, pages, caller);
	if (!area)
		return ERR_PTR(-ENOMEM);

	if (kho_vmalloc_take_pages(preservation, pages, batch)) {
		free_vm_area(area);
		return ERR_PTR(-EINVAL);
	}
	kho_vmalloc_free_chunks(preservation, batch);

	area->nr_pages = preservation->total_pages;
	area->pages = no_free_ptr(pages);

	if (preservation->flags & KHO_VMALLOC_ALLOC)
		kasan_flags |= KASAN_VMALLOC_VM_ALLOC;
	area->addr = kasan_unpoison_vmalloc(area->addr,
					    area->nr_pages * PAGE_SIZE, kasan_flags);
	clear_vm_uninitialized_flag(area);

	return area->addr;
}

/**
 * kho_restore_vmalloc - map a preserved vmalloc area again
 * @preservation: the descriptor that the previous kernel stored.
 *
 * The whole list of chunks is checked and the area mapped before the first
 * page is taken over: if anything is wrong with it, or memory is short, all of
 * it stays reserved, and nothing of it is ever freed. On success the chunks
 * are freed and the area is the caller's, to be freed with vfree(); it has
 * another address than before.
 *
 * Context: may sleep.
 * Return: start of the area, %NULL on failure; the log says what was wrong
 * with a damaged description.
 */
void *kho_restore_vmalloc(const struct kho_vmalloc *preservation)
{
	const struct kho_vmalloc area = *preservation;
	struct kho_restore_batch batch = {};
	void *mem;

	if (!kho_vmalloc_valid(&area))
		return NULL;

	mem = kho_vmalloc_restore(&area, &batch, __builtin_return_address(0));
	kho_restore_batch_end(&batch);
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
 * For kho_restore_vmalloc_array(), which knows the type. The descriptor says
 * how many pages there are but not what is in them, so this is as much as can
 * be checked: that they are as many as the elements need.
 *
 * Context: may sleep.
 * Return: start of the array; ERR_PTR() of -ENOMEM with the array untouched, so
 * that it can be tried again; of -EINVAL if it is damaged or has another size.
 */
void *kho_restore_vmalloc_sized(const struct kho_vmalloc *preservation, u64 nr,
				size_t size, struct kho_restore_batch *batch)
{
	const struct kho_vmalloc area = *preservation;
	struct kho_restore_batch own = {};
	u64 bytes, pages;
	void *mem;

	if (!kho_vmalloc_valid(&area))
		return ERR_PTR(-EINVAL);

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

	mem = kho_vmalloc_restore(&area, batch ?: &own,
				  __builtin_return_address(0));
	if (!batch)
		kho_restore_batch_end(&own);
	return mem;
}
EXPORT_SYMBOL_GPL(kho_restore_vmalloc_sized);
