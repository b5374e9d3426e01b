// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files of kernel images: which format one has, whether it is whole, and what of
 * that decides. All kernels with KHO are little endian, on whatever host this
 * runs. Nothing in the file is trusted.
 */
#include <stdlib.h>
#include <string.h>

#include "cmdline.h"
#include "format.h"
#include "unpack.h"

/* A bzImage in a UKI that is packed is 3 */
#define MAX_DEPTH	5

/* There is none with KHO that has as much; a disk or a core dump may have more */
#define MAX_FILE	(4ULL << 30)

struct head head_of(struct stream *stream)
{
	size_t size = stream_peek(stream, STREAM_BUFFER);

	return (struct head) { .data = stream_data(stream), .size = size };
}

bool has_magic(const struct head *head, uint64_t at, const char *text, size_t len)
{
	return at <= head->size && len <= head->size - at &&
	       !memcmp(head->data + at, text, len);
}

uint64_t get_le(const struct head *head, uint64_t at, size_t len)
{
	uint64_t value = 0;

	if (at > head->size || len > head->size - at)
		return 0;
	while (len--)
		value = value << 8 | head->data[at + len];
	return value;
}

struct kernel *image_add(struct image *image)
{
	struct kernel *kernel = allocate(1, sizeof(*kernel));
	struct kernel **kernels = allocate(image->nr + 1, sizeof(*kernels));

	if (image->nr)
		memcpy(kernels, image->kernels, image->nr * sizeof(*kernels));
	free(image->kernels);
	image->kernels = kernels;
	kernels[image->nr++] = kernel;

	kernel->kind = NOT_KNOWN;
	return kernel;
}

void image_free(struct image *image)
{
	for (unsigned int i = 0; i < image->nr; i++) {
		kernel_free(image->kernels[i]);
		free(image->kernels[i]);
	}
	free(image->kernels);
	*image = (struct image) { };
}

void put_into(struct image *image, const char *name)
{
	for (unsigned int i = 0; i < image->nr; i++) {
		struct reason *format = &image->kernels[i]->format;

		if (format->text)
			explain(format, "%s in %s", format->text, name);
		else
			explain(format, "%s", name);
	}
}

void expect_size(struct stream *stream, uint64_t size)
{
	uint64_t total = stream_drain(stream);

	if (total < size)
		fail(stream->trouble, IS_DAMAGED,
		     "truncated: it has %llu bytes, expected %llu",
		     (unsigned long long)total, (unsigned long long)size);
}

/* Returns false at the end if nothing did */
static bool drain_until_decided(struct stream *stream)
{
	size_t size;

	while (!scan_has_decided(stream->scan)) {
		size = stream_peek(stream, 1);
		if (!size)
			return false;
		stream_skip(stream, size);
	}

	return true;
}

struct kernel *parse_flat(struct image *image, struct stream *stream,
			  uint64_t size, const char *name)
{
	struct kernel *kernel = image_add(image);
	struct scan *scan = scan_new();

	stream->scan = scan;
	if (!image->brief || !drain_until_decided(stream))
		expect_size(stream, size);
	stream->scan = NULL;

	scan_end(scan);
	scan_describe(scan, kernel);
	explain(&kernel->format, "%s", name);
	scan_free(scan);
	return kernel;
}

void parse_packed(struct image *image, struct stream *stream, int depth)
{
	const struct unpacker *unpacker = unpacker_of(stream);
	struct stream *unpacked;

	if (!unpacker) {
		fail(stream->trouble, CANNOT_UNPACK, "compressed in an unknown way");
		return;
	}
	unpacked = unpack(unpacker, stream);
	if (!unpacked)
		return;

	parse(image, unpacked, depth + 1);
	stream_close(unpacked);
}

static bool is_packed(const struct head *head)
{
	for (const struct unpacker *row = unpackers; row->name; row++) {
		if (has_magic(head, 0, row->magic, row->len))
			return true;
	}

	return false;
}

static void parse_packed_file(struct image *image, struct stream *stream, int depth)
{
	const char *name = unpacker_of(stream)->name;

	parse_packed(image, stream, depth);
	put_into(image, name);
}

/* Kernels of other machines: what they are named by is in their first bytes */

static const struct {
	uint64_t at;
	const char *magic;
	size_t len;
	const char *format;
	const char *machine;
} other_formats[] = {
#define OTHER(at, magic, format, machine) { at, magic, sizeof(magic) - 1, format, machine }
	OTHER(0x38, "RSC\x05", "Image", "riscv64"),
	OTHER(0x24, "\x18\x28\x6f\x01", "zImage", "arm"),
	OTHER(0x10008, "S390EP", "bzImage", "s390x"),
	{ }
};

static int other_format(const struct head *head)
{
	int i = 0;

	while (other_formats[i].magic &&
	       !has_magic(head, other_formats[i].at, other_formats[i].magic,
			  other_formats[i].len))
		i++;
	return i;
}

