// SPDX-License-Identifier: GPL-2.0-only
/*
 * The FDT for the next kernel is read in debugfs while it is changed all the time.
 * Whoever reads it sees it before or after a change.
 *
 * needs memory: 256M
 */
#include <endian.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenario.h"

#define FDT	"/sys/kernel/debug/kho/out/fdt"
#define ROUNDS	20000

/* Rewrites what is there, for which it is unpacked to a page and packed again */
static pid_t start_changing(void)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	while (true)
		write_file("/sys/kernel/debug/kho_test/announce", "page-shift 12");
}

static void read_while_changed(void)
{
	uint32_t fdt[2048];
	const ssize_t size = read_file(FDT, (char *)fdt, sizeof(fdt));
	pid_t pid = start_changing();
	int torn = 0;

	for (int i = 0; i < ROUNDS; i++) {
		ssize_t got = read_file(FDT, (char *)fdt, sizeof(fdt));

		torn += got != size || be32toh(fdt[1]) != size;
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	check(size > 0, "the FDT has %zd bytes", size);
	check(!torn, "%d of %d times something else was read", torn, ROUNDS);
}

SCENARIO(outgoing_fdt, { read_while_changed });
