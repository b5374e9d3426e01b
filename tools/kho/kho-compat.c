// SPDX-License-Identifier: GPL-2.0-only
/*
 * kho-compat - can one kernel hand over to another by kexec?
 *
 * The commands and what they print, for people and as JSON; the keys of the
 * latter are described in kho-compat.1. What is printed comes from image.c,
 * running.c and compare.c.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "image.h"
#include "json.h"
#include "running.h"

#define RUNNING	"running"

static const char usage[] =
	"usage: kho-compat [OPTION]... show IMAGE...\n"
	"       kho-compat [OPTION]... check FROM TO\n"
	"       kho-compat [OPTION]... status\n"
	"\n"
	"show    which versions the kernel in each IMAGE reads and writes\n"
	"check   can the kernel in the image TO take over what FROM preserves?\n"
	"        FROM is an image, or '" RUNNING "': what this kernel preserves now\n"
	"status  can the loaded kernel take over? As the running kernel says.\n"
	"\n"
	"IMAGE is a bzImage, an arm64 Image or a vmlinux, for any machine.\n"
	"\n"
	"--json       print JSON, see kho-compat(1)\n"
	"--sysfs=DIR  where the running kernel's " KHO_SYSFS " is mounted\n"
	"--help       print this\n"
	"\n"
	"Exit status: 0 compatible, 1 not compatible, 2 not known, or an error\n";

/* In the words of the kernel; its next/status may be "none" as well */
static const char *const verdict_names[] = {
	[COMPATIBLE] = "compatible",
	[INCOMPATIBLE] = "incompatible",
	[UNKNOWN] = "unknown",
};

static bool json;
static const char *sysfs = KHO_SYSFS;

static void complain(const struct reason *why)
{
	fprintf(stderr, "kho-compat: %s\n", why->text);
}

/* What the next kernel reads of a component; 0 and 0 if it does not have it */
static void json_next_range(unsigned int min_version, unsigned int version)
{
	if (version) {
		json_number("next_min_version", min_version);
		json_number("next_version", version);
	} else {
		json_string("next_min_version", NULL);
		json_string("next_version", NULL);
	}
}

static void print_next_range(unsigned int min_version, unsigned int version)
{
	char range[24] = "-";

	if (version)
		snprintf(range, sizeof(range), "%u-%u", min_version, version);
	printf("%-10s", range);
}

/* show */

static void print_image_json(const char *path, const char *format,
			     const struct kernel *kernel)
{
	json_open(NULL, '{');
	json_string("path", path);
	json_string("error", NULL);
	json_string("format", format);
	json_string("machine", kernel->machine);
	json_number("page_shift", kernel->page_shift);
	json_bool("kho_on", kernel->kho_on);
	json_bool("liveupdate", kernel->liveupdate);

	json_open("components", '[');
	for (unsigned int i = 0; i < kernel->nr; i++) {
		json_open(NULL, '{');
		json_string("name", kernel->components[i].name);
		json_number("version", kernel->components[i].version);
		json_number("min_version", kernel->components[i].min_version);
		json_close('}');
	}
	json_close(']');
	json_close('}');
}

static void print_image(const char *path, const char *format,
			const struct kernel *kernel)
{
	printf("%s: %s for %s, page shift %u, KHO %s, %s live update\n", path,
	       format, kernel->machine, kernel->page_shift,
	       kernel->kho_on ? "on by default" : "on with kho=on",
	       kernel->liveupdate ? "with" : "without");

	for (unsigned int i = 0; i < kernel->nr; i++)
		printf("  %-15s writes %u, reads %u-%u\n",
		       kernel->components[i].name, kernel->components[i].version,
		       kernel->components[i].min_version,
		       kernel->components[i].version);
}

static void print_unknown_json(const char *path, const struct reason *why)
{
	json_open(NULL, '{');
	json_string("path", path);
	json_string("error", why->text);
	json_close('}');
}

static bool show_image(const char *path)
{
	struct kernel kernel;
	struct reason why;
	const char *format;

	if (!image_read(path, &format, &kernel, &why)) {
		if (json)
			print_unknown_json(path, &why);
		else
			complain(&why);
		return false;
	}

	if (json)
		print_image_json(path, format, &kernel);
	else
		print_image(path, format, &kernel);
	return true;
}

static enum verdict show(char **paths)
{
	enum verdict result = COMPATIBLE;

	if (json) {
		json_open(NULL, '{');
		json_open("images", '[');
	}

	for (; *paths; paths++) {
		if (!show_image(*paths))
			result = UNKNOWN;
	}

	if (json) {
		json_close(']');
		json_close('}');
	}

	return result;
}

/* check */

static bool is_in_use(const struct running *running)
{
	for (unsigned int i = 0; i < running->kernel.nr; i++) {
		if (running->components[i].users)
			return true;
	}

	return false;
}

static bool read_from(struct comparison *c, struct reason *why)
{
	struct running running;
	const char *format;

	memset(c->counts, true, sizeof(c->counts));
	if (strcmp(c->from_name, RUNNING))
		return image_read(c->from_name, &format, &c->from, why);

	if (!running_read(sysfs, &running, why))
		return false;

	/* The kernel, too, compares everything as long as nothing is preserved */
	c->from = running.kernel;
	for (unsigned int i = 0; i < c->from.nr && is_in_use(&running); i++)
		c->counts[i] = running.components[i].users;
	return true;
}

