// SPDX-License-Identifier: GPL-2.0-only
/* Runs the KUnit suites that are built as programs, see sim/kunit/test.h. */

#include <kunit/test.h>

void sim_kunit_fail(struct kunit *test, const char *file, int line, const char *fmt, ...)
{
	struct seq_buf s;
	char text[256];
	va_list args;

	seq_buf_init(&s, text, sizeof(text));
	va_start(args, fmt);
	sim_vformat(&s, fmt, &args);
	va_end(args);
	text[strcspn(text, "\n")] = '\0';
	tap_check(false, file, line, text);
	test->failed = true;
}

void *kunit_kzalloc(struct kunit *test, size_t size, gfp_t flags)
{
	unsigned int i = 0;

	while (test->memory[i])
		i++;
	return test->memory[i] = calloc(1, size);
}

static void run_case(const struct kunit_case *c, const void *param, const char *desc)
{
	struct kunit test = { .param_value = param };

	c->run_case(&test);
	if (test.failed && param)
		printf("# that was with %s\n", desc);
	for (unsigned int i = 0; i < ARRAY_SIZE(test.memory); i++)
		free(test.memory[i]);
}

static void run_params(const struct kunit_case *c)
{
	char desc[KUNIT_PARAM_DESC_SIZE];
	const void *param = NULL;

	while ((param = c->generate_params(NULL, param, desc)))
		run_case(c, param, desc);
}

void sim_kunit_run(const struct kunit_suite *suite)
{
	for (const struct kunit_case *c = suite->test_cases; c->run_case; c++) {
		if (c->generate_params)
			run_params(c);
		else
			run_case(c, NULL, NULL);
	}
}
