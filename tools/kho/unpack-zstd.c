// SPDX-License-Identifier: GPL-2.0-only
/* Zstandard, by libzstd, which refuses windows of more than 128 MiB */
#include <zstd.h>

#include "unpack.h"

struct zstd_stream {
	struct stream stream;
	struct stream *packed;
	ZSTD_DStream *state;
	bool finished;
};

static ssize_t read_zstd(struct stream *stream, void *to, size_t size)
{
	struct zstd_stream *zstd = (struct zstd_stream *)stream;
	ZSTD_outBuffer out = { .dst = to, .size = size };

	while (!out.pos && !zstd->finished) {
		size_t some = unpack_more(zstd->packed);
		ZSTD_inBuffer in = { .src = stream_data(zstd->packed), .size = some };
		size_t status;

		if (!some)
			return -1;
		status = ZSTD_decompressStream(zstd->state, &out, &in);
		stream_skip(zstd->packed, in.pos);
		if (ZSTD_isError(status))
			return fail(stream->trouble, IS_DAMAGED,
				    "damaged zstd data: %s",
				    ZSTD_getErrorName(status));
		zstd->finished = !status;
	}

	return out.pos;
}

static void close_zstd(struct stream *stream)
{
	ZSTD_freeDStream(((struct zstd_stream *)stream)->state);
}

struct stream *unpack_zstd(struct stream *packed)
{
	struct zstd_stream *zstd = stream_new(sizeof(*zstd), read_zstd,
					      packed->trouble);

	zstd->packed = packed;
	zstd->stream.close = close_zstd;
	zstd->state = ZSTD_createDStream();
	if (!zstd->state || ZSTD_isError(ZSTD_initDStream(zstd->state))) {
		fail(packed->trouble, CANNOT_UNPACK, "out of memory for zstd");
		stream_close(&zstd->stream);
		return NULL;
	}

	return &zstd->stream;
}
