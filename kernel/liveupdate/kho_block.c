// SPDX-License-Identifier: GPL-2.0
/*
 * KHO blocks - lists of equally sized entries that survive kexec.
 *
 * Owns the list of blocks and the position in it. The pages come from the core
 * through its public functions. The meaning of an entry and the lock of a set
 * belong to the user of the set.
 *
 * The layout is in linux/kho/abi/block.h.
 *
 * Takes the place of the file of this name in Linux 7.3:
 * Copyright (c) 2026, Google LLC.
 * Pasha Tatashin <pasha.tatashin@soleen.com>
 */

#define pr_fmt(fmt) "KHO: block: " fmt

#include <linux/export.h>
#include <linux/io.h>
#include <linux/kexec_handover.h>
#include <linux/kho/block.h>
#include <linux/kho/compat.h>
#include <linux/slab.h>
#include <linux/string.h>

struct kho_component kho_block_component = {
	.name = "block",
	KHO_COMPONENT_VERSIONS(KHO_BLOCK),
};

/*
 * More than any set needs, some 40 MiB of blocks: it bounds the walk of a list
 * that the previous kernel may have corrupted.
 */
#define KHO_BLOCK_MAX_BLOCKS	10000

/**
 * kho_block_set_init - make an empty set
 * @bs: the set.
 * @entry_size: size of an entry in bytes, at most what a block holds.
 */
void kho_block_set_init(struct kho_block_set *bs, size_t entry_size)
{
	*bs = (struct kho_block_set)KHO_BLOCK_SET_INIT(*bs, entry_size);
	WARN_ON_ONCE(!bs->count_per_block);
}
EXPORT_SYMBOL_GPL(kho_block_set_init);

static void *kho_block_entry(struct kho_block_set_it *it, u64 index)
{
	return (void *)(it->block->ser + 1) + index * it->bs->entry_size;
}

static struct kho_block *kho_block_last(struct kho_block_set *bs)
{
	return list_last_entry_or_null(&bs->blocks, struct kho_block, list);
}

/* Link a block in at the end, in this kernel's list only */
static int kho_block_track(struct kho_block_set *bs,
			   struct kho_block_header_ser *ser)
{
	struct kho_block *block;

	if (bs->nblocks == KHO_BLOCK_MAX_BLOCKS)
		return -ENOSPC;

	block = kzalloc_obj(*block);
	if (!block)
		return -ENOMEM;

	block->ser = ser;
	list_add_tail(&block->list, &bs->blocks);
	bs->nblocks++;
	return 0;
}

static void kho_block_untrack(struct kho_block_set *bs, struct kho_block *block)
{
	list_del(&block->list);
	bs->nblocks--;
	kfree(block);
}

static int kho_block_append(struct kho_block_set *bs)
{
	struct kho_block *last = kho_block_last(bs);
	struct kho_block_header_ser *ser;
	int err;

	ser = kho_alloc_preserve(KHO_BLOCK_SIZE);
	if (IS_ERR(ser))
		return PTR_ERR(ser);

	err = kho_block_track(bs, ser);
	if (err) {
		kho_unpreserve_free(ser);
		return err;
	}

	*(last ? &last->ser->next : &bs->head_pa) = virt_to_phys(ser);
	if (!last)
		kho_component_get(&kho_block_component);
	return 0;
}

static void kho_block_free(struct kho_block_set *bs, struct kho_block *block)
{
	if (bs->incoming)
		folio_put(virt_to_folio(block->ser));
	else
		kho_unpreserve_free(block->ser);
	kho_block_untrack(bs, block);
	if (!bs->incoming && !bs->nblocks)
		kho_component_put(&kho_block_component);
}

static void kho_block_drop_last(struct kho_block_set *bs)
{
	struct kho_block *last = kho_block_last(bs);

	kho_block_free(bs, last);

	last = kho_block_last(bs);
	*(last ? &last->ser->next : &bs->head_pa) = 0;
}

