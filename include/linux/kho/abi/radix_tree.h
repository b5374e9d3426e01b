/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Takes the place of a part of
 * include/linux/kho/abi/kexec_handover.h of Linux 7.3:
 * Copyright (C) 2023 Alexander Graf <graf@amazon.com>
 * Copyright (C) 2025 Microsoft Corporation, Mike Rapoport <rppt@kernel.org>
 * Copyright (C) 2025 Google LLC, Changyuan Lyu <changyuanl@google.com>
 * Copyright (C) 2025 Google LLC, Jason Miu <jasonmiu@google.com>
 */
#ifndef _LINUX_KHO_ABI_RADIX_TREE_H
#define _LINUX_KHO_ABI_RADIX_TREE_H

#include <linux/bits.h>
#include <linux/log2.h>
#include <linux/math.h>
#include <linux/types.h>

#include <asm/page.h>

/**
 * DOC: KHO radix tree ABI
 *
 * The tree is a set of integer keys. Every node fills one page. Nodes above
 * the bottom hold the physical addresses of the nodes below them, zero where
 * there is none; a bottom node is a bitmap with one bit for each key.
 *
 * The bitmap is indexed by the low bits of the key, the tables by as many
 * further bits as they have slots, bottom up. With pages of 4 KiB::
 *
 *     bit  59      50      41      32      23      14            0
 *     +----+-------+-------+-------+-------+-------+-------------+
 *     | -- |   5   |   4   |   3   |   2   |   1   |  0 (bitmap) |
 *     +----+-------+-------+-------+-------+-------+-------------+
 *
 * The depth is fixed. Integers are in the byte order of the machine, and the
 * bitmap is an array of unsigned long.
 *
 * Keys of the preserved memory map
 * --------------------------------
 *
 * A range of 2^order pages that starts at a multiple of its own size has the
 * key ::
 *
 *     (1 << (64 - PAGE_SHIFT - order)) | (phys >> (PAGE_SHIFT + order))
 *
 * The topmost set bit gives the order away, the bits below it are the address
 * in units of the range. Orders beyond what the page allocator hands out are
 * legal: a reservation of 64 MiB that is aligned to its size is one key.
 *
 * What needs a new version
 * ------------------------
 *
 * Any change to the constants or structures in this file, or to the meaning of
 * a key, needs a new KHO_RADIX_VERSION. KHO_RADIX_MIN_VERSION follows when the
 * reader of the older layout goes away.
 */

/*
 * Newest and oldest version that this kernel reads; the version that it writes by
 * default, and the oldest that it writes; the version of Linux 7.3, which does not
 * record versions in the KHO FDT.
 */
#define KHO_RADIX_VERSION		1
#define KHO_RADIX_MIN_VERSION		1
#define KHO_RADIX_WRITE_VERSION		1
#define KHO_RADIX_MIN_WRITE_VERSION	1
#define KHO_RADIX_BASELINE_VERSION	1

enum kho_radix_consts {
	/* The frame number and, above it, the bit that gives the order */
	KHO_RADIX_KEY_WIDTH = 64 - PAGE_SHIFT + 1,

	/* log2 of the number of slots in a table */
	KHO_TABLE_SIZE_LOG2 = const_ilog2(PAGE_SIZE / sizeof(u64)),

	/* log2 of the number of bits in a bitmap */
	KHO_BITMAP_SIZE_LOG2 = PAGE_SHIFT + const_ilog2(BITS_PER_BYTE),

	/* Levels, the bitmaps included */
	KHO_TREE_MAX_DEPTH = 1 +
		DIV_ROUND_UP(KHO_RADIX_KEY_WIDTH - KHO_BITMAP_SIZE_LOG2,
			     KHO_TABLE_SIZE_LOG2),
};

/**
 * struct kho_radix_node - a node above the bottom level
 * @table: physical addresses of the nodes one level down, 0 for none.
 */
struct kho_radix_node {
	u64 table[1 << KHO_TABLE_SIZE_LOG2];
};

/**
 * struct kho_radix_leaf - a node of the bottom level
 * @bitmap: a set bit for each key that is present.
 */
struct kho_radix_leaf {
	DECLARE_BITMAP(bitmap, 1 << KHO_BITMAP_SIZE_LOG2);
};

static_assert(sizeof(struct kho_radix_node) == PAGE_SIZE);
static_assert(sizeof(struct kho_radix_leaf) == PAGE_SIZE);

#endif /* _LINUX_KHO_ABI_RADIX_TREE_H */
