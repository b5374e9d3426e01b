// SPDX-License-Identifier: GPL-2.0-only
/*
 * memfd version 3 - a file in memory, preserved as extents.
 *
 * Owns the walk of the page cache that describes a file, the blocks of memory that
 * store its extents, and the retrieval of both. Version 2, the choice between the
 * versions and the component belong to memfd_luo.c.
 *
 * The layout is in linux/kho/abi/memfd.h.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/dcache.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/memfd.h>
#include <linux/kho/compat.h>
#include <linux/liveupdate.h>
#include <linux/memcontrol.h>
#include <linux/memfd.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>
#include <linux/swap.h>
#include <linux/swapops.h>
#include <linux/uidgid.h>
#include <linux/user_namespace.h>
#include <linux/xarray.h>
#include <uapi/linux/memfd.h>

#include "internal.h"
#include "memfd_luo.h"
#include "page_alloc.h"
#include "swap.h"

static_assert(MEMFD_LUO_EXTENTS_IN_FILE > 0);

/* How many files are described in a page */
#define MEMFD_LUO_FILES_IN_PAGE		(PAGE_SIZE / MEMFD_LUO_FILE_SIZE)

/* Held while a description is allocated, copied or released */
static DEFINE_MUTEX(memfd_luo_ser_lock);

/* The first file of a page of descriptions that has one or has none, as @present says */
static struct memfd_luo_v3_ser *memfd_luo_find_ser(void *page, bool present)
{
	for (unsigned int i = 0; i < MEMFD_LUO_FILES_IN_PAGE; i++) {
		struct memfd_luo_v3_ser *ser = page + i * MEMFD_LUO_FILE_SIZE;

		if (!ser->flags != present)
			return ser;
	}

	return NULL;
}

static void *memfd_luo_ser_page(const struct memfd_luo_v3_ser *ser)
{
	return (void *)((unsigned long)ser & PAGE_MASK);
}

/* Writing */

/*
 * The page that descriptions are allocated from, %NULL if there is none. Only one is
 * remembered: another with room is used again when one of its files is released.
 */
static void *memfd_luo_page;

/* The description of a file. A page has room for several small ones */
static struct memfd_luo_v3_ser *memfd_luo_alloc_ser(void)
{
	struct memfd_luo_v3_ser *ser = NULL;
	void *page;

	guard(mutex)(&memfd_luo_ser_lock);

	if (memfd_luo_page)
		ser = memfd_luo_find_ser(memfd_luo_page, false);
	if (!ser) {
		page = kho_alloc_preserve(PAGE_SIZE);
		if (IS_ERR(page))
			return page;
		memfd_luo_page = page;
		ser = page;
	}

	ser->flags = MEMFD_LUO_FILE_PRESENT;
	return ser;
}

static void memfd_luo_free_ser(struct memfd_luo_v3_ser *ser)
{
	void *page = memfd_luo_ser_page(ser);

	guard(mutex)(&memfd_luo_ser_lock);

	memset(ser, 0, MEMFD_LUO_FILE_SIZE);
	if (memfd_luo_find_ser(page, true)) {
		memfd_luo_page = page;
		return;
	}

	if (memfd_luo_page == page)
		memfd_luo_page = NULL;
	kho_unpreserve_free(page);
}

/* Not an error: what is there has to be read from swap, or moved out of scratch */
#define MEMFD_LUO_MUST_MOVE	1

/**
 * struct memfd_luo_v3 - a file that is preserved
 * @file: the file.
 * @ser: what the next kernel gets.
 * @last: the piece that is being filled.
 * @room: how many extents it has room for.
 * @nr_preserved: how many extents of @last are preserved; those of earlier pieces
 *	all are.
 * @next: the index up to which the file has been described.
 * @end: the first index that is not in the file.
 * @nr_cached: how many pages of the page cache the extents are.
 * @nr_unwritten: how many of them have never been written to.
 * @nr_failed: how many pages of the machine memory failure had taken out before.
 * @beyond: there are pages beyond the end.
 * @counted: memory was found to suffice for what has to be moved.
 */
struct memfd_luo_v3 {
	struct file *file;
	struct memfd_luo_v3_ser *ser;
	struct memfd_luo_extents *last;
	unsigned int room;
	unsigned int nr_preserved;
	pgoff_t next;
	pgoff_t end;
	unsigned long nr_cached;
	unsigned long nr_unwritten;
	long nr_failed;
	bool beyond;
	bool counted;
};

/*
 * Memory that is removed takes its poisoned pages with it: a page that fails when
 * another one goes is not noticed, but its next reader gets a machine check.
 */
static long memfd_luo_nr_failed(void)
{
	if (!IS_ENABLED(CONFIG_MEMORY_FAILURE))
		return 0;
	return atomic_long_read(&num_poisoned_pages);
}

static bool memfd_luo_has_memory(const struct memfd_luo_extent *extent)
{
	return !(extent->flags & MEMFD_LUO_EXTENT_POISONED);
}

static bool memfd_luo_has_poison(unsigned long pfn, unsigned long nr_pages)
{
	return kho_find_poison(pfn, nr_pages) != pfn + nr_pages;
}

static void memfd_luo_unpin_extent(const struct memfd_luo_extent *extent)
{
	if (!memfd_luo_has_memory(extent))
		return;

	for (unsigned long i = 0; i < extent->nr_pages; i += BIT(extent->order)) {
		unpin_folio(pfn_folio(extent->pfn + i));
		cond_resched();
	}
}

/* How many extents are preserved under one lock */
#define MEMFD_LUO_RUNS	32

/*
 * The memory of extents of a piece, from number @from on and at most up to @to.
 *
 * Return: the number of the first extent that is left.
 */
static unsigned int memfd_luo_runs(const struct memfd_luo_extents *piece,
				   unsigned int from, unsigned int to,
				   struct kho_extent *runs, unsigned int *nr)
{
	*nr = 0;
	for (; from < to && *nr < MEMFD_LUO_RUNS; from++) {
		const struct memfd_luo_extent *extent = &piece->extents[from];

		if (memfd_luo_has_memory(extent))
			runs[(*nr)++] = (struct kho_extent) {
				.pfn = extent->pfn,
				.nr_pages = extent->nr_pages,
				.order = extent->order,
			};
	}

	return from;
}

static int memfd_luo_preserve_piece(struct memfd_luo_v3 *w)
{
	struct kho_extent runs[MEMFD_LUO_RUNS];
	unsigned int next, nr;
	int err;

	while (w->nr_preserved < w->last->nr) {
		next = memfd_luo_runs(w->last, w->nr_preserved, w->last->nr, runs, &nr);
		err = kho_preserve_extents(runs, nr);
		if (err)
			return err;
		w->nr_preserved = next;
	}

	return 0;
}

static void memfd_luo_unpreserve_piece(const struct memfd_luo_extents *piece,
				       unsigned int nr_preserved)
{
	struct kho_extent runs[MEMFD_LUO_RUNS];
	unsigned int i = 0, nr;

	while (i < nr_preserved) {
		i = memfd_luo_runs(piece, i, nr_preserved, runs, &nr);
		kho_unpreserve_extents(runs, nr);
	}
}

static unsigned int memfd_luo_room(const struct memfd_luo_v3_ser *ser,
				   const struct memfd_luo_extents *piece)
{
	return piece == &ser->first ? MEMFD_LUO_EXTENTS_IN_FILE :
				      MEMFD_LUO_EXTENTS_IN_PIECE;
}

/* The one before it is full, and its extents are preserved */
static int memfd_luo_add_piece(struct memfd_luo_v3 *w)
{
	struct memfd_luo_extents *piece = kho_alloc_preserve(PAGE_SIZE);

	if (IS_ERR(piece))
		return PTR_ERR(piece);

	KHOSER_STORE_PTR(w->last->next, piece);
	w->last = piece;
	w->room = memfd_luo_room(w->ser, piece);
	w->nr_preserved = 0;
	return 0;
}

