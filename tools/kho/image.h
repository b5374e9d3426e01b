/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KHO_COMPAT_IMAGE_H
#define KHO_COMPAT_IMAGE_H

#include <stddef.h>

#include "kernel.h"

/*
 * Finds out which kernel the @size bytes at @data are, a whole image file that
 * starts at a multiple of four. @format is set to the kind of file.
 *
 * Returns false if that is not known.
 */
bool image_parse(const void *data, size_t size, const char **format,
		 struct kernel *kernel, struct reason *why);

/* The same for the file at @path, which the reason starts with */
bool image_read(const char *path, const char **format, struct kernel *kernel,
		struct reason *why);

#endif
