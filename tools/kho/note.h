/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KHO_COMPAT_NOTE_H
#define KHO_COMPAT_NOTE_H

#include <stddef.h>

#include "kernel.h"

/*
 * Finds the KHO note in the @size bytes of an image, which start at a multiple
 * of four, and decodes it. All of @kernel but the machine is filled in.
 *
 * Returns false if there is no note, or none that can be relied upon.
 */
bool note_find(const void *image, size_t size, struct kernel *kernel,
	       struct reason *why);

#endif