/**
 * kho_block_set_grow - allocate blocks for more entries
 * @bs: the set, an outgoing one.
 * @count: number of entries that it must have room for.
 *
 * Room that is there already is never given up.
 *
 * Context: under the lock of the owner; may sleep.
 * Return: 0; -ENOMEM, or -ENOSPC beyond the largest number of blocks, with the
 * set as it was before; -EINVAL for a set from the previous kernel.
 */
int kho_block_set_grow(struct kho_block_set *bs, u64 count)
{
	long before = bs->nblocks;
	int err;

	if (WARN_ON_ONCE(bs->incoming))
		return -EINVAL;

	while (bs->nblocks * bs->count_per_block < count) {
		err = kho_block_append(bs);
		if (err)
			goto undo;
	}

	return 0;

undo:
	while (bs->nblocks > before)
		kho_block_drop_last(bs);
	return err;
}
EXPORT_SYMBOL_GPL(kho_block_set_grow);

/**
 * kho_block_set_shrink - free blocks that are no longer needed
 * @bs: the set, outgoing or incoming.
 * @count: number of entries that it must still have room for.
 *
 * Blocks go from the end, whatever they hold: an owner that removes entries
 * must close the gaps, or remove the last entries first. Blocks of the previous
 * kernel stay until kho_block_set_destroy(), because readers keep pointers to
 * what they have read.
 *
 * Context: under the lock of the owner.
 */
void kho_block_set_shrink(struct kho_block_set *bs, u64 count)
{
	if (bs->incoming)
		return;

	while (bs->nblocks && (bs->nblocks - 1) * bs->count_per_block >= count)
		kho_block_drop_last(bs);
}
EXPORT_SYMBOL_GPL(kho_block_set_shrink);

/**
 * kho_block_set_clear - remove all entries and keep the blocks
 * @bs: the set.
 *
 * Context: under the lock of the owner.
 */
void kho_block_set_clear(struct kho_block_set *bs)
{
	struct kho_block *block;

	list_for_each_entry(block, &bs->blocks, list) {
		memset(block->ser + 1, 0, KHO_BLOCK_SIZE - sizeof(*block->ser));
		block->ser->count = 0;
	}
}
EXPORT_SYMBOL_GPL(kho_block_set_clear);

static bool kho_block_valid(struct kho_block_set *bs, phys_addr_t phys)
{
	struct kho_block_header_ser *ser;

	if (kho_preserved_order(phys) != 0) {
		pr_warn("block at %pa is not a preserved page\n", &phys);
		return false;
	}

	ser = phys_to_virt(phys);
	if (ser->count > bs->count_per_block) {
		pr_warn("block at %pa claims %llu entries, there is room for %llu\n",
			&phys, ser->count, bs->count_per_block);
		return false;
	}

	return true;
}

/* Stop tracking all blocks; their pages are not freed */
static void kho_block_set_forget(struct kho_block_set *bs)
{
	struct kho_block *block, *next;

	list_for_each_entry_safe(block, next, &bs->blocks, list)
		kho_block_untrack(bs, block);
	bs->head_pa = 0;
}

/**
 * kho_block_set_restore - take over a set from the previous kernel
 * @bs: an initialized, empty set with the entry size that was written.
 * @head_pa: physical address of the first block, 0 for a set without blocks.
 *
 * Blocks without entries are accepted, see the ABI. On success the blocks are
 * the set's until kho_block_set_destroy(). If anything is wrong @bs stays empty
 * and no block reaches the page allocator: its contents, and the owner of what it
 * refers to, are then unknown.
 *
 * Context: under the lock of the owner; may sleep.
 * Return: 0; -EINVAL if a block is damaged, or another list's as well, or the
 * list does not end; -ENOMEM, then it can be tried again.
 */
