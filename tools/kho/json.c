// SPDX-License-Identifier: GPL-2.0-only
/* JSON on standard output, see json.h */
#include <stdio.h>

#include "json.h"

/* Something precedes in the innermost bracket */
static bool precedes;

static void print_string(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		unsigned char c = *text;

		if (c < ' ' || c == '"' || c == '\\')
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void start(const char *key)
{
	if (precedes)
		putchar(',');
	precedes = true;

	if (key) {
		print_string(key);
		putchar(':');
	}
}

void json_open(const char *key, char bracket)
{
	start(key);
	putchar(bracket);
	precedes = false;
}

void json_close(char bracket)
{
	putchar(bracket);
	precedes = true;
}

void json_string(const char *key, const char *value)
{
	start(key);
	if (value)
		print_string(value);
	else
		printf("null");
}

void json_number(const char *key, unsigned long value)
{
	start(key);
	printf("%lu", value);
}

void json_bool(const char *key, bool value)
{
	start(key);
	printf(value ? "true" : "false");
}
