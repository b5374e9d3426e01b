/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The image of the next kernel: what it can read, and whether that is enough.
 *
 * For kexec and live update, which ask before they do what cannot be undone.
 */
#ifndef _LINUX_KHO_IMAGE_H
#define _LINUX_KHO_IMAGE_H

#include <linux/kho/abi/image.h>
#include <linux/types.h>

struct kimage;

/* Of this kernel, in kho_note.c */
extern const struct kho_image_note kho_image_note;

/**
 * enum kho_next_known - what is known about the kernel in an image
 * @KHO_NEXT_BARE: the image was loaded without a handover.
 * @KHO_NEXT_OPAQUE: it does not say what it can read.
 * @KHO_NEXT_KNOWN: its note has been read.
 */
enum kho_next_known {
	KHO_NEXT_BARE,
	KHO_NEXT_OPAQUE,
	KHO_NEXT_KNOWN,
};

/**
 * struct kho_next - the kernel in an image, as far as a handover goes
 * @known: how much is known; nothing below if it is %KHO_NEXT_BARE.
 * @kho_on: it starts with KHO on, going by its note and its command line. By
 *	that alone, and unless that says otherwise, if it is %KHO_NEXT_OPAQUE.
 * @liveupdate_on: it starts with live update on, likewise, but only if the command
 *	line says so.
 * @page_shift: log2 of the size of its pages; of ours if nothing is known of it.
 * @nr: number of @entries.
 * @entries: what it reads, from its note.
 */
struct kho_next {
	enum kho_next_known known;
	bool kho_on;
	bool liveupdate_on;
	u32 page_shift;
	u32 nr;
	struct kho_image_entry entries[KHO_IMAGE_NOTE_MAX_ENTRIES];
};

u32 arch_kho_image_page_shift(const void *image, size_t size);

#ifdef CONFIG_KEXEC_HANDOVER
void kho_set_next(const struct kimage *image);
int kho_check_next(void);
int kho_recheck_next(void);
#else
static inline void kho_set_next(const struct kimage *image) { }
static inline int kho_check_next(void) { return 0; }
#endif

#endif /* _LINUX_KHO_IMAGE_H */
