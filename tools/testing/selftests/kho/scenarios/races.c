// SPDX-License-Identifier: GPL-2.0-only
/*
 * Eight threads at once. Before the kexec they create sessions, preserve files in
 * them and close them, while khugepaged replaces the pages of the files; then each
 * preserves its own files and writes them. After it they retrieve sessions and files,
 * preserve, finish and close while others do, with khugepaged at the files that come
 * back. Each call succeeds or returns an error that its state explains, each page is
 * what was written, and nothing is held in the end. In version 2 of memfd, then in 3.
 *
 * needs memory: 768M
 * needs smp: 4
 * needs cmdline: test_kho.max_mem=0
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "scenario.h"

#define THREADS		8
#define SESSIONS	4
#define FILES		4	/* of a session */
#define ROUNDS		20	/* sessions that each thread has before the kexec */
#define RETRIEVALS	32	/* of a session, before it is finished */
#define MOST_ROUNDS	20000
#define SIZE		(MIB(2) + KIB(16))
#define ALL_FILES	((1 << FILES) - 1)

/* Collapsed by khugepaged before the kexec comes, in pages of 2 MiB */
#define COLLAPSED	4

#define HUGE_PAGES	"/sys/kernel/mm/transparent_hugepage/"
#define KHUGEPAGED	HUGE_PAGES "khugepaged/"

enum call { CREATE, PRESERVE, RETRIEVE, RETRIEVE_FD, FINISH, GET_NAME, NR_CALLS };

static const char *const call_names[NR_CALLS] = {
	"create", "preserve", "retrieve", "retrieve_fd", "finish", "get_name",
};

#define MOST_ERRNO	133

/* How often each call returned what; index 0 is success */
static atomic_int results[NR_CALLS][MOST_ERRNO + 1];

/**
 * struct slot - a session that threads share
 * @lock: protects @fd
 * @fd: the descriptor, which threads duplicate; -1: nobody has got one
 * @finishing: how many may have begun to finish it
 * @finished: somebody has finished it
 * @reused: somebody may have preserved something in it after that
 * @verified: a bit for each file that was retrieved and was right
 * @retrieved: how often one was
 */
struct slot {
	pthread_mutex_t lock;
	int fd;
	atomic_int finishing;
	atomic_bool finished;
	atomic_bool reused;
	atomic_uint verified;
	atomic_int retrieved;
};

static struct slot slots[SESSIONS];

/* A file that khugepaged looks at; @lock protects the rest */
struct victim {
	pthread_mutex_t lock;
	int fd;
	char *map;
};

static struct victim victims[THREADS];

static int device;
static atomic_int wrong, stale;
static atomic_ullong next_token;

static int result_of(enum call call, int ret)
{
	int error = ret < 0 ? -ret : 0;

	atomic_fetch_add(&results[call][error > MOST_ERRNO ? MOST_ERRNO : error], 1);
	return ret;
}

static void allow(enum call call, int ret, bool allowed)
{
	if (ret >= 0 || allowed)
		return;
	if (atomic_fetch_add(&wrong, 1) < 20)
		note("%s: %s", call_names[call], result_name(ret));
}

static void session_name(char name[16], int nr)
{
	snprintf(name, 16, "session-%d", nr);
}

static struct memfile describe(int session, int nr, char name[32])
{
	snprintf(name, 32, "file-%d-%d", session, nr);
	return (struct memfile){ .name = name, .token = nr + 1, .size = SIZE };
}

