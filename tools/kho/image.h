/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KHO_COMPAT_IMAGE_H
#define KHO_COMPAT_IMAGE_H

#include "kernel.h"
#include "stream.h"

/* The kernels in a file, one unless it is a UKI with several profiles */
struct image {
	unsigned int nr;
	struct kernel **kernels;
	bool brief;		/* read no more than decides about KHO */
};

/* Finds out what is in the file at @path: at least one, which may be NOT_READABLE */
void image_read(struct image *image, const char *path);

/*
 * The same for one of many. What follows in a kernel that says that it has no KHO is
 * not unpacked, so that damage to it is not noticed.
 */
void image_read_briefly(struct image *image, const char *path);

/* The same for what is in @stream; NULL if that has failed before */
void image_parse(struct image *image, struct stream *stream,
		 struct trouble *trouble);

void image_free(struct image *image);

#endif
