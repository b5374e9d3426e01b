/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory of a guest that is written again and again. The contents of a page follow
 * from its number and from how often it was written, so a page that is lost, from
 * another time or in another place differs.
 */
#ifndef PAGES_H
#define PAGES_H

#include <stdint.h>

#define WORDS	512		/* of a page */

struct pages {
	uint64_t *memory;
	uint32_t *written;	/* how often, for each page */
	uint32_t count;
	uint32_t next;		/* the one to check */
	uint32_t bad;
};

static inline uint64_t page_word(const struct pages *pages, uint32_t page,
				 uint32_t index)
{
	uint64_t place = (uint64_t)page * WORDS + index + 1;

	return (place ^ (uint64_t)pages->written[page] << 32) *
	       0xff51afd7ed558ccdULL;
}

static inline void write_page(struct pages *pages, uint32_t page)
{
	uint64_t *at = pages->memory + (uintptr_t)page * WORDS;

	pages->written[page]++;
	for (uint32_t i = 0; i < WORDS; i++)
		at[i] = page_word(pages, page, i);
}

static inline int page_is_bad(const struct pages *pages, uint32_t page)
{
	const uint64_t *at = pages->memory + (uintptr_t)page * WORDS;

	for (uint32_t i = 0; i < WORDS; i++) {
		if (at[i] != page_word(pages, page, i))
			return 1;
	}
	return 0;
}

/* Check and rewrite the next pages, in turn. */
static inline void check_pages(struct pages *pages, uint32_t how_many)
{
	while (how_many--) {
		pages->bad += page_is_bad(pages, pages->next);
		write_page(pages, pages->next);
		pages->next = (pages->next + 1) % pages->count;
	}
}

#endif