static __always_inline bool memfd_luo_continues(const struct memfd_luo_extent *last,
						const struct memfd_luo_extent *add)
{
	return last->index + last->nr_pages == add->index &&
	       (!memfd_luo_has_memory(add) || last->pfn + last->nr_pages == add->pfn) &&
	       last->order == add->order && last->flags == add->flags &&
	       last->nr_pages <= U32_MAX - add->nr_pages;
}

/* False if there is no room. Does not count the pages */
static __always_inline bool memfd_luo_try_add(struct memfd_luo_v3 *w,
					      const struct memfd_luo_extent *add)
{
	struct memfd_luo_extents *piece = w->last;
	struct memfd_luo_extent *last = &piece->extents[piece->nr];

	if (piece->nr && memfd_luo_continues(last - 1, add)) {
		last[-1].nr_pages += add->nr_pages;
		return true;
	}
	if (piece->nr == w->room)
		return false;

	*last = *add;
	piece->nr++;
	w->ser->nr_extents++;
	return true;
}

/* @add is pinned, and still the caller's if this fails */
static int memfd_luo_add_extent(struct memfd_luo_v3 *w,
				const struct memfd_luo_extent *add)
{
	int err;

	if (!memfd_luo_try_add(w, add)) {
		/* The last extent cannot grow any more */
		err = memfd_luo_preserve_piece(w) ?: memfd_luo_add_piece(w);
		if (err)
			return err;
		memfd_luo_try_add(w, add);
	}

	if (memfd_luo_has_memory(add))
		w->ser->nr_pages += add->nr_pages;
	else
		w->ser->nr_poisoned += add->nr_pages;
	w->next = add->index + add->nr_pages;
	return 0;
}

/* There is nothing at that index that could be handed over, and must not be read */
static int memfd_luo_add_poison(struct memfd_luo_v3 *w, pgoff_t index)
{
	const struct memfd_luo_extent extent = {
		.index = index,
		.nr_pages = 1,
		.flags = MEMFD_LUO_EXTENT_POISONED,
	};

	return memfd_luo_add_extent(w, &extent);
}

/*
 * The folio is pinned and locked. It is marked dirty because what is clean may be
 * reclaimed in the next kernel, although it has been written to since.
 */
static int memfd_luo_add_folio(struct memfd_luo_v3 *w, struct folio *folio)
{
	const struct memfd_luo_extent extent = {
		.index = folio->index,
		.pfn = folio_pfn(folio),
		.nr_pages = folio_nr_pages(folio),
		.order = folio_order(folio),
		.flags = folio_test_uptodate(folio) ? MEMFD_LUO_EXTENT_WRITTEN : 0,
	};
	int err;

	if (!folio_test_dirty(folio))
		folio_mark_dirty(folio);

	err = memfd_luo_add_extent(w, &extent);
	if (err)
		return err;

	w->nr_cached += extent.nr_pages;
	if (!extent.flags)
		w->nr_unwritten += extent.nr_pages;
	return 0;
}

/*
 * A poisoned page is all that is lost: a large folio is split, and looked up
 * again. The folio is locked.
 */
static int memfd_luo_skip_poison(struct memfd_luo_v3 *w, struct folio *folio)
{
	int err;

	if (folio_test_large(folio)) {
		err = split_folio(folio);
		if (!err)
			return -EAGAIN;
		pr_warn("memfd has a poisoned page in the folio at index %lu, page frame 0x%lx, which cannot be split: %pe\n",
			folio->index, folio_pfn(folio), ERR_PTR(err));
		return -EHWPOISON;
	}

	err = memfd_luo_add_poison(w, folio->index);
	if (!err)
		w->nr_cached++;
	return err;
}

static int memfd_luo_pin(struct memfd_luo_v3 *w, struct folio *folio)
{
	int err = try_grab_folio(folio, 1, FOLL_PIN);

	if (err)
		return err;

	err = memfd_luo_add_folio(w, folio);
	if (err)
		unpin_folio(folio);
	return err;
}

/*
 * Pin a folio that was found in the page cache. The reference of the look-up does
 * not keep it there; its lock does, and from then on the pin.
 *
 * Return: 0; -EAGAIN if another is there by now; %MEMFD_LUO_MUST_MOVE if it has to
 * be moved before it can be pinned.
 */
static int memfd_luo_pin_found(struct memfd_luo_v3 *w, struct folio *folio,
			       pgoff_t index)
{
	int err;

	folio_lock(folio);
	if (folio->mapping != w->file->f_mapping || folio->index != index)
		err = -EAGAIN;
	else if (folio_contain_hwpoisoned_page(folio))
		err = memfd_luo_skip_poison(w, folio);
	else if (!folio_is_longterm_pinnable(folio))
		err = MEMFD_LUO_MUST_MOVE;
	else
		err = memfd_luo_pin(w, folio);
	folio_unlock(folio);

	return err;
}

/* True if the entry has to be read from swap, or moved */
static bool memfd_luo_must_move(struct folio *folio)
{
	return xa_is_value(folio) || !folio_is_longterm_pinnable(folio);
}

static bool memfd_luo_is_poison_marker(struct folio *entry)
{
	return xa_is_value(entry) &&
	       softleaf_is_poison_marker(radix_to_swp_entry(entry));
}

/* How many pages outside scratch what is found at @index needs */
static unsigned long memfd_luo_entry_needs(struct address_space *mapping,
					   struct folio *folio, pgoff_t index)
{
	if (!memfd_luo_must_move(folio) || memfd_luo_is_poison_marker(folio))
		return 0;
	if (xa_is_value(folio))
		return BIT(xa_get_order(&mapping->i_pages, index));
	return folio_nr_pages(folio);
}

static void memfd_luo_put_entries(struct folio_batch *batch, unsigned int from,
				  unsigned int to)
{
	for (; from < to; from++) {
		if (!xa_is_value(batch->folios[from]))
			folio_put(batch->folios[from]);
	}
}

/*
 * What has been moved out of scratch does not move back: check that memory suffices
 * for all of the file before anything is moved.
 */
static int memfd_luo_check_memory(struct memfd_luo_v3 *w, pgoff_t index)
{
	unsigned long needed = 0, available;
	pgoff_t indices[FOLIO_BATCH_SIZE];
	struct folio_batch batch;
	unsigned int nr;

	if (w->counted)
		return 0;

	folio_batch_init(&batch);
	while (index < w->end &&
	       (nr = find_get_entries(w->file->f_mapping, &index, w->end - 1,
				      &batch, indices))) {
		for (unsigned int i = 0; i < nr; i++)
			needed += memfd_luo_entry_needs(w->file->f_mapping,
							batch.folios[i], indices[i]);
		memfd_luo_put_entries(&batch, 0, nr);
		folio_batch_init(&batch);
		cond_resched();
	}

	available = kho_preservable_pages();
	if (needed > available) {
		/* What CPUs have in their lists is not counted as free */
		drain_all_pages(NULL);
		available = kho_preservable_pages();
	}
	if (needed > available) {
		pr_warn_ratelimited("memfd needs %lu KiB outside scratch, %lu KiB are available\n",
				    needed << (PAGE_SHIFT - 10),
				    available << (PAGE_SHIFT - 10));
		return -ENOMEM;
	}

	w->counted = true;
	return 0;
}

/*
 * Pin what has to be read from swap, or moved, first. There is no hole between
 * @index and @end, which would be filled.
 */
