/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * As much of KUnit as suites need that only look at what the compiler makes of a
 * header, so that they run among the unit tests as well. A suite is one test.
 */
#ifndef _SIM_KUNIT_TEST_H
#define _SIM_KUNIT_TEST_H

#include "kernel.h"
#include "tap.h"

#define KUNIT_PARAM_DESC_SIZE	128

#ifndef sizeof_field
#define sizeof_field(type, member)	sizeof(((type *)0)->member)
#endif

struct kunit {
	const void *param_value;
	void *memory[4];
	bool failed, skipped;
};

struct kunit_case {
	void (*run_case)(struct kunit *test);
	const void *(*generate_params)(struct kunit *test, const void *prev, char *desc);
};

struct kunit_suite {
	const char *name;
	struct kunit_case *test_cases;
};

#define KUNIT_CASE(test)		{ .run_case = test }
#define KUNIT_CASE_PARAM(test, gen)	{ .run_case = test, .generate_params = gen }

#define KUNIT_ARRAY_PARAM(name, array, get_desc)				\
	static const void *name##_gen_params(struct kunit *test,		\
					     const void *prev, char *desc)	\
	{									\
		const typeof((array)[0]) *next = prev;				\
										\
		next = next ? next + 1 : (array);				\
		if (next == (array) + ARRAY_SIZE(array))			\
			return NULL;						\
		get_desc(next, desc);						\
		return next;							\
	}

void sim_kunit_fail(struct kunit *test, const char *file, int line, const char *fmt, ...);
void *kunit_kzalloc(struct kunit *test, size_t size, gfp_t flags);
void sim_kunit_run(const struct kunit_suite *suite);

#define KUNIT_FAIL(test, fmt, ...)						\
	sim_kunit_fail(test, __FILE__, __LINE__, fmt "\n", ##__VA_ARGS__)

#define __EXPECT(test, holds, fmt, ...)						\
({										\
	bool __holds = (holds);							\
										\
	if (!__holds)								\
		KUNIT_FAIL(test, fmt, ##__VA_ARGS__);				\
	__holds;								\
})

#define __ASSERT(test, holds, fmt, ...)						\
	do {									\
		if (!__EXPECT(test, holds, fmt, ##__VA_ARGS__))			\
			return;							\
	} while (0)

/* A function that asserts may have a value to return: NULL or 0 then */
#define KUNIT_ASSERT_EQ(test, a, b)						\
	__EXPECT(test, (a) == (b), "%s is not %s", #b, #a)
#define KUNIT_ASSERT_GT(test, a, b)						\
	__ASSERT(test, (a) > (b), "%s is not more than %s", #a, #b)
#define KUNIT_ASSERT_NOT_NULL(test, ptr)					\
	__EXPECT(test, (ptr) != NULL, "%s is NULL", #ptr)
#define KUNIT_ASSERT_EQ_MSG(test, a, b, fmt, ...)				\
	__ASSERT(test, (a) == (b), fmt, ##__VA_ARGS__)
#define KUNIT_EXPECT_GE(test, a, b)						\
	__EXPECT(test, (a) >= (b), "%s is less than %s", #a, #b)
#define KUNIT_EXPECT_NOT_NULL(test, ptr)					\
	__EXPECT(test, (ptr) != NULL, "%s is NULL", #ptr)
#define KUNIT_EXPECT_LE_MSG(test, a, b, fmt, ...)				\
	__EXPECT(test, (a) <= (b), fmt, ##__VA_ARGS__)
#define KUNIT_EXPECT_TRUE_MSG(test, what, fmt, ...)				\
	__EXPECT(test, what, fmt, ##__VA_ARGS__)

#define kunit_skip(test, fmt, ...)						\
	do {									\
		(test)->skipped = true;						\
		return;								\
	} while (0)

#define kunit_test_suite(suite)		TEST(suite) { sim_kunit_run(&(suite)); }

#endif /* _SIM_KUNIT_TEST_H */
