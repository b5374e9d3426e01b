// SPDX-License-Identifier: GPL-2.0-only
/*
 * LZ4, by liblz4: the legacy format, which kernels are packed in, and the frame
 * format, which the lz4 command makes unless it is told otherwise.
 *
 * The legacy format is a magic, then blocks of up to 8 MiB, each after its
 * packed size. It has no end; what follows it in a kernel is the size of all
 * that was packed.
 */
#include <endian.h>
#include <lz4.h>
#include <lz4frame.h>
#include <stdlib.h>
#include <string.h>

#include "unpack.h"

#define LEGACY_MAGIC_SIZE	4
#define LEGACY_BLOCK		(8 << 20)

struct lz4_stream {
	struct stream stream;
	struct stream *packed;
	uint64_t total;
	size_t given, size;	/* of the block */
	char *block;
	char *packed_block;
};

static ssize_t lz4_damaged(struct stream *stream)
{
	return fail(stream->trouble, IS_DAMAGED, "damaged lz4 data");
}

/* Returns 1, 0 at the end, or -1 after fail() */
static int next_block(struct lz4_stream *lz4)
{
	uint32_t size;
	size_t done = stream_read(lz4->packed, &size, sizeof(size));
	int unpacked;

	if (!done)
		return 0;
	size = le32toh(size);
	if (done == sizeof(size) && size == (uint32_t)lz4->total &&
	    !stream_peek(lz4->packed, 1))
		return 0;
	if (done < sizeof(size))
		return unpack_more(lz4->packed) ? 1 : -1;
	if (!size || size > LZ4_COMPRESSBOUND(LEGACY_BLOCK))
		return lz4_damaged(&lz4->stream);
	if (stream_read(lz4->packed, lz4->packed_block, size) < size)
		return unpack_more(lz4->packed) ? 1 : -1;

	unpacked = LZ4_decompress_safe(lz4->packed_block, lz4->block, size,
				       LEGACY_BLOCK);
	if (unpacked <= 0)
		return lz4_damaged(&lz4->stream);

	lz4->given = 0;
	lz4->size = unpacked;
	lz4->total += unpacked;
	return 1;
}

static ssize_t read_lz4(struct stream *stream, void *to, size_t size)
{
	struct lz4_stream *lz4 = (struct lz4_stream *)stream;

	if (lz4->given == lz4->size) {
		int status = next_block(lz4);

		if (status <= 0)
			return status;
	}

	if (size > lz4->size - lz4->given)
		size = lz4->size - lz4->given;
	memcpy(to, lz4->block + lz4->given, size);
	lz4->given += size;
	return size;
}

static void close_lz4(struct stream *stream)
{
	struct lz4_stream *lz4 = (struct lz4_stream *)stream;

	free(lz4->block);
	free(lz4->packed_block);
}

struct stream *unpack_lz4(struct stream *packed)
{
	struct lz4_stream *lz4 = stream_new(sizeof(*lz4), read_lz4, packed->trouble);

	lz4->packed = packed;
	lz4->block = allocate(1, LEGACY_BLOCK);
	lz4->packed_block = allocate(1, LZ4_COMPRESSBOUND(LEGACY_BLOCK));
	lz4->stream.close = close_lz4;
	stream_skip(packed, LEGACY_MAGIC_SIZE);
	return &lz4->stream;
}

struct frame_stream {
	struct stream stream;
	struct stream *packed;
	LZ4F_dctx *state;
	bool finished;
};

static ssize_t read_frame(struct stream *stream, void *to, size_t size)
{
	struct frame_stream *frame = (struct frame_stream *)stream;
	size_t done = 0;

	while (!done && !frame->finished) {
		size_t some = unpack_more(frame->packed);
		size_t status;

		if (!some)
			return -1;
		done = size;
		status = LZ4F_decompress(frame->state, to, &done,
					 stream_data(frame->packed), &some, NULL);
		if (LZ4F_isError(status))
			return lz4_damaged(stream);
		stream_skip(frame->packed, some);
		frame->finished = !status;
	}

	return done;
}

static void close_frame(struct stream *stream)
{
	LZ4F_freeDecompressionContext(((struct frame_stream *)stream)->state);
}

struct stream *unpack_lz4_frame(struct stream *packed)
{
	struct frame_stream *frame = stream_new(sizeof(*frame), read_frame,
						packed->trouble);

	frame->packed = packed;
	if (LZ4F_isError(LZ4F_createDecompressionContext(&frame->state,
							 LZ4F_VERSION))) {
		fail(packed->trouble, CANNOT_UNPACK, "out of memory for lz4");
		stream_close(&frame->stream);
		return NULL;
	}

	frame->stream.close = close_frame;
	return &frame->stream;
}
