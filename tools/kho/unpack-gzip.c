// SPDX-License-Identifier: GPL-2.0-only
/* gzip, by zlib */
#include <zlib.h>

#include "unpack.h"

struct gzip_stream {
	struct stream stream;
	struct stream *packed;
	z_stream state;
	bool finished;
};

static ssize_t read_gzip(struct stream *stream, void *to, size_t size)
{
	struct gzip_stream *gzip = (struct gzip_stream *)stream;
	z_stream *state = &gzip->state;

	state->next_out = to;
	state->avail_out = size;
	while (state->avail_out == size && !gzip->finished) {
		size_t some = unpack_more(gzip->packed);
		int status;

		if (!some)
			return -1;
		state->next_in = (void *)stream_data(gzip->packed);
		state->avail_in = some;
		status = inflate(state, Z_NO_FLUSH);
		stream_skip(gzip->packed, some - state->avail_in);

		gzip->finished = status == Z_STREAM_END;
		if (status != Z_OK && status != Z_STREAM_END)
			return fail(stream->trouble, IS_DAMAGED,
				    "damaged gzip data: %s",
				    state->msg ?: zError(status));
	}

	return size - state->avail_out;
}

static void close_gzip(struct stream *stream)
{
	inflateEnd(&((struct gzip_stream *)stream)->state);
}

struct stream *unpack_gzip(struct stream *packed)
{
	struct gzip_stream *gzip = stream_new(sizeof(*gzip), read_gzip,
					      packed->trouble);

	gzip->packed = packed;
	/* 16 for the header and the sum of gzip */
	if (inflateInit2(&gzip->state, 16 + MAX_WBITS) != Z_OK) {
		fail(packed->trouble, CANNOT_UNPACK, "out of memory for gzip");
		stream_close(&gzip->stream);
		return NULL;
	}

	gzip->stream.close = close_gzip;
	return &gzip->stream;
}
