// SPDX-License-Identifier: GPL-2.0-only
/*
 * The search in the bytes of an image, which come in pieces. A window holds what
 * has come last; a position is looked at once all that may belong to it is there:
 * LOOK_BEHIND bytes before it and LOOK_AHEAD from it on.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "scan.h"

#define LOOK_BEHIND	16
#define LOOK_AHEAD	1024
#define WINDOW		(LOOK_BEHIND + LOOK_AHEAD + (128 << 10))

static_assert(NOTE_MAX_SIZE <= LOOK_AHEAD);

struct scan *scan_new(void)
{
	struct scan *scan = allocate(1, sizeof(*scan));

	scan->window = allocate(1, WINDOW);
	return scan;
}

void scan_free(struct scan *scan)
{
	if (!scan)
		return;
	reason_free(&scan->flaw);
	free(scan->window);
	free(scan);
}

/* Notes */

static void look_at_note(struct scan *scan, const unsigned char *data, size_t size)
{
	union {
		struct kho_image_note note;
		unsigned char bytes[NOTE_MAX_SIZE];
	} copy;
	size_t note_size;

	if (scan->flawed || !has_note_magic(data, size))
		return;

	if (size > sizeof(copy))
		size = sizeof(copy);
	memcpy(&copy, data, size);
	note_size = note_check(&copy.note, size, &scan->newer, &scan->flaw);
	scan->flawed = !note_size;

	if (note_size && scan->note_size &&
	    (note_size != scan->note_size ||
	     memcmp(&copy, scan->note_bytes, note_size))) {
		scan->flawed = true;
		explain(&scan->flaw, "there are KHO notes that differ");
	}

	memcpy(scan->note_bytes, &copy, note_size);
	scan->note_size = note_size;
}

static void look_for_notes(struct scan *scan, size_t end)
{
	size_t at = scan->looked +
		    -(scan->at + scan->looked) % KHO_IMAGE_NOTE_ALIGN;

	for (; at < end; at += KHO_IMAGE_NOTE_ALIGN)
		look_at_note(scan, scan->window + at, scan->len - at);
}

/* Strings */

void copy_release(char release[65], const unsigned char *text, size_t size)
{
	size_t len = 0;

	while (len < size && len < 64 && isgraph(text[len]))
		len++;
	memcpy(release, text, len);
	release[len] = '\0';
}

/* "Linux version 7.3.4-amd64 (who@where)": others say "Linux version", too */
static void found_banner(struct scan *scan, const unsigned char *text, size_t size)
{
	size_t number = strlen("Linux version ");
	char release[65];

	if (scan->release[0] || number >= size || !isdigit(text[number]))
		return;

	copy_release(release, text + number, size - number);
	number += strlen(release);
	if (strchr(release, '.') && number + 1 < size && text[number] == ' ' &&
	    text[number + 1] == '(')
		memcpy(scan->release, release, sizeof(release));
}

static void found_no_kho(struct scan *scan, const unsigned char *text, size_t size)
{
	(void)text;
	(void)size;
	scan->without_kho = true;
}

/* All of a string, from one that is no part of it to its NUL */
static void found_format(struct scan *scan, enum scan_format format,
			 const unsigned char *digits, size_t size)
{
	unsigned int version = 0;
	size_t len = 0;

	while (len < size && len < 6 && isdigit(digits[len]))
		version = version * 10 + digits[len++] - '0';
	if (!len || len == size || digits[len] || digits[0] == '0')
		return;
	if (version > scan->formats[format])
		scan->formats[format] = version;
}

/* @rare is searched for, and the rest compared where it is found */
static const struct pattern {
	const char *text;
	size_t len;
	size_t rare;
	enum scan_format format;	/* if no function is called */
	void (*found)(struct scan *scan, const unsigned char *text, size_t size);
} patterns[] = {
#define PATTERN(text, rare, format)	{ text, sizeof(text) - 1, rare, format, NULL }
#define SPECIAL(text, rare, found)	{ text, sizeof(text) - 1, rare, 0, found }
	PATTERN("kho-v", 3, FORMAT_KHO),
	PATTERN("luo-v", 3, FORMAT_LUO),
	PATTERN("memfd-v", 5, FORMAT_MEMFD),
	PATTERN("memblock-v", 8, FORMAT_MEMBLOCK),
	SPECIAL("Passed KHO data, but CONFIG_KEXEC_HANDOVER not set", 30, found_no_kho),
	SPECIAL("Linux version ", 4, found_banner),
	{ }
};

