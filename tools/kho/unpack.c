// SPDX-License-Identifier: GPL-2.0-only
/* The compressions that kernels come in, one row each */
#include <string.h>

#include "unpack.h"

const struct unpacker unpackers[] = {
#define UNPACKER(name, magic, library, open)	\
	{ name, magic, sizeof(magic) - 1, library, open }
	UNPACKER("gzip", "\x1f\x8b\x08", "zlib", unpack_gzip),
	UNPACKER("xz", "\3757zXZ\0", "liblzma", unpack_xz),
	UNPACKER("lzma", "\x5d\0\0", "liblzma", unpack_lzma),
	UNPACKER("zstd", "\x28\xb5\x2f\xfd", "libzstd", unpack_zstd),
	UNPACKER("lz4", "\x02\x21\x4c\x18", "liblz4", unpack_lz4),
	UNPACKER("lz4", "\x04\x22\x4d\x18", "liblz4", unpack_lz4_frame),
	UNPACKER("lzop", "\x89LZO\0\r\n\x1a\n", "liblzo2", unpack_lzop),
	UNPACKER("bzip2", "BZh", "libbz2", unpack_bzip2),
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
