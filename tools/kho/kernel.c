// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

void kernel_free(struct kernel *kernel)
{
	reason_free(&kernel->why);
	reason_free(&kernel->format);
	free(kernel->cmdline);
	free(kernel->profile);
	kernel->cmdline = NULL;
	kernel->profile = NULL;
}

const struct kho_image_entry *component_of(const struct kernel *kernel,
					   const char *name)
{
	for (unsigned int i = 0; i < kernel->nr; i++) {
		if (!strcmp(kernel->components[i].name, name))
			return &kernel->components[i];
	}

	return NULL;
}

struct write_range writes_of(const struct kernel *kernel, unsigned int i)
{
	if (kernel->writes[i].newest)
		return kernel->writes[i];

	return (struct write_range) {
		.oldest = kernel->components[i].min_version,
		.newest = kernel->components[i].version,
	};
}

void add_component(struct kernel *kernel, const char *name,
		   unsigned int min_version, unsigned int version)
{
	struct kho_image_entry *entry;

	if (kernel->nr == KHO_IMAGE_NOTE_MAX_ENTRIES)
		return;

	entry = &kernel->components[kernel->nr++];
	*entry = (struct kho_image_entry) {
		.min_version = min_version,
		.version = version,
	};
	strncpy(entry->name, name, sizeof(entry->name) - 1);
}