static int memfd_luo_pin_moved(struct memfd_luo_v3 *w, pgoff_t index, pgoff_t end)
{
	struct folio *folios[FOLIO_BATCH_SIZE];
	loff_t last;
	pgoff_t offset;
	long i, nr;
	int err;

	err = memfd_luo_check_memory(w, index);
	if (err)
		return err;

	last = min((loff_t)end << PAGE_SHIFT, i_size_read(file_inode(w->file))) - 1;
	nr = memfd_pin_folios(w->file, (loff_t)index << PAGE_SHIFT, last, folios,
			      ARRAY_SIZE(folios), &offset);
	if (nr < 0) {
		pr_warn("memfd cannot be moved out of scratch or swap from index %lu to %lu: %pe\n",
			index, end, ERR_PTR(nr));
		return nr;
	}

	for (i = 0; i < nr && !err; i++) {
		folio_lock(folios[i]);
		if (folios[i]->mapping != w->file->f_mapping ||
		    folios[i]->index != index)
			err = -EAGAIN;
		else
			err = memfd_luo_add_folio(w, folios[i]);
		index = folio_next_index(folios[i]);
		folio_unlock(folios[i]);
	}
	if (err)
		unpin_folios(folios + i - 1, nr - i + 1);

	/* An entry may have more pages than have been read: look up what is left */
	return err ?: -EAGAIN;
}

/* Entries from @i on that have to be moved, and have no hole between them */
static unsigned int memfd_luo_run(const struct folio_batch *batch,
				  const pgoff_t *indices, unsigned int i)
{
	pgoff_t next;

	do {
		struct folio *folio = batch->folios[i];

		next = indices[i] + (xa_is_value(folio) ? 1 : folio_nr_pages(folio));
		i++;
	} while (i < batch->nr && indices[i] == next &&
		 memfd_luo_must_move(batch->folios[i]) &&
		 !memfd_luo_is_poison_marker(batch->folios[i]) &&
		 (xa_is_value(batch->folios[i]) ||
		  !folio_contain_hwpoisoned_page(batch->folios[i])));

	return i;
}

/* One entry, or several that have to be moved; *@i is then that behind them */
static int memfd_luo_walk_entry(struct memfd_luo_v3 *w, struct folio_batch *batch,
				const pgoff_t *indices, unsigned int *i)
{
	unsigned int first = *i, next = first + 1;
	struct folio *folio = batch->folios[first];
	int err = MEMFD_LUO_MUST_MOVE;
	pgoff_t end;

	if (memfd_luo_is_poison_marker(folio))
		err = memfd_luo_add_poison(w, indices[first]);
	else if (!xa_is_value(folio))
		err = memfd_luo_pin_found(w, folio, indices[first]);

	if (err == MEMFD_LUO_MUST_MOVE)
		next = memfd_luo_run(batch, indices, first);
	end = indices[next - 1] + 1;

	/* They cannot be moved while the references of the look-up are there */
	memfd_luo_put_entries(batch, first, next);
	*i = next;
	if (err == MEMFD_LUO_MUST_MOVE)
		err = memfd_luo_pin_moved(w, indices[first], end);
	return err;
}

static int memfd_luo_walk_batch(struct memfd_luo_v3 *w, struct folio_batch *batch,
				const pgoff_t *indices)
{
	unsigned int i = 0;
	int err = 0;

	while (!err && i < batch->nr) {
		/* A folio that was read from swap may be larger than its entry was */
		if (indices[i] >= w->next) {
			err = memfd_luo_walk_entry(w, batch, indices, &i);
		} else {
			memfd_luo_put_entries(batch, i, i + 1);
			i++;
		}
	}
	memfd_luo_put_entries(batch, i, batch->nr);

	return err;
}

/*
 * Folios that are as they should be are pinned under the lock of the page cache, many
 * at a time: nobody removes or replaces them meanwhile, and whoever wants to later
 * finds them pinned.
 */

/* So many folios are found under one lock */
#define MEMFD_LUO_FOUND		512

/**
 * struct memfd_luo_found - folios that have been pinned under one lock
 * @nr_pages: their pages, without @nr_pins.
 * @nr_unwritten: how many of all their pages have never been written to.
 * @more: the last one, for which the piece has no room; without pages if there is
 *	none.
 * @block: the first page frame of the block of pages that was looked up last, all
 *	of which may be pinned; ULONG_MAX if there is none.
 * @nid: the node of that block.
 * @nr_pins: single pages of that node that are not counted as pinned yet.
 */
struct memfd_luo_found {
	unsigned long nr_pages;
	unsigned long nr_unwritten;
	struct memfd_luo_extent more;
	unsigned long block;
	int nid;
	unsigned int nr_pins;
};

static void memfd_luo_count_pins(struct memfd_luo_found *found)
{
	if (!found->nr_pins)
		return;

	mod_node_page_state(NODE_DATA(found->nid), NR_FOLL_PIN_ACQUIRED, found->nr_pins);
	found->nr_pages += found->nr_pins;
	found->nr_pins = 0;
}

/* Pages of a block are on one node */
static noinline bool memfd_luo_found_block(struct memfd_luo_found *found,
					   struct folio *folio, unsigned long block)
{
	if (!folio_is_longterm_pinnable(folio))
		return false;

	if (found->nid != folio_nid(folio))
		memfd_luo_count_pins(found);
	found->block = block;
	found->nid = folio_nid(folio);
	return true;
}

/* Flags that are tested together cost less than one by one */
static unsigned long memfd_luo_flags(const struct folio *folio)
{
	return READ_ONCE(*const_folio_flags(folio, 0));
}

static __always_inline unsigned long memfd_luo_flags_of_pinned(const struct folio *folio)
{
	/* Reclaim looks for references once it has the lock: one of both sees the other */
	smp_mb__after_atomic();
	return memfd_luo_flags(folio);
}

static __always_inline void memfd_luo_note_written(struct memfd_luo_found *found,
						   struct memfd_luo_extent *extent,
						   unsigned long flags)
{
	if (flags & BIT(PG_uptodate))
		extent->flags = MEMFD_LUO_EXTENT_WRITTEN;
	else
		found->nr_unwritten += extent->nr_pages;
}

/* False if it is the last one that is found */
static __always_inline bool memfd_luo_add_found(struct memfd_luo_v3 *w,
						struct memfd_luo_found *found,
						const struct memfd_luo_extent *extent)
{
	if (!memfd_luo_try_add(w, extent)) {
		found->more = *extent;
		return false;
	}

	w->next = extent->index + extent->nr_pages;
	return true;
}

#define MEMFD_LUO_PLAIN_MASK	(BIT(PG_head) | BIT(PG_dirty) | __PG_HWPOISON)

/*
 * Pin a page that needs no attention: not while it is locked, when it may be about to
 * be moved, swapped out or written to for the first time. If its first write has just
 * ended it may not be marked as written, which is noticed when the kexec begins.
 *
 * FOLL_PIN means this for a small folio; that there are more pins is counted for all of
 * them on a node at once.
 */
static __always_inline bool memfd_luo_pin_if_plain(struct memfd_luo_found *found,
						   struct folio *folio,
						   struct memfd_luo_extent *extent)
{
	const unsigned long block = pageblock_start_pfn(extent->pfn);
	unsigned long flags;

	if ((memfd_luo_flags(folio) & MEMFD_LUO_PLAIN_MASK) != BIT(PG_dirty))
		return false;
	if (block != found->block && !memfd_luo_found_block(found, folio, block))
		return false;

	folio_ref_add(folio, GUP_PIN_COUNTING_BIAS);
	flags = memfd_luo_flags_of_pinned(folio);
	if (flags & BIT(PG_locked)) {
		folio_ref_sub(folio, GUP_PIN_COUNTING_BIAS);
		return false;
	}

	found->nr_pins++;
	memfd_luo_note_written(found, extent, flags);
	return true;
}

