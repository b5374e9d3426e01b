// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is handed over gets damaged right before each kexec, in ways that follow
 * from a number, see kernel/liveupdate/tests/kho_damage.c. The next kernel
 * boots, reports what it notices, refuses what it cannot read with an error, and
 * gives back all that was not damaged, unchanged. Then it does the same with the
 * next number.
 *
 * Damage to what many depend on may cost all of them: the map of preserved
 * memory, the list of sessions. Damage to one session costs that session, and
 * damage to one file that file. There are no checksums: what a memfd
 * says about itself may be damaged without anybody noticing, and then the file
 * differs.
 *
 * run-damage.py runs it and reads the notes: "next NUMBER" before the kexec,
 * "outcome NUMBER STRUCTURE OUTCOME" for each damage after it.
 *
 * needs run: by hand
 * needs memory: 192M
 * needs smp: 1
 * needs cmdline: test_kho.max_mem=0 reserve_mem=64K:4K:damage
 * needs cmdline: kho_scratch=20M,20M,20M
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "scenario.h"

#define DIRECTORY	"/sys/kernel/debug/kho_damage/"

/* As in kho_damage.c */
#define NR_VICTIMS	7

/* The session after the victims is never damaged. */
#define CONTROL		NR_VICTIMS
#define NR_SESSIONS	(NR_VICTIMS + 1)

#define REGION		KIB(64)

/* Of a session; only the first is damaged. */
enum { DAMAGED, NEIGHBOUR, NR_FILES };

static const struct memfile templates[NR_FILES] = {
	[DAMAGED] = { .token = 0x51d, .position = 77 },
	[NEIGHBOUR] = { .token = 0xace0000, .size = KIB(12) },
};

/*
 * One page; a hole; more folios than one page of their array has, and more extents
 * than one piece of their list; huge.
 */
enum { ONE_PAGE, WITH_HOLE, TORN, HUGE };

static const struct memfile shapes[] = {
	[ONE_PAGE] = { .size = KIB(4) },
	[WITH_HOLE] = { .size = KIB(44) + 1, .hole = { KIB(8), KIB(4) } },
	[TORN] = { .size = KIB(2400) },
	[HUGE] = { .size = MIB(2) + KIB(8), .huge = true },
};

/* What became of a file, in rising order of what it costs */
enum outcome { RIGHT, LOST, ALTERED };

static const char *const outcome_names[] = { "unharmed", "refused", "altered" };

/*
 * What damage to a structure may do, at most
 * @all: to all sessions
 * @session: to its session
 * @file: to the first file of its session
 * @region: to the memory of reserve_mem=
 * @quiet: it may look as if there were no sessions
 */
static const struct limit {
	const char *structure;
	enum outcome all;
	enum outcome session;
	enum outcome file;
	enum outcome region;
	bool quiet;
} limits[] = {
	{ "fdt", LOST, LOST, LOST, ALTERED },
	{ "fdt-value", LOST, LOST, LOST, ALTERED },
	{ "radix-node", LOST, LOST, LOST, ALTERED },
	{ "radix-leaf", LOST, LOST, LOST, ALTERED },
	{ "luo", LOST, LOST, LOST, RIGHT, true },
	{ "session-list", LOST, LOST, LOST, RIGHT, true },
	{ "flb-list", RIGHT, RIGHT, RIGHT, RIGHT },
	{ "reserve-mem", RIGHT, RIGHT, RIGHT, ALTERED },
	{ "scratch", LOST, LOST, LOST, ALTERED },
	{ "metadata", RIGHT, RIGHT, RIGHT, RIGHT },
	{ "session", RIGHT, LOST, LOST, RIGHT },
	{ "file-list", RIGHT, LOST, LOST, RIGHT },
	{ "file", RIGHT, LOST, LOST, RIGHT },
	{ "memfd", RIGHT, RIGHT, ALTERED, RIGHT },
	{ "vmalloc-chunk", RIGHT, RIGHT, LOST, RIGHT },
	{ "folio-array", RIGHT, RIGHT, ALTERED, RIGHT },
	{ "memfd-3", RIGHT, RIGHT, ALTERED, RIGHT },
	{ "memfd-extents", RIGHT, RIGHT, LOST, RIGHT },
	{ "memfd-extent", RIGHT, RIGHT, ALTERED, RIGHT },
};

/* A line of the plan: @victim is -1 for damage to what many depend on. */
struct damage {
	int victim;
	const struct limit *limit;
};

struct plan {
	struct damage damages[NR_VICTIMS];
	int nr;
	char memfd[8];
	char vmalloc[8];
};

/* What was found of a session; @error is the first one that was met. */
struct finding {
	enum outcome file[NR_FILES];
	int error;
};

static void session_name(int nr, char *name, size_t room)
{
	if (nr == CONTROL)
		snprintf(name, room, "control");
	else
		snprintf(name, room, "victim-%d", nr);
}

static int shape_of(int session)
{
	return session <= HUGE ? session : TORN;
}

