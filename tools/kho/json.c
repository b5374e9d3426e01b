// SPDX-License-Identifier: GPL-2.0-only
/* JSON on standard output, see json.h */
#include <stdio.h>

#include "json.h"
#include "reason.h"
#include "utf8.h"

/* Something precedes in the innermost bracket */
static bool precedes;

static void print_string(const char *text)
{
	putchar('"');
	while (*text) {
		unsigned int code;
		size_t len = utf8_decode(text, &code);

		if (!len)
			printf("\\ufffd");
		else if (code < ' ' || code == '"' || code == '\\' ||
			 (code >= 0x7f && code < 0xa0))
			printf("\\u%04x", code);
		else
			fwrite(text, 1, len, stdout);
		text += len ?: 1;
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

static bool is_utf8(const char *text)
{
	unsigned int code;
	size_t len;

	for (; *text; text += len) {
		len = utf8_decode(text, &code);
		if (!len)
			return false;
	}

	return true;
}

void json_path(const char *key, const char *path)
{
	struct reason hex_key = { };

	json_string(key, path);
	if (is_utf8(path))
		return;

	explain(&hex_key, "%s_hex", key);
	start(hex_key.text);
	putchar('"');
	for (; *path; path++)
		printf("%02x", (unsigned char)*path);
	putchar('"');
	reason_free(&hex_key);
}

void json_end(void)
{
	if (precedes)
		putchar('\n');
}
