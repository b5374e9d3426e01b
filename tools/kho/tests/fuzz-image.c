// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer target: kernel image files, whatever is in them, must not make their
 * readers and unpackers read outside the file, nor call a kernel known about which
 * something impossible is "known".
 *
 * A sum keeps all but one in 2^32 inputs from what lies behind it. So each
 * input is read twice: as it is, and with the sum of every note put right.
 */
#include <endian.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check_components(const struct kernel *kernel)
{
	require(kernel->machine);
	require(kernel->nr <= KHO_IMAGE_NOTE_MAX_ENTRIES);
	for (unsigned int i = 0; i < kernel->nr; i++) {
		const struct kho_image_entry *component = &kernel->components[i];

		require(component->name[0]);
		require(strnlen(component->name, sizeof(component->name)) <
			sizeof(component->name));
		require(component->min_version);
		require(component->min_version <= component->version);
	}
}

static void parse_bytes(const void *data, size_t size)
{
	struct trouble trouble = { };
	struct stream *stream = stream_open_memory(data, size, &trouble);
	struct image image = { };

	image_parse(&image, stream, &trouble);
	stream_close(stream);
	reason_free(&trouble.why);

	require(image.nr);
	for (unsigned int i = 0; i < image.nr; i++) {
		require(!!image.kernels[i]->why.text == !has_components(image.kernels[i]));
		require(strlen(image.kernels[i]->release) <
			sizeof(image.kernels[i]->release));
		if (has_components(image.kernels[i]))
			check_components(image.kernels[i]);
	}
	image_free(&image);
}

static void put_sum_right(struct kho_image_note *note, size_t size)
{
	const uint32_t *words = (const uint32_t *)note;
	size_t len = sizeof(*note);
	uint32_t sum = 0;

	if (size < len || memcmp(note->magic, KHO_IMAGE_NOTE_MAGIC, 16))
		return;
	len += (uint64_t)le32toh(note->nr) * sizeof(note->entries[0]);
	if (size < len)
		return;

	for (size_t i = 0; i < len / sizeof(*words); i++)
		sum += le32toh(words[i]);
	note->sum = htole32(le32toh(note->sum) - sum);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Its end is where AddressSanitizer watches */
	char *copy = malloc(size);

	if (!copy)
		return 0;
	memcpy(copy, data, size);

	parse_bytes(copy, size);
	for (size_t at = 0; at < size; at += KHO_IMAGE_NOTE_ALIGN)
		put_sum_right((void *)(copy + at), size - at);
	parse_bytes(copy, size);

	free(copy);
	return 0;
}