/* The contents differ from those for any other number, see pattern_seed(). */
static struct memfile describe(__u64 number, int session, int nr, char *name,
			       size_t room)
{
	struct memfile file = templates[nr];

	if (nr == DAMAGED) {
		const struct memfile *shape = &shapes[shape_of(session)];

		file.size = shape->size;
		file.hole = shape->hole;
		file.huge = shape->huge;
	}
	snprintf(name, room, "%llu-%d-%d", number, session, nr);
	file.name = name;
	return file;
}

static const struct limit *find_limit(const char *structure)
{
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		if (!strcmp(limits[i].structure, structure))
			return &limits[i];
	}
	require(false, "damage to '%s' is known", structure);
	return NULL;
}

static struct plan make_plan(__u64 number)
{
	char text[512], structure[32], *line, *rest = text;
	struct plan plan = {};

	snprintf(text, sizeof(text), "%llu", number);
	if (write_file(DIRECTORY "plan", text))
		require(false, "plan the damage %llu", number);
	read_file(DIRECTORY "plan", text, sizeof(text));
	require(sscanf(text, "memfd %7s vmalloc %7s", plan.memfd, plan.vmalloc) == 2,
		"the plan has versions");
	while ((line = strsep(&rest, "\n"))) {
		struct damage *damage = &plan.damages[plan.nr];

		if (sscanf(line, "%d %31s", &damage->victim, structure) != 2)
			continue;
		damage->limit = find_limit(structure);
		plan.nr++;
	}
	return plan;
}

/* Before the kexec */

static int create_file(const struct memfile *file, int session_nr, int nr)
{
	int fd, other;

	if (nr != DAMAGED || shape_of(session_nr) != TORN)
		return memfile_create(file);

	fd = memfile_create_torn(file, &other);
	close(other);
	lseek(fd, file->position, SEEK_SET);
	return fd;
}

static void preserve_file(__u64 number, int session_nr, int nr, int session)
{
	char name[64];
	struct memfile file = describe(number, session_nr, nr, name,
				       sizeof(name));
	int fd = create_file(&file, session_nr, nr), ret;

	ret = fd < 0 ? fd : luo_preserve(session, fd, file.token);
	close(fd);
	if (ret)
		require(false, "preserve %s: %s", name, result_name(ret));
}

/* The sessions stay open until the kexec, which takes their files with it. */
static void preserve_sessions(__u64 number)
{
	int device = luo_device();

	for (int i = 0; i < NR_SESSIONS; i++) {
		char name[32];
		int session;

		session_name(i, name, sizeof(name));
		session = luo_create(device, name);
		if (session < 0)
			require(false, "create session %s: %s", name,
				result_name(session));
		for (int nr = 0; nr < NR_FILES; nr++)
			preserve_file(number, i, nr, session);
	}
	close(device);
}

static __u64 region_seed(__u64 number)
{
	char name[32];

	snprintf(name, sizeof(name), "%llu-region", number);
	return pattern_seed(name);
}

static void fill_region(__u64 number)
{
	void *region = reserve_mem_map("damage", REGION);

	pattern_fill(region, REGION, region_seed(number), 0);
	munmap(region, REGION);
}

/*
 * The list of scratch areas is damaged in the image. The kernel's place is left
 * to chance now and then: that reads the list, too.
 */
static void load_image(__u64 number, const struct plan *plan)
{
	const char *cmdline = number % 4 ? "nokaslr" : NULL;
	bool scratch = !strcmp(plan->damages[0].limit->structure, "scratch");
	int ret;

	if (scratch && write_file(DIRECTORY "scratch", "1"))
		require(false, "damage scratch");
	ret = load_kernel("ours", cmdline);
	if (scratch)
		write_file(DIRECTORY "scratch", "0");
	if (ret)
		require(false, "load the next kernel: %s", result_name(ret));
}

/* Nothing is in use by then, so it is what will be written */
static void choose_version(const char *component, const char *version)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/kernel/kho/components/%s/write", component);
	if (write_file(path, version))
		require(false, "choose version %s of %s", version, component);
}

static void prepare(__u64 number)
{
	struct plan plan = make_plan(number);

	choose_version("memfd", plan.memfd);
	choose_version("vmalloc", plan.vmalloc);
	preserve_sessions(number);
	fill_region(number);
	load_image(number, &plan);
	if (write_file(DIRECTORY "arm", "1"))
		require(false, "arm the damage %llu", number);
	note("next %llu", number);
}

/* After it */

static enum outcome file_outcome(__u64 number, int session_nr, int nr,
				 int session, int *error)
{
	char name[64];
	struct memfile file = describe(number, session_nr, nr, name,
				       sizeof(name));
	int fd = luo_retrieve_fd(session, file.token);
	bool same;

	if (fd < 0) {
		*error = *error ? *error : fd;
		return LOST;
	}
	same = memfile_same(&file, fd) &&
	       lseek(fd, 0, SEEK_CUR) == (off_t)file.position;
	close(fd);
	return same ? RIGHT : ALTERED;
}

