// SPDX-License-Identifier: GPL-2.0-only
/*
 * Allocations that fail on purpose: of what one call to the kernel allocates,
 * the first one, then the second one, and so on until the call gets through
 * with none failing. For kernels with CONFIG_FAIL_PAGE_ALLOC and
 * CONFIG_FAILSLAB.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scenario.h"

#define DEBUGFS	"/sys/kernel/debug/"
#define SLABS	"/sys/kernel/slab/"

/* Those that may wait fail as well, and none of them leaves a call trace. */
static const char *const settings[][2] = {
	{ DEBUGFS "failslab/ignore-gfp-wait", "N" },
	{ DEBUGFS "failslab/cache-filter", "Y" },
	{ DEBUGFS "failslab/verbose", "0" },
	{ DEBUGFS "fail_page_alloc/ignore-gfp-wait", "N" },
	{ DEBUGFS "fail_page_alloc/ignore-gfp-highmem", "N" },
	{ DEBUGFS "fail_page_alloc/min-order", "0" },
	{ DEBUGFS "fail_page_alloc/verbose", "0" },
};

/*
 * What checkers allocate for each allocation of others. They do without, and
 * with these among the candidates every second call would seem to survive.
 */
static const char *const spared[] = {
	"kmemleak_object", "kmemleak_scan_area", "debug_objects_cache",
};

/* Open all the time: to open it is to allocate. */
static int fail_nth = -1;

static bool is_spared(const char *cache)
{
	for (size_t i = 0; i < ARRAY_SIZE(spared); i++) {
		if (!strcmp(cache, spared[i]))
			return true;
	}
	return false;
}

static int let_caches_fail(void)
{
	DIR *directory = opendir(SLABS);
	struct dirent *entry;
	char path[300];
	int caches = 0;

	while (directory && (entry = readdir(directory))) {
		if (entry->d_name[0] == '.' || is_spared(entry->d_name))
			continue;
		snprintf(path, sizeof(path), SLABS "%s/failslab",
			 entry->d_name);
		caches += !write_file(path, "1");
	}
	closedir(directory);
	return caches;
}

void faults_init(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		int ret = write_file(settings[i][0], settings[i][1]);

		require(!ret, "%s: %s", settings[i][0], settings[i][1]);
	}
	check(let_caches_fail(), "let allocations from slab caches fail");
	fail_nth = require_fd(open("/proc/thread-self/fail-nth",
				   O_RDWR | O_CLOEXEC), "open fail-nth");
}

/* From now on, in this thread. 0: none. */
void fail_allocation(int nth)
{
	char text[16];
	int size = snprintf(text, sizeof(text), "%d", nth);

	if (pwrite(fail_nth, text, size, 0) != size)
		require(false, "ask for allocation %d to fail", nth);
}

/* Did it? The kernel counts down to 0. No further one will. */
static bool allocation_failed(void)
{
	char text[16] = "";
	ssize_t size = pread(fail_nth, text, sizeof(text) - 1, 0);

	fail_allocation(0);
	require(size > 0, "ask whether an allocation failed");
	return !atoi(text);
}

/*
 * Each failure must be reported, and nothing stay preserved for a call that
 * failed; or make no difference. Then @undo is called with the result, so that
 * the call can be made again. The return value is that of the last call.
 */
int fail_each_allocation(const char *what, int (*call)(void),
			 void (*undo)(int result))
{
	int nth = 0, result, failed = 0, survived = 0, wrong = 0;
	__u64 preserved = count_preserved().pages;

	for (;;) {
		fail_allocation(++nth);
		result = call();
		if (!allocation_failed())
			break;
		if (result >= 0) {
			survived++;
			undo(result);
		} else if (result == -ENOMEM &&
			   count_preserved().pages == preserved) {
			failed++;
		} else {
			wrong++;
			note("%s, allocation %d: %s, %llu pages preserved, %llu before",
			     what, nth, result_name(result),
			     count_preserved().pages, preserved);
		}
	}
	check_result(result, 0, "%s, in the end", what);
	check(!wrong, "%s: %d allocations failed and were reported, %d survived, %d neither",
	      what, failed, survived, wrong);
	return result;
}
