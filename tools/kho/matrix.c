// SPDX-License-Identifier: GPL-2.0-only
/*
 * kho-compat matrix and path: which of many kernels can follow which. Each image
 * is read once; pairs are judged from what was found in it.
 */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "json.h"
#include "output.h"
#include "running.h"

struct node {
	char *path;
	struct image image;
	bool found;			/* in a directory */
	dev_t dev;			/* and inode: links are one file */
	ino_t ino;
};

struct fleet {
	unsigned int nr;
	struct node *nodes;
	enum verdict result;		/* UNREADABLE_OR_USAGE if one is missing */
	atomic_uint next;		/* to be read */
};

static struct node *add_node(struct fleet *fleet, const char *path)
{
	struct node *nodes = allocate(fleet->nr + 1, sizeof(*nodes));

	if (fleet->nr)
		memcpy(nodes, fleet->nodes, fleet->nr * sizeof(*nodes));
	free(fleet->nodes);
	fleet->nodes = nodes;
	nodes[fleet->nr].path = duplicate(path);
	return &nodes[fleet->nr++];
}

static void drop_last_node(struct fleet *fleet)
{
	struct node *node = &fleet->nodes[--fleet->nr];

	image_free(&node->image);
	free(node->path);
}

static void free_fleet(struct fleet *fleet)
{
	while (fleet->nr)
		drop_last_node(fleet);
	free(fleet->nodes);
}

static struct node *find_node(struct fleet *fleet, const struct stat *st)
{
	for (unsigned int i = 0; i < fleet->nr; i++) {
		struct node *node = &fleet->nodes[i];

		if (node->ino == st->st_ino && node->dev == st->st_dev)
			return node;
	}

	return NULL;
}

/* Returns which one it is */
static unsigned int add_file(struct fleet *fleet, const char *path, bool found)
{
	struct stat st = { };
	struct node *node;

	if (!stat(path, &st)) {
		node = find_node(fleet, &st);
		if (node)
			return node - fleet->nodes;
	}

	node = add_node(fleet, path);
	node->found = found;
	node->dev = st.st_dev;
	node->ino = st.st_ino;
	return fleet->nr - 1;
}

static void add_entry(struct fleet *fleet, const char *directory, const char *name)
{
	struct reason path = { };
	struct stat st;

	explain(&path, "%s/%s", directory, name);
	if (!stat(path.text, &st) && S_ISREG(st.st_mode))
		add_file(fleet, path.text, true);
	reason_free(&path);
}

static void add_directory(struct fleet *fleet, const char *path)
{
	struct dirent **entries;
	struct reason why = { };
	int nr = scandir(path, &entries, NULL, alphasort);

	if (nr < 0) {
		explain(&why, "%s", strerror(errno));
		complain(path, &why);
		reason_free(&why);
		fleet->result = UNREADABLE_OR_USAGE;
		return;
	}

	for (int i = 0; i < nr; i++) {
		add_entry(fleet, path, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
}

static void add_paths(struct fleet *fleet, char **paths)
{
	for (; *paths; paths++) {
		struct stat st;

		if (!stat(*paths, &st) && S_ISDIR(st.st_mode))
			add_directory(fleet, *paths);
		else
			add_file(fleet, *paths, false);
	}
}

/* Unpacking takes longest by far: each CPU reads one image at a time */

#define MAX_READERS	64

static void *read_images(void *data)
{
	struct fleet *fleet = data;
	unsigned int i;

	while ((i = atomic_fetch_add(&fleet->next, 1)) < fleet->nr) {
		if (!fleet->nodes[i].image.nr)
			image_read_briefly(&fleet->nodes[i].image,
					   fleet->nodes[i].path);
	}

	return NULL;
}

/* What else there may be in a directory beside images is no mistake */
static bool is_wanted(struct fleet *fleet, const struct node *node)
{
	const struct kernel *kernel = node->image.kernels[0];

	if (kernel->kind == NOT_READABLE) {
		complain(node->path, &kernel->why);
		fleet->result = UNREADABLE_OR_USAGE;
		return false;
	}

	return !node->found || kernel->kind != NOT_LINUX;
}

static void drop_unwanted(struct fleet *fleet)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < fleet->nr; i++) {
		struct node *node = &fleet->nodes[i];

		if (is_wanted(fleet, node)) {
			fleet->nodes[nr++] = *node;
			continue;
		}
		image_free(&node->image);
		free(node->path);
	}
	fleet->nr = nr;
}