static struct finding look_at_session(__u64 number, int device, int nr)
{
	struct finding found = { .file = { LOST, LOST } };
	char name[32];
	int session;

	session_name(nr, name, sizeof(name));
	session = luo_retrieve(device, name);
	if (session < 0) {
		found.error = session;
		return found;
	}
	for (int i = 0; i < NR_FILES; i++)
		found.file[i] = file_outcome(number, nr, i, session,
					     &found.error);
	luo_finish(session);
	close(session);
	return found;
}

static enum outcome worst(enum outcome a, enum outcome b)
{
	return a > b ? a : b;
}

/* The most that the whole plan may do to a file of a session. */
static enum outcome allowed(const struct plan *plan, int session, int nr)
{
	enum outcome most = RIGHT;

	for (int i = 0; i < plan->nr; i++) {
		const struct limit *limit = plan->damages[i].limit;

		most = worst(most, limit->all);
		if (plan->damages[i].victim != session)
			continue;
		most = worst(most, limit->session);
		if (nr == DAMAGED)
			most = worst(most, limit->file);
	}
	return most;
}

static void check_sessions(__u64 number, const struct plan *plan,
			   const struct finding *found)
{
	bool good = true;

	for (int i = 0; i < NR_SESSIONS; i++) {
		for (int nr = 0; nr < NR_FILES; nr++) {
			enum outcome got = found[i].file[nr];

			if (got <= allowed(plan, i, nr))
				continue;
			good = false;
			note("file %d of session %d: %s, %s", nr, i,
			     outcome_names[got], result_name(found[i].error));
		}
	}
	check(good, "damage %llu costs no more than it must", number);
}

static bool region_same(__u64 number)
{
	void *region = reserve_mem_map("damage", REGION);
	bool same = pattern_mismatch(region, REGION, region_seed(number), 0) ==
		    REGION;

	munmap(region, REGION);
	return same;
}

/*
 * A region that is allocated again in spite of a handover lies in scratch, and is not
 * handed over again: then another machine has to go on.
 */
static void check_region(__u64 number, const struct plan *plan)
{
	enum outcome most = RIGHT;
	struct reserved region;

	for (int i = 0; i < plan->nr; i++)
		most = worst(most, plan->damages[i].limit->region);
	if (!reserve_mem_find("damage", &region)) {
		check(region_same(number) || most == ALTERED,
		      "damage %llu: reserved memory", number);
		return;
	}
	check(most == ALTERED && (kmsg_warnings("emblock") ||
				  kmsg_warnings("reserve-mem")),
	      "damage %llu: reserved memory is gone, and the log says so",
	      number);
	stop_here();
}

/*
 * Whoever asks for what is not in a list is told so, and the log has nothing to
 * add. But if the whole list is not there, it has.
 */
static void check_complaints(__u64 number, const struct plan *plan,
			     const struct finding *found)
{
	bool refused = found[CONTROL].error && !plan->damages[0].limit->quiet;

	for (int i = 0; i < NR_SESSIONS; i++)
		refused |= found[i].error && found[i].error != -ENOENT;
	if (refused)
		check(kmsg_warnings("KHO") || kmsg_warnings("luo"),
		      "damage %llu: the log has the reason", number);
}

static const char *outcome_of(const struct damage *damage,
			      const struct finding *found)
{
	enum outcome outcome = RIGHT;

	if (damage->victim >= 0) {
		const struct finding *victim = &found[damage->victim];

		return outcome_names[worst(victim->file[DAMAGED],
					   victim->file[NEIGHBOUR])];
	}
	for (int i = 0; i < NR_SESSIONS; i++)
		outcome = worst(outcome, worst(found[i].file[DAMAGED],
					       found[i].file[NEIGHBOUR]));
	return outcome_names[outcome];
}

static void verify(__u64 number)
{
	int device = require_fd(luo_device(), "open /dev/liveupdate");
	struct finding found[NR_SESSIONS];
	struct plan plan = make_plan(number);

	for (int i = 0; i < NR_SESSIONS; i++)
		found[i] = look_at_session(number, device, i);
	close(device);
	check_sessions(number, &plan, found);
	check_region(number, &plan);
	check_complaints(number, &plan, found);
	for (int i = 0; i < plan.nr; i++)
		note("outcome %llu %s %s", number,
		     plan.damages[i].limit->structure,
		     outcome_of(&plan.damages[i], found));
}

static void first(void)
{
	char aims[16];

	read_file(DIRECTORY "aims", aims, sizeof(aims));
	note("aims %lu", strtoul(aims, NULL, 10));
	prepare(number_of_boot(1));
}

static void again(void)
{
	verify(number_of_boot(boot_number() - 1));
	/* Sessions that cannot be finished would refuse the next kexec */
	set_kho_check("warn");
	if (!last_boot())
		prepare(number_of_boot(boot_number()));
}

SCENARIO(damage, { first }, { again });
