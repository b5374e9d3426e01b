/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_KHO_ABI_IMAGE_H
#define _LINUX_KHO_ABI_IMAGE_H

#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/types.h>

/**
 * DOC: KHO image note ABI
 *
 * The file of a kernel records the versions that the kernel reads, so that they can
 * be checked before it is started: a &struct kho_image_note in its read-only data,
 * followed by one &struct kho_image_entry for each component that is built in. It is
 * not compressed, in a bzImage either.
 *
 * Where it is
 * -----------
 *
 * Its offset in the file, be that a vmlinux, a bzImage or an Image, is a
 * multiple of KHO_IMAGE_NOTE_ALIGN. A reader searches for the complete magic there
 * only; it must not contain a copy of the magic itself, or its own file has one magic
 * more. A file may have the note in several places, which must be equal byte by byte.
 *
 * What makes it valid
 * -------------------
 *
 * - ``version`` is supported by the reader.
 * - ``nr`` is at most KHO_IMAGE_NOTE_MAX_ENTRIES and the file goes on for as
 *   long as that takes, 816 bytes at most.
 * - All 32-bit words of header and entries add up to 0, modulo 2^32.
 * - Each name is 1 to 15 characters and NUL up to its end, no name is there
 *   twice, and 0 < ``min_version`` <= ``version``.
 *
 * If a magic is followed by anything else, or if two notes differ, the versions are
 * unknown, as with a file without a note.
 *
 * Integers are in the byte order of the kernel. All architectures that support
 * KHO are little endian; a reader on any host reads little endian.
 *
 * What needs a new version
 * ------------------------
 *
 * Anything that a reader must not ignore. Readers ignore unknown flags, the reserved
 * words, and components that they do not have.
 */

/* 15 characters and the NUL: the first is in no text, see above about copies */
#define KHO_IMAGE_NOTE_MAGIC		"\x89KHO image note"
#define KHO_IMAGE_NOTE_VERSION		1

/* In bytes, of the offset in the file */
#define KHO_IMAGE_NOTE_ALIGN		512

#define KHO_IMAGE_NOTE_MAX_ENTRIES	32

/* Flags: KHO is on unless the command line says kho=off */
#define KHO_IMAGE_NOTE_KHO_ON		BIT(0)
/* The Live Update Orchestrator is built in; liveupdate=on turns it on */
#define KHO_IMAGE_NOTE_LIVEUPDATE	BIT(1)

/**
 * struct kho_image_entry - a component that the kernel in the image has
 * @name: as in the KHO FDT; the rest is NUL.
 * @min_version: the oldest version that it reads.
 * @version: the newest that it reads.
 */
struct kho_image_entry {
	char name[16];
	u32 min_version;
	u32 version;
};

/**
 * struct kho_image_note - KHO versions and defaults of a kernel image
 * @magic: KHO_IMAGE_NOTE_MAGIC with its NUL.
 * @version: KHO_IMAGE_NOTE_VERSION.
 * @nr: number of entries.
 * @sum: makes the sum of all words 0.
 * @page_shift: log2 of the size of a page; kernels with another one cannot read
 *	anything of each other.
 * @flags: KHO_IMAGE_NOTE_KHO_ON, KHO_IMAGE_NOTE_LIVEUPDATE.
 * @reserved: 0.
 * @entries: the components that are built in, in any order.
 */
struct kho_image_note {
	char magic[16];
	u32 version;
	u32 nr;
	u32 sum;
	u32 page_shift;
	u32 flags;
	u32 reserved[3];
	struct kho_image_entry entries[];
};

static_assert(sizeof(struct kho_image_entry) == 24);
static_assert(sizeof(struct kho_image_note) == 48);

#endif /* _LINUX_KHO_ABI_IMAGE_H */