/* The same for a large folio, which may have replaced one that has been described */
static noinline bool memfd_luo_find_large(struct memfd_luo_v3 *w,
					  struct memfd_luo_found *found,
					  struct folio *folio, struct xa_state *xas)
{
	struct memfd_luo_extent extent = {
		.index = folio->index,
		.pfn = folio_pfn(folio),
		.nr_pages = folio_nr_pages(folio),
		.order = folio_order(folio),
	};
	unsigned long flags;

	if (!extent.order || extent.index < w->next || !folio_test_dirty(folio) ||
	    folio_contain_hwpoisoned_page(folio) ||
	    !memfd_luo_found_block(found, folio, pageblock_start_pfn(extent.pfn)) ||
	    try_grab_folio(folio, 1, FOLL_PIN))
		return false;

	flags = memfd_luo_flags_of_pinned(folio);
	if (flags & BIT(PG_locked)) {
		unpin_folio(folio);
		return false;
	}

	found->nr_pages += extent.nr_pages;
	memfd_luo_note_written(found, &extent, flags);
	/* Not through the slots that it takes one by one */
	xas_advance(xas, extent.index + extent.nr_pages - 1);
	return memfd_luo_add_found(w, found, &extent);
}

/* From @index on, until something needs more attention or the piece is full */
static void memfd_luo_find_plain(struct memfd_luo_v3 *w, pgoff_t index,
				 struct memfd_luo_found *found)
{
	XA_STATE(xas, &w->file->f_mapping->i_pages, index);
	unsigned int left = MEMFD_LUO_FOUND;
	const pgoff_t last = w->end - 1;
	struct folio *folio;

	xas_lock_irq(&xas);
	xas_for_each(&xas, folio, last) {
		struct memfd_luo_extent extent = { .nr_pages = 1 };
		bool more;

		if (xa_is_value(folio))
			break;

		extent.index = folio->index;
		extent.pfn = folio_pfn(folio);
		if (memfd_luo_pin_if_plain(found, folio, &extent))
			more = memfd_luo_add_found(w, found, &extent);
		else
			more = memfd_luo_find_large(w, found, folio, &xas);
		if (!more || !--left)
			break;
	}
	xas_unlock_irq(&xas);
}

/*
 * Pin and describe what is plain from @index on.
 *
 * Return: 0, with w->next behind it; -ENOENT if there is nothing of the kind.
 */
static int memfd_luo_pin_plain(struct memfd_luo_v3 *w, pgoff_t index)
{
	struct memfd_luo_found found = { .block = ULONG_MAX };
	int err;

	memfd_luo_find_plain(w, index, &found);
	memfd_luo_count_pins(&found);
	if (!found.nr_pages)
		return -ENOENT;

	w->ser->nr_pages += found.nr_pages - found.more.nr_pages;
	w->nr_cached += found.nr_pages;
	w->nr_unwritten += found.nr_unwritten;
	if (!found.more.nr_pages)
		return 0;

	err = memfd_luo_add_extent(w, &found.more);
	if (err)
		memfd_luo_unpin_extent(&found.more);
	return err;
}

static bool memfd_luo_has_more(struct address_space *mapping, pgoff_t index)
{
	return xa_find(&mapping->i_pages, &index, ULONG_MAX, XA_PRESENT);
}

/* Nothing is described yet */
static void memfd_luo_start(struct memfd_luo_v3 *w)
{
	w->last = &w->ser->first;
	w->room = memfd_luo_room(w->ser, w->last);
	w->last->next.phys = 0;
	w->last->nr = 0;
	w->ser->nr_extents = 0;
	w->ser->nr_pages = 0;
	w->ser->nr_poisoned = 0;
}

/* Describe the file: pin and preserve all that is in its page cache, and in swap */
static int memfd_luo_walk(struct memfd_luo_v3 *w)
{
	struct address_space *mapping = w->file->f_mapping;
	pgoff_t indices[FOLIO_BATCH_SIZE];
	struct folio_batch batch;
	pgoff_t index = 0;
	int err = 0;

	w->nr_failed = memfd_luo_nr_failed();
	w->end = DIV_ROUND_UP_ULL(i_size_read(mapping->host), PAGE_SIZE);
	folio_batch_init(&batch);
	while (index < w->end) {
		err = memfd_luo_pin_plain(w, index);
		if (err == -ENOENT) {
			if (!find_get_entries(mapping, &index, w->end - 1, &batch,
					      indices))
				break;
			err = memfd_luo_walk_batch(w, &batch, indices);
			folio_batch_init(&batch);
		}
		if (err == -EAGAIN && !fatal_signal_pending(current))
			index = w->next;
		else if (err)
			return err;
		index = max(index, w->next);
		cond_resched();
	}

	w->beyond = memfd_luo_has_more(mapping, max(w->end, w->next));
	return memfd_luo_preserve_piece(w);
}

/* Undo memfd_luo_walk(), whether or not it succeeded */
static void memfd_luo_forget(struct memfd_luo_v3 *w)
{
	struct memfd_luo_extents *piece = &w->ser->first, *next;

	for (; piece; piece = next) {
		memfd_luo_unpreserve_piece(piece, piece == w->last ?
						  w->nr_preserved : piece->nr);
		for (u64 i = 0; i < piece->nr; i++) {
			memfd_luo_unpin_extent(&piece->extents[i]);
			cond_resched();
		}
		next = KHOSER_LOAD_PTR(piece->next);
		if (piece != &w->ser->first)
			kho_unpreserve_free(piece);
	}

	*w = (struct memfd_luo_v3){ .file = w->file, .ser = w->ser };
	memfd_luo_start(w);
}

static void memfd_luo_save_name(struct file *file, char *to, size_t size)
{
	struct name_snapshot name;

	take_dentry_name_snapshot(&name, file->f_path.dentry);
	strscpy_pad(to, name.name.name, size);
	release_dentry_name_snapshot(&name);
}

/* Everything but the contents; may change until the kexec begins */
static int memfd_luo_save_attributes(struct memfd_luo_v3 *w)
{
	struct inode *inode = file_inode(w->file);
	struct memfd_luo_v3_ser *ser = w->ser;
	int seals = memfd_get_seals(w->file);

	if (seals < 0)
		return seals;
	if (seals & ~MEMFD_LUO_ALL_SEALS) {
		pr_warn("memfd has seals 0x%x, known are 0x%x\n", seals,
			MEMFD_LUO_ALL_SEALS);
		return -EOPNOTSUPP;
	}

	ser->pos = w->file->f_pos;
	ser->size = i_size_read(inode);
	ser->seals = seals;
	ser->mode = inode->i_mode & S_IALLUGO;
	ser->uid = from_kuid(&init_user_ns, inode->i_uid);
	ser->gid = from_kgid(&init_user_ns, inode->i_gid);
	memfd_luo_save_name(w->file, ser->name, sizeof(ser->name));
	return 0;
}

static int memfd_luo_v3_preserve(struct liveupdate_file_op_args *args)
{
	struct inode *inode = file_inode(args->file);
	struct memfd_luo_v3 *w;
	int err;

	err = memfd_luo_get(3);
	if (err)
		return err;

	err = -ENOMEM;
	w = kzalloc_obj(*w);
	if (!w)
		goto put;

	w->file = args->file;
	w->ser = memfd_luo_alloc_ser();
	if (IS_ERR(w->ser)) {
		err = PTR_ERR(w->ser);
		goto free;
	}
	memfd_luo_start(w);

	inode_lock(inode);
	shmem_freeze(inode, true);
	err = memfd_luo_save_attributes(w) ?: memfd_luo_walk(w);
	if (err) {
		memfd_luo_forget(w);
		shmem_freeze(inode, false);
	}
	inode_unlock(inode);
	if (err)
		goto free_ser;

	args->private_data = w;
	args->serialized_data = virt_to_phys(w->ser);
	return 0;

free_ser:
	memfd_luo_free_ser(w->ser);
free:
	kfree(w);
put:
	kho_component_put(&memfd_kho_component);
	return err;
}

