// SPDX-License-Identifier: GPL-2.0-only
/* The compressions that kernels come in, one row each */
#include <string.h>

#include "unpack.h"

#define MAGIC(bytes)	(bytes), sizeof(bytes) - 1

const struct unpacker unpackers[] = {
	{ "gzip", MAGIC("\x1f\x8b\x08"), "zlib", unpack_gzip },
	{ "xz", MAGIC("\xfd" "7zXZ\0"), "liblzma", unpack_xz },
	{ "lzma", MAGIC("\x5d\0\0"), "liblzma", unpack_lzma },
	{ "zstd", MAGIC("\x28\xb5\x2f\xfd"), "libzstd", unpack_zstd },
	{ "lz4", MAGIC("\x02\x21\x4c\x18"), "liblz4", unpack_lz4 },
	{ "lz4", MAGIC("\x04\x22\x4d\x18"), "liblz4", unpack_lz4_frame },
	{ "lzop", MAGIC("\x89LZO\0\r\n\x1a\n"), "liblzo2", unpack_lzop },
	{ "bzip2", MAGIC("BZh"), "libbz2", unpack_bzip2 },
	{ }
};

const struct unpacker *unpacker_of(struct stream *packed)
{
	size_t size = stream_peek(packed, 16);

	for (const struct unpacker *row = unpackers; row->name; row++) {
		if (size >= row->len &&
		    !memcmp(stream_data(packed), row->magic, row->len))
			return row;
	}

	return NULL;
}

struct stream *unpack(const struct unpacker *unpacker, struct stream *packed)
{
	if (unpacker->open)
		return unpacker->open(packed);

	fail(packed->trouble, CANNOT_UNPACK,
	     "compressed with %s, and this kho-compat was built without %s",
	     unpacker->name, unpacker->library);
	return NULL;
}

size_t unpack_more(struct stream *packed)
{
	size_t size = stream_peek(packed, 1);

	if (!size)
		fail(packed->trouble, IS_DAMAGED,
		     "truncated: the file ends within its compressed data");
	return size;
}