static void read_fleet(struct fleet *fleet)
{
	long nr = sysconf(_SC_NPROCESSORS_ONLN) - 1;
	pthread_t readers[MAX_READERS];
	long started = 0;

	if (nr > MAX_READERS)
		nr = MAX_READERS;
	while (started < nr && !pthread_create(&readers[started], NULL, read_images,
					       fleet))
		started++;
	read_images(fleet);
	while (started)
		pthread_join(readers[--started], NULL);

	drop_unwanted(fleet);
}

/* Whichever profile starts, and whichever is the next */
static enum verdict compare_pair(const struct node *from, const struct node *to,
				 struct reason *why)
{
	enum verdict result = COMPATIBLE;
	struct reason this = { };

	for (unsigned int i = 0; i < from->image.nr * to->image.nr; i++) {
		struct outgoing outgoing = outgoing_all(from->image.kernels[i / to->image.nr]);
		enum verdict verdict = compare(&outgoing, to->image.kernels[i % to->image.nr],
					       &this);

		if (worse(verdict, result) == result)
			continue;
		result = verdict;
		explain(why, "%s", this.text);
	}
	reason_free(&this);

	return result;
}

/* matrix */

static void print_row(const struct fleet *fleet, unsigned int from)
{
	static const char signs[] = {
		[COMPATIBLE] = '+', [INCOMPATIBLE] = '-', [UNKNOWN] = '?',
	};

	printf("%7u", from + 1);
	for (unsigned int to = 0; to < fleet->nr; to++) {
		struct reason why = { };
		enum verdict verdict = compare_pair(&fleet->nodes[from],
						  &fleet->nodes[to], &why);

		printf("   %c", signs[verdict]);
		reason_free(&why);
	}
	putchar('\n');
}

static void print_matrix(const struct fleet *fleet)
{
	for (unsigned int i = 0; i < fleet->nr; i++) {
		printf("%3u ", i + 1);
		print_text(stdout, fleet->nodes[i].path);
		printf(": ");
		print_kernel(fleet->nodes[i].image.kernels[0]);
		putchar('\n');
	}

	printf("\nfrom\\to");
	for (unsigned int i = 0; i < fleet->nr; i++)
		printf(" %3u", i + 1);
	putchar('\n');
	for (unsigned int i = 0; i < fleet->nr; i++)
		print_row(fleet, i);
	printf("\n+ can take over, - cannot, ? not known\n");
}

static void print_matrix_json(const struct fleet *fleet)
{
	json_open(NULL, '{');
	json_open("images", '[');
	for (unsigned int i = 0; i < fleet->nr; i++) {
		json_open(NULL, '{');
		json_kernel(fleet->nodes[i].path, fleet->nodes[i].image.kernels[0]);
		json_close('}');
	}
	json_close(']');

	json_open("pairs", '[');
	for (unsigned int i = 0; i < fleet->nr * fleet->nr; i++) {
		const struct node *from = &fleet->nodes[i / fleet->nr];
		const struct node *to = &fleet->nodes[i % fleet->nr];
		struct reason why = { };
		enum verdict verdict = compare_pair(from, to, &why);

		json_open(NULL, '{');
		json_path("from", from->path);
		json_path("to", to->path);
		json_string("verdict", verdict_names[verdict]);
		json_string("reason", why.text);
		json_close('}');
		reason_free(&why);
	}
	json_close(']');
	json_close('}');
}

static bool is_any_unknown(const struct fleet *fleet)
{
	for (unsigned int i = 0; i < fleet->nr; i++) {
		if (fleet->nodes[i].image.kernels[0]->kind == NOT_KNOWN)
			return true;
	}

	return false;
}

enum verdict matrix(char **paths)
{
	struct fleet fleet = { };
	enum verdict result;

	add_paths(&fleet, paths);
	read_fleet(&fleet);
	if (json)
		print_matrix_json(&fleet);
	else
		print_matrix(&fleet);

	result = fleet.result;
	if (result == COMPATIBLE && is_any_unknown(&fleet))
		result = UNKNOWN;
	free_fleet(&fleet);
	return result;
}

/* path */

static bool are_readable(const struct fleet *fleet, const char *from_path,
			 const char *to_path, unsigned int from, unsigned int to)
{
	return !strcmp(fleet->nodes[from].path, from_path) &&
	       (from == to || !strcmp(fleet->nodes[to].path, to_path));
}

