// SPDX-License-Identifier: GPL-2.0-only
/*
 * Init of the guest in the scenario "guest". Every 100 ms it prints
 *
 *	tick NUMBER clock MS bad PAGES
 *
 * and meanwhile checks and rewrites a part of its memory, see pages.h.
 */
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

#include "pages.h"

#define PAGES		4096
#define PAGES_PER_TICK	16
#define TICK_NS		100000000L

static uint32_t written[PAGES];

static unsigned long long milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

int main(void)
{
	const struct timespec pause = { .tv_nsec = TICK_NS };
	struct pages pages = { .written = written, .count = PAGES };
	void *memory;

	memory = mmap(NULL, (size_t)PAGES * WORDS * sizeof(*pages.memory),
		      PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return 1;
	pages.memory = memory;
	for (uint32_t page = 0; page < PAGES; page++)
		write_page(&pages, page);
	for (unsigned int tick = 1;; tick++) {
		check_pages(&pages, PAGES_PER_TICK);
		printf("tick %u clock %llu bad %u\n", tick, milliseconds(),
		       pages.bad);
		fflush(stdout);
		nanosleep(&pause, NULL);
	}
}
