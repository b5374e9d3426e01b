/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KHO_COMPAT_NOTE_H
#define KHO_COMPAT_NOTE_H

#include <stddef.h>

#include "kernel.h"

/* With as many entries as there can be */
#define NOTE_MAX_SIZE	(sizeof(struct kho_image_note) + \
			 KHO_IMAGE_NOTE_MAX_ENTRIES * sizeof(struct kho_image_entry))

bool has_note_magic(const void *data, size_t size);

/*
 * Validates the note at @note, which is aligned as a u32 is; @size is what is
 * left of the image there, or at least NOTE_MAX_SIZE. Returns its size or 0.
 * @newer is set if all that is wrong is that its version is not known yet.
 */
size_t note_check(const struct kho_image_note *note, size_t size, bool *newer,
		  struct reason *why);

/* Of one that is valid: fills in all of @kernel that a note tells */
void note_decode(const struct kho_image_note *note, struct kernel *kernel);

#endif
