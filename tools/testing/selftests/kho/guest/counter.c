// SPDX-License-Identifier: GPL-2.0-only
/*
 * Init of the guest in the scenario "guest". Every 100 ms it prints
 *
 *	tick NUMBER clock MS bad PAGES
 *
 * and meanwhile checks and rewrites a part of its memory. The contents of a
 * page follow from its number and from how often it was written, so a page that
 * is lost, from another time or in another place is counted as bad.
 */
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

#define PAGES		4096
#define PAGES_PER_TICK	16
#define WORDS		512
#define TICK_NS		100000000L

static uint64_t *memory;
static uint32_t written[PAGES];

static uint64_t word(uint32_t page, uint32_t index)
{
	uint64_t place = (uint64_t)page * WORDS + index + 1;

	return (place ^ (uint64_t)written[page] << 32) * 0xff51afd7ed558ccdULL;
}

static void write_page(uint32_t page)
{
	uint64_t *at = memory + (size_t)page * WORDS;

	written[page]++;
	for (uint32_t i = 0; i < WORDS; i++)
		at[i] = word(page, i);
}

static int page_is_bad(uint32_t page)
{
	const uint64_t *at = memory + (size_t)page * WORDS;

	for (uint32_t i = 0; i < WORDS; i++) {
		if (at[i] != word(page, i))
			return 1;
	}
	return 0;
}

static unsigned long long milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

int main(void)
{
	const struct timespec pause = { .tv_nsec = TICK_NS };
	uint32_t page = 0, bad = 0;

	memory = mmap(NULL, (size_t)PAGES * WORDS * sizeof(*memory),
		      PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return 1;
	for (uint32_t i = 0; i < PAGES; i++)
		write_page(i);
	for (unsigned int tick = 1;; tick++) {
		for (int i = 0; i < PAGES_PER_TICK; i++) {
			bad += page_is_bad(page);
			write_page(page);
			page = (page + 1) % PAGES;
		}
		printf("tick %u clock %llu bad %u\n", tick, milliseconds(), bad);
		fflush(stdout);
		nanosleep(&pause, NULL);
	}
}
