// SPDX-License-Identifier: GPL-2.0-only
/*
 * bzImage: see Documentation/arch/x86/boot.rst. The note is in what is not
 * compressed, everything else in what is.
 */
#include <string.h>

#include "format.h"

#define SETUP_SECTS	0x1f1
#define SYSSIZE		0x1f4
#define MAGIC		0x202
#define PROTOCOL	0x206
#define KERNEL_VERSION	0x20e
#define XLOADFLAGS	0x236
#define KERNEL_64	1
#define PAYLOAD_OFFSET	0x248
#define PAYLOAD_LENGTH	0x24c

#define WITH_PAYLOAD	0x208
#define WITH_XLOADFLAGS	0x20c

/* From its header, which does not stay in memory */
struct bzimage {
	uint64_t setup, size;
	uint64_t payload, payload_size;
	char release[65];
	const char *machine;		/* NULL: an old one, which does not say */
};

bool is_bzimage(const struct head *head)
{
	return HAS_MAGIC(head, MAGIC, "HdrS");
}

static void read_header(const struct head *head, struct bzimage *bzimage)
{
	unsigned int protocol = get_le(head, PROTOCOL, 2);
	uint64_t version = get_le(head, KERNEL_VERSION, 2) + 0x200;

	/* One more sector, the first, is not counted; and 0 stands for 4 */
	bzimage->setup = ((get_le(head, SETUP_SECTS, 1) ?: 4) + 1) * 512;
	bzimage->size = bzimage->setup + get_le(head, SYSSIZE, 4) * 16;
	if (protocol >= WITH_PAYLOAD) {
		bzimage->payload = bzimage->setup + get_le(head, PAYLOAD_OFFSET, 4);
		bzimage->payload_size = get_le(head, PAYLOAD_LENGTH, 4);
	}

	if (version > 0x200 && version < bzimage->setup && version < head->size)
		copy_release(bzimage->release, head->data + version,
			     head->size - version);
	if (protocol >= WITH_XLOADFLAGS)
		bzimage->machine = get_le(head, XLOADFLAGS, 2) & KERNEL_64 ?
				   "x86_64" : "i386";
}

/* The kernel without its note, or NULL */
static struct kernel *parse_payload(struct image *image, struct stream *stream,
				    const struct bzimage *bzimage, int depth)
{
	struct stream *part;

	if (!bzimage->payload_size || !stream_skip_to(stream, bzimage->payload))
		return NULL;

	part = stream_open_part(stream, bzimage->payload_size);
	parse_packed(image, part, depth);
	stream_close(part);
	return image->nr ? image->kernels[0] : NULL;
}

void parse_bzimage(struct image *image, struct stream *stream, int depth)
{
	struct head head = head_of(stream);
	struct scan *scan = scan_new();
	struct bzimage bzimage = { };
	struct kernel *kernel;

	read_header(&head, &bzimage);
	stream->scan = scan;
	kernel = parse_payload(image, stream, &bzimage, depth);
	expect_size(stream, bzimage.size);
	stream->scan = NULL;
	scan_end(scan);

	if (!kernel)
		kernel = image_add(image);
	if ((kernel->kind != NOT_LINUX || scan->note_size) && !kernel->release[0])
		memcpy(kernel->release, bzimage.release, sizeof(kernel->release));
	if (scan->flawed || scan->note_size || !bzimage.payload_size) {
		if (!scan->note_size)
			kernel->release[0] = '\0';
		scan_describe(scan, kernel);
	}

	kernel->machine = bzimage.machine ?: kernel->machine ?: "i386";
	kernel->page_shift = kernel->page_shift ?: X86_PAGE_SHIFT;
	explain(&kernel->format, "bzImage");
	scan_free(scan);
}
