/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Takes the place of the file of this name in Linux 7.3:
 * Copyright (c) 2026, Google LLC.
 * Pasha Tatashin <pasha.tatashin@soleen.com>
 */
#ifndef _LINUX_KHO_ABI_BLOCK_H
#define _LINUX_KHO_ABI_BLOCK_H

#include <linux/types.h>

#include <asm/page.h>

/**
 * DOC: KHO block ABI
 *
 * A block set is a list of blocks, each a preserved page of its own. A block
 * starts with a header and goes on with entries of one fixed size, packed
 * without gaps; neither the size nor the meaning of an entry is recorded, both
 * belong to the owner of the set, which also stores the physical address
 * of the first block.
 *
 * A block without entries is legal wherever it stands: Linux 7.3 leaves one at
 * the end of the list of sessions when a session is refused because of its
 * name after room had been made for it.
 *
 * A new KHO_BLOCK_VERSION is needed for any change to the header, to the size
 * of a block, or to where its entries start.
 */

/*
 * Newest and oldest version that this kernel reads; the version that it writes by
 * default, and the oldest that it writes; the version of Linux 7.3, which does not
 * record versions in the KHO FDT.
 */
#define KHO_BLOCK_VERSION		1
#define KHO_BLOCK_MIN_VERSION		1
#define KHO_BLOCK_WRITE_VERSION		1
#define KHO_BLOCK_MIN_WRITE_VERSION	1
#define KHO_BLOCK_BASELINE_VERSION	1

/* Size of a block in bytes; kernels with other page sizes refuse to read it */
#define KHO_BLOCK_SIZE		PAGE_SIZE

/**
 * struct kho_block_header_ser - what a block starts with
 * @next: physical address of the next block, 0 ends the list.
 * @count: number of entries in this block.
 */
struct kho_block_header_ser {
	u64 next;
	u64 count;
} __packed;

#endif /* _LINUX_KHO_ABI_BLOCK_H */
