// SPDX-License-Identifier: GPL-2.0-only
/*
 * The judgement: can one kernel take over what another one has preserved? By
 * the rules of the check in the kernel, kernel/liveupdate/kho_image.c. A command
 * line is known only if the image has it; else what it must have is told.
 */
#include <stddef.h>
#include <string.h>

#include "compare.h"

/* Of live update itself: sessions; the one that an option switches on */
#define LIVEUPDATE_COMPONENT	"luo"

/* Of reserve_mem= */
#define BEST_EFFORT_COMPONENT	"memblock"

static bool is_liveupdate(const struct kho_image_entry *component)
{
	return !strcmp(component->name, LIVEUPDATE_COMPONENT);
}

bool is_best_effort(const struct kho_image_entry *component)
{
	return !strcmp(component->name, BEST_EFFORT_COMPONENT);
}

struct outgoing outgoing_all(const struct kernel *from)
{
	struct outgoing outgoing = { .from = from };

	memset(outgoing.counts, true, sizeof(outgoing.counts));
	return outgoing;
}

const char *component_status(const struct kernel *from, unsigned int i,
			     const struct kernel *reader)
{
	const struct kho_image_entry *component = &from->components[i];
	const struct write_range writes = writes_of(from, i);
	const struct kho_image_entry *reads = component_of(reader, component->name);

	if (!reads || (is_liveupdate(component) && !reader->liveupdate))
		return "absent";
	if (writes.newest < reads->min_version)
		return "too-old";
	if (writes.oldest > reads->version)
		return "too-new";
	return "ok";
}

static bool is_lost(const struct outgoing *outgoing, unsigned int i,
		    const struct kernel *to)
{
	return outgoing->counts[i] &&
	       strcmp(component_status(outgoing->from, i, to), "ok");
}

const char *best_effort_lost(const struct outgoing *outgoing, const struct kernel *to)
{
	for (unsigned int i = 0; i < outgoing->from->nr; i++) {
		const struct kho_image_entry *component = &outgoing->from->components[i];

		if (is_best_effort(component) && is_lost(outgoing, i, to))
			return component->name;
	}

	return NULL;
}

bool needs_kho_on(const struct kernel *to)
{
	return !to->kho_on && to->kho_switch != SWITCH_ON;
}

bool needs_liveupdate_on(const struct outgoing *outgoing, const struct kernel *to)
{
	if (to->liveupdate_switch == SWITCH_ON)
		return false;

	for (unsigned int i = 0; i < outgoing->from->nr; i++) {
		if (outgoing->counts[i] && is_liveupdate(&outgoing->from->components[i]))
			return true;
	}

	return false;
}

/* What a kernel is, if that is no kernel with KHO. Returns false if it is one. */
static bool explain_kind(const struct kernel *kernel, const char *who,
			 struct reason *why)
{
	switch (kernel->kind) {
	case WITHOUT_KHO:
		explain(why, "%s has no KHO: Linux %s for %s, %s", who,
			kernel->release[0] ? kernel->release : "of unknown release",
			kernel->machine ?: "an unknown machine", kernel->why.text);
		return true;
	case NOT_LINUX:
		explain(why, "%s is %s", who, kernel->why.text);
		return true;
	case DAMAGED:
		explain(why, "%s is damaged: %s", who, kernel->why.text);
		return true;
	default:
		return false;
	}
}

/* Facts that decide whatever else is not known */
static bool explain_facts(const struct kernel *from, const struct kernel *to,
			  struct reason *why)
{
	if (explain_kind(to, "the next kernel", why) ||
	    explain_kind(from, "the kernel before", why))
		return true;

	if (from->machine && to->machine && strcmp(from->machine, to->machine)) {
		explain(why, "for %s, expected %s", to->machine, from->machine);
		return true;
	}

	if (from->page_shift && to->page_shift && from->page_shift != to->page_shift) {
		explain(why, "page shift %u, expected %u", to->page_shift,
			from->page_shift);
		return true;
	}

	return false;
}

static bool explain_unknown(const struct kernel *kernel, const char *who,
			    struct reason *why)
{
	if (!has_components(kernel))
		explain(why, "%s: %s", who, kernel->why.text);
	else if (!kernel->machine)
		explain(why, "%s: its machine is not known", who);
	else if (!kernel->page_shift)
		explain(why, "%s: its page size is not known", who);
	else
		return false;

	return true;
}

/* The command line that the image comes with leaves off what is needed */
static bool explain_cmdline(const struct outgoing *outgoing, const struct kernel *to,
			    struct reason *why)
{
	if (to->cmdline && needs_kho_on(to))
		explain(why, "its own command line leaves KHO off, expected kho=on");
	else if (to->kho_switch == SWITCH_OFF)
		explain(why, "its own command line has KHO off");
	else if (to->cmdline && needs_liveupdate_on(outgoing, to))
		explain(why, "its own command line leaves live update off, expected liveupdate=on");
	else
		return false;

	return true;
}

/* Returns whether there are any */
static bool explain_unreadable(const struct outgoing *outgoing, const struct kernel *to,
			       struct reason *why)
{
	bool found = false;

	for (unsigned int i = 0; i < outgoing->from->nr; i++) {
		const struct kho_image_entry *component = &outgoing->from->components[i];

		if (is_best_effort(component) || !is_lost(outgoing, i, to))
			continue;
		explain(why, "%s %s", found ? why->text : "cannot read",
			component->name);
		found = true;
	}

	return found;
}

enum verdict compare(const struct outgoing *outgoing, const struct kernel *to,
		     struct reason *why)
{
	reason_free(why);
	if (outgoing->from->kind == NOT_READABLE || to->kind == NOT_READABLE) {
		explain(why, "%s", to->kind == NOT_READABLE ? to->why.text :
			outgoing->from->why.text);
		return UNREADABLE_OR_USAGE;
	}

	if (explain_facts(outgoing->from, to, why))
		return INCOMPATIBLE;
	if (explain_unknown(to, "the next kernel", why) ||
	    explain_unknown(outgoing->from, "the kernel before", why))
		return UNKNOWN;
	if (explain_unreadable(outgoing, to, why) || explain_cmdline(outgoing, to, why))
		return INCOMPATIBLE;

	return COMPATIBLE;
}