static void memfd_luo_v3_unpreserve(struct liveupdate_file_op_args *args)
{
	struct inode *inode = file_inode(args->file);
	struct memfd_luo_v3 *w = args->private_data;

	inode_lock(inode);
	memfd_luo_forget(w);
	shmem_freeze(inode, false);
	inode_unlock(inode);

	memfd_luo_free_ser(w->ser);
	kfree(w);
	kho_component_put(&memfd_kho_component);
}

/*
 * True if a page of the extent has changed its state since. @failed: pages have
 * been poisoned meanwhile.
 */
static bool memfd_luo_extent_changed(const struct memfd_luo_extent *extent, bool failed)
{
	if (!memfd_luo_has_memory(extent))
		return false;
	if (failed && memfd_luo_has_poison(extent->pfn, extent->nr_pages))
		return true;
	if (extent->flags & MEMFD_LUO_EXTENT_WRITTEN)
		return false;

	for (unsigned long i = 0; i < extent->nr_pages; i += BIT(extent->order)) {
		struct folio *folio = pfn_folio(extent->pfn + i);
		bool written;

		/* Somebody may be writing to it right now */
		folio_lock(folio);
		written = folio_test_uptodate(folio);
		folio_unlock(folio);
		if (written)
			return true;
	}

	return false;
}

/*
 * True if pages may have been added. What was described is pinned, so what is in swap
 * has been added since, or is a poison marker. Swapping out counts before it
 * removes, reading from swap adds before it counts: under the lock one of the
 * numbers shows a page that is on its way.
 */
static bool memfd_luo_filled(const struct memfd_luo_v3 *w)
{
	struct address_space *mapping = w->file->f_mapping;
	bool filled;

	xa_lock_irq(&mapping->i_pages);
	filled = mapping->nrpages != w->nr_cached ||
		 READ_ONCE(SHMEM_I(mapping->host)->swapped);
	xa_unlock_irq(&mapping->i_pages);

	return filled;
}

/*
 * What is pinned stays where it is, and the file cannot be cut. But a hole may
 * have been filled, a page been written to for the first time, or memory failed.
 */
static bool memfd_luo_changed(const struct memfd_luo_v3 *w)
{
	const struct memfd_luo_extents *piece = &w->ser->first;
	bool failed = memfd_luo_nr_failed() != w->nr_failed;

	if (w->beyond || memfd_luo_filled(w))
		return true;
	if (!w->nr_unwritten && !failed)
		return false;

	for (; piece; piece = KHOSER_LOAD_PTR(piece->next)) {
		for (u64 i = 0; i < piece->nr; i++) {
			if (memfd_luo_extent_changed(&piece->extents[i], failed))
				return true;
		}
		cond_resched();
	}

	return false;
}

/*
 * Without the lock of the inode: its owner may wait for a page of another file
 * that is held. LUO calls this for one file at a time, and one that was preserved is
 * neither cut nor extended.
 */
static int memfd_luo_v3_freeze(struct liveupdate_file_op_args *args)
{
	struct inode *inode = file_inode(args->file);
	struct memfd_luo_v3 *w = args->private_data;
	int err;

	shmem_hold(inode, true);
	err = memfd_luo_save_attributes(w);
	if (!err && memfd_luo_changed(w)) {
		memfd_luo_forget(w);
		err = memfd_luo_walk(w);
		/* Nothing is preserved then, which the next try notices */
		if (err)
			memfd_luo_forget(w);
	}
	if (err)
		shmem_hold(inode, false);

	return err;
}

static void memfd_luo_v3_unfreeze(struct liveupdate_file_op_args *args)
{
	shmem_hold(file_inode(args->file), false);
}

/* Reading */

/**
 * struct memfd_luo_singles - single pages that are added to a file at once
 * @index: the index of the first one.
 * @nr: how many.
 * @folios: the pages, in the order of their indices, none of which is left out. All
 *	are in one node of the page cache.
 */
struct memfd_luo_singles {
	pgoff_t index;
	unsigned int nr;
	struct folio *folios[XA_CHUNK_SIZE];
};

/**
 * struct memfd_luo_reader - position in the extents of an incoming file
 * @ser: the file.
 * @data: where the previous kernel described it.
 * @batch: what accounts for what is restored.
 * @mapping: where it is added, %NULL if it is freed.
 * @err: why it cannot be added; @mapping is %NULL from then on.
 * @singles: what is about to be added.
 * @nr_pieces: how many pages with pieces have been taken and read.
 * @extents_left: how many extents have not been read.
 * @pages_left: how many pages they have.
 * @poisoned_left: how many they have that are poisoned.
 * @index: the first index that is still free.
 * @end: the first index that is not in the file.
 */
struct memfd_luo_reader {
	const struct memfd_luo_v3_ser *ser;
	phys_addr_t data;
	struct kho_restore_batch *batch;
	struct address_space *mapping;
	int err;
	struct memfd_luo_singles singles;
	unsigned long nr_pieces;
	u64 extents_left;
	u64 pages_left;
	u64 poisoned_left;
	u64 index;
	u64 end;
};

static bool memfd_luo_knows_ser(const struct memfd_luo_v3_ser *ser)
{
	return ser->flags == MEMFD_LUO_FILE_PRESENT &&
	       !(ser->seals & ~MEMFD_LUO_ALL_SEALS);
}

static bool memfd_luo_check_ser(const struct memfd_luo_v3_ser *ser)
{
	u64 held = kho_held_kib() >> (PAGE_SHIFT - 10);

	if (!memfd_luo_knows_ser(ser))
		pr_warn("memfd has seals 0x%x and flags 0x%x, known are 0x%x and 0x%lx\n",
			ser->seals, ser->flags, MEMFD_LUO_ALL_SEALS,
			MEMFD_LUO_FILE_PRESENT);
	else if (ser->size > MAX_LFS_FILESIZE)
		pr_warn("memfd has %llu bytes, at most %llu are possible\n",
			ser->size, (u64)MAX_LFS_FILESIZE);
	else if (ser->pos > MAX_LFS_FILESIZE)
		pr_warn("memfd has position %llu, at most %llu is possible\n",
			ser->pos, (u64)MAX_LFS_FILESIZE);
	else if (ser->mode & ~S_IALLUGO)
		pr_warn("memfd has mode 0%o, permissions are at most 0%o\n",
			ser->mode, S_IALLUGO);
	else if (!uid_valid(make_kuid(&init_user_ns, ser->uid)) ||
		 !gid_valid(make_kgid(&init_user_ns, ser->gid)))
		pr_warn("memfd has owner %u and group %u, expected valid ones\n",
			ser->uid, ser->gid);
	else if (ser->reserved)
		pr_warn("memfd has 0x%x where 0 is expected\n", ser->reserved);
	else if (strnlen(ser->name, sizeof(ser->name)) == sizeof(ser->name))
		pr_warn("memfd has a name of more than %zu bytes\n",
			sizeof(ser->name) - 1);
	else if (ser->nr_pages > held || ser->nr_poisoned > totalram_pages())
		pr_warn("memfd has %llu pages and %llu poisoned ones, at most %llu and %lu are possible\n",
			ser->nr_pages, ser->nr_poisoned, held, totalram_pages());
	else if (ser->nr_extents > ser->nr_pages + ser->nr_poisoned)
		pr_warn("memfd has %llu pages in %llu extents\n",
			ser->nr_pages + ser->nr_poisoned, ser->nr_extents);
	else
		return true;

	return false;
}