int kho_block_set_restore(struct kho_block_set *bs, u64 head_pa)
{
	struct kho_block_header_ser *ser;
	struct kho_block *block;
	int err;

	bs->incoming = true;
	bs->head_pa = head_pa;

	for (u64 phys = head_pa; phys; phys = ser->next) {
		err = -EINVAL;
		if (!kho_block_valid(bs, phys))
			goto forget;

		ser = phys_to_virt(phys);
		err = kho_block_track(bs, ser);
		if (err == -ENOSPC) {
			pr_warn("list at 0x%llx has more than %d blocks\n",
				head_pa, KHO_BLOCK_MAX_BLOCKS);
			err = -EINVAL;
		}
		if (err)
			goto forget;
	}

	/*
	 * While a set is read its blocks must not be freed or used otherwise. Two lists
	 * that share a block, or a page that is a block and part of a file, are corrupt:
	 * the first claim succeeds.
	 */
	err = -EINVAL;
	list_for_each_entry(block, &bs->blocks, list) {
		if (!kho_restore_folio(virt_to_phys(block->ser)))
			goto forget;
	}
	return 0;

forget:
	kho_block_set_forget(bs);
	return err;
}
EXPORT_SYMBOL_GPL(kho_block_set_restore);

/**
 * kho_block_set_destroy - free all blocks of a set
 * @bs: the set, outgoing or incoming; empty and outgoing afterwards.
 *
 * Context: under the lock of the owner.
 */
void kho_block_set_destroy(struct kho_block_set *bs)
{
	struct kho_block *block, *next;

	list_for_each_entry_safe(block, next, &bs->blocks, list)
		kho_block_free(bs, block);
	bs->head_pa = 0;
	bs->incoming = false;
}
EXPORT_SYMBOL_GPL(kho_block_set_destroy);

/**
 * kho_block_set_it_init - start at the first entry
 * @it: the position.
 * @bs: the set.
 */
void kho_block_set_it_init(struct kho_block_set_it *it, struct kho_block_set *bs)
{
	*it = (struct kho_block_set_it) {
		.bs = bs,
		.block = list_first_entry_or_null(&bs->blocks, struct kho_block, list),
	};
}
EXPORT_SYMBOL_GPL(kho_block_set_it_init);

static bool kho_block_it_next_block(struct kho_block_set_it *it)
{
	if (list_is_last(&it->block->list, &it->bs->blocks))
		return false;

	it->block = list_next_entry(it->block, list);
	it->i = 0;
	return true;
}

/**
 * kho_block_set_it_reserve_entry - next entry for writing
 * @it: the position; it moves on.
 *
 * The entry counts as written at once, so that its block is complete whenever
 * kexec comes.
 *
 * Return: the entry, %NULL if the room made by kho_block_set_grow() is used up.
 */
void *kho_block_set_it_reserve_entry(struct kho_block_set_it *it)
{
	if (!it->block)
		return NULL;
	if (it->i == it->bs->count_per_block && !kho_block_it_next_block(it))
		return NULL;

	it->block->ser->count = it->i + 1;
	return kho_block_entry(it, it->i++);
}
EXPORT_SYMBOL_GPL(kho_block_set_it_reserve_entry);

/**
 * kho_block_set_it_read_entry - next entry for reading
 * @it: the position; it moves on.
 *
 * Return: the entry, %NULL after the last one.
 */
void *kho_block_set_it_read_entry(struct kho_block_set_it *it)
{
	if (!it->block)
		return NULL;

	/* More than one step where blocks are empty */
	while (it->i == it->block->ser->count) {
		if (!kho_block_it_next_block(it))
			return NULL;
	}

	return kho_block_entry(it, it->i++);
}
EXPORT_SYMBOL_GPL(kho_block_set_it_read_entry);

/**
 * kho_block_set_it_prev - previous entry, for undoing what was written
 * @it: the position; it moves back.
 *
 * Blocks before the current one are taken to be full, which they are in a set
 * that was filled by kho_block_set_it_reserve_entry().
 *
 * Return: the entry, %NULL at the start of the set.
 */
void *kho_block_set_it_prev(struct kho_block_set_it *it)
{
	if (!it->block)
		return NULL;

	if (!it->i) {
		if (list_is_first(&it->block->list, &it->bs->blocks))
			return NULL;
		it->block = list_prev_entry(it->block, list);
		it->i = it->bs->count_per_block;
	}

	return kho_block_entry(it, --it->i);
}
EXPORT_SYMBOL_GPL(kho_block_set_it_prev);
