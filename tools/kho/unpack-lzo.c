// SPDX-License-Identifier: GPL-2.0-only
/*
 * The format of lzop, by liblzo2. All numbers in it are big endian: a header,
 * then blocks, each after its sizes and sums, and a size of 0.
 */
#include <endian.h>
#include <lzo/lzo1x.h>
#include <stdlib.h>
#include <string.h>

#include "unpack.h"

#define MAGIC_SIZE	9
#define WITH_FILTER	0x0800
#define WITH_EXTRA	0x0040
#define BLOCK_ADLER32	0x0001
#define BLOCK_CRC32	0x0100
#define PACKED_ADLER32	0x0002
#define PACKED_CRC32	0x0200

/* lzop makes blocks of 256 KiB; 8 MiB are what it could be told to make */
#define LARGEST_BLOCK	(8 << 20)

struct lzop_stream {
	struct stream stream;
	struct stream *packed;
	uint32_t flags;
	size_t given, size;	/* of the block */
	unsigned char *block;
	unsigned char *packed_block;
};

static int lzop_damaged(struct lzop_stream *lzop)
{
	return fail(lzop->stream.trouble, IS_DAMAGED, "damaged lzop data");
}

/* 0 behind the end, where the next read fails as well */
static uint32_t get_be(struct lzop_stream *lzop, size_t size)
{
	unsigned char bytes[4] = { };
	uint32_t value = 0;

	if (stream_read(lzop->packed, bytes, size) < size)
		unpack_more(lzop->packed);
	for (size_t i = 0; i < size; i++)
		value = value << 8 | bytes[i];
	return value;
}

static void read_header(struct lzop_stream *lzop)
{
	bool recent;

	stream_skip(lzop->packed, MAGIC_SIZE);
	recent = get_be(lzop, 2) >= 0x0940;
	get_be(lzop, 2);			/* version of the library */
	if (recent)
		get_be(lzop, 2);		/* version that is needed */
	get_be(lzop, 1);			/* method */
	if (recent)
		get_be(lzop, 1);		/* level */
	lzop->flags = get_be(lzop, 4);
	if (lzop->flags & WITH_FILTER)
		get_be(lzop, 4);
	get_be(lzop, 4);			/* mode */
	get_be(lzop, 4);			/* time */
	if (recent)
		get_be(lzop, 4);
	for (uint32_t len = get_be(lzop, 1); len; len--)
		get_be(lzop, 1);		/* name */
	get_be(lzop, 4);			/* sum of the header */
	if (lzop->flags & WITH_EXTRA)
		lzop_damaged(lzop);
}

/* Returns 1, 0 at the end, or -1 after fail() */
static int next_block(struct lzop_stream *lzop)
{
	uint32_t size = get_be(lzop, 4), packed_size, adler32, crc32;
	lzo_uint unpacked = LARGEST_BLOCK;
	unsigned char *source;

	if (is_fatal(lzop->stream.trouble))
		return -1;
	if (!size)
		return 0;

	packed_size = get_be(lzop, 4);
	adler32 = lzop->flags & BLOCK_ADLER32 ? get_be(lzop, 4) : 0;
	crc32 = lzop->flags & BLOCK_CRC32 ? get_be(lzop, 4) : 0;
	if (size > LARGEST_BLOCK || packed_size > size)
		return lzop_damaged(lzop);

	if (packed_size < size && lzop->flags & PACKED_ADLER32)
		get_be(lzop, 4);
	if (packed_size < size && lzop->flags & PACKED_CRC32)
		get_be(lzop, 4);

	/* What did not become smaller is stored */
	source = packed_size < size ? lzop->packed_block : lzop->block;
	if (stream_read(lzop->packed, source, packed_size) < packed_size) {
		unpack_more(lzop->packed);
		return -1;
	}
	if (packed_size < size &&
	    (lzo1x_decompress_safe(source, packed_size, lzop->block, &unpacked,
				   NULL) != LZO_E_OK || unpacked != size))
		return lzop_damaged(lzop);

	if ((lzop->flags & BLOCK_ADLER32 &&
	     adler32 != lzo_adler32(1, lzop->block, size)) ||
	    (lzop->flags & BLOCK_CRC32 &&
	     crc32 != lzo_crc32(0, lzop->block, size)))
		return lzop_damaged(lzop);

	lzop->given = 0;
	lzop->size = size;
	return 1;
}

static ssize_t read_lzop(struct stream *stream, void *to, size_t size)
{
	struct lzop_stream *lzop = (struct lzop_stream *)stream;

	if (lzop->given == lzop->size) {
		int status = next_block(lzop);

		if (status <= 0)
			return status;
	}

	if (size > lzop->size - lzop->given)
		size = lzop->size - lzop->given;
	memcpy(to, lzop->block + lzop->given, size);
	lzop->given += size;
	return size;
}

static void close_lzop(struct stream *stream)
{
	struct lzop_stream *lzop = (struct lzop_stream *)stream;

	free(lzop->block);
	free(lzop->packed_block);
}

struct stream *unpack_lzop(struct stream *packed)
{
	struct lzop_stream *lzop = stream_new(sizeof(*lzop), read_lzop,
					      packed->trouble);

	lzop->packed = packed;
	lzop->block = allocate(1, LARGEST_BLOCK);
	lzop->packed_block = allocate(1, LARGEST_BLOCK);
	lzop->stream.close = close_lzop;
	read_header(lzop);
	return &lzop->stream;
}
