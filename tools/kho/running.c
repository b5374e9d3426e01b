// SPDX-License-Identifier: GPL-2.0-only
/*
 * The running kernel: its components and what it thinks of the loaded image,
 * from the files that Documentation/ABI/testing/sysfs-kernel-kho describes.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "running.h"

/* The first word of @sysfs/@dir/@name, which has no other */
static bool read_word(const char *sysfs, const char *dir, const char *name,
		      char *word, size_t size, struct reason *why)
{
	char path[PATH_MAX];
	char *text;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s/%s", sysfs, dir, name);
	file = fopen(path, "re");
	if (!file)
		return explain(why, "%s: %s", path, strerror(errno));

	text = fgets(word, size, file);
	fclose(file);
	if (!text)
		return explain(why, "%s: cannot be read, or empty", path);

	word[strcspn(word, "\n")] = '\0';
	return true;
}

static bool read_number(const char *sysfs, const char *dir, const char *name,
			unsigned long max, unsigned long *number,
			struct reason *why)
{
	char word[24];
	char *end;

	if (!read_word(sysfs, dir, name, word, sizeof(word), why))
		return false;

	errno = 0;
	*number = strtoul(word, &end, 10);
	if (errno || end == word || *end || *number > max)
		return explain(why, "%s/%s/%s: '%s', expected a number up to %lu",
			       sysfs, dir, name, word, max);

	return true;
}

/*
 * "2-3" or, if the image does not read the component, "-". There is none for what a
 * module has registered.
 */
static bool read_range(const char *sysfs, const char *name,
		       struct running_component *state, struct reason *why)
{
	char word[24], path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/next/%s", sysfs, name);
	if (access(path, F_OK))
		return true;

	if (!read_word(sysfs, "next", name, word, sizeof(word), why))
		return false;

	if (strcmp(word, "-") &&
	    sscanf(word, "%u-%u", &state->next_min_version, &state->next_version) != 2)
		return explain(why, "%s/next/%s: '%s', expected MIN-MAX or -",
			       sysfs, name, word);

	return true;
}

/* Of a file that some kernels do not have, and then leave @number as it is */
static bool read_if_there(const char *sysfs, const char *dir, const char *name,
			  unsigned long max, unsigned long *number,
			  struct reason *why)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s/%s", sysfs, dir, name);
	return access(path, F_OK) || read_number(sysfs, dir, name, max, number, why);
}

/* Loading another image may change what is written, unless it is in use */
static bool read_component(const char *sysfs, const char *name,
			   struct kho_image_entry *component, struct write_range *writes,
			   struct running_component *state, struct reason *why)
{
	unsigned long version, min_version, incoming, write, min_write = 0;
	char dir[32];

	if (strlen(name) >= sizeof(component->name))
		return explain(why, "%s/components/%s: expected a shorter name",
			       sysfs, name);

	snprintf(dir, sizeof(dir), "components/%s", name);
	if (!read_number(sysfs, dir, "version", UINT32_MAX, &version, why))
		return false;

	write = version;
	if (!read_if_there(sysfs, dir, "write", UINT32_MAX, &write, why) ||
	    !read_if_there(sysfs, dir, "min_write", UINT32_MAX, &min_write, why) ||
	    !read_number(sysfs, dir, "min_version", UINT32_MAX, &min_version, why) ||
	    !read_number(sysfs, dir, "incoming", UINT32_MAX, &incoming, why) ||
	    !read_number(sysfs, dir, "users", ULONG_MAX, &state->users, why) ||
	    !read_if_there(sysfs, dir, "unfinished", ULONG_MAX,
			   &state->unfinished, why) ||
	    !read_word(sysfs, dir, "status", state->status,
		       sizeof(state->status), why) ||
	    !read_range(sysfs, name, state, why))
		return false;