/* True if a file may be described at @data: in a page that descriptions may share */
static bool memfd_luo_is_ser(phys_addr_t data)
{
	return IS_ALIGNED(data, MEMFD_LUO_FILE_SIZE) &&
	       !kho_preserved_order(ALIGN_DOWN(data, PAGE_SIZE));
}

/* A copy, as another file may free the page */
static struct memfd_luo_v3_ser *memfd_luo_copy_ser(phys_addr_t data)
{
	struct memfd_luo_v3_ser *ser;

	guard(mutex)(&memfd_luo_ser_lock);

	if (!memfd_luo_is_ser(data)) {
		pr_warn("state of a memfd at %pa is not in preserved memory\n", &data);
		return ERR_PTR(-EINVAL);
	}

	ser = kmemdup(phys_to_virt(data), MEMFD_LUO_FILE_SIZE, GFP_KERNEL);
	return ser ?: ERR_PTR(-ENOMEM);
}

/* Validate and copy the state of an incoming memfd */
static struct memfd_luo_v3_ser *memfd_luo_v3_read(u64 data)
{
	struct memfd_luo_v3_ser *ser;
	int err = kho_object_readable(&memfd_kho_component);

	if (err)
		goto hold_back;

	ser = memfd_luo_copy_ser(data);
	if (ser == ERR_PTR(-ENOMEM))
		return ser;
	if (IS_ERR(ser)) {
		err = PTR_ERR(ser);
		goto hold_back;
	}
	if (memfd_luo_check_ser(ser))
		return ser;

	err = memfd_luo_knows_ser(ser) ? -EINVAL : -EOPNOTSUPP;
	kfree(ser);
hold_back:
	kho_hold_back("a memfd", err);
	return ERR_PTR(err);
}

/*
 * A file has been retrieved or finished. If two have the same description it may be
 * released already.
 */
static void memfd_luo_release_ser(struct kho_restore_batch *batch, phys_addr_t data)
{
	struct memfd_luo_v3_ser *ser = phys_to_virt(data);

	guard(mutex)(&memfd_luo_ser_lock);

	if (!memfd_luo_is_ser(data))
		return;

	ser->flags = 0;
	if (!memfd_luo_find_ser(memfd_luo_ser_page(ser), true))
		kho_restore_free_batch(batch, memfd_luo_ser_page(ser));
}

static bool memfd_luo_check_piece(const struct memfd_luo_reader *r,
				  const struct memfd_luo_extents *piece)
{
	unsigned int room = memfd_luo_room(r->ser, piece);

	if (piece->nr <= min(room, r->extents_left) && !piece->nr == !r->extents_left)
		return true;

	pr_warn("memfd has %llu extents in a piece with room for %u, %llu are left\n",
		piece->nr, room, r->extents_left);
	return false;
}

/* Get a piece before it is read: nobody else may free it meanwhile */
static struct memfd_luo_extents *
memfd_luo_take_piece(struct memfd_luo_reader *r, phys_addr_t phys)
{
	if (!kho_preserved_order(phys) && PHYS_PFN(phys) != PHYS_PFN(r->data) &&
	    kho_restore_folio_batch(r->batch, phys))
		return phys_to_virt(phys);

	pr_warn("extents of a memfd at %pa are not in preserved memory\n", &phys);
	return NULL;
}

/* A kernel without large folios reads those of one with them as single pages */
static unsigned int memfd_luo_max_order(void)
{
	if (IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE))
		return MAX_PAGECACHE_ORDER;
	return min_t(unsigned int, MAX_XAS_ORDER, MAX_FOLIO_ORDER);
}

static bool memfd_luo_check_extent(const struct memfd_luo_reader *r,
				   const struct memfd_luo_extent *e)
{
	bool poisoned = e->flags == MEMFD_LUO_EXTENT_POISONED;
	u64 left = poisoned ? r->poisoned_left : r->pages_left;
	u64 nr_folio;

	if (e->flags & ~MEMFD_LUO_EXTENT_WRITTEN && !poisoned) {
		pr_warn("memfd has flags 0x%x at index %llu, expected 0x%lx, 0x%lx or none\n",
			e->flags, e->index, MEMFD_LUO_EXTENT_WRITTEN,
			MEMFD_LUO_EXTENT_POISONED);
		return false;
	}
	if (e->order > memfd_luo_max_order() || e->reserved || (poisoned && e->order)) {
		pr_warn("memfd has folios of order %u at index %llu, reserved 0x%x; expected at most %u and 0\n",
			e->order, e->index, e->reserved,
			poisoned ? 0 : memfd_luo_max_order());
		return false;
	}

	/* The last folio may go beyond the end */
	nr_folio = BIT_ULL(e->order);
	if (!e->nr_pages || e->index < r->index || e->index >= r->end ||
	    e->nr_pages > round_up(r->end, nr_folio) - e->index ||
	    e->nr_pages > left) {
		pr_warn("memfd has an extent of %u pages at index %llu, expected at most %llu from index %llu to %llu\n",
			e->nr_pages, e->index, left, r->index, r->end);
		return false;
	}
	if (!poisoned && e->pfn <= PHYS_PFN(r->data) &&
	    e->nr_pages > PHYS_PFN(r->data) - e->pfn) {
		pr_warn("memfd has %u pages at page frame 0x%llx, index %llu, with its description at %pa\n",
			e->nr_pages, e->pfn, e->index, &r->data);
		return false;
	}
	if (!IS_ALIGNED(e->index | e->nr_pages | e->pfn, nr_folio) ||
	    (poisoned && e->pfn) || e->pfn > PHYS_PFN(PHYS_ADDR_MAX) - e->nr_pages) {
		pr_warn("memfd has %u pages at page frame 0x%llx, index %llu, not aligned to order %u%s\n",
			e->nr_pages, e->pfn, e->index, e->order,
			poisoned ? ", poisoned" : "");
		return false;
	}

	return true;
}

static bool memfd_luo_read_piece(struct memfd_luo_reader *r,
				 const struct memfd_luo_extents *piece)
{
	if (!memfd_luo_check_piece(r, piece))
		return false;

	for (u64 i = 0; i < piece->nr; i++) {
		const struct memfd_luo_extent *e = &piece->extents[i];

		if (!memfd_luo_check_extent(r, e))
			return false;
		r->index = e->index + e->nr_pages;
		r->extents_left--;
		if (memfd_luo_has_memory(e))
			r->pages_left -= e->nr_pages;
		else
			r->poisoned_left -= e->nr_pages;
	}

	return true;
}

/*
 * Take and check all pieces. An extent that is too long names memory of others,
 * which is known only when what follows it has been read.
 */
static bool memfd_luo_read_pieces(struct memfd_luo_reader *r)
{
	const struct memfd_luo_extents *piece = &r->ser->first;

	if (!memfd_luo_read_piece(r, piece))
		return false;

	while (r->extents_left) {
		piece = memfd_luo_take_piece(r, piece->next.phys);
		if (!piece || !memfd_luo_read_piece(r, piece))
			return false;
		r->nr_pieces++;
		cond_resched();
	}

	if (!r->pages_left && !r->poisoned_left)
		return true;

	pr_warn("memfd has extents of %llu pages and %llu poisoned ones, expected %llu and %llu\n",
		r->ser->nr_pages - r->pages_left,
		r->ser->nr_poisoned - r->poisoned_left, r->ser->nr_pages,
		r->ser->nr_poisoned);
	return false;
}

/* Smaller folios are not worth it: single pages are added many at a time */
#define MEMFD_LUO_JOIN_ORDER	4

/*
 * The largest folio that contiguous pages can begin with, where it may be in a file;
 * 0 for single pages.
 */
