/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KHO_COMPAT_UNPACK_H
#define KHO_COMPAT_UNPACK_H

#include "stream.h"

/* A compression */
struct unpacker {
	const char *name;
	const char *magic;
	size_t len;		/* of the magic */
	const char *library;	/* that unpacks it */
	/* NULL if that was not there when this program was built */
	struct stream *(*open)(struct stream *packed);
};

/* Ends with one that has no name */
extern const struct unpacker unpackers[];

/* By the magic at the start of @packed; NULL if it is none of them */
const struct unpacker *unpacker_of(struct stream *packed);

/*
 * What @packed unpacks to; @packed stays the caller's, who closes it last. What
 * follows the end of the compressed data is left in it.
 *
 * Returns NULL after fail() if that cannot be done here.
 */
struct stream *unpack(const struct unpacker *unpacker, struct stream *packed);

/* For unpack-*.c: 0 after fail() at the end of @packed, which must not be there */
size_t unpack_more(struct stream *packed);

#ifdef HAVE_ZLIB
struct stream *unpack_gzip(struct stream *packed);
#else
#define unpack_gzip	NULL
#endif

#ifdef HAVE_LZMA
struct stream *unpack_xz(struct stream *packed);
struct stream *unpack_lzma(struct stream *packed);
#else
#define unpack_xz	NULL
#define unpack_lzma	NULL
#endif

#ifdef HAVE_ZSTD
struct stream *unpack_zstd(struct stream *packed);
#else
#define unpack_zstd	NULL
#endif

#ifdef HAVE_LZ4
struct stream *unpack_lz4(struct stream *packed);
struct stream *unpack_lz4_frame(struct stream *packed);
#else
#define unpack_lz4	NULL
#define unpack_lz4_frame	NULL
#endif

#ifdef HAVE_LZO
struct stream *unpack_lzop(struct stream *packed);
#else
#define unpack_lzop	NULL
#endif

#ifdef HAVE_BZIP2
struct stream *unpack_bzip2(struct stream *packed);
#else
#define unpack_bzip2	NULL
#endif

#endif