static void print_components_json(const struct comparison *c)
{
	json_open("components", '[');
	for (unsigned int i = 0; i < c->from.nr; i++) {
		const struct kho_image_entry *writes = &c->from.components[i];
		const struct kho_image_entry *reads = component_of(&c->to, writes->name);

		json_open(NULL, '{');
		json_string("name", writes->name);
		json_number("version", writes->version);
		json_bool("counts", c->counts[i]);
		json_next_range(reads ? reads->min_version : 0,
				reads ? reads->version : 0);
		json_string("next_status", component_status(writes, &c->to));
		json_close('}');
	}
	json_close(']');

	json_open("needs", '[');
	if (!c->to.kho_on)
		json_string(NULL, "kho=on");
	if (needs_liveupdate_on(c))
		json_string(NULL, "liveupdate=on");
	json_close(']');
}

static void print_components(const struct comparison *c)
{
	printf("component       writes  counts  next reads\n");
	for (unsigned int i = 0; i < c->from.nr; i++) {
		const struct kho_image_entry *writes = &c->from.components[i];
		const struct kho_image_entry *reads = component_of(&c->to, writes->name);

		printf("%-15s %-7u %-7s ", writes->name, writes->version,
		       c->counts[i] ? "yes" : "no");
		print_next_range(reads ? reads->min_version : 0,
				 reads ? reads->version : 0);
		printf("  %s\n", component_status(writes, &c->to));
	}

	if (!c->to.kho_on || needs_liveupdate_on(c))
		printf("needs on its command line:%s%s\n",
		       !c->to.kho_on ? " kho=on" : "",
		       needs_liveupdate_on(c) ? " liveupdate=on" : "");
}

/* @why is empty if there is no more to say */
static void print_verdict_json(const struct comparison *c, enum verdict result,
			       const struct reason *why)
{
	json_open(NULL, '{');
	json_string("from", c->from_name);
	json_string("to", c->to_name);
	json_string("verdict", verdict_names[result]);
	json_string("reason", why->text[0] ? why->text : NULL);
	if (result != UNKNOWN)
		print_components_json(c);
	json_close('}');
}

static void print_verdict(const struct comparison *c, enum verdict result,
			  const struct reason *why)
{
	if (result == UNKNOWN) {
		complain(why);
		return;
	}

	print_components(c);
	printf("%s%s%s\n", verdict_names[result], why->text[0] ? ": " : "",
	       why->text);
}

static bool read_both(struct comparison *c, struct reason *why)
{
	const char *format;

	return read_from(c, why) && image_read(c->to_name, &format, &c->to, why);
}

static enum verdict check(const char *from, const char *to)
{
	struct comparison c = { .from_name = from, .to_name = to };
	enum verdict result = UNKNOWN;
	struct reason why;

	if (read_both(&c, &why))
		result = compare(&c, &why);

	if (json)
		print_verdict_json(&c, result, &why);
	else
		print_verdict(&c, result, &why);

	return result;
}

/* status */

static void print_status_json(const struct running *running)
{
	json_open(NULL, '{');
	json_string("verdict", running->next);
	json_string("reason", NULL);
	json_string("check", running->check);

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

static void print_status(const struct running *running)
{
	printf("component       writes  users      next reads\n");
	for (unsigned int i = 0; i < running->kernel.nr; i++) {
		const struct running_component *state = &running->components[i];

		printf("%-15s %-7u %-10lu ", running->kernel.components[i].name,
		       running->kernel.components[i].version, state->users);
		print_next_range(state->next_min_version, state->next_version);
		putchar('\n');
	}

	printf("check before kexec: %s\n", running->check);
	printf("loaded kernel: %s\n", running->next);
}

static enum verdict status(void)
{
	struct running running;
	struct reason why;

	if (!running_read(sysfs, &running, &why)) {
		if (json)
			print_no_status_json(&why);
		else
			complain(&why);
		return UNKNOWN;
	}

	if (json)
		print_status_json(&running);
	else
		print_status(&running);

	if (!strcmp(running.next, verdict_names[COMPATIBLE]))
		return COMPATIBLE;
	if (!strcmp(running.next, verdict_names[INCOMPATIBLE]))
		return INCOMPATIBLE;
	return UNKNOWN;
}

static enum verdict wrong_usage(void)
{
	fputs(usage, stderr);
	return UNKNOWN;
}

static enum verdict run(int nr, char **words)
{
	if (nr >= 2 && !strcmp(words[0], "show"))
		return show(&words[1]);
	if (nr == 3 && !strcmp(words[0], "check"))
		return check(words[1], words[2]);
	if (nr == 1 && !strcmp(words[0], "status"))
		return status();

	return wrong_usage();
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "sysfs", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	enum verdict result;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'j':
			json = true;
			break;
		case 's':
			sysfs = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		default:
			return wrong_usage();
		}
	}

	result = run(argc - optind, argv + optind);
	if (json)
		putchar('\n');

	/* A verdict that did not arrive is none */
	if (fclose(stdout)) {
		perror("kho-compat: standard output");
		return UNKNOWN;
	}
	return result;
}