/* Huge pages begin at a multiple of 2 MiB of the file, and of the address */
static char *map_advised(int fd)
{
	char *room = mmap(NULL, SIZE + MIB(2), PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uintptr_t from = (uintptr_t)room, at = (from + MIB(2) - 1) & ~(MIB(2) - 1);
	char *map = mmap((void *)at, SIZE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, fd, 0);

	if (room == MAP_FAILED || map == MAP_FAILED)
		abort();
	munmap(room, at - from);
	munmap(map + SIZE, from + MIB(2) - at);
	madvise(map, SIZE, MADV_HUGEPAGE);
	return map;
}

static char *create_file(int *fd)
{
	char *map;

	*fd = memfd_create("races", MFD_CLOEXEC);
	if (*fd < 0 || ftruncate(*fd, SIZE))
		abort();
	map = map_advised(*fd);
	memset(map, 0xA5, SIZE);
	return map;
}

static void start_khugepaged(void)
{
	write_file(HUGE_PAGES "shmem_enabled", "advise");
	write_file(KHUGEPAGED "scan_sleep_millisecs", "0");
	write_file(KHUGEPAGED "alloc_sleep_millisecs", "0");
	write_file(KHUGEPAGED "max_ptes_shared", "511");
}

/* Sessions that are shared */

static int get_session(int nr, enum call call,
		       int (*get)(int device, const char *name))
{
	struct slot *slot = &slots[nr];
	char name[16];
	int fd, ret;

	pthread_mutex_lock(&slot->lock);
	fd = slot->fd < 0 ? -1 : dup(slot->fd);
	pthread_mutex_unlock(&slot->lock);
	if (fd >= 0)
		return fd;

	session_name(name, nr);
	ret = result_of(call, get(device, name));
	if (ret < 0)
		return ret;

	pthread_mutex_lock(&slot->lock);
	if (slot->fd < 0)
		slot->fd = dup(ret);
	pthread_mutex_unlock(&slot->lock);
	return ret;
}

static void close_slot(int nr)
{
	struct slot *slot = &slots[nr];
	int fd;

	pthread_mutex_lock(&slot->lock);
	fd = slot->fd;
	slot->fd = -1;
	pthread_mutex_unlock(&slot->lock);
	if (fd >= 0)
		close(fd);
}

static void check_name(int session, int nr)
{
	char name[16], got[64] = "";

	session_name(name, nr);
	allow(GET_NAME, result_of(GET_NAME, luo_name(session, got, sizeof(got))), false);
	allow(GET_NAME, strcmp(name, got) ? -EILSEQ : 0, false);
}

/* Before the kexec */

static void renew_victim(struct victim *victim)
{
	int fd, old;
	char *map = create_file(&fd), *old_map;

	pthread_mutex_lock(&victim->lock);
	old = victim->fd;
	old_map = victim->map;
	victim->fd = fd;
	victim->map = map;
	pthread_mutex_unlock(&victim->lock);
	if (old_map) {
		munmap(old_map, SIZE);
		close(old);
	}
}

static void preserve_victim(int session, struct victim *victim, __u64 token)
{
	int fd, ret;

	pthread_mutex_lock(&victim->lock);
	fd = dup(victim->fd);
	pthread_mutex_unlock(&victim->lock);

	ret = result_of(PRESERVE, luo_preserve(session, fd, token));
	/* ENOMEM: khugepaged has a page that has to be moved out of scratch */
	allow(PRESERVE, ret, ret == -EEXIST || ret == -EBUSY || ret == -ENOMEM);
	close(fd);
}

static void churn(int session, int nr, unsigned int *seed)
{
	int ret;

	switch (rand_r(seed) % 8) {
	case 0:
		ret = result_of(RETRIEVE_FD, luo_retrieve_fd(session, 1));
		allow(RETRIEVE_FD, ret >= 0 ? -EILSEQ : ret, ret == -EINVAL);
		break;
	case 1:
		ret = result_of(FINISH, luo_finish(session));
		allow(FINISH, ret >= 0 ? -EILSEQ : ret, ret == -EINVAL);
		break;
	case 2:
		check_name(session, nr);
		break;
	case 3:
		close_slot(nr);
		break;
	case 4:
		renew_victim(&victims[rand_r(seed) % THREADS]);
		break;
	default:
		preserve_victim(session, &victims[rand_r(seed) % THREADS],
				rand_r(seed) % 4);
		break;
	}
}

static bool collapsed_enough(void)
{
	return meminfo_kib("ShmemHugePages") >= COLLAPSED * (long)KIB(2);
}

static void *preserve_and_close(void *arg)
{
	unsigned int seed = boot_seed() + (uintptr_t)arg;
	int got = 0;

	for (int i = 0; i < MOST_ROUNDS && (got < ROUNDS || !collapsed_enough()); i++) {
		int nr = rand_r(&seed) % SESSIONS;
		int session = get_session(nr, CREATE, luo_create);

		allow(CREATE, session, session == -EEXIST);
		if (session < 0) {
			usleep(1000);
			continue;
		}
		got++;
		for (int n = rand_r(&seed) % 8; n >= 0; n--)
			churn(session, nr, &seed);
		close(session);
	}
	return NULL;
}

/* While khugepaged has a page of it there may be no memory to move it to */
static int preserve_patiently(int session, int fd, __u64 token)
{
	int ret, attempts = 0;

	do {
		ret = result_of(PRESERVE, luo_preserve(session, fd, token));
	} while (ret == -ENOMEM && attempts++ < 1000 && !usleep(10000));
	return ret;
}

/* What a thread writes after a file was preserved is what has to arrive */
static void *preserve_own(void *arg)
{
	uintptr_t me = (uintptr_t)arg;

	for (unsigned int i = me; i < SESSIONS * FILES; i += THREADS) {
		int nr = i % SESSIONS, fd, ret, session;
		char *map = create_file(&fd), name[32];
		struct memfile file = describe(nr, i / SESSIONS, name);

		session = get_session(nr, CREATE, luo_create);
		while (session == -EEXIST && !usleep(1000))
			session = get_session(nr, CREATE, luo_create);
		allow(CREATE, session, false);
		ret = preserve_patiently(session, fd, file.token);
		allow(PRESERVE, ret, false);
		pattern_fill(map, SIZE, pattern_seed(name), 0);
		munmap(map, SIZE);
		close(session);
		close(fd);
	}
	return NULL;
}

static void run_threads(void *(*run)(void *arg))
{
	pthread_t threads[THREADS];

	for (uintptr_t i = 0; i < THREADS; i++)
		require(!pthread_create(&threads[i], NULL, run, (void *)i),
			"start a thread");
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void note_results(void)
{
	for (int call = 0; call < NR_CALLS; call++) {
		for (int error = 0; error <= MOST_ERRNO; error++) {
			if (results[call][error])
				note("%s: %s %d times", call_names[call],
				     error ? strerror(error) : "success",
				     results[call][error]);
		}
	}
	memset(results, 0, sizeof(results));
}

static void preserve_all(const char *version)
{
	device = require_fd(luo_device(), "open /dev/liveupdate");
	for (int i = 0; i < SESSIONS; i++)
		slots[i] = (struct slot){ PTHREAD_MUTEX_INITIALIZER, -1 };
	for (int i = 0; i < THREADS; i++) {
		victims[i] = (struct victim){ PTHREAD_MUTEX_INITIALIZER, -1 };
		renew_victim(&victims[i]);
	}
	check_result(write_file("/sys/kernel/kho/components/memfd/write", version), 0,
		     "write version %s", version);
	start_khugepaged();
	run_threads(preserve_and_close);
	check(collapsed_enough(), "khugepaged was at work");
	for (int i = 0; i < SESSIONS; i++)
		close_slot(i);
	check_kho("components/memfd/users", "0");
	check_kho("components/luo/users", "0");

	run_threads(preserve_own);
	check(!wrong, "%d errors that nothing explains", wrong);
	note_results();
}

/* After it */

static bool file_same(const struct memfile *file, int fd)
{
	char *map = map_advised(fd);
	size_t at = pattern_mismatch(map, SIZE, pattern_seed(file->name), 0);

	munmap(map, SIZE);
	if (at == SIZE)
		return true;
	note("%s: differs at %#zx", file->name, at);
	return false;
}

static void retrieve_file(int session, int nr, int i)
{
	struct slot *slot = &slots[nr];
	char name[32];
	struct memfile file = describe(nr, i, name);
	int fd = result_of(RETRIEVE_FD, luo_retrieve_fd(session, file.token));

	allow(RETRIEVE_FD, fd, fd == -ENOENT && slot->finishing);
	if (fd < 0)
		return;
	slot->retrieved++;
	if (file_same(&file, fd))
		slot->verified |= 1 << i;
	else
		stale++;
	close(fd);
}

/* A finished session is like a new one */
static void preserve_anew(int session, int nr)
{
	struct slot *slot = &slots[nr];
	bool finished = slot->finished;
	int fd = memfd_create("new", MFD_CLOEXEC), ret;

	slot->reused = true;
	ret = result_of(PRESERVE, luo_preserve(session, fd, next_token++));
	allow(PRESERVE, ret, ret == -EINVAL && !finished);
	allow(PRESERVE, !ret && !slot->finishing ? -EILSEQ : 0, false);
	close(fd);
}

/* Not before each of its files was right */
static void finish_session(int session, int nr)
{
	struct slot *slot = &slots[nr];
	int ret;

	if (slot->verified != ALL_FILES || slot->retrieved < RETRIEVALS)
		return;
	slot->finishing++;
	ret = result_of(FINISH, luo_finish(session));
	allow(FINISH, ret, ret == -EINVAL && slot->finishing > 1 && slot->reused);
	if (!ret)
		slot->finished = true;
}

static void use_session(int session, int nr, unsigned int *seed)
{
	switch (rand_r(seed) % 16) {
	case 0:
		finish_session(session, nr);
		break;
	case 1:
	case 2:
		preserve_anew(session, nr);
		break;
	case 3:
		check_name(session, nr);
		break;
	case 4:
	case 5:
		close_slot(nr);
		break;
	default:
		retrieve_file(session, nr, rand_r(seed) % FILES);
		break;
	}
}

static bool all_finished(void)
{
	for (int i = 0; i < SESSIONS; i++) {
		if (!slots[i].finished)
			return false;
	}
	return true;
}

static void *retrieve_and_finish(void *arg)
{
	unsigned int seed = boot_seed() + (uintptr_t)arg;

	for (int i = 0; i < MOST_ROUNDS && !all_finished(); i++) {
		int nr = rand_r(&seed) % SESSIONS;
		int session = get_session(nr, RETRIEVE, luo_retrieve);

		/* EINVAL: others still hold it, who closed the slot */
		allow(RETRIEVE, session, session == -EINVAL ||
		      (session == -ENOENT && slots[nr].finishing));
		if (session < 0) {
			usleep(1000);
			continue;
		}
		for (int n = rand_r(&seed) % 8; n >= 0; n--)
			use_session(session, nr, &seed);
		close(session);
	}
	return NULL;
}

static void check_nothing_left(void)
{
	long held;

	for (int i = 0; i < SESSIONS; i++) {
		char name[16];

		close_slot(i);
		session_name(name, i);
		check(luo_retrieve(device, name) == -ENOENT, "%s is gone", name);
	}
	check_kho("components/luo/unfinished", "0");
	check_kho("components/luo/users", "0");
	check_kho("components/memfd/users", "0");
	/* The FDT and the metadata of KHO stay */
	held = strtol(kho_says("held"), NULL, 10);
	check(held <= 2 * getpagesize() >> 10, "%ld KiB are held", held);
}

static void retrieve_all(void)
{
	device = require_fd(luo_device(), "open /dev/liveupdate");
	for (int i = 0; i < SESSIONS; i++)
		slots[i] = (struct slot){ PTHREAD_MUTEX_INITIALIZER, -1 };
	start_khugepaged();
	run_threads(retrieve_and_finish);
	check(all_finished(), "all sessions are finished");
	check(!stale, "%d files are not what was written", stale);
	check(!wrong, "%d errors that nothing explains", wrong);
	note_results();
	check_nothing_left();
	close(device);
}

static void before_kexec(void)
{
	preserve_all("2");
}

static void between(void)
{
	retrieve_all();
	preserve_all("3");
}

static void last(void)
{
	retrieve_all();
	check_leaks();
}

SCENARIO(races, { before_kexec }, { between }, { last });
