// SPDX-License-Identifier: GPL-2.0-only
/*
 * All memory of the machine: what the page allocator has, what was preserved,
 * and that there is nothing else. The kernel's side is
 * kernel/liveupdate/tests/kho_memory.c.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>

#include "scenario.h"

#define DIRECTORY	"/sys/kernel/debug/kho_memory/"

/*
 * What grab_everything() may leave: other CPUs get back some that they free
 * meanwhile, into lists of their own. To drain these, too, would keep all tasks
 * without memory for longer than they bear.
 */
#define LEFT_PERCENT	3

void memory_job(const char *job, const char *fmt, ...)
{
	char path[64], command[64];
	va_list args;
	int ret;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	snprintf(path, sizeof(path), DIRECTORY "%s", job);
	ret = write_file(path, command);
	if (ret)
		note("got %s (%d)", result_name(ret), ret);
	require(!ret, "%s %s", job, command);
}

__u64 memory_report(const char *name)
{
	FILE *file = fopen(DIRECTORY "report", "re");
	size_t length = strlen(name);
	char line[128];

	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, name, length) || line[length] != ' ')
			continue;
		fclose(file);
		return strtoull(line + length, NULL, 10);
	}
	require(false, "kho_memory reports '%s'", name);
	return 0;
}

/* Before kexec: the next kernel shall know where the nodes of the map were. */
void note_map(void)
{
	memory_job("map", "%llx", (unsigned long long)preserved_memory_map());
}

static void check_none(const char *name, const char *what)
{
	__u64 count = memory_report(name);

	if (!check(!count, "%s", what))
		note("%s: %llu", name, count);
}

/*
 * Below its watermarks the kernel would kill us rather than wait for the pages
 * to come back: make them smaller than what it gets back at once.
 */
void grab_everything(void)
{
	__u64 grabbed, left, nodes;

	write_file("/proc/sys/vm/min_free_kbytes", "1024");
	memory_job("grab", "%llu", boot_seed() >> 1);
	grabbed = memory_report("grabbed");
	left = memory_report("grab_left");
	nodes = memory_report("nodes");
	check(left * 100 <= grabbed * LEFT_PERCENT,
	      "write over %llu pages, %llu are left", grabbed, left);
	check_none("grab_wrong", "nobody else writes to them");
	check_none("grab_twice", "the allocator has each of them once");
	check_none("grab_stolen", "none belongs to a preserved piece");
	if (!nodes)
		return;
	note("the last map had %llu nodes; in use again: %llu", nodes,
	     memory_report("nodes_in_use"));
	check_none("nodes_reserved", "no node of the last map is reserved");
}

/*
 * In pages, once everything is freed: what the page allocator manages, in use or
 * not, and what waits to be restored. After a kexec it is a page or two less than
 * on a cold boot, and again with the number of page tables that kernel needs to
 * map it: that depends on where KASLR puts things. So compare it with that after
 * another kexec, and boot with nokaslr.
 */
__u64 memory_in_machine(void)
{
	return memory_report("total") + memory_report("held");
}

/*
 * A whole gigabyte with nothing preserved in it becomes scratch, and boot
 * allocates from there. What it allocates in less than pages then shares its
 * pages with other things than it would without that gigabyte.
 */
static __u64 pages_that_may_be_shared(void)
{
	return memory_in_machine() * getpagesize() > MIB(1024) ? 4 : 0;
}

void check_memory_in_machine(__u64 expected)
{
	__u64 pages = memory_in_machine(), most = pages_that_may_be_shared();

	if (!check(pages + most >= expected && pages <= expected + most,
		   "%llu pages in the machine", pages))
		note("expected %llu, as after the kexec before, or %llu more or less",
		     expected, most);
}

void carry_number(int session, __u64 token, __u64 number)
{
	int fd = memfd_create("number", MFD_CLOEXEC);

	require(write(fd, &number, sizeof(number)) == sizeof(number),
		"write a number to a memfd");
	check_result(luo_preserve(session, fd, token), 0,
		     "preserve the number %llu", number);
	close(fd);
}

__u64 carried_number(int session, __u64 token)
{
	int fd = require_fd(luo_retrieve_fd(session, token),
			    "retrieve the number");
	__u64 number;

	require(pread(fd, &number, sizeof(number), 0) == sizeof(number),
		"read it");
	close(fd);
	return number;
}
