/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Looks at all bytes of an image as they go past: for its KHO note, and for
 * strings that tell what an unpacked kernel is.
 */
#ifndef KHO_COMPAT_SCAN_H
#define KHO_COMPAT_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel.h"
#include "note.h"

/* Strings such as "kho-v4": a format that stock kernels name with its version */
enum scan_format {
	FORMAT_KHO,
	FORMAT_LUO,
	FORMAT_MEMFD,
	FORMAT_MEMBLOCK,
	NR_FORMATS,
};

struct scan {
	/* What has been found */
	char release[65];		/* of Linux; empty: none */
	bool without_kho;		/* it says so itself */
	unsigned int formats[NR_FORMATS];	/* the newest version, 0: none */
	bool flawed;			/* there is a note that must not be used */
	bool newer;			/* because it has a newer version */
	struct reason flaw;
	size_t note_size;		/* 0: none was found, or it is flawed */

	/* What has not been looked at to the end */
	uint64_t at;			/* of the window, in the image */
	size_t looked, len;		/* in the window */
	unsigned char *window;

	/* With its entries behind it, and so the last member */
	union {
		struct kho_image_note note;
		unsigned char note_bytes[NOTE_MAX_SIZE];
	};
};

struct scan *scan_new(void);
void scan_free(struct scan *scan);

void scan_feed(struct scan *scan, const void *data, size_t size);

/* Nothing follows */
void scan_end(struct scan *scan);

/* Linux without KHO: nothing that follows makes it another */
bool scan_has_decided(const struct scan *scan);

/* What @scan has found out about @kernel: kind, reason and components */
void scan_describe(const struct scan *scan, struct kernel *kernel);

/* A kernel's release at the start of @text: up to the first blank */
void copy_release(char release[65], const unsigned char *text, size_t size);

#endif
