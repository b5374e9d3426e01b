/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * JSON on standard output. The commas are put where they belong; that brackets
 * match is up to the caller. @key is NULL in an array. What is no UTF-8 in a
 * string becomes U+FFFD.
 */
#ifndef KHO_COMPAT_JSON_H
#define KHO_COMPAT_JSON_H

#include <stdbool.h>

void json_open(const char *key, char bracket);
void json_close(char bracket);
void json_string(const char *key, const char *value);	/* NULL gives null */
void json_number(const char *key, unsigned long value);
void json_bool(const char *key, bool value);

/* Ends the line, if anything was printed */
void json_end(void);

/*
 * The name of a file. If it is no UTF-8 a second member, with "_hex" behind the
 * key, has all of its bytes.
 */
void json_path(const char *key, const char *path);

#endif