	memcpy(component->name, name, strlen(name) + 1);
	component->version = write;
	component->min_version = min_version;
	state->incoming = incoming;
	*writes = state->users || !min_write ? (struct write_range) { write, write } :
					       (struct write_range) { min_write, version };
	return true;
}

static bool read_components(const char *sysfs, struct dirent **entries, int nr,
			    struct running *running, struct reason *why)
{
	struct kernel *kernel = &running->kernel;

	if (nr > KHO_IMAGE_NOTE_MAX_ENTRIES)
		return explain(why, "%s/components: %d of them, expected at most %d",
			       sysfs, nr, KHO_IMAGE_NOTE_MAX_ENTRIES);

	for (kernel->nr = 0; kernel->nr < (unsigned int)nr; kernel->nr++) {
		if (!read_component(sysfs, entries[kernel->nr]->d_name,
				    &kernel->components[kernel->nr],
				    &kernel->writes[kernel->nr],
				    &running->components[kernel->nr], why))
			return false;
	}

	return true;
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static bool list_components(const char *sysfs, struct running *running,
			    struct reason *why)
{
	char path[PATH_MAX];
	struct dirent **entries;
	bool ok;
	int nr;

	snprintf(path, sizeof(path), "%s/components", sysfs);
	nr = scandir(path, &entries, is_visible, alphasort);
	if (nr < 0)
		return explain(why, "%s: %s; does the running kernel have KHO?",
			       path, strerror(errno));

	ok = read_components(sysfs, entries, nr, running, why);
	for (int i = 0; i < nr; i++)
		free(entries[i]);
	free(entries);

	return ok;
}

static const char *this_machine(void)
{
	static struct utsname name;

	uname(&name);
	return name.machine;
}

bool running_read(const char *sysfs, struct running *running,
		  struct reason *why)
{
	*running = (struct running) {
		.kernel.kind = HAS_NOTE,
		.kernel.machine = this_machine(),
		.kernel.page_shift = __builtin_ctzl(sysconf(_SC_PAGESIZE)),
	};

	return list_components(sysfs, running, why) &&
	       read_word(sysfs, ".", "check", running->check,
			 sizeof(running->check), why) &&
	       read_word(sysfs, "next", "status", running->status,
			 sizeof(running->status), why) &&
	       read_word(sysfs, "next", "potential", running->potential,
			 sizeof(running->potential), why);
}

/* One beside its users is the subtree in the FDT */
#define BEST_EFFORT_SUBTREES	1

/*
 * The tree of preserved memory, which comes without anything else if only a
 * subtree is handed over, carries all of it. What is best effort refuses nothing
 * and so does not make it count.
 */
struct outgoing running_outgoing(const struct running *running)
{
	const struct kernel *kernel = &running->kernel;
	struct outgoing outgoing = { .from = kernel };
	unsigned long tree = 0, best_effort = 0;
	unsigned int tree_at = 0;
	bool others = false;

	for (unsigned int i = 0; i < kernel->nr; i++) {
		unsigned long users = running->components[i].users;

		outgoing.counts[i] = users;
		if (!strcmp(kernel->components[i].name, "radix")) {
			tree = users;
			tree_at = i;
		} else if (is_best_effort(&kernel->components[i])) {
			best_effort = users;
		} else if (users) {
			others = true;
		}
	}

	if (tree && !others && best_effort &&
	    tree <= best_effort + BEST_EFFORT_SUBTREES)
		outgoing.counts[tree_at] = false;
	return outgoing;
}

bool running_assume(const char *sysfs, const char *series, struct reason *why)
{
	char path[PATH_MAX];
	FILE *file;
	int err;

	snprintf(path, sizeof(path), "%s/next/assume", sysfs);
	file = fopen(path, "r+e");
	if (!file)
		return explain(why, "%s: %s", path, strerror(errno));

	err = fprintf(file, "%s\n", series) < 0 ? errno : 0;
	if (fclose(file) && !err)
		err = errno;
	return !err || explain(why, "%s: %s", path, strerror(err));
}
