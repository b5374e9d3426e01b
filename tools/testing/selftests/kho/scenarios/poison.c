// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that memory failure has taken out. A file with one is not preserved; one
 * that is preserved already does not go through a kexec, until its session is
 * closed. No segment of the next kernel is put on one. Everything else arrives.
 *
 * needs memory: 512M
 * needs cmdline: kho_scratch=32M,192M,0
 * needs log: Memory failure: |poisoned|Freeze failed
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <linux/kexec.h>

#include "scenario.h"

#define MAX_SEGMENTS	16

static const struct memfile bad = { .name = "bad", .token = 1, .size = MIB(1) };
static const struct memfile late = { .name = "late", .token = 2, .size = MIB(1) };
static const struct memfile good = { .name = "good", .token = 3, .size = MIB(8) };

/* Where kexec_file_load() puts the next kernel, as it says in the log */
static struct segment {
	unsigned long start, size;
} segments[MAX_SEGMENTS];
static int nr_segments;
static int skip_segments;

static void find_segment(const char *message)
{
	const char *at = strstr(message, " mem=0x");
	struct segment s;

	if (!at || sscanf(at, " mem=0x%lx memsz=0x%lx", &s.start, &s.size) != 2)
		return;
	if (skip_segments > 0)
		skip_segments--;
	else if (nr_segments < MAX_SEGMENTS)
		segments[nr_segments++] = s;
}

/* Of the last load; there were @before in the log already */
static void find_segments(int before)
{
	nr_segments = 0;
	skip_segments = before;
	kmsg_each("segment[", find_segment);
}

static int poison(unsigned long pfn)
{
	char text[32];

	snprintf(text, sizeof(text), "%#lx", pfn);
	return write_file("/sys/kernel/debug/hwpoison/corrupt-pfn", text);
}

static void poisoned_before(int session)
{
	int fd = require_fd(memfile_create(&bad), "%s: create", bad.name);

	check_result(poison(memfile_pfn(fd, KIB(64))), 0, "%s: poison a page",
		     bad.name);
	check_result(luo_preserve(session, fd, bad.token), -EHWPOISON,
		     "%s: preserve", bad.name);
	close(fd);
}

static void poisoned_after(int device)
{
	int session = require_fd(luo_create(device, "late"), "create session");
	int fd = require_fd(memfile_create(&late), "%s: create", late.name);

	check_result(luo_preserve(session, fd, late.token), 0, "%s: preserve",
		     late.name);
	/* It does not succeed, but the page is noted */
	poison(memfile_pfn(fd, KIB(64)));
	check_result(load_next_kernel(), 0, "load the next kernel");
	check_result(try_kexec(), -EHWPOISON, "kexec");
	check(kmsg_has("memfd has a poisoned page at index 16"),
	      "the log says which page");
	close(fd);
	close(session);
	check_result(unload(), 0, "unload the kernel");
}

static bool on_poison(const struct segment *was, int nr)
{
	for (int i = 0; i < nr_segments; i++) {
		for (int j = 0; j < nr; j++) {
			unsigned long at = was[j].start + was[j].size / 2;

			if (at >= segments[i].start &&
			    at - segments[i].start < segments[i].size)
				return true;
		}
	}
	return false;
}

static void segments_avoid_it(void)
{
	struct segment was[MAX_SEGMENTS];
	int nr;

	load_flags = KEXEC_FILE_DEBUG;
	check_result(load_next_kernel(), 0, "load the next kernel");
	find_segments(0);
	nr = nr_segments;
	check(nr > 2, "it has %d segments", nr);
	memcpy(was, segments, sizeof(was));
	unload();

	for (int i = 0; i < nr; i++)
		check_result(poison((was[i].start + was[i].size / 2) / KIB(4)), 0,
			     "poison a page at %#lx", was[i].start + was[i].size / 2);
	check_result(load_next_kernel(), 0, "load the next kernel");
	find_segments(nr);
	check(nr_segments == nr, "it has %d segments again", nr_segments);
	check(!on_poison(was, nr), "none of them is on a poisoned page");
	load_flags = 0;
}

static void before_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_create(device, "good"), "create session");

	memfiles_preserve(session, &good, 1);
	poisoned_before(session);
	poisoned_after(device);
	segments_avoid_it();
}

static void after_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_retrieve(device, "good"),
				 "retrieve session");

	memfiles_retrieve(session, &good, 1);
	check_result(luo_finish(session), 0, "finish");
}

SCENARIO(poison, { before_kexec }, { after_kexec });
