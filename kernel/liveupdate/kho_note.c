// SPDX-License-Identifier: GPL-2.0-only
/*
 * KHO note - the versions that this kernel reads, in its image.
 *
 * Owns the note; kho_image.c finds and compares that of another kernel. Compiled
 * twice on x86: for vmlinux, and for the part of a bzImage that is not compressed.
 * So this is constant data, the sum included.
 *
 * The layout is in linux/kho/abi/image.h.
 */

#include <linux/kconfig.h>
#include <linux/kho/abi/block.h>
#include <linux/kho/abi/image.h>
#include <linux/kho/abi/luo.h>
#include <linux/kho/abi/memblock.h>
#include <linux/kho/abi/memfd.h>
#include <linux/kho/abi/radix_tree.h>
#include <linux/kho/abi/vmalloc.h>
#include <linux/kho/image.h>

#include <asm/page.h>

#include "kho_components.h"

#define NOTE_FLAGS							\
	((IS_ENABLED(CONFIG_KEXEC_HANDOVER_ENABLE_DEFAULT) ?		\
	  KHO_IMAGE_NOTE_KHO_ON : 0) |					\
	 (IS_ENABLED(CONFIG_LIVEUPDATE) ? KHO_IMAGE_NOTE_LIVEUPDATE : 0))

/* The sum of the words of a string in a field of 16 bytes */
#define NOTE_BYTE(text, i)						\
	((u32)(u8)(text "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")[i])
#define NOTE_WORD(text, i)						\
	(NOTE_BYTE(text, i) | NOTE_BYTE(text, (i) + 1) << 8 |		\
	 NOTE_BYTE(text, (i) + 2) << 16 | NOTE_BYTE(text, (i) + 3) << 24)
#define NOTE_TEXT_SUM(text)						\
	(NOTE_WORD(text, 0) + NOTE_WORD(text, 4) +			\
	 NOTE_WORD(text, 8) + NOTE_WORD(text, 12))

/* For each component: how many it is, its sum, its entry */
#define NOTE_ONE(text, component, prefix)	+ 1
#define NOTE_ENTRY_SUM(text, component, prefix)				\
	+ NOTE_TEXT_SUM(text) + prefix##_MIN_VERSION + prefix##_VERSION
#define NOTE_ENTRY(text, component, prefix)				\
	{								\
		.name = text,						\
		.min_version = prefix##_MIN_VERSION,			\
		.version = prefix##_VERSION,				\
	},

#define NOTE_NR		(0 KHO_COMPONENTS(NOTE_ONE))
#define NOTE_SUM							\
	(NOTE_TEXT_SUM(KHO_IMAGE_NOTE_MAGIC) + KHO_IMAGE_NOTE_VERSION +	\
	 NOTE_NR + PAGE_SHIFT + NOTE_FLAGS KHO_COMPONENTS(NOTE_ENTRY_SUM))

static_assert(NOTE_NR <= KHO_IMAGE_NOTE_MAX_ENTRIES);

const struct kho_image_note kho_image_note
__used __aligned(KHO_IMAGE_NOTE_ALIGN) = {
	.magic = KHO_IMAGE_NOTE_MAGIC,
	.version = KHO_IMAGE_NOTE_VERSION,
	.nr = NOTE_NR,
	.sum = -(u32)NOTE_SUM,
	.page_shift = PAGE_SHIFT,
	.flags = NOTE_FLAGS,
	.entries = { KHO_COMPONENTS(NOTE_ENTRY) },
};
