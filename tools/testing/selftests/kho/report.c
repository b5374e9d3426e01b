// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test results, as KTAP lines written to /dev/kmsg. printk() emits a record
 * in one piece, so a result line and a kernel message on the same serial line
 * never tear each other apart, and the log shows them in the order they
 * happened. The host finds them by the tag.
 *
 * Each boot is a stream of its own, numbered from 1. Its plan follows its last
 * test, so that a boot that dies leaves no plan behind.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report.h"
#include "scenario.h"

static int tests;

/*
 * One write is one record; stdio would seek first, which /dev/kmsg refuses.
 * Level 5 reaches the console at the default console level.
 */
void report_line(const char *text)
{
	static int kmsg = -1;
	char record[800];
	int size;

	if (kmsg < 0)
		kmsg = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	size = snprintf(record, sizeof(record), "<5>khotest: %s", text);
	if (write(kmsg, record, size) != size)
		_exit(1);
}

void report_plan(void)
{
	char plan[32];

	snprintf(plan, sizeof(plan), "1..%d", tests);
	report_line(plan);
}

static void report(const char *what, const char *fmt, va_list args)
{
	char text[512], line[600];

	vsnprintf(text, sizeof(text), fmt, args);
	snprintf(line, sizeof(line), "%s%s", what, text);
	report_line(line);
}

static void report_result(bool ok, const char *fmt, va_list args)
{
	char what[32];

	snprintf(what, sizeof(what), "%s %d ", ok ? "ok" : "not ok", ++tests);
	report(what, fmt, args);
}

bool check(bool ok, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	report_result(ok, fmt, args);
	va_end(args);
	return ok;
}

void require(bool ok, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	report_result(ok, fmt, args);
	va_end(args);
	if (!ok)
		end_scenario();
}

const char *result_name(int result)
{
	const char *name;

	if (result >= 0)
		return "success";
	name = strerrorname_np(-result);
	return name ? name : "unknown errno";
}

bool check_result(int got, int expected, const char *fmt, ...)
{
	bool ok = expected ? got == expected : got >= 0;
	va_list args;

	va_start(args, fmt);
	report_result(ok, fmt, args);
	va_end(args);
	if (!ok)
		note("got %s (%d), expected %s", result_name(got), got,
		     result_name(expected));
	return ok;
}

int require_fd(int fd, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	report_result(fd >= 0, fmt, args);
	va_end(args);
	if (fd >= 0)
		return fd;
	note("got %s (%d)", result_name(fd), fd);
	end_scenario();
}

void note(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	report("# ", fmt, args);
	va_end(args);
}