static void found(struct scan *scan, const struct pattern *pattern,
		  const unsigned char *text, size_t size)
{
	if (pattern->found)
		pattern->found(scan, text, size);
	else if (!isprint(text[-1]))
		found_format(scan, pattern->format, text + pattern->len,
			     size - pattern->len);
}

static void look_for(struct scan *scan, const struct pattern *pattern, size_t end)
{
	const size_t rare = pattern->rare;
	const unsigned char *from = scan->window + scan->looked + rare;
	const unsigned char *until = scan->window + end + rare;
	const unsigned char *stop = scan->window + scan->len;

	if (until > stop)
		until = stop;
	while (from < until && (from = memchr(from, pattern->text[rare], until - from))) {
		const unsigned char *text = from - rare;

		if ((size_t)(stop - text) >= pattern->len &&
		    !memcmp(text, pattern->text, pattern->len))
			found(scan, pattern, text, stop - text);
		from++;
	}
}

/* All positions before @end */
static void look(struct scan *scan, size_t end)
{
	look_for_notes(scan, end);
	for (const struct pattern *pattern = patterns; pattern->text; pattern++)
		look_for(scan, pattern, end);
	scan->looked = end;
}

/* Keeps what is needed of the window */
static void move_window(struct scan *scan)
{
	size_t keep = scan->looked - LOOK_BEHIND;

	memmove(scan->window, scan->window + keep, scan->len - keep);
	scan->at += keep;
	scan->len -= keep;
	scan->looked -= keep;
}

/* Before the image are LOOK_BEHIND bytes that belong to no string */
static void start_window(struct scan *scan)
{
	memset(scan->window, 0, LOOK_BEHIND);
	scan->at = -LOOK_BEHIND;
	scan->looked = LOOK_BEHIND;
	scan->len = LOOK_BEHIND;
}

void scan_feed(struct scan *scan, const void *data, size_t size)
{
	if (!scan->len)
		start_window(scan);

	while (size) {
		size_t some = WINDOW - scan->len < size ? WINDOW - scan->len : size;

		memcpy(scan->window + scan->len, data, some);
		scan->len += some;
		data += some;
		size -= some;

		if (scan->len == WINDOW) {
			look(scan, scan->len - LOOK_AHEAD);
			move_window(scan);
		}
	}
}

void scan_end(struct scan *scan)
{
	look(scan, scan->len);
}

bool scan_has_decided(const struct scan *scan)
{
	return scan->release[0] && scan->without_kho && !scan->flawed &&
	       !scan->note_size;
}

/* The description */

#define STOCK_KHO	4	/* of Linux 7.2.13 and of 7.3 */

/* What that string stands for is what the baseline versions are made from */
static void describe_formats(const struct scan *scan, struct kernel *kernel)
{
	const unsigned int *formats = scan->formats;

	kernel->nr = 0;
	if (formats[FORMAT_KHO] == STOCK_KHO) {
		add_component(kernel, "radix", 1, 1);
		add_component(kernel, "vmalloc", 1, 1);
		add_component(kernel, "block", 1, 1);
	} else {
		add_component(kernel, "kho", formats[FORMAT_KHO], formats[FORMAT_KHO]);
	}

	if (formats[FORMAT_MEMBLOCK])
		add_component(kernel, "memblock", formats[FORMAT_MEMBLOCK],
			      formats[FORMAT_MEMBLOCK]);
	if (formats[FORMAT_LUO])
		add_component(kernel, "luo", formats[FORMAT_LUO], formats[FORMAT_LUO]);
	if (formats[FORMAT_MEMFD])
		add_component(kernel, "memfd", formats[FORMAT_MEMFD],
			      formats[FORMAT_MEMFD]);
	kernel->liveupdate = formats[FORMAT_LUO];
}

void scan_describe(const struct scan *scan, struct kernel *kernel)
{
	if (scan->release[0])
		memcpy(kernel->release, scan->release, sizeof(kernel->release));

	if (scan->flawed) {
		kernel->kind = scan->newer ? NOT_KNOWN : DAMAGED;
		explain(&kernel->why, "%s", scan->flaw.text);
	} else if (scan->note_size) {
		kernel->kind = HAS_NOTE;
		note_decode(&scan->note, kernel);
	} else if (!kernel->release[0]) {
		kernel->kind = NOT_LINUX;
		explain(&kernel->why, "not Linux");
	} else if (scan->formats[FORMAT_KHO] && !scan->without_kho) {
		kernel->kind = IS_STOCK;
		describe_formats(scan, kernel);
	} else {
		kernel->kind = WITHOUT_KHO;
		explain(&kernel->why, "it is built without KHO");
	}
}
