// SPDX-License-Identifier: GPL-2.0-only
/*
 * A memfd of MFD_NOEXEC_SEAL stays one that can be written and not executed, with
 * the seals that it gets after it was preserved, whatever vm.memfd_noexec says in
 * the next kernel.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scenario.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL		0x8
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC		0x20
#endif

#define NOEXEC			"/proc/sys/vm/memfd_noexec"
#define SIZE			KIB(64)

static void check_file(int fd, int expected)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st = {};
	void *map;

	check(seals == expected, "seals %#x, expected %#x", seals, expected);
	check(!fstat(fd, &st) && !(st.st_mode & 0111), "mode %#o", st.st_mode);
	map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(map != MAP_FAILED, "map it for writing");
	if (map != MAP_FAILED)
		munmap(map, SIZE);
}

static void before_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_create(device, "vm"), "create session");
	int fd = memfd_create("ram", MFD_CLOEXEC | MFD_NOEXEC_SEAL);

	require(fd >= 0 && !ftruncate(fd, SIZE), "create a memfd");
	check_file(fd, F_SEAL_EXEC);
	check_result(luo_preserve(session, fd, 1), 0, "preserve it");
	check(!fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), "seal it");
	check(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) < 0 && errno == EBUSY,
	      "it cannot be sealed against writing");
}

static void after_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_retrieve(device, "vm"),
				 "retrieve session");

	/* Only with CONFIG_PID_NS */
	if (write_file(NOEXEC, "2"))
		note("there is no vm.memfd_noexec");
	check_file(require_fd(luo_retrieve_fd(session, 1), "retrieve the file"),
		   F_SEAL_EXEC | F_SEAL_SHRINK);
	check_result(luo_finish(session), 0, "finish");
}

SCENARIO(memfd_seals, { before_kexec }, { after_kexec });
