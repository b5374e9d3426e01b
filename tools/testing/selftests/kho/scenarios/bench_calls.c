// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loads the module that times the calls of KHO, once on each side of a kexec;
 * see bench/kho_bench.c. For scripts/bench.py, which leaves the module's
 * parameters in /bench.
 *
 * needs run: by hand
 */
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "scenario.h"

static void load_module(void)
{
	int fd = require_fd(open("/kho_bench.ko", O_RDONLY | O_CLOEXEC),
			    "open the module");
	char parameters[128];
	long ret;

	read_file("/bench", parameters, sizeof(parameters));
	ret = syscall(SYS_finit_module, fd, parameters, 0);
	check_result(ret ? -errno : 0, 0, "load the module with %s",
		     parameters);
}

SCENARIO(bench_calls, { load_module }, { load_module });
