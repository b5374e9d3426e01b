/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KHO block sets: lists of equally sized entries that survive kexec.
 *
 * This is the in-kernel interface; what a block looks like in memory is in
 * linux/kho/abi/block.h.
 *
 * Takes the place of include/linux/kho_block.h of Linux 7.3:
 * Copyright (c) 2026, Google LLC.
 * Pasha Tatashin <pasha.tatashin@soleen.com>
 */
#ifndef _LINUX_KHO_BLOCK_H
#define _LINUX_KHO_BLOCK_H

#include <linux/list.h>
#include <linux/types.h>
#include <linux/kho/abi/block.h>

/**
 * struct kho_block - this kernel's handle of one block
 * @list: place in the set.
 * @ser: the block itself.
 */
struct kho_block {
	struct list_head list;
	struct kho_block_header_ser *ser;
};

/**
 * struct kho_block_set - a list of blocks whose entries have one size
 * @blocks: the blocks, a list of &struct kho_block.
 * @nblocks: how many there are.
 * @head_pa: physical address of the first block, 0 if there is none.
 * @entry_size: size of an entry in bytes.
 * @count_per_block: how many entries fit into a block.
 * @incoming: the blocks came from the previous kernel.
 *
 * A set has no lock: its owner serialises all calls on it.
 */
struct kho_block_set {
	struct list_head blocks;
	long nblocks;
	u64 head_pa;
	size_t entry_size;
	u64 count_per_block;
	bool incoming;
};

/**
 * struct kho_block_set_it - position in a block set
 * @bs: the set.
 * @block: current block, %NULL in an empty set.
 * @i: index of the next entry in @block.
 */
struct kho_block_set_it {
	struct kho_block_set *bs;
	struct kho_block *block;
	u64 i;
};

/**
 * KHO_BLOCK_SET_INIT - initializer of a block set
 * @_name: the variable that is being initialized.
 * @_entry_size: size of an entry in bytes.
 */
#define KHO_BLOCK_SET_INIT(_name, _entry_size) {				\
	.blocks = LIST_HEAD_INIT((_name).blocks),				\
	.entry_size = (_entry_size),						\
	.count_per_block = (KHO_BLOCK_SIZE - sizeof(struct kho_block_header_ser)) / \
			   (_entry_size),					\
}

void kho_block_set_init(struct kho_block_set *bs, size_t entry_size);
int kho_block_set_grow(struct kho_block_set *bs, u64 count);
void kho_block_set_shrink(struct kho_block_set *bs, u64 count);
void kho_block_set_clear(struct kho_block_set *bs);
int kho_block_set_restore(struct kho_block_set *bs, u64 head_pa);
void kho_block_set_destroy(struct kho_block_set *bs);

void kho_block_set_it_init(struct kho_block_set_it *it, struct kho_block_set *bs);
void *kho_block_set_it_reserve_entry(struct kho_block_set_it *it);
void *kho_block_set_it_read_entry(struct kho_block_set_it *it);
void *kho_block_set_it_prev(struct kho_block_set_it *it);

/**
 * kho_block_set_head_pa - where a set starts
 * @bs: the set.
 *
 * Return: physical address of the first block, 0 if there is none.
 */
static inline u64 kho_block_set_head_pa(struct kho_block_set *bs)
{
	return bs->head_pa;
}

/**
 * kho_block_set_is_empty - check whether a set has no blocks
 * @bs: the set.
 *
 * Return: %true without blocks, %false with one, even if it has no entries.
 */
static inline bool kho_block_set_is_empty(struct kho_block_set *bs)
{
	return list_empty(&bs->blocks);
}

#endif /* _LINUX_KHO_BLOCK_H */
