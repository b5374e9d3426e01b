/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KHO_COMPAT_REASON_H
#define KHO_COMPAT_REASON_H

#include <stdbool.h>
#include <stddef.h>

/* Why something is not known or does not fit, in words for the operator */
struct reason {
	char *text;		/* NULL as long as there is none */
};

/* Replaces the reason. Returns false, for callers that fail with it. */
bool explain(struct reason *why, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

void reason_free(struct reason *why);

/* What calloc() and strdup() give, but never NULL */
void *allocate(size_t nr, size_t size);
char *duplicate(const char *text);

#endif
