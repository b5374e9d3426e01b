/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files that each know one format of images have in common */
#ifndef KHO_COMPAT_FORMAT_H
#define KHO_COMPAT_FORMAT_H

#include "image.h"
#include "scan.h"

#define X86_PAGE_SHIFT	12

/* The start of a stream, as much as fits into its buffer */
struct head {
	const unsigned char *data;
	size_t size;
};

struct head head_of(struct stream *stream);

/* A number, and 0, which is valid nowhere that it is used, behind the head */
uint64_t get_le(const struct head *head, uint64_t at, size_t len);
bool has_magic(const struct head *head, uint64_t at, const char *text, size_t len);
#define HAS_MAGIC(head, at, text)	has_magic(head, at, text, sizeof(text) - 1)

/* In files that kexec can load, and in each other */
struct format {
	bool (*is_that)(const struct head *head);
	void (*parse)(struct image *image, struct stream *stream, int depth);
};

bool is_bzimage(const struct head *head);
void parse_bzimage(struct image *image, struct stream *stream, int depth);
bool is_arm64_image(const struct head *head);
void parse_arm64_image(struct image *image, struct stream *stream, int depth);
bool is_zboot(const struct head *head);
void parse_zboot(struct image *image, struct stream *stream, int depth);
bool is_elf(const struct head *head);
void parse_elf(struct image *image, struct stream *stream, int depth);
bool is_pe(const struct head *head);
void parse_pe(struct image *image, struct stream *stream, int depth);

/* Any of them, packed or not; adds kernels, or none after fail() */
void parse(struct image *image, struct stream *stream, int depth);

/* The same for what must be packed */
void parse_packed(struct image *image, struct stream *stream, int depth);

struct kernel *image_add(struct image *image);

/* "... in NAME", all of them */
void put_into(struct image *image, const char *name);

/*
 * A kernel that is neither packed nor in a container, of which @size bytes are
 * the least that a whole one has.
 */
struct kernel *parse_flat(struct image *image, struct stream *stream,
			  uint64_t size, const char *name);

/* To the end, or fail() if that is before @size */
void expect_size(struct stream *stream, uint64_t size);

/* Of an EFI program: its machine, and where the last section ends */
const char *pe_machine(const struct head *head);
uint64_t pe_size(const struct head *head);

#endif
