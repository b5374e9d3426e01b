/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Unit tests that print TAP. A file has any number of
 *
 *	TEST(name)
 *	{
 *		CHECK(condition);
 *	}
 *
 * Each starts with a machine that is off. A condition that does not hold is
 * printed, and the test goes on.
 */
#ifndef _TAP_H
#define _TAP_H

#include "sim.h"

/* What a test remembers is not the simulated kernel's */
#pragma clang section bss = "" data = ""

struct test {
	const char *file, *name;
	void (*run)(void);
	struct test *next;
};

void tap_register(struct test *test);
bool tap_check(bool ok, const char *file, int line, const char *what);

#define TEST(title)							\
	static void test_##title(void);					\
	static struct test title##_test = {				\
		.file = __FILE__, .name = #title, .run = test_##title,	\
	};								\
	__attribute__((constructor)) static void register_##title(void)	\
	{								\
		tap_register(&title##_test);				\
	}								\
	static void test_##title(void)

#define CHECK(condition)						\
	tap_check(condition, __FILE__, __LINE__, #condition)

/* Prints both numbers if they differ */
#define CHECK_EQ(expected, got)						\
({									\
	long long __expected = (expected), __got = (got);		\
									\
	if (!CHECK(__expected == __got))				\
		printf("# expected %lld, got %lld\n", __expected, __got); \
	__expected == __got;						\
})

/*
 * Every page that is not the previous kernel's belongs to the page allocator or
 * to somebody who has it from there; nothing has warned.
 */
#define CHECK_PAGES()							\
	do {								\
		CHECK_EQ(sim_pages(SIM_FREE) + sim_pages(SIM_USED),	\
			 sim_managed_pages());				\
		CHECK_EQ(0, sim_warnings());				\
	} while (0)

/* And no object is left */
#define CHECK_MACHINE()							\
	do {								\
		CHECK_PAGES();						\
		CHECK_EQ(0, sim_objects());				\
	} while (0)

#endif /* _TAP_H */