/* Returns the node, or -1 after it was complained about */
static int add_end(struct fleet *fleet, const char *path)
{
	struct reason why = { };
	struct running running;
	struct kernel *kernel;
	struct node *node;

	if (strcmp(path, RUNNING))
		return add_file(fleet, path, false);

	if (!running_read(sysfs, &running, &why)) {
		complain(NULL, &why);
		reason_free(&why);
		return -1;
	}

	node = add_node(fleet, path);
	kernel = allocate(1, sizeof(*kernel));
	*kernel = running.kernel;
	node->image.kernels = allocate(1, sizeof(kernel));
	node->image.kernels[0] = kernel;
	node->image.nr = 1;
	return fleet->nr - 1;
}

/*
 * Breadth first, from @to backwards, along pairs of which the verdict is at most
 * as good as @worst allows. Fills @next of each on the way; -1: none.
 */
static bool search(const struct fleet *fleet, int from, int to, enum verdict worst,
		   int *next)
{
	int *queue = allocate(fleet->nr, sizeof(*queue));
	unsigned int done = 0, nr = 0;

	for (unsigned int i = 0; i < fleet->nr; i++)
		next[i] = -1;
	queue[nr++] = to;
	while (done < nr && next[from] < 0) {
		int at = queue[done++];

		for (unsigned int i = 0; i < fleet->nr; i++) {
			struct reason why = { };
			enum verdict verdict;

			if (next[i] >= 0 || (int)i == to)
				continue;
			verdict = compare_pair(&fleet->nodes[i], &fleet->nodes[at], &why);
			reason_free(&why);
			if (verdict != COMPATIBLE && verdict != worst)
				continue;
			next[i] = at;
			queue[nr++] = i;
		}
	}
	free(queue);

	return next[from] >= 0;
}

static void print_path(const struct fleet *fleet, int from, int to, const int *next)
{
	print_text(stdout, fleet->nodes[from].path);
	while (from != to) {
		from = next[from];
		printf(" -> ");
		print_text(stdout, fleet->nodes[from].path);
	}
	putchar('\n');
}

static void print_path_json(const struct fleet *fleet, int from, int to,
			    const int *next, enum verdict result)
{
	json_open(NULL, '{');
	json_path("from", fleet->nodes[from].path);
	json_path("to", fleet->nodes[to].path);
	json_string("verdict", verdict_names[result]);
	json_open("path", '[');
	if (result == COMPATIBLE) {
		json_path(NULL, fleet->nodes[from].path);
		while (from != to) {
			from = next[from];
			json_path(NULL, fleet->nodes[from].path);
		}
	}
	json_close(']');
	json_close('}');
}

static enum verdict print_chain(const struct fleet *fleet, int from, int to)
{
	int *next = allocate(fleet->nr, sizeof(*next));
	enum verdict result = INCOMPATIBLE;
	struct reason why = { };

	/* To itself, too, a kernel goes by a kexec */
	if (from == to)
		result = compare_pair(&fleet->nodes[from], &fleet->nodes[to], &why);
	else if (search(fleet, from, to, COMPATIBLE, next))
		result = COMPATIBLE;
	else if (search(fleet, from, to, UNKNOWN, next))
		result = UNKNOWN;
	reason_free(&why);

	if (json)
		print_path_json(fleet, from, to, next, result);
	else if (result == COMPATIBLE)
		print_path(fleet, from, to, next);
	else
		printf("%s\n", result == UNKNOWN ? "not known" : "there is no way");
	free(next);

	return result;
}

enum verdict find_path(const char *from_path, const char *to_path, char **paths)
{
	struct fleet fleet = { };
	int from = add_end(&fleet, from_path);
	enum verdict result;
	unsigned int nr, to;

	if (from < 0)
		return UNKNOWN;

	/* Both are at the start, and stay there unless one cannot be read */
	to = add_file(&fleet, to_path, false);
	nr = fleet.nr;
	add_paths(&fleet, paths);
	read_fleet(&fleet);
	if (fleet.nr >= nr && are_readable(&fleet, from_path, to_path, from, to))
		result = worse(print_chain(&fleet, from, to), fleet.result);
	else
		result = UNREADABLE_OR_USAGE;

	free_fleet(&fleet);
	return result;
}
