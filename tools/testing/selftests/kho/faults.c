// SPDX-License-Identifier: GPL-2.0-only
/*
 * Allocations that fail on purpose: of what one call to the kernel allocates,
 * the first one, then the second one, and so on until the call gets through
 * with none failing. For kernels with CONFIG_FAIL_PAGE_ALLOC and
 * CONFIG_FAILSLAB.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "scenario.h"

#define DEBUGFS	"/sys/kernel/debug/"

/* Those that may wait fail as well, and none of them leaves a call trace. */
static const char *const settings[][2] = {
	{ DEBUGFS "failslab/ignore-gfp-wait", "N" },
	{ DEBUGFS "failslab/verbose", "0" },
	{ DEBUGFS "fail_page_alloc/ignore-gfp-wait", "N" },
	{ DEBUGFS "fail_page_alloc/ignore-gfp-highmem", "N" },
	{ DEBUGFS "fail_page_alloc/min-order", "0" },
	{ DEBUGFS "fail_page_alloc/verbose", "0" },
};

void faults_init(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		int ret = write_file(settings[i][0], settings[i][1]);

		require(!ret, "%s: %s", settings[i][0], settings[i][1]);
	}
}

/* From now on, in this thread. 0: none. */
void fail_allocation(int nth)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", nth);
	if (write_file("/proc/thread-self/fail-nth", text))
		require(false, "ask for allocation %d to fail", nth);
}

/* Did it? The kernel counts down to 0. No further one will. */
static bool allocation_failed(void)
{
	int fd = open("/proc/thread-self/fail-nth", O_RDONLY | O_CLOEXEC);
	char text[16] = "";
	ssize_t size = read(fd, text, sizeof(text) - 1);

	close(fd);
	require(size > 0, "ask whether an allocation failed");
	if (atoi(text))
		fail_allocation(0);
	return !atoi(text);
}

/*
 * Each failure must be reported, or make no difference: then @undo is called
 * with the result, so that the call can be repeated. Nothing may stay preserved
 * for a call that failed. The return value is that of the call that got through.
 */
int fail_each_allocation(const char *what, int (*call)(void),
			 void (*undo)(int result))
{
	int nth, result, reported = 0, survived = 0, wrong = 0;
	__u64 preserved = count_preserved().pages;

	for (nth = 1;; nth++) {
		fail_allocation(nth);
		result = call();
		if (!allocation_failed())
			break;
		if (result >= 0) {
			survived++;
			undo(result);
		} else if (result == -ENOMEM &&
			   count_preserved().pages == preserved) {
			reported++;
		} else {
			wrong++;
			note("%s, allocation %d: %s, %llu pages preserved, %llu before",
			     what, nth, result_name(result),
			     count_preserved().pages, preserved);
		}
	}
	check_result(result, 0, "%s, after %d failures", what, nth - 1);
	check(!wrong, "%s: %d allocations failed, %d reported, %d survived",
	      what, nth - 1, reported, survived);
	return result;
}
