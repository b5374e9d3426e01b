// SPDX-License-Identifier: GPL-2.0-only
/* xz and its predecessor lzma, by liblzma */
#include <lzma.h>

#include "unpack.h"

/* Kernels are packed with a dictionary of up to 128 MiB */
#define MEMORY_LIMIT	(160ULL << 20)

struct xz_stream {
	struct stream stream;
	struct stream *packed;
	lzma_stream state;
	bool finished;
};

static ssize_t xz_error(struct stream *stream, lzma_ret status)
{
	if (status == LZMA_MEMLIMIT_ERROR || status == LZMA_MEM_ERROR)
		return fail(stream->trouble, CANNOT_UNPACK,
			    "its xz data takes more than %llu MiB to unpack",
			    MEMORY_LIMIT >> 20);

	return fail(stream->trouble, IS_DAMAGED, "damaged xz data, liblzma error %u",
		    (unsigned int)status);
}

static ssize_t read_xz(struct stream *stream, void *to, size_t size)
{
	struct xz_stream *xz = (struct xz_stream *)stream;
	lzma_stream *state = &xz->state;

	state->next_out = to;
	state->avail_out = size;
	while (state->avail_out == size && !xz->finished) {
		size_t some = unpack_more(xz->packed);
		lzma_ret status;

		if (!some)
			return -1;
		state->next_in = stream_data(xz->packed);
		state->avail_in = some;
		status = lzma_code(state, LZMA_RUN);
		stream_skip(xz->packed, some - state->avail_in);

		xz->finished = status == LZMA_STREAM_END;
		if (status != LZMA_OK && status != LZMA_STREAM_END)
			return xz_error(stream, status);
	}

	return size - state->avail_out;
}

static void close_xz(struct stream *stream)
{
	lzma_end(&((struct xz_stream *)stream)->state);
}

static struct xz_stream *new_xz(struct stream *packed)
{
	struct xz_stream *xz = stream_new(sizeof(*xz), read_xz, packed->trouble);

	xz->packed = packed;
	xz->state = (lzma_stream)LZMA_STREAM_INIT;
	xz->stream.close = close_xz;
	return xz;
}

static struct stream *xz_or_error(struct xz_stream *xz, lzma_ret status)
{
	if (status == LZMA_OK)
		return &xz->stream;

	xz_error(&xz->stream, status);
	stream_close(&xz->stream);
	return NULL;
}

struct stream *unpack_xz(struct stream *packed)
{
	struct xz_stream *xz = new_xz(packed);

	return xz_or_error(xz, lzma_stream_decoder(&xz->state, MEMORY_LIMIT, 0));
}

struct stream *unpack_lzma(struct stream *packed)
{
	struct xz_stream *xz = new_xz(packed);

	return xz_or_error(xz, lzma_alone_decoder(&xz->state, MEMORY_LIMIT));
}
