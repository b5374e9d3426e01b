// SPDX-License-Identifier: GPL-2.0-only
/*
 * Streams: the buffer that they have in common, files, parts, and memory. What
 * unpacks is in unpack-*.c.
 *
 * Files are read and not mapped: one that shrinks meanwhile would be a signal.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scan.h"
#include "stream.h"

int fail(struct trouble *trouble, enum trouble_kind kind, const char *format, ...)
{
	va_list args;
	char *text;

	if (trouble->kind >= kind)
		return -1;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = duplicate("out of memory");
	va_end(args);

	trouble->kind = kind;
	explain(&trouble->why, "%s", text);
	free(text);
	return -1;
}

void *stream_new(size_t size, ssize_t (*read)(struct stream *, void *, size_t),
		 struct trouble *trouble)
{
	struct stream *stream = allocate(1, size);

	stream->read = read;
	stream->trouble = trouble;
	return stream;
}

void stream_close(struct stream *stream)
{
	if (!stream)
		return;
	if (stream->close)
		stream->close(stream);
	free(stream);
}

size_t stream_peek(struct stream *stream, size_t want)
{
	if (stream->end - stream->start >= want)
		return stream->end - stream->start;

	memmove(stream->buffer, stream_data(stream), stream->end - stream->start);
	stream->end -= stream->start;
	stream->start = 0;

	while (stream->end < want && !stream->ended) {
		ssize_t size = stream->read(stream, stream->buffer + stream->end,
					    STREAM_BUFFER - stream->end);

		if (size > 0)
			stream->end += size;
		else
			stream->ended = true;
	}

	return stream->end;
}

void stream_skip(struct stream *stream, size_t size)
{
	if (stream->scan)
		scan_feed(stream->scan, stream_data(stream), size);
	stream->start += size;
	stream->at += size;
}

bool stream_skip_to(struct stream *stream, uint64_t at)
{
	while (stream->at < at) {
		size_t size = stream_peek(stream, 1);

		if (!size)
			return false;
		stream_skip(stream, size < at - stream->at ? size : at - stream->at);
	}

	return stream->at == at;
}

uint64_t stream_drain(struct stream *stream)
{
	stream_skip_to(stream, UINT64_MAX);
	return stream->at;
}

size_t stream_read(struct stream *stream, void *to, size_t size)
{
	size_t done = 0;

	while (done < size) {
		size_t some = stream_peek(stream, 1);

		if (!some)
			break;
		if (some > size - done)
			some = size - done;
		memcpy(to + done, stream_data(stream), some);
		stream_skip(stream, some);
		done += some;
	}

	return done;
}

struct file_stream {
	struct stream stream;
	int fd;
	uint64_t done;
	uint64_t size;		/* when it was opened */
};

static ssize_t read_file(struct stream *stream, void *to, size_t size)
{
	struct file_stream *file = (struct file_stream *)stream;
	ssize_t done;

	do {
		done = read(file->fd, to, size);
	} while (done < 0 && errno == EINTR);

	if (done < 0)
		return fail(stream->trouble, CANNOT_READ, "%s", strerror(errno));
	if (!done && file->done < file->size)
		return fail(stream->trouble, CANNOT_READ,
			    "ends after %llu bytes and had %llu when it was opened",
			    (unsigned long long)file->done,
			    (unsigned long long)file->size);

	file->done += done;
	return done;
}

static void close_file(struct stream *stream)
{
	close(((struct file_stream *)stream)->fd);
}

/* Returns false after fail() */
static bool check_file(int fd, struct stat *st, struct trouble *trouble)
{
	if (fd < 0 || fstat(fd, st)) {
		fail(trouble, CANNOT_READ, "%s", strerror(errno));
		return false;
	}
	if (!S_ISREG(st->st_mode)) {
		fail(trouble, CANNOT_READ, "not a regular file");
		return false;
	}

	return true;
}

struct stream *stream_open_file(const char *path, struct trouble *trouble)
{
	/* Opening a FIFO waits for a writer otherwise */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct file_stream *file;
	struct stat st;

	if (!check_file(fd, &st, trouble)) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}

	file = stream_new(sizeof(*file), read_file, trouble);
	file->stream.close = close_file;
	file->fd = fd;
	file->size = st.st_size;
	return &file->stream;
}

uint64_t stream_file_size(const struct stream *stream)
{
	return ((const struct file_stream *)stream)->size;
}

struct part_stream {
	struct stream stream;
	struct stream *whole;
	uint64_t left;
};

static ssize_t read_part(struct stream *stream, void *to, size_t size)
{
	struct part_stream *part = (struct part_stream *)stream;
	size_t done;

	if (!part->left)
		return 0;

	done = stream_peek(part->whole, 1);
	if (!done)
		return fail(stream->trouble, IS_DAMAGED,
			    "truncated: it has %llu bytes, expected %llu",
			    (unsigned long long)part->whole->at,
			    (unsigned long long)(part->whole->at + part->left));

	if (done > size)
		done = size;
	if (done > part->left)
		done = part->left;
	memcpy(to, stream_data(part->whole), done);
	stream_skip(part->whole, done);
	part->left -= done;
	return done;
}

struct stream *stream_open_part(struct stream *whole, uint64_t size)
{
	struct part_stream *part = stream_new(sizeof(*part), read_part,
					      whole->trouble);

	part->whole = whole;
	part->left = size;
	return &part->stream;
}

struct memory_stream {
	struct stream stream;
	const void *data;
	size_t left;
};

static ssize_t read_memory(struct stream *stream, void *to, size_t size)
{
	struct memory_stream *memory = (struct memory_stream *)stream;

	if (size > memory->left)
		size = memory->left;
	memcpy(to, memory->data, size);
	memory->data += size;
	memory->left -= size;
	return size;
}

struct stream *stream_open_memory(const void *data, size_t size,
				  struct trouble *trouble)
{
	struct memory_stream *memory = stream_new(sizeof(*memory), read_memory,
						  trouble);

	memory->data = data;
	memory->left = size;
	return &memory->stream;
}
