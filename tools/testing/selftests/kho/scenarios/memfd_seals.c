// SPDX-License-Identifier: GPL-2.0-only
/*
 * A memfd of MFD_NOEXEC_SEAL stays one that can be written and not executed, with
 * the seals that it gets after it was preserved. The next kernel lets nobody create
 * one that can be executed (vm.memfd_noexec=2), and one of those arrives, too.
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
#ifndef MFD_EXEC
#define MFD_EXEC		0x10
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

static void check_executable(int fd)
{
	struct stat st = {};

	check(!fstat(fd, &st) && (st.st_mode & 0777) == 0777, "mode %#o",
	      st.st_mode);
	check(!fcntl(fd, F_GET_SEALS), "no seals");
}

static void before_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_create(device, "vm"), "create session");
	int fd = memfd_create("ram", MFD_CLOEXEC | MFD_NOEXEC_SEAL);

	require(fd >= 0 && !ftruncate(fd, SIZE), "create a memfd");
	check_file(fd, F_SEAL_EXEC);
	check_result(luo_preserve(session, fd, 1), 0, "preserve it");
	check_result(luo_preserve(session, memfd_create("exec", MFD_CLOEXEC |
							MFD_ALLOW_SEALING), 2),
		     0, "preserve one that can be executed");
	check(!fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), "seal it");
	check(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) < 0 && errno == EBUSY,
	      "it cannot be sealed against writing");
}

/* That needs CONFIG_PID_NS, which the kernel of --config clients has */
static void forbid_executable(void)
{
	if (access(NOEXEC, F_OK)) {
		note("there is no vm.memfd_noexec");
		return;
	}
	check_result(write_file(NOEXEC, "2"), 0, "set vm.memfd_noexec");
	check(memfd_create("exec", MFD_CLOEXEC | MFD_EXEC) < 0 && errno == EACCES,
	      "no file that can be executed is created");
}

static void after_kexec(void)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	int session = require_fd(luo_retrieve(device, "vm"),
				 "retrieve session");

	forbid_executable();
	check_file(require_fd(luo_retrieve_fd(session, 1), "retrieve the file"),
		   F_SEAL_EXEC | F_SEAL_SHRINK);
	check_executable(require_fd(luo_retrieve_fd(session, 2),
				    "retrieve the other file"));
	check_result(luo_finish(session), 0, "finish");
}

SCENARIO(memfd_seals, { before_kexec }, { after_kexec });
