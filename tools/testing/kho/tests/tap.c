// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs the tests: unit [TEXT] only those whose "file: name" has the text. With
 * UNIT_NEWEST in the environment each component prefers its newest version.
 */

#include <linux/kho/compat.h>

#include "kexec_handover_internal.h"
#include "tap.h"

static struct test *tests, **last = &tests;
static bool failed, newest;

void tap_register(struct test *test)
{
	*last = test;
	last = &test->next;
}

bool tap_check(bool ok, const char *file, int line, const char *what)
{
	if (!ok) {
		printf("# %s:%d: not true: %s\n", file, line, what);
		failed = true;
	}
	return ok;
}

static void title(char *buf, size_t size, const struct test *test)
{
	const char *file = strrchr(test->file, '/') + 1;

	snprintf(buf, size, "%.*s: %s%s", (int)strcspn(file, "."), file, test->name,
		 newest ? ", newest versions" : "");
}

/* As after a release that writes them; before the machine is on for the first time */
static void prefer_newest_versions(void)
{
	for (unsigned int i = 0; i < kho_table.nr; i++)
		kho_table.components[i]->write = kho_table.components[i]->version;
}

int main(int argc, char **argv)
{
	unsigned int nr = 0, nr_failed = 0;
	char name[100];

	newest = getenv("UNIT_NEWEST");
	if (newest)
		prefer_newest_versions();
	setlinebuf(stdout);
	printf("TAP version 13\n");
	for (struct test *test = tests; test; test = test->next) {
		title(name, sizeof(name), test);
		if (argc > 1 && !strstr(name, argv[1]))
			continue;

		failed = false;
		sim_power_on();
		test->run();
		nr_failed += failed;
		printf("%sok %u - %s\n", failed ? "not " : "", ++nr, name);
	}
	printf("1..%u\n", nr);
	return nr_failed ? 1 : 0;
}
