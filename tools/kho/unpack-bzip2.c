// SPDX-License-Identifier: GPL-2.0-only
/* bzip2, by libbz2 */
#include <bzlib.h>

#include "unpack.h"

struct bzip2_stream {
	struct stream stream;
	struct stream *packed;
	bz_stream state;
	bool finished;
};

static ssize_t read_bzip2(struct stream *stream, void *to, size_t size)
{
	struct bzip2_stream *bzip2 = (struct bzip2_stream *)stream;
	bz_stream *state = &bzip2->state;

	state->next_out = to;
	state->avail_out = size;
	while (state->avail_out == size && !bzip2->finished) {
		size_t some = unpack_more(bzip2->packed);
		int status;

		if (!some)
			return -1;
		state->next_in = (void *)stream_data(bzip2->packed);
		state->avail_in = some;
		status = BZ2_bzDecompress(state);
		stream_skip(bzip2->packed, some - state->avail_in);

		bzip2->finished = status == BZ_STREAM_END;
		if (status != BZ_OK && status != BZ_STREAM_END)
			return fail(stream->trouble, IS_DAMAGED,
				    "damaged bzip2 data, libbz2 error %d", status);
	}

	return size - state->avail_out;
}

static void close_bzip2(struct stream *stream)
{
	BZ2_bzDecompressEnd(&((struct bzip2_stream *)stream)->state);
}

struct stream *unpack_bzip2(struct stream *packed)
{
	struct bzip2_stream *bzip2 = stream_new(sizeof(*bzip2), read_bzip2,
						packed->trouble);

	bzip2->packed = packed;
	if (BZ2_bzDecompressInit(&bzip2->state, 0, 0) != BZ_OK) {
		fail(packed->trouble, CANNOT_UNPACK, "out of memory for bzip2");
		stream_close(&bzip2->stream);
		return NULL;
	}

	bzip2->stream.close = close_bzip2;
	return &bzip2->stream;
}
