/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bytes that are read once, from the first to the last: a file, a part of
 * another stream, or what a compressed one unpacks to. No more than a buffer of
 * each is in memory.
 */
#ifndef KHO_COMPAT_STREAM_H
#define KHO_COMPAT_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "reason.h"

struct scan;

enum trouble_kind {
	NO_TROUBLE,
	CANNOT_UNPACK,		/* by this program; what is around it can be read */
	IS_DAMAGED,		/* not what a whole file would be */
	CANNOT_READ,		/* the file system says so */
};

/* The first that went wrong with a file, shared by all streams made from it */
struct trouble {
	enum trouble_kind kind;
	struct reason why;
};

/* Notes it, unless something as bad was noted before. Returns -1. */
int fail(struct trouble *trouble, enum trouble_kind kind, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* What is left is not worth reading */
static inline bool is_fatal(const struct trouble *trouble)
{
	return trouble->kind > CANNOT_UNPACK;
}

/* Header and tables of every format have to be within that much of its start */
#define STREAM_BUFFER	(64 << 10)

struct stream {
	/* Returns how much it has read, 0 at the end, or -1 after fail() */
	ssize_t (*read)(struct stream *stream, void *to, size_t size);
	void (*close)(struct stream *stream);

	struct trouble *trouble;
	struct scan *scan;	/* is shown all that is skipped; may be NULL */
	uint64_t at;		/* how much that was */
	bool ended;

	size_t start, end;	/* in the buffer: not skipped yet */
	unsigned char buffer[STREAM_BUFFER];
};

/* NULL, after fail(), if it cannot be opened or is no regular file */
struct stream *stream_open_file(const char *path, struct trouble *trouble);

/* What that had when it was opened */
uint64_t stream_file_size(const struct stream *stream);

/* The next @size bytes of @whole; it is damaged if it has less */
struct stream *stream_open_part(struct stream *whole, uint64_t size);

/* For fuzzing; @data stays the caller's */
struct stream *stream_open_memory(const void *data, size_t size,
				  struct trouble *trouble);

/* For those who open one: @size is that of a structure that starts with it */
void *stream_new(size_t size, ssize_t (*read)(struct stream *, void *, size_t),
		 struct trouble *trouble);

void stream_close(struct stream *stream);

/*
 * Has @want bytes or more, at most STREAM_BUFFER, at stream_data(). Returns how
 * many there are: less at the end, and after something has failed.
 */
size_t stream_peek(struct stream *stream, size_t want);

static inline const unsigned char *stream_data(const struct stream *stream)
{
	return stream->buffer + stream->start;
}

/* Of what stream_peek() has returned */
void stream_skip(struct stream *stream, size_t size);

/* Returns false if the stream ends before, or is beyond it already */
bool stream_skip_to(struct stream *stream, uint64_t at);

/* To the end; returns the size of the whole */
uint64_t stream_drain(struct stream *stream);

/* Returns how many bytes, less than @size only at the end */
size_t stream_read(struct stream *stream, void *to, size_t size);

#endif