static unsigned int memfd_luo_fit_order(u64 index, struct page *page,
					unsigned long nr_pages)
{
	unsigned int order = __ffs64(index | page_to_pfn(page) |
				     rounddown_pow_of_two(nr_pages));

	if (!IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) ||
	    nr_pages < BIT(MEMFD_LUO_JOIN_ORDER))
		return 0;

	order = min_t(unsigned int, order, MAX_PAGECACHE_ORDER);
	while (order && (!(THP_ORDERS_ALL_FILE_DEFAULT & BIT(order)) ||
			 page_zone(page) != page_zone(page + BIT(order) - 1)))
		order--;
	if (order < MEMFD_LUO_JOIN_ORDER)
		return 0;
	/* A page that failed while it was held gives SIGBUS only as a page of its own */
	return memfd_luo_has_poison(page_to_pfn(page), BIT(order)) ? 0 : order;
}

/* How many single pages there are until a folio could begin */
static unsigned long memfd_luo_nr_singles(u64 index, struct page *page,
					  unsigned long nr_pages)
{
	const u64 mask = BIT(MEMFD_LUO_JOIN_ORDER) - 1;

	if ((index ^ page_to_pfn(page)) & mask)
		return nr_pages;
	return min_t(u64, nr_pages, mask + 1 - (index & mask));
}

/* A folio of pages that have been restored, each with a reference of its own */
static struct folio *memfd_luo_join(struct page *page, unsigned int order)
{
	for (unsigned long i = 1; i < BIT(order); i++)
		set_page_count(page + i, 0);
	prep_compound_page(page, order);
	return page_rmappable_folio(page);
}

/* Takes the reference to @folio */
static int memfd_luo_insert(struct address_space *mapping, struct folio *folio,
			    pgoff_t index, bool written)
{
	gfp_t gfp = mapping_gfp_mask(mapping);
	int err;

	__folio_set_locked(folio);
	__folio_set_swapbacked(folio);
	mem_cgroup_charge_nearest(folio, gfp);

	/*
	 * The contents exist only once, and after the first have been taken over
	 * there is no way back: wait for memory rather than lose them.
	 */
	err = shmem_add_to_page_cache(folio, mapping, index, NULL, gfp | __GFP_NOFAIL);
	if (!err) {
		if (written)
			folio_mark_uptodate(folio);
		folio_mark_dirty(folio);
		folio_add_lru(folio);
	} else {
		pr_err("folio at index %lu cannot be added to a memfd: %pe\n",
		       index, ERR_PTR(err));
	}
	folio_unlock(folio);
	folio_put(folio);

	return err;
}

/* What follows is freed */
static void memfd_luo_fail(struct memfd_luo_reader *r, int err)
{
	r->err = err;
	r->mapping = NULL;
}

static void memfd_luo_place(struct memfd_luo_reader *r, struct folio *folio,
			    pgoff_t index, bool written)
{
	int err;

	if (!r->mapping) {
		folio_put(folio);
		return;
	}

	err = memfd_luo_insert(r->mapping, folio, index, written);
	if (err)
		memfd_luo_fail(r, err);
}

/* An index that gives SIGBUS and EIO as long as the page is not cut off */
static int memfd_luo_insert_poison(struct address_space *mapping,
				   const struct memfd_luo_extent *e)
{
	void *marker = swp_to_radix_entry(make_poisoned_swp_entry());
	gfp_t gfp = mapping_gfp_mask(mapping) | __GFP_NOFAIL;
	int err = 0;

	for (u64 i = 0; i < e->nr_pages && !err; i++) {
		err = xa_insert_irq(&mapping->i_pages, e->index + i, marker, gfp);
		if (!err)
			shmem_count_marker(mapping->host);
		cond_resched();
	}
	if (err)
		pr_err("poisoned page cannot be added to a memfd: %pe\n", ERR_PTR(err));

	return err;
}

/* Add the single pages that have been collected, or free them */
static void memfd_luo_flush_singles(struct memfd_luo_reader *r)
{
	struct memfd_luo_singles *singles = &r->singles;
	unsigned int added = 0;

	if (r->mapping)
		added = shmem_add_folios(r->mapping, singles->index, singles->folios,
					 singles->nr,
					 mapping_gfp_mask(r->mapping) | __GFP_NOFAIL);
	folios_add_lru(singles->folios, added);

	if (r->mapping && added < singles->nr) {
		pr_err("page at index %lu cannot be added to a memfd\n",
		       singles->index + added);
		memfd_luo_fail(r, -EEXIST);
	}
	for (unsigned int i = added; i < singles->nr; i++)
		folio_put(singles->folios[i]);

	singles->nr = 0;
	cond_resched();
}

static void memfd_luo_place_single(struct memfd_luo_reader *r, struct folio *folio,
				   pgoff_t index, bool written)
{
	struct memfd_luo_singles *singles = &r->singles;

	if (singles->index + singles->nr != index) {
		memfd_luo_flush_singles(r);
		singles->index = index;
	}

	if (r->mapping) {
		__folio_set_swapbacked(folio);
		mem_cgroup_charge_nearest(folio, mapping_gfp_mask(r->mapping));
		if (written)
			__folio_mark_uptodate(folio);
		folio_set_dirty(folio);
	}

	singles->folios[singles->nr++] = folio;
	if (!((index + 1) % XA_CHUNK_SIZE)) {
		memfd_luo_flush_singles(r);
		singles->index = index + 1;
	}
}

static void memfd_luo_place_pages(struct memfd_luo_reader *r,
				  const struct memfd_luo_extent *e, struct page *page)
{
	bool written = e->flags & MEMFD_LUO_EXTENT_WRITTEN;
	unsigned long done, left, n, i;

	for (done = 0; done < e->nr_pages; done += n) {
		/* What is freed can be as large as it is aligned in memory */
		u64 index = r->mapping ? e->index + done : page_to_pfn(page + done);
		unsigned int order;

		left = e->nr_pages - done;
		order = memfd_luo_fit_order(index, page + done, left);
		if (order) {
			n = BIT(order);
			memfd_luo_place(r, memfd_luo_join(page + done, order), index,
					written);
			cond_resched();
			continue;
		}

		n = memfd_luo_nr_singles(index, page + done, left);
		for (i = done; i < done + n; i++)
			memfd_luo_place_single(r, page_folio(page + i), e->index + i,
					       written);
	}
}

static bool memfd_luo_orders_match(const struct memfd_luo_extent *e)
{
	for (unsigned long i = 0; i < e->nr_pages; i += BIT(e->order)) {
		if (kho_preserved_order(PFN_PHYS(e->pfn + i)) != e->order)
			return false;
	}

	return true;
}

static bool memfd_luo_restore_pages(struct memfd_luo_reader *r,
				    const struct memfd_luo_extent *e)
{
	struct page *page = kho_restore_pages_batch(r->batch, PFN_PHYS(e->pfn),
						    e->nr_pages);

	if (page)
		memfd_luo_place_pages(r, e, page);
	return page;
}

static bool memfd_luo_restore_folio(struct memfd_luo_reader *r,
				    const struct memfd_luo_extent *e)
{
	struct folio *folio;

	if (memfd_luo_has_poison(e->pfn, e->nr_pages))
		return memfd_luo_restore_pages(r, e);

	folio = kho_restore_folio_batch(r->batch, PFN_PHYS(e->pfn));
	if (!folio)
		return false;

	page_rmappable_folio(folio_page(folio, 0));
	memfd_luo_place(r, folio, e->index, e->flags & MEMFD_LUO_EXTENT_WRITTEN);
	return true;
}

/*
 * Restore the memory of an extent, to the file or to the page allocator.
 *
 * Return: %false if it is not there, or not all of it.
 */
