// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host's side of "make demo": a guest under kho-guest goes on after a kexec
 * of its host. What kho-guest and the guest say is reported in lines
 * "guest CYCLES TEXT", which scripts/demo.py understands.
 *
 * needs memory: 2G
 * needs run: by hand
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "scenario.h"

#define TICKS		10
#define MAX_WORDS	64

static pid_t launcher;
static FILE *output;

/* An emulated processor that counts instructions counts them here. */
static __u64 cycles(void)
{
#ifdef __x86_64__
	return __builtin_ia32_rdtsc();
#else
	return 0;
#endif
}

static void introduce_kernel(void)
{
	struct timespec up;
	struct utsname uts;

	clock_gettime(CLOCK_MONOTONIC, &up);
	uname(&uts);
	note("guest %llu init up=%llu release=%s", cycles(),
	     up.tv_sec * 1000000000ULL + up.tv_nsec, uts.release);
}

static void run_launcher(void)
{
	char text[4096] = "", *words[MAX_WORDS + 1] = { };
	int count = 0;

	read_file("/guest/command", text, sizeof(text));
	for (char *word = strtok(text, "\n"); word && count < MAX_WORDS;
	     word = strtok(NULL, "\n"))
		words[count++] = word;
	setenv("PATH", "/usr/bin:/bin", 1);
	execv(words[0], words);
	_exit(127);
}

static void start_launcher(void)
{
	int ends[2];

	require(!pipe(ends), "make a pipe");
	launcher = fork();
	if (!launcher) {
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		run_launcher();
	}
	require(launcher > 0, "fork");
	close(ends[1]);
	output = fdopen(ends[0], "r");
}

/* Report what is said until a line has this text, so many times. */
static void wait_for(const char *text, int times)
{
	char line[400];

	while (times && fgets(line, sizeof(line), output)) {
		line[strcspn(line, "\n")] = 0;
		note("guest %llu %s", cycles(), line);
		if (strstr(line, "cannot hand the guest over"))
			break;
		times -= !!strstr(line, text);
	}
	require(!times, "kho-guest said '%s'", text);
}

static void before(void)
{
	introduce_kernel();
	start_launcher();
	wait_for("tick ", TICKS);
	check_result(load_next_kernel(), 0, "load the next kernel");
	kill(launcher, SIGUSR1);
	wait_for("ready for the kexec", 1);
}

static void after(void)
{
	introduce_kernel();
	start_launcher();
	wait_for("resumed the guest", 1);
	wait_for("tick ", TICKS);
}

SCENARIO(guest, { before }, { after });
