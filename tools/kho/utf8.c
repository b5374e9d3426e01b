// SPDX-License-Identifier: GPL-2.0-only
#include "utf8.h"

size_t utf8_decode(const char *text, unsigned int *code)
{
	/* The least that needs so many bytes */
	static const unsigned int least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *bytes = (const unsigned char *)text;
	size_t len;

	if (bytes[0] < 0x80)
		len = 1;
	else if (bytes[0] >= 0xf0 && bytes[0] < 0xf8)
		len = 4;
	else if (bytes[0] >= 0xe0 && bytes[0] < 0xf0)
		len = 3;
	else if (bytes[0] >= 0xc0 && bytes[0] < 0xe0)
		len = 2;
	else
		return 0;

	*code = len == 1 ? bytes[0] : bytes[0] & (0x7f >> len);
	for (size_t i = 1; i < len; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (bytes[i] & 0x3f);
	}

	if (*code < least[len] || *code > 0x10ffff ||
	    (*code >= 0xd800 && *code < 0xe000))
		return 0;
	return len;
}
