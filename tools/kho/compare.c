// SPDX-License-Identifier: GPL-2.0-only
/*
 * The judgement: can one kernel take over what another one has preserved? By
 * the rules of the check in the kernel, kernel/liveupdate/kho_image.c, but
 * without a command line: what it must contain is told instead.
 */
#include <stddef.h>
#include <string.h>

#include "compare.h"

/* Of live update itself: sessions; the one that an option switches on */
#define LIVEUPDATE_COMPONENT	"luo"

const struct kho_image_entry *component_of(const struct kernel *kernel,
					   const char *name)
{
	for (unsigned int i = 0; i < kernel->nr; i++) {
		if (!strcmp(kernel->components[i].name, name))
			return &kernel->components[i];
	}

	return NULL;
}

static bool is_liveupdate(const struct kho_image_entry *component)
{
	return !strcmp(component->name, LIVEUPDATE_COMPONENT);
}

const char *component_status(const struct kho_image_entry *component,
			     const struct kernel *reader)
{
	const struct kho_image_entry *reads = component_of(reader, component->name);

	if (!reads || (is_liveupdate(component) && !reader->liveupdate))
		return "absent";
	if (component->version < reads->min_version)
		return "too-old";
	if (component->version > reads->version)
		return "too-new";
	return "ok";
}

/* " memfd luo": those that cannot be read; at most 32 names of 15 characters */
static void list_unreadable(const struct comparison *c, char *list)
{
	*list = '\0';
	for (unsigned int i = 0; i < c->from.nr; i++) {
		if (!c->counts[i] ||
		    !strcmp(component_status(&c->from.components[i], &c->to), "ok"))
			continue;
		strcat(list, " ");
		strcat(list, c->from.components[i].name);
	}
}

enum verdict compare(const struct comparison *c, struct reason *why)
{
	char unreadable[KHO_IMAGE_NOTE_MAX_ENTRIES * sizeof(c->to.components[0].name) + 1];

	why->text[0] = '\0';
	if (strcmp(c->from.machine, c->to.machine)) {
		explain(why, "for %s, expected %s", c->to.machine, c->from.machine);
		return INCOMPATIBLE;
	}

	if (c->from.page_shift != c->to.page_shift) {
		explain(why, "page shift %u, expected %u", c->to.page_shift,
			c->from.page_shift);
		return INCOMPATIBLE;
	}

	list_unreadable(c, unreadable);
	if (!*unreadable)
		return COMPATIBLE;

	explain(why, "cannot read%s", unreadable);
	return INCOMPATIBLE;
}

bool needs_liveupdate_on(const struct comparison *c)
{
	for (unsigned int i = 0; i < c->from.nr; i++) {
		if (c->counts[i] && is_liveupdate(&c->from.components[i]))
			return true;
	}

	return false;
}