static bool memfd_luo_restore_extent(struct memfd_luo_reader *r,
				     const struct memfd_luo_extent *e)
{
	struct memfd_luo_extent one;

	if (e->order && !memfd_luo_orders_match(e))
		return false;
	if (!e->order || !IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE))
		return memfd_luo_restore_pages(r, e);

	one = *e;
	one.nr_pages = BIT(e->order);
	for (; one.index < e->index + e->nr_pages; one.index += one.nr_pages) {
		if (!memfd_luo_restore_folio(r, &one))
			return false;
		one.pfn += one.nr_pages;
		cond_resched();
	}

	return true;
}

static void memfd_luo_restore_poison(struct memfd_luo_reader *r,
				     const struct memfd_luo_extent *e)
{
	int err;

	if (!r->mapping)
		return;

	err = memfd_luo_insert_poison(r->mapping, e);
	if (err)
		memfd_luo_fail(r, err);
}

static bool memfd_luo_restore_piece(struct memfd_luo_reader *r,
				    const struct memfd_luo_extents *piece)
{
	for (u64 i = 0; i < piece->nr; i++) {
		const struct memfd_luo_extent *e = &piece->extents[i];

		if (!memfd_luo_has_memory(e)) {
			memfd_luo_restore_poison(r, e);
		} else if (!memfd_luo_restore_extent(r, e)) {
			pr_warn("memfd has %u pages at page frame 0x%llx, order %u, index %llu, that are not preserved\n",
				e->nr_pages, e->pfn, e->order, e->index);
			return false;
		}
	}
	cond_resched();

	return true;
}

/*
 * Restore all extents, to @mapping or to the page allocator. After one that cannot
 * be added the others are freed. One that is not preserved ends it: whose memory
 * the others name is unknown.
 */
static int memfd_luo_restore(const struct memfd_luo_v3_ser *ser, phys_addr_t data,
			     struct address_space *mapping,
			     struct kho_restore_batch *batch)
{
	struct memfd_luo_reader r = {
		.ser = ser,
		.data = data,
		.batch = batch,
		.mapping = mapping,
		.extents_left = ser->nr_extents,
		.pages_left = ser->nr_pages,
		.poisoned_left = ser->nr_poisoned,
		.end = DIV_ROUND_UP_ULL(ser->size, PAGE_SIZE),
	};
	phys_addr_t phys = ser->first.next.phys;
	bool good = memfd_luo_read_pieces(&r);

	good = good && memfd_luo_restore_piece(&r, &ser->first);

	/*
	 * Nobody else changes pieces that have been taken. One that could not be
	 * read may be somebody else's: it is not freed.
	 */
	for (; r.nr_pieces; r.nr_pieces--) {
		struct memfd_luo_extents *piece = phys_to_virt(phys);

		good = good && memfd_luo_restore_piece(&r, piece);
		phys = piece->next.phys;
		folio_put(virt_to_folio(piece));
	}
	memfd_luo_flush_singles(&r);
	if (good)
		return r.err;

	kho_hold_back("part of a memfd", -EINVAL);
	return -EINVAL;
}

/* The mode first: F_SEAL_EXEC implies other seals for a file that may be executed */
static int memfd_luo_set_attributes(struct file *file,
				    const struct memfd_luo_v3_ser *ser)
{
	struct inode *inode = file_inode(file);

	inode->i_mode = (inode->i_mode & ~S_IALLUGO) | ser->mode;
	inode->i_uid = make_kuid(&init_user_ns, ser->uid);
	inode->i_gid = make_kgid(&init_user_ns, ser->gid);
	vfs_setpos(file, ser->pos, MAX_LFS_FILESIZE);
	i_size_write(inode, ser->size);

	return memfd_add_seals(file, ser->seals);
}

/* A file without contents, for which all its pages are accounted */
static struct file *memfd_luo_make_file(const struct memfd_luo_v3_ser *ser)
{
	struct file *file;
	int err;

	file = memfd_alloc_file(ser->name, MFD_ALLOW_SEALING);
	if (IS_ERR(file)) {
		pr_err("failed to setup file: %pe\n", file);
		/* Nothing was changed. shmem returns ENOSPC if memory is short */
		return file == ERR_PTR(-ENOSPC) ? ERR_PTR(-ENOMEM) : file;
	}

	err = memfd_luo_set_attributes(file, ser);
	if (err) {
		pr_err("failed to add seals: %pe\n", ERR_PTR(err));
		goto put;
	}

	err = memfd_luo_account(file_inode(file), ser->nr_pages + ser->nr_poisoned);
	if (err)
		goto put;

	return file;

put:
	fput(file);
	return ERR_PTR(err);
}

static int memfd_luo_retrieve_file(struct liveupdate_file_op_args *args,
				   const struct memfd_luo_v3_ser *ser)
{
	struct kho_restore_batch batch = {};
	struct file *file;
	int err;

	/* If there is no file nothing has been taken over: another attempt may come */
	file = memfd_luo_make_file(ser);
	if (IS_ERR(file))
		return PTR_ERR(file);

	err = memfd_luo_restore(ser, args->serialized_data, file->f_mapping, &batch);
	/* Gives up what was accounted for and is not there */
	shmem_recalc_inode(file_inode(file), ser->nr_pages + ser->nr_poisoned, 0);
	if (err)
		fput(file);
	else
		args->file = file;

	memfd_luo_release_ser(&batch, args->serialized_data);
	kho_restore_batch_end(&batch);
	return err;
}

/*
 * The memory of the file exists, so a limit neither fails this nor kills anybody:
 * folios and the nodes of the page cache are charged where they fit.
 */
static int memfd_luo_v3_retrieve(struct liveupdate_file_op_args *args)
{
	struct memfd_luo_v3_ser *ser;
	struct mem_cgroup *memcg, *old;
	int err;

	ser = memfd_luo_v3_read(args->serialized_data);
	if (IS_ERR(ser))
		return PTR_ERR(ser);

	guard(memalloc_mayfail)();
	memcg = get_mem_cgroup_with_room(ser->nr_pages +
					 ser->nr_pages / XA_CHUNK_SIZE + 1);
	old = set_active_memcg(memcg);
	err = memfd_luo_retrieve_file(args, ser);
	set_active_memcg(old);
	mem_cgroup_put(memcg);
	kfree(ser);

	return err;
}

static void memfd_luo_v3_finish(struct liveupdate_file_op_args *args)
{
	struct kho_restore_batch batch = {};
	struct memfd_luo_v3_ser *ser;

	/* One that was retrieved is the caller's, or has been cleaned up */
	if (args->retrieve_status)
		return;

	ser = memfd_luo_v3_read(args->serialized_data);
	if (IS_ERR(ser)) {
		/* What is left is held back, for root to release */
		if (ser == ERR_PTR(-ENOMEM))
			kho_hold_back("a memfd", -ENOMEM);
		return;
	}

	memfd_luo_restore(ser, args->serialized_data, NULL, &batch);
	kfree(ser);
	memfd_luo_release_ser(&batch, args->serialized_data);
	kho_restore_batch_end(&batch);
}

static bool memfd_luo_v3_can_preserve(struct liveupdate_file_handler *handler,
				      struct file *file)
{
	return memfd_luo_is_memfd(file) && memfd_kho_component.write == 3;
}

const struct liveupdate_file_ops memfd_luo_v3_file_ops = {
	.freeze = memfd_luo_v3_freeze,
	.unfreeze = memfd_luo_v3_unfreeze,
	.finish = memfd_luo_v3_finish,
	.retrieve = memfd_luo_v3_retrieve,
	.preserve = memfd_luo_v3_preserve,
	.unpreserve = memfd_luo_v3_unpreserve,
	.can_preserve = memfd_luo_v3_can_preserve,
	.get_id = memfd_luo_get_id,
	.owner = THIS_MODULE,
};
