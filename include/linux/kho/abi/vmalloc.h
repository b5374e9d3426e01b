/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Takes the place of a part of
 * include/linux/kho/abi/kexec_handover.h of Linux 7.3:
 * Copyright (C) 2023 Alexander Graf <graf@amazon.com>
 * Copyright (C) 2025 Microsoft Corporation, Mike Rapoport <rppt@kernel.org>
 * Copyright (C) 2025 Google LLC, Changyuan Lyu <changyuanl@google.com>
 * Copyright (C) 2025 Google LLC, Jason Miu <jasonmiu@google.com>
 */
#ifndef _LINUX_KHO_ABI_VMALLOC_H
#define _LINUX_KHO_ABI_VMALLOC_H

#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/types.h>
#include <linux/kho/abi/compat.h>

#include <asm/page.h>

/**
 * DOC: KHO vmalloc ABI
 *
 * A preserved vmalloc area is described by a &struct kho_vmalloc, which its
 * owner stores in a structure of its own. The descriptor leads to a list of
 * chunks, each one page, that name the physical address of every block of
 * pages that backs the area, in the order in which they are mapped. A block
 * has 2^order pages; chunk entries after the last block are zero.
 *
 * The chunks, and the pages that they name, are preserved pages of the core.
 * A writer that has just filled a chunk may append another before it knows
 * whether it needs one, so a list may end in a chunk without entries. Readers
 * accept that.
 *
 * A new KHO_VMALLOC_VERSION is needed for any change to the structures in this
 * file, for a new flag, and for a change to what a chunk entry means.
 */

/*
 * The newest version that this kernel reads, and the oldest; what it writes if
 * nothing speaks for another, and the oldest that it writes; what Linux 7.3 wrote
 * before versions were stated in the KHO FDT.
 */
#define KHO_VMALLOC_VERSION		1
#define KHO_VMALLOC_MIN_VERSION		1
#define KHO_VMALLOC_WRITE_VERSION	1
#define KHO_VMALLOC_MIN_WRITE_VERSION	1
#define KHO_VMALLOC_BASELINE_VERSION	1

/* The area came from vmalloc() */
#define KHO_VMALLOC_ALLOC		BIT(0)
/* The area may be mapped with huge pages */
#define KHO_VMALLOC_HUGE_VMAP		BIT(1)

struct kho_vmalloc_chunk;

/*
 * struct kho_vmalloc_hdr - what a chunk starts with
 * @next: the chunk that continues the list.
 */
struct kho_vmalloc_hdr {
	DECLARE_KHOSER_PTR(next, struct kho_vmalloc_chunk *);
};

/* Entries in a chunk */
#define KHO_VMALLOC_SIZE \
	((PAGE_SIZE - sizeof(struct kho_vmalloc_hdr)) / sizeof(u64))

/**
 * struct kho_vmalloc_chunk - one page of the list of blocks
 * @hdr: link to the next chunk.
 * @phys: physical addresses of the blocks, filled from the start.
 */
struct kho_vmalloc_chunk {
	struct kho_vmalloc_hdr hdr;
	u64 phys[KHO_VMALLOC_SIZE];
};

static_assert(sizeof(struct kho_vmalloc_chunk) == PAGE_SIZE);

/*
 * struct kho_vmalloc - descriptor of a preserved vmalloc area
 * @first: first chunk of the list of blocks.
 * @total_pages: size of the area in pages of PAGE_SIZE.
 * @flags: KHO_VMALLOC_ALLOC and KHO_VMALLOC_HUGE_VMAP.
 * @order: every block has 2^order pages.
 */
struct kho_vmalloc {
	DECLARE_KHOSER_PTR(first, struct kho_vmalloc_chunk *);
	u32 total_pages;
	u16 flags;
	u16 order;
};

/**
 * KHO_VMALLOC_ARRAY - type of a member that stands for a preserved array
 * @type: type of the elements.
 *
 * Laid out as a &struct kho_vmalloc, which is all that is stored; @type is for
 * kho_preserve_vmalloc_array() and kho_restore_vmalloc_array() to check. How
 * many elements there are is for the structure around it to say.
 */
#define KHO_VMALLOC_ARRAY(type)			\
	union {					\
		struct kho_vmalloc area;	\
		type *elem;			\
	}

#endif /* _LINUX_KHO_ABI_VMALLOC_H */
