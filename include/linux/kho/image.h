/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The image of the next kernel: what it can read, and whether that is enough.
 *
 * For kexec and live update, which check before a step that cannot be undone.
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
 * @KHO_NEXT_BROKEN: it has a note that cannot be used.
 * @KHO_NEXT_OPAQUE: it has no note.
 * @KHO_NEXT_ASSUMED: it has no note, and root has declared it to be Linux 7.3.
 * @KHO_NEXT_KNOWN: its note has been read.
 */
enum kho_next_known {
	KHO_NEXT_BARE,
	KHO_NEXT_BROKEN,
	KHO_NEXT_OPAQUE,
	KHO_NEXT_ASSUMED,
	KHO_NEXT_KNOWN,
};

/**
 * struct kho_next - the kernel in an image, as far as a handover goes
 * @known: how much is known; nothing below if it is %KHO_NEXT_BARE.
 * @kho_on: it starts with KHO on, going by its note and its command line; by
 *	the command line alone if it has no note.
 * @liveupdate_on: it starts with live update on: its command line has it, and its
 *	note supports it.
 * @less_memory: its command line removes memory that this kernel has.
 * @crash_size: how much memory its crashkernel= reserves, in bytes.
 * @flaw: why it cannot be a kernel with KHO, going by its header alone.
 * @page_shift: log2 of the size of its pages; that of this kernel if unknown.
 * @nr: number of @entries.
 * @entries: what it reads, from its note or assumed.
 */
struct kho_next {
	enum kho_next_known known;
	bool kho_on;
	bool liveupdate_on;
	bool less_memory;
	u64 crash_size;
	const char *flaw;
	u32 page_shift;
	u32 nr;
	struct kho_image_entry entries[KHO_IMAGE_NOTE_MAX_ENTRIES];
};

u32 arch_kho_image_page_shift(const void *image, size_t size);
const char *arch_kho_image_flaw(const void *image, size_t size);
bool arch_kho_takes_memory(const char *param, const char *val);

#ifdef CONFIG_KEXEC_HANDOVER
int kho_accept_next(const struct kimage *image);
void kho_set_next(const struct kimage *image);
int kho_check_load(struct kimage *image);
int kho_check_bare(void);
int kho_check_next(void);
void kho_kexec_failed(void);
void kho_kexec_begins(void);
#else
static inline int kho_accept_next(const struct kimage *image)
{
	return 0;
}

static inline void kho_set_next(const struct kimage *image) { }
static inline int kho_check_load(struct kimage *image) { return 0; }
static inline int kho_check_bare(void) { return 0; }
static inline int kho_check_next(void) { return 0; }
static inline void kho_kexec_failed(void) { }
static inline void kho_kexec_begins(void) { }
#endif

#endif /* _LINUX_KHO_IMAGE_H */