static bool is_other(const struct head *head)
{
	return other_formats[other_format(head)].magic;
}

static void parse_other(struct image *image, struct stream *stream, int depth)
{
	struct head head = head_of(stream);
	int format = other_format(&head);
	struct kernel *kernel = parse_flat(image, stream, 0,
					   other_formats[format].format);

	(void)depth;
	kernel->kind = WITHOUT_KHO;	/* its release may be in what is packed */
	kernel->machine = other_formats[format].machine;
}

/* What is often near kernels */
static const struct {
	const char *magic;
	size_t len;
	const char *what;
} no_kernels[] = {
#define NO_KERNEL(magic, what)	{ magic, sizeof(magic) - 1, what }
	NO_KERNEL("070701", "a cpio archive, as an initrd is"),
	NO_KERNEL("070702", "a cpio archive, as an initrd is"),
	NO_KERNEL("!<arch>\n", "an archive"),
	NO_KERNEL("#!", "a script"),
	{ }
};

static void parse_nothing(struct image *image, struct stream *stream)
{
	struct head head = head_of(stream);
	struct kernel *kernel;
	const char *what = "no kernel image";

	if (is_fatal(stream->trouble))
		return;
	if (!head.size) {
		fail(stream->trouble, IS_DAMAGED, "empty");
		return;
	}

	for (size_t i = 0; no_kernels[i].magic; i++) {
		if (has_magic(&head, 0, no_kernels[i].magic, no_kernels[i].len))
			what = no_kernels[i].what;
	}

	kernel = image_add(image);
	kernel->kind = NOT_LINUX;
	explain(&kernel->why, "not Linux: %s", what);
	explain(&kernel->format, "other");
}

/* A packed file first: what follows may occur in it by chance */
static const struct format formats[] = {
	{ is_packed, parse_packed_file },
	{ is_elf, parse_elf },
	{ is_zboot, parse_zboot },
	{ is_bzimage, parse_bzimage },
	{ is_arm64_image, parse_arm64_image },
	{ is_other, parse_other },
	{ is_pe, parse_pe },
	{ }
};

void parse(struct image *image, struct stream *stream, int depth)
{
	struct head head = head_of(stream);

	if (depth > MAX_DEPTH) {
		fail(stream->trouble, CANNOT_UNPACK, "packed more than %d times",
		     MAX_DEPTH);
		return;
	}

	for (const struct format *format = formats; format->parse; format++) {
		if (format->is_that(&head)) {
			format->parse(image, stream, depth);
			return;
		}
	}

	parse_nothing(image, stream);
}

static bool machine_has_kho(const char *machine)
{
	return !strcmp(machine, "x86_64") || !strcmp(machine, "aarch64");
}

static void check_machine(struct kernel *kernel)
{
	if (!is_linux(kernel) || !kernel->machine || machine_has_kho(kernel->machine))
		return;

	kernel->kind = WITHOUT_KHO;
	explain(&kernel->why, "there is no KHO for %s", kernel->machine);
}

/* What is known of the first kernel of a file that is broken may be of use */
static void drop_kernels(struct image *image, const struct trouble *trouble)
{
	struct kernel *kernel;

	if (!image->nr)
		image_add(image);
	while (image->nr > 1) {
		kernel_free(image->kernels[--image->nr]);
		free(image->kernels[image->nr]);
	}

	kernel = image->kernels[0];
	kernel->kind = trouble->kind == CANNOT_READ ? NOT_READABLE : DAMAGED;
	kernel->nr = 0;
	explain(&kernel->why, "%s", trouble->why.text);
}

void image_parse(struct image *image, struct stream *stream,
		 struct trouble *trouble)
{
	if (stream)
		parse(image, stream, 0);
	if (is_fatal(trouble))
		drop_kernels(image, trouble);
	else if (!image->nr)
		image_add(image);

	for (unsigned int i = 0; i < image->nr; i++) {
		struct kernel *kernel = image->kernels[i];

		if (kernel->kind == NOT_KNOWN && !kernel->why.text)
			explain(&kernel->why, "%s", trouble->why.text ?: "not known");
		check_machine(kernel);
		cmdline_check(kernel);
	}
}

static void read_image(struct image *image, const char *path, bool brief)
{
	struct trouble trouble = { };
	struct stream *stream = stream_open_file(path, &trouble);

	*image = (struct image) { .brief = brief };
	if (stream && stream_file_size(stream) >= MAX_FILE) {
		fail(&trouble, IS_DAMAGED, "not a kernel: it has 4 GiB or more");
		stream_close(stream);
		stream = NULL;
	}

	image_parse(image, stream, &trouble);
	stream_close(stream);
	reason_free(&trouble.why);
}

void image_read(struct image *image, const char *path)
{
	read_image(image, path, false);
}

void image_read_briefly(struct image *image, const char *path)
{
	read_image(image, path, true);
}
