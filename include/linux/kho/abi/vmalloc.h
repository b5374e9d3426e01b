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
 * chunks, each one page, that say which pages back the area, in the order in which
 * they are mapped. The chunks, and the pages that they name, are preserved pages
 * of the core.
 *
 * Version 1: chunks are a &struct kho_vmalloc_chunk and name the physical address
 * of every block of pages. A block has 2^order pages; chunk entries after the last
 * block are zero. A writer that has just filled a chunk may append another before
 * it knows whether it needs one, so a list may end in a chunk without entries.
 * Readers accept that.
 *
 * Version 2: an area with the flag KHO_VMALLOC_EXTENTS has chunks that are a
 * &struct kho_vmalloc_extent_chunk. They name extents: contiguous memory that is
 * mapped at contiguous addresses, by any number of preserved ranges. With the flag
 * KHO_VMALLOC_SPARSE there may be pages of the area before, between and after its
 * extents that have no memory; without it the extents follow one another. An area
 * without either flag is as in version 1.
 *
 * A new KHO_VMALLOC_VERSION is needed for any change to the structures in this
 * file, for a new flag, and for a change to what a chunk entry means.
 */

/*
 * Newest and oldest version that this kernel reads; the version that it writes by
 * default, and the oldest that it writes; the version of Linux 7.3, which does not
 * record versions in the KHO FDT. Version 2 is read first, and written
 * when the next kernel is known to read it.
 */
#define KHO_VMALLOC_VERSION		2
#define KHO_VMALLOC_MIN_VERSION		1
#define KHO_VMALLOC_WRITE_VERSION	1
#define KHO_VMALLOC_MIN_WRITE_VERSION	1
#define KHO_VMALLOC_BASELINE_VERSION	1

/* The area came from vmalloc() */
#define KHO_VMALLOC_ALLOC		BIT(0)
/* The area may be mapped with huge pages */
#define KHO_VMALLOC_HUGE_VMAP		BIT(1)
/* Since version 2: the chunks name extents */
#define KHO_VMALLOC_EXTENTS		BIT(2)
/* Since version 2: not every page of the area has memory */
#define KHO_VMALLOC_SPARSE		BIT(3)

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

/**
 * struct kho_vmalloc_extent - memory that is contiguous, in the area as well
 * @phys: physical address.
 * @first: its first page, as an index into the area.
 * @nr_pages: how many there are.
 *
 * @first and @nr_pages are multiples of 2^order pages.
 */
struct kho_vmalloc_extent {
	u64 phys;
	u32 first;
	u32 nr_pages;
};

/* Extents in a chunk */
#define KHO_VMALLOC_EXTENTS_SIZE \
	((PAGE_SIZE - sizeof(struct kho_vmalloc_hdr) - sizeof(u64)) / \
	 sizeof(struct kho_vmalloc_extent))

/**
 * struct kho_vmalloc_extent_chunk - one page of the list of extents
 * @hdr: link to the next chunk.
 * @nr: number of extents.
 * @extents: the extents, by ascending index; the next chunk has higher ones.
 */
struct kho_vmalloc_extent_chunk {
	struct kho_vmalloc_hdr hdr;
	u64 nr;
	struct kho_vmalloc_extent extents[KHO_VMALLOC_EXTENTS_SIZE];
};

static_assert(sizeof(struct kho_vmalloc_extent_chunk) == PAGE_SIZE);

/*
 * struct kho_vmalloc - descriptor of a preserved vmalloc area
 * @first: first chunk of the list.
 * @total_pages: size of the area in pages of PAGE_SIZE.
 * @flags: KHO_VMALLOC_ALLOC and so on.
 * @order: every 2^order pages, from a multiple of that on, are contiguous memory.
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
