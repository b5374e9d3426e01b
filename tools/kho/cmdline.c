// SPDX-License-Identifier: GPL-2.0-only
/* The command line of a UKI: kho= and liveupdate=, as the kernel takes them */
#include <stdlib.h>
#include <string.h>

#include "cmdline.h"

/* As kstrtobool() */
static enum switch_state state_of(const char *value)
{
	if (strchr("yYtT1", *value) && *value)
		return SWITCH_ON;
	if (strchr("nNfF0", *value) && *value)
		return SWITCH_OFF;
	if (!strncasecmp(value, "on", 2))
		return SWITCH_ON;
	if (!strncasecmp(value, "of", 2))
		return SWITCH_OFF;
	return SWITCH_DEFAULT;
}

static void take(const char *word, const char *name, enum switch_state *state)
{
	size_t len = strlen(name);
	enum switch_state value;

	if (strncmp(word, name, len))
		return;
	value = state_of(word + len);
	if (value != SWITCH_DEFAULT)
		*state = value;
}

void cmdline_check(struct kernel *kernel)
{
	char *copy, *rest;
	const char *word;

	if (!kernel->cmdline)
		return;

	copy = duplicate(kernel->cmdline);
	rest = copy;
	while ((word = strsep(&rest, " \t\n"))) {
		take(word, "kho=", &kernel->kho_switch);
		take(word, "liveupdate=", &kernel->liveupdate_switch);
	}
	free(copy);
}
