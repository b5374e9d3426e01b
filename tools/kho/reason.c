// SPDX-License-Identifier: GPL-2.0-only
/* Reasons of any length, and the memory for them and for everything else */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reason.h"
#include "verdict.h"

static void *or_exit(void *memory)
{
	if (!memory) {
		fputs("kho-compat: out of memory\n", stderr);
		exit(UNREADABLE_OR_USAGE);
	}
	return memory;
}

void *allocate(size_t nr, size_t size)
{
	return or_exit(calloc(nr ?: 1, size));
}

char *duplicate(const char *text)
{
	return or_exit(strdup(text));
}

bool explain(struct reason *why, const char *format, ...)
{
	char *old = why->text;
	va_list args;

	va_start(args, format);
	if (vasprintf(&why->text, format, args) < 0)
		or_exit(NULL);
	va_end(args);

	/* The arguments may have been in it */
	free(old);
	return false;
}

void reason_free(struct reason *why)
{
	free(why->text);
	why->text = NULL;
}
