// SPDX-License-Identifier: GPL-2.0-only
/* kho-compat status and assume: read and write the state of the running kernel */
#include <string.h>

#include "firmware.h"
#include "json.h"
#include "output.h"
#include "running.h"

const char *sysfs = KHO_SYSFS;

static void print_firmware_json(const struct firmware *firmware)
{
	if (!firmware->known) {
		json_string("memory_map_entries", NULL);
		json_string("memory_added_kib", NULL);
		return;
	}

	json_number("memory_map_entries", firmware->entries);
	json_number("memory_added_kib", firmware->added);
}

static void print_status_json(const struct running *running,
			      const struct firmware *firmware, enum verdict result)
{
	json_open(NULL, '{');
	json_string("verdict", strcmp(running->status, "none") ?
		    verdict_names[result] : running->status);
	json_string("reason", NULL);
	json_string("in_use", running->status);
	json_string("potential", running->potential);
	json_string("check", running->check);
	print_firmware_json(firmware);

	json_open("components", '[');
	for (unsigned int i = 0; i < running->kernel.nr; i++) {
		const struct kho_image_entry *component = &running->kernel.components[i];
		const struct running_component *state = &running->components[i];

		json_open(NULL, '{');
		json_string("name", component->name);
		json_number("version", component->version);
		json_number("min_version", component->min_version);
		json_number("incoming", state->incoming);
		json_string("status", state->status);
		json_number("users", state->users);
		json_number("unfinished", state->unfinished);
		json_next_range(state->next_min_version, state->next_version);
		json_close('}');
	}
	json_close(']');
	json_close('}');
}

static void print_no_status_json(const struct reason *why)
{
	json_open(NULL, '{');
	json_string("verdict", verdict_names[UNKNOWN]);
	json_string("reason", why->text);
	json_close('}');
}

static void print_firmware(const struct firmware *firmware)
{
	if (!firmware->known)
		return;

	printf("memory map: %u entries", firmware->entries);
	if (firmware->entries > MAP_ENTRIES_SURE)
		printf("; a kernel built for one node has room for %d",
		       MAP_ENTRIES_SURE);
	putchar('\n');
	if (firmware->added)
		printf("memory added since boot: %llu KiB, which the next kernel does not know\n",
		       (unsigned long long)firmware->added);
}

static void print_unfinished(const struct running *running)
{
	for (unsigned int i = 0; i < running->kernel.nr; i++) {
		unsigned long nr = running->components[i].unfinished;

		if (!nr)
			continue;
		printf("%s: %lu of the previous kernel not finished, a kexec would lose them\n",
		       running->kernel.components[i].name, nr);
	}
}

static void print_status(const struct running *running,
			 const struct firmware *firmware)
{
	printf("component       writes  users      next reads\n");
	for (unsigned int i = 0; i < running->kernel.nr; i++) {
		const struct running_component *state = &running->components[i];

		printf("%-15s %-7u %-10lu ", running->kernel.components[i].name,
		       running->kernel.components[i].version, state->users);
		print_next_range(state->next_min_version, state->next_version);
		putchar('\n');
	}

	print_firmware(firmware);
	print_unfinished(running);
	printf("check before kexec: %s\n", running->check);
	printf("loaded kernel, what is in use: %s\n", running->status);
	printf("loaded kernel, all that can be preserved: %s\n", running->potential);
}

enum verdict status(void)
{
	struct reason why = { };
	struct firmware firmware;
	struct running running;
	enum verdict result;

	if (!running_read(sysfs, &running, &why)) {
		if (json)
			print_no_status_json(&why);
		else
			complain(NULL, &why);
		reason_free(&why);
		return UNKNOWN;
	}

	result = worse(verdict_of(running.status), verdict_of(running.potential));
	firmware_read(sysfs, &firmware);
	if (json)
		print_status_json(&running, &firmware, result);
	else
		print_status(&running, &firmware);
	return result;
}

/* The series whose formats the kernel knows, and what it must have of them */

#define STOCK_SERIES	"7.3"

static const struct kho_image_entry stock_components[] = {
	{ "radix", 1, 1 }, { "vmalloc", 1, 1 }, { "block", 1, 1 },
	{ "luo", 5, 5 }, { "memfd", 2, 2 }, { }
};

static enum verdict check_stock(const struct kernel *kernel, struct reason *why)
{
	if (kernel->kind == NOT_READABLE) {
		explain(why, "%s", kernel->why.text);
		return UNREADABLE_OR_USAGE;
	}
	if (kernel->kind == HAS_NOTE) {
		explain(why, "it has a KHO note, nothing need be assumed");
		return INCOMPATIBLE;
	}
	if (kernel->kind != IS_STOCK) {
		explain(why, "no stock Linux with KHO: %s", kernel->why.text);
		return kernel->kind == NOT_KNOWN ? UNKNOWN : INCOMPATIBLE;
	}

	for (const struct kho_image_entry *needs = stock_components; needs->version;
	     needs++) {
		const struct kho_image_entry *has = component_of(kernel, needs->name);

		if (!has || has->version != needs->version) {
			explain(why, "not the formats of Linux %s: %s is %u, expected %u",
				STOCK_SERIES, needs->name, has ? has->version : 0,
				needs->version);
			return INCOMPATIBLE;
		}
	}

	return COMPATIBLE;
}

/* The running kernel judges what follows from it when the image is loaded */
static enum verdict check_all_stock(const struct image *image, struct reason *why)
{
	enum verdict result = COMPATIBLE;

	for (unsigned int i = 0; i < image->nr && result == COMPATIBLE; i++)
		result = check_stock(image->kernels[i], why);
	return result;
}

enum verdict assume(const char *path)
{
	struct reason why = { };
	enum verdict result;
	struct image image;

	image_read(&image, path);
	result = check_all_stock(&image, &why);
	image_free(&image);
	if (result == COMPATIBLE && !running_assume(sysfs, STOCK_SERIES, &why))
		result = UNREADABLE_OR_USAGE;

	if (json) {
		json_open(NULL, '{');
		json_path("path", path);
		json_string("verdict", verdict_names[result]);
		json_string("reason", why.text);
		json_close('}');
	} else if (why.text) {
		complain(path, &why);
	} else {
		printf("the next image counts as stock Linux %s, for one load\n",
		       STOCK_SERIES);
	}

	reason_free(&why);
	return result;
}
