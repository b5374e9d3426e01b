/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KHO_COMPAT_UTF8_H
#define KHO_COMPAT_UTF8_H

#include <stddef.h>

/*
 * Decodes the character at the start of @text, which is not empty, into @code.
 * Returns how many bytes it takes, or 0 if it is no UTF-8.
 */
size_t utf8_decode(const char *text, unsigned int *code);

#endif
