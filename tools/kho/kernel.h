/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is known of a kernel, whether it runs or lies in a file: which versions
 * of which components it reads and writes.
 */
#ifndef KHO_COMPAT_KERNEL_H
#define KHO_COMPAT_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "../../include/linux/kho/abi/image.h"
#include "reason.h"

/* How much that is. Only of the first two the components are known. */
enum kernel_kind {
	HAS_NOTE,	/* or is the running kernel */
	IS_STOCK,	/* has KHO, and no note */
	WITHOUT_KHO,
	NOT_LINUX,
	DAMAGED,
	NOT_KNOWN,
	NOT_READABLE,
};

enum switch_state {
	SWITCH_DEFAULT,
	SWITCH_OFF,
	SWITCH_ON,
};

/* Versions of a component that can be written; the newest is 0 if that is unknown */
struct write_range {
	uint32_t oldest;
	uint32_t newest;
};

struct kernel {
	enum kernel_kind kind;
	struct reason why;		/* for all kinds from WITHOUT_KHO on */
	struct reason format;		/* "Image in gzip" */
	const char *machine;		/* as uname -m has it, NULL: not known */
	char release[65];		/* empty: not known */
	unsigned int page_shift;	/* 0: not known */
	bool kho_on;			/* without kho=on on its command line */
	bool liveupdate;		/* is built in */

	/* Of an image that comes with it */
	char *cmdline;
	char *profile;
	enum switch_state kho_switch;
	enum switch_state liveupdate_switch;

	unsigned int nr;
	struct kho_image_entry components[KHO_IMAGE_NOTE_MAX_ENTRIES];
	struct write_range writes[KHO_IMAGE_NOTE_MAX_ENTRIES];
};

static inline bool has_components(const struct kernel *kernel)
{
	return kernel->kind <= IS_STOCK;
}

/* Linux, of which no more is missing than whether it has KHO */
static inline bool is_linux(const struct kernel *kernel)
{
	return kernel->kind <= WITHOUT_KHO;
}

/* What a kernel can write of a component: all that it reads, if it does not say */
struct write_range writes_of(const struct kernel *kernel, unsigned int i);

void kernel_free(struct kernel *kernel);

/* The component of that name, NULL if the kernel lacks it */
const struct kho_image_entry *component_of(const struct kernel *kernel,
					   const char *name);

/* Adds one, with a name that is short enough; there may be no room for more */
void add_component(struct kernel *kernel, const char *name,
		   unsigned int min_version, unsigned int version);

#endif
