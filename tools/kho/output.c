// SPDX-License-Identifier: GPL-2.0-only
/* What the commands print in common. The keys of JSON are in kho-compat.1. */
#include <string.h>

#include "json.h"
#include "output.h"
#include "utf8.h"

bool json;

const char *const verdict_names[] = {
	[COMPATIBLE] = "compatible",
	[INCOMPATIBLE] = "incompatible",
	[UNKNOWN] = "unknown",
	[UNREADABLE_OR_USAGE] = "error",
};

enum verdict verdict_of(const char *name)
{
	if (!strcmp(name, verdict_names[COMPATIBLE]))
		return COMPATIBLE;
	if (!strcmp(name, verdict_names[INCOMPATIBLE]))
		return INCOMPATIBLE;
	return UNKNOWN;
}

/* What is certain to fail before what may */
enum verdict worse(enum verdict a, enum verdict b)
{
	if (a == UNREADABLE_OR_USAGE || b == UNREADABLE_OR_USAGE)
		return UNREADABLE_OR_USAGE;
	if (a == INCOMPATIBLE || b == INCOMPATIBLE)
		return INCOMPATIBLE;
	return a > b ? a : b;
}

void print_text(FILE *file, const char *text)
{
	while (*text) {
		unsigned int code;
		size_t len = utf8_decode(text, &code);

		if (!len || code < ' ' || (code >= 0x7f && code < 0xa0)) {
			fprintf(file, "\\x%02x", (unsigned char)*text);
			text++;
			continue;
		}
		if (code == '\\')
			putc('\\', file);
		fwrite(text, 1, len, file);
		text += len;
	}
}

void complain(const char *path, const struct reason *why)
{
	fputs("kho-compat: ", stderr);
	if (path) {
		print_text(stderr, path);
		fputs(": ", stderr);
	}
	print_text(stderr, why->text);
	putc('\n', stderr);
}

static const char *const kinds[] = {
	[HAS_NOTE] = "note",
	[IS_STOCK] = "stock",
	[WITHOUT_KHO] = "without-kho",
	[NOT_LINUX] = "not-linux",
	[DAMAGED] = "damaged",
	[NOT_KNOWN] = "unknown",
	[NOT_READABLE] = "unreadable",
};

static void print_kho(const struct kernel *kernel)
{
	if (kernel->kind == IS_STOCK)
		printf(", stock KHO");
	else
		printf(", KHO note");
	if (kernel->page_shift)
		printf(", page shift %u", kernel->page_shift);
	printf(", KHO %s, %s live update",
	       kernel->kho_on ? "on by default" : "on with kho=on",
	       kernel->liveupdate ? "with" : "without");
}

void print_kernel(const struct kernel *kernel)
{
	bool is_kernel = is_linux(kernel) || kernel->release[0];

	if (kernel->format.text)
		printf("%s, ", kernel->format.text);
	if (is_kernel) {
		printf("Linux ");
		print_text(stdout, kernel->release[0] ? kernel->release :
			   "of unknown release");
		printf(" for %s", kernel->machine ?: "an unknown machine");
	}

	if (has_components(kernel)) {
		print_kho(kernel);
	} else {
		if (kernel->kind == WITHOUT_KHO)
			printf(", no KHO: ");
		else if (is_kernel)
			printf(": ");
		if (kernel->kind == DAMAGED)
			printf("damaged: ");
		if (kernel->kind == NOT_KNOWN)
			printf("not known: ");
		print_text(stdout, kernel->why.text);
	}
	if (kernel->cmdline) {
		printf(", command line '");
		print_text(stdout, kernel->cmdline);
		putchar('\'');
	}
}

static void json_components(const struct kernel *kernel)
{
	json_open("components", '[');
	for (unsigned int i = 0; i < kernel->nr; i++) {
		json_open(NULL, '{');
		json_string("name", kernel->components[i].name);
		json_number("version", kernel->components[i].version);
		json_number("min_version", kernel->components[i].min_version);
		json_close('}');
	}
	json_close(']');
}

void json_kernel(const char *path, const struct kernel *kernel)
{
	bool failed = kernel->kind >= DAMAGED;

	json_path("path", path);
	json_string("kind", kinds[kernel->kind]);
	json_string("error", failed ? kernel->why.text : NULL);
	json_string("reason", failed ? NULL : kernel->why.text);
	json_string("format", kernel->format.text);
	json_string("machine", kernel->machine);
	json_string("release", kernel->release[0] ? kernel->release : NULL);
	json_string("profile", kernel->profile);
	json_string("cmdline", kernel->cmdline);
	if (kernel->page_shift)
		json_number("page_shift", kernel->page_shift);
	else
		json_string("page_shift", NULL);
	if (!has_components(kernel))
		return;

	json_bool("kho_on", kernel->kho_on);
	json_bool("liveupdate", kernel->liveupdate);
	json_components(kernel);
}

void json_next_range(unsigned int min_version, unsigned int version)
{
	if (version) {
		json_number("next_min_version", min_version);
		json_number("next_version", version);
	} else {
		json_string("next_min_version", NULL);
		json_string("next_version", NULL);
	}
}

void print_next_range(unsigned int min_version, unsigned int version)
{
	char range[24] = "-";

	if (version)
		snprintf(range, sizeof(range), "%u-%u", min_version, version);
	printf("%-10s", range);
}
