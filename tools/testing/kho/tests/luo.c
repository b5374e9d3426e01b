// SPDX-License-Identifier: GPL-2.0-only
/* Live update across kexec: sessions, their files, shared data; damage to each. */

#include <linux/kho/abi/kexec_handover.h>
#include <linux/kho/abi/luo.h>
#include <linux/kho/abi/memfd.h>
#include <linux/kho/compat.h>
#include <linux/liveupdate.h>

#include "kexec_handover_internal.h"
#include "tap.h"

#define NR_LINKED	70	/* more than a block has room for */

/*
 * What the previous kernel has left, before the next one looks at it. Session
 * "memfds" has one with tokens 0 to 2 each, "linked" one file of that kind with
 * tokens 0 to 69 each, which share an FLB.
 */
struct left {
	struct sim_handover handover;
	struct luo_ser *ser;
	struct luo_session_ser *session;
	struct luo_file_ser *memfd;
	struct luo_file_ser *linked;
	struct luo_flb_header_ser *flbs;
	struct luo_flb_ser *flb;
};

static void *entries(u64 block)
{
	return (struct kho_block_header_ser *)phys_to_virt(block) + 1;
}

static void preserve(int session, u64 token, struct file *file)
{
	int fd = sim_open(file);

	CHECK_EQ(0, sim_session_preserve_fd(session, token, fd));
	sim_close(fd);
}

static struct left previous(void)
{
	struct left left;
	int session;

	sim_power_on();
	sim_boot_liveupdate(NULL);
	session = sim_session_create("memfds");
	for (u64 token = 0; token < 3; token++)
		preserve(session, token, sim_file(token + 2, 0));
	session = sim_session_create("linked");
	for (u64 token = 0; token < NR_LINKED; token++)
		preserve(session, token, sim_linked_file(1000 + token));

	left.handover = sim_kexec();
	left.ser = sim_subtree(&left.handover, LUO_KHO_ENTRY_NAME);
	left.session = entries(left.ser->sessions_pa);
	left.memfd = entries(left.session[0].file_set_ser.files);
	left.linked = entries(left.session[1].file_set_ser.files);
	left.flbs = phys_to_virt(left.ser->flbs_pa);
	left.flb = (struct luo_flb_ser *)(left.flbs + 1);
	return left;
}

/* Ask with the first allocation failing, then the second, until none does */
#define ASK_UNTIL_ENOUGH(ask)						\
({									\
	unsigned int __nr = 0;						\
	int __ret;							\
									\
	do {								\
		sim_fail_allocation(++__nr);				\
		__ret = (ask);						\
	} while (__ret == -ENOMEM && __nr < 1000);		\
	CHECK(__nr > 1);						\
	sim_fail_allocation(0);						\
	__ret;								\
})

/* Retrieve the files of a session and end it */
static void expect_memfds(void)
{
	int session = sim_session_retrieve("memfds");

	if (!CHECK(session >= 0))
		return;
	for (u64 token = 0; token < 3; token++) {
		int fd = sim_session_retrieve_fd(session, token);

		if (!CHECK(fd >= 0))
			continue;
		CHECK_EQ((token + 2) * PAGE_SIZE, i_size_read(file_inode(sim_fd_file(fd))));
		CHECK_EQ(1, *(unsigned int *)sim_file_page(sim_fd_file(fd), 1));
		sim_close(fd);
	}
	CHECK_EQ(-ENOENT, sim_session_retrieve_fd(session, 3));
	CHECK_EQ(0, sim_session_finish(session));
	sim_close(session);
}

static void expect_linked(unsigned int nr)
{
	int session = sim_session_retrieve("linked");

	if (!CHECK(session >= 0))
		return;
	for (u64 token = 0; token < nr; token++) {
		int fd = sim_session_retrieve_fd(session, token);

		if (!CHECK(fd >= 0))
			continue;
		CHECK_EQ(1000 + token, i_size_read(file_inode(sim_fd_file(fd))));
		sim_close(fd);
	}
	CHECK_EQ(0, sim_session_finish(session));
	sim_close(session);
}

/* Sessions can still be made, whatever was wrong with those of before */
static void expect_work_goes_on(void)
{
	int session = sim_session_create("new");

	CHECK(session >= 0);
	preserve(session, 5, sim_file(1, 0));
	sim_close(session);
	CHECK_PAGES();
}

/* Files of memfd version 3 share a page */
static void expect_kept(u64 phys)
{
	CHECK_EQ(0, kho_preserved_order(PAGE_ALIGN_DOWN(phys)));
}

/* Both sessions, and then there is no trace of them but the link of the FLB */
static void expect_all(void)
{
	expect_memfds();
	expect_linked(NR_LINKED);
	expect_work_goes_on();
	liveupdate_unregister_flb(&sim_linked_handler, &sim_shared);
	CHECK_MACHINE();
}

TEST(round_trip)
{
	struct left left = previous();
	u64 memfd = left.memfd[0].data, flb = left.flb->data;

	sim_boot_liveupdate(&left.handover);
	CHECK_EQ(0, kho_preserved_order(memfd));
	CHECK_EQ(0, kho_preserved_order(flb));
	expect_all();
	CHECK_EQ(-ENOENT, kho_preserved_order(memfd));
	CHECK_EQ(-ENOENT, kho_preserved_order(flb));
	CHECK_EQ(-ENOENT, sim_session_retrieve("memfds"));
}

TEST(finished_without_being_retrieved)
{
	struct left left = previous();
	u64 memfd = left.memfd[0].data, flb = left.flb->data;

	int session;

	sim_boot_liveupdate(&left.handover);
	session = sim_session_retrieve("memfds");
	CHECK_EQ(0, sim_session_finish(session));
	sim_close(session);
	CHECK_EQ(-ENOENT, kho_preserved_order(memfd));
	expect_linked(0);
	CHECK_EQ(-ENOENT, kho_preserved_order(flb));
	expect_work_goes_on();
}

TEST(shared_data)
{
	struct left left = previous();
	void *obj;

	sim_boot_liveupdate(&left.handover);
	CHECK_EQ(0, liveupdate_flb_get_incoming(&sim_shared, &obj));
	CHECK(obj);
	liveupdate_flb_put_incoming(&sim_shared);
	expect_all();
	CHECK_EQ(-ENODATA, liveupdate_flb_get_incoming(&sim_shared, &obj));
}

/* Sessions cannot be retrieved, but loading the next kernel logs them */
TEST(live_update_is_switched_off)
{
	struct left left = previous();
	u64 memfd = left.memfd[0].data;

	sim_early_liveupdate_param((char[]){ "off" });
	sim_boot(&left.handover);
	CHECK(sim_logged("live update state of the previous kernel cannot be read: EOPNOTSUPP"));
	expect_kept(memfd);
}

/* Everything the next kernel is asked for gives @err, and all stays reserved */
static void expect_nothing_read(const struct left *left, int err, const char *text)
{
	u64 memfd = left->memfd[0].data, linked = left->linked[0].data;
	void *obj;

	sim_boot_liveupdate(&left->handover);
	CHECK(sim_logged(text));
	CHECK_EQ(err, sim_session_retrieve("memfds"));
	CHECK_EQ(err, sim_session_retrieve("linked"));
	CHECK_EQ(err, liveupdate_flb_get_incoming(&sim_shared, &obj));
	expect_work_goes_on();
	expect_kept(memfd);
	expect_kept(linked);
}

TEST(state_of_another_version)
{
	struct left left = previous();

	strcpy(left.ser->compatible, "luo-v6");
	expect_nothing_read(&left, -EPROTONOSUPPORT,
			    "state of the previous kernel is 'luo-v6', expected luo-v5 to luo-v5");
}

TEST(state_of_no_version)
{
	struct left left = previous();

	memset(left.ser->compatible, 1, sizeof(left.ser->compatible));
	expect_nothing_read(&left, -EPROTONOSUPPORT, "state of the previous kernel is '\\001\\001");
}

static void set_subtree(const struct left *left, const char *prop, u64 value)
{
	void *fdt = phys_to_virt(left->handover.fdt);

	CHECK_EQ(0, fdt_setprop_inplace(fdt, fdt_subnode_offset(fdt, 0, LUO_KHO_ENTRY_NAME),
					prop, &value, sizeof(value)));
}

TEST(state_is_too_short)
{
	struct left left = previous();

	set_subtree(&left, KHO_SUB_TREE_SIZE_PROP_NAME, sizeof(*left.ser) - 1);
	expect_nothing_read(&left, -EINVAL, "has 31 bytes, expected 32 of preserved memory");
}

TEST(state_is_nowhere)
{
	const u64 nowhere[] = { 0x1000, SIM_END, 1ULL << 63, ~0ULL };

	for (unsigned int i = 0; i < ARRAY_SIZE(nowhere); i++) {
		struct left left = previous();

		set_subtree(&left, KHO_SUB_TREE_PROP_NAME, nowhere[i]);
		expect_nothing_read(&left, -EINVAL,
				    "live update state of the previous kernel cannot be read");
	}
}

TEST(sessions_are_nowhere)
{
	struct left left = previous();
	u64 flb = left.flb->data;
	void *obj;

	left.ser->sessions_pa = SIM_END;
	sim_boot_liveupdate(&left.handover);
	CHECK_EQ(-EINVAL, sim_session_retrieve("memfds"));
	expect_kept(flb);
	CHECK_EQ(0, liveupdate_flb_get_incoming(&sim_shared, &obj));
	expect_work_goes_on();
}

/* The one that is damaged gives @err, the other one does not notice */
static void expect_broken_session(const struct left *left, int err, const char *text)
{
	u64 memfd = left->memfd[0].data;

	sim_boot_liveupdate(&left->handover);
	CHECK_EQ(err, sim_session_retrieve("memfds"));
	CHECK(sim_logged(text));
	expect_linked(NR_LINKED);
	expect_work_goes_on();
	expect_kept(memfd);
}

TEST(name_of_session_without_an_end)
{
	struct left left = previous();

	memset(left.session[0].name, 'x', sizeof(left.session[0].name));
	expect_broken_session(&left, -ENOENT, "xxx] is corrupt");
}

TEST(session_without_a_name)
{
	struct left left = previous();

	left.session[0].name[0] = '\0';
	expect_broken_session(&left, -ENOENT, "session [] is corrupt");
	CHECK_EQ(-EINVAL, sim_session_retrieve(""));
}

TEST(session_twice)
{
	struct left left = previous();
	u64 linked = left.linked[0].data;

	strcpy(left.session[1].name, "memfds");
	sim_boot_liveupdate(&left.handover);
	expect_memfds();
	CHECK(sim_logged("session [memfds] is a duplicate"));
	expect_work_goes_on();
	expect_kept(linked);
}

TEST(files_are_nowhere)
{
	struct left left = previous();

	left.session[0].file_set_ser.files = SIM_END;
	expect_broken_session(&left, -EINVAL, "block at 0x");
}

TEST(files_of_another_session)
{
	struct left left = previous();
	u64 linked = left.linked[0].data;

	left.session[1].file_set_ser.files = left.session[0].file_set_ser.files;
	sim_boot_liveupdate(&left.handover);
	expect_memfds();
	CHECK_EQ(-EINVAL, sim_session_retrieve("linked"));
	expect_work_goes_on();
	expect_kept(linked);
}

/* Its block goes with the session */
TEST(files_are_none)
{
	struct left left = previous();
	u64 files = left.session[0].file_set_ser.files;
	u64 memfd = left.memfd[0].data;
	int session;

	((struct kho_block_header_ser *)phys_to_virt(files))->count = 0;
	left.session[0].file_set_ser.count = 0;
	sim_boot_liveupdate(&left.handover);
	session = sim_session_retrieve("memfds");
	CHECK(session >= 0);
	CHECK_EQ(0, sim_session_finish(session));
	sim_close(session);
	CHECK_EQ(-ENOENT, kho_preserved_order(files));
	expect_linked(NR_LINKED);
	expect_work_goes_on();
	expect_kept(memfd);
}

TEST(number_of_files)
{
	struct left left = previous();

	left.session[0].file_set_ser.count = 1ULL << 40;
	expect_broken_session(&left, -EINVAL,
			      "File count mismatch: expected 1099511627776, found 3");
	left = previous();
	left.session[0].file_set_ser.count = 2;
	expect_broken_session(&left, -EINVAL, "File count mismatch: expected 2, found 3");
	left = previous();
	left.session[0].file_set_ser.files = 0;
	expect_broken_session(&left, -EINVAL, "session [memfds] is corrupt");
}

TEST(token_twice)
{
	struct left left = previous();

	left.memfd[2].token = 1;
	expect_broken_session(&left, -EINVAL, "token 0x1 is a duplicate");
}

TEST(name_of_handler_without_an_end)
{
	struct left left = previous();

	memset(left.memfd[2].compatible, 'x', sizeof(left.memfd[2].compatible));
	expect_broken_session(&left, -EINVAL, "token 0x2: the name of its handler has no end");
}

/* It costs that file; the two others of its session are as good as ever */
static void expect_broken_file(const struct left *left, int err)
{
	u64 data = left->memfd[1].data;
	int session;

	sim_boot_liveupdate(&left->handover);
	session = sim_session_retrieve("memfds");
	CHECK_EQ(err, sim_session_retrieve_fd(session, 1));
	CHECK(sim_session_retrieve_fd(session, 0) >= 0);
	CHECK(sim_session_retrieve_fd(session, 2) >= 0);
	CHECK_EQ(err, sim_session_retrieve_fd(session, 1));
	CHECK_EQ(err == -EINVAL ? 0 : -EBUSY, sim_session_finish(session));
	sim_close(session);
	expect_linked(NR_LINKED);
	expect_work_goes_on();
	if (data < SIM_END)
		expect_kept(data);
}

TEST(handler_is_missing)
{
	struct left left = previous();

	strcpy(left.memfd[1].compatible, "unknown");
	expect_broken_file(&left, -ENODEV);
	CHECK(sim_logged("token 0x1 cannot be finished, no handler for 'unknown'"));
}

/* FINISH waits for the handler; what came before it is still there */
TEST(handler_comes_late)
{
	struct liveupdate_file_handler late = {
		.ops = sim_linked_handler.ops,
		.compatible = "late-v1",
	};
	struct left left = previous();
	int session, fd;

	for (unsigned int i = 0; i < 3; i++)
		strcpy(left.linked[i].compatible, "late-v1");
	sim_boot_liveupdate(&left.handover);
	session = sim_session_retrieve("linked");
	CHECK_EQ(-ENODEV, sim_session_retrieve_fd(session, 0));
	CHECK_EQ(-EBUSY, sim_session_finish(session));
	sim_close(session);

	session = sim_session_retrieve("linked");
	CHECK(session >= 0);
	CHECK_EQ(0, liveupdate_register_file_handler(&late));
	CHECK_EQ(0, liveupdate_register_flb(&late, &sim_shared));
	fd = sim_session_retrieve_fd(session, 0);
	CHECK(fd >= 0);
	sim_close(fd);
	CHECK_EQ(0, sim_session_finish(session));
	sim_close(session);
	liveupdate_unregister_file_handler(&late);
	expect_memfds();
	expect_work_goes_on();
}

/* The cause is named, and what may pass can be tried again */
TEST(file_is_denied)
{
	static const int errors[] = { -EACCES, -EPERM, -ENFILE, -ENOMEM };
	struct left left = previous();
	int session;

	sim_boot_liveupdate(&left.handover);
	session = sim_session_retrieve("memfds");
	for (unsigned int i = 0; i < ARRAY_SIZE(errors); i++) {
		sim_file_error = errors[i];
		CHECK_EQ(errors[i], sim_session_retrieve_fd(session, 1));
	}
	sim_file_error = -ENOSPC;
	CHECK_EQ(-ENOMEM, sim_session_retrieve_fd(session, 1));
	sim_file_error = 0;
	sim_close(session);
	expect_all();
}

/* Each file that cannot be read is named, the total once */
TEST(total_is_told_once)
{
	struct left left = previous();
	int session;

	for (unsigned int i = 0; i < 3; i++)
		((struct memfd_luo_ser *)phys_to_virt(left.memfd[i].data))->flags = 2;
	sim_boot_liveupdate(&left.handover);
	session = sim_session_retrieve("memfds");
	for (unsigned int i = 0; i < 3; i++)
		CHECK_EQ(-EOPNOTSUPP, sim_session_retrieve_fd(session, i));
	CHECK_EQ(3, sim_log_count("a memfd of the previous kernel cannot be read"));
	CHECK_EQ(1, sim_log_count("KiB of the previous kernel are reserved now"));
	sim_close(session);
}

TEST(no_handler_takes_a_file)
{
	int session, fd;

	sim_boot_liveupdate(NULL);
	sim_memfds_are_shmem = false;
	session = sim_session_create("one");
	fd = sim_open(sim_file(1, 0));
	CHECK_EQ(-ENOENT, sim_session_preserve_fd(session, 3, fd));
	CHECK(sim_logged("token 0x3: no handler can preserve a file of simfs"));
	sim_memfds_are_shmem = true;
	CHECK_EQ(0, sim_session_preserve_fd(session, 3, fd));
	sim_close(fd);
	sim_close(session);
}

/* Of what the previous kernel left nothing but the FDT is held, and it is clear */
static void expect_released(u64 memfd)
{
	CHECK_EQ(0, kho_held_waiting());
	CHECK_EQ(PAGE_SIZE / 1024, kho_held_kib());
	CHECK_EQ(-ENOENT, kho_preserved_order(PAGE_ALIGN_DOWN(memfd)));
	CHECK_EQ(0, kho_component_users(&luo_kho_component));
	expect_work_goes_on();
}

/* Nobody asks for a session: root gives it up, or else nothing is released */
TEST(release_sessions)
{
	struct left left = previous();
	u64 memfd = left.memfd[0].data;
	long held;

	sim_boot_liveupdate(&left.handover);
	held = kho_held_kib();
	CHECK_EQ(2, kho_held_waiting());
	CHECK_EQ(-EBUSY, kho_release_held(false));
	CHECK(sim_logged("not released: 2 sessions and subtrees"));
	CHECK_EQ(held, kho_held_kib());
	CHECK_EQ(0, kho_release_held(true));
	CHECK(sim_logged("session [linked] of the previous kernel is given up"));
	CHECK_EQ(-ENOENT, sim_session_retrieve("memfds"));
	expect_released(memfd);
}

/* A session that somebody holds is not given up, and what is finished need not be */
TEST(release_after_finish)
{
	struct left left = previous();
	u64 memfd = left.memfd[1].data;
	int session;

	strcpy(left.memfd[1].compatible, "unknown");
	sim_boot_liveupdate(&left.handover);
	session = sim_session_retrieve("memfds");
	CHECK_EQ(-EBUSY, kho_release_held(true));
	CHECK(sim_logged("session [memfds] is in use and not given up"));
	CHECK_EQ(-EBUSY, sim_session_finish(session));
	expect_kept(memfd);
	sim_close(session);
	expect_linked(NR_LINKED);
	CHECK_EQ(-EBUSY, kho_release_held(false));
	CHECK_EQ(0, kho_release_held(true));
	expect_released(memfd);
}

/* What could not be understood has no owner */
TEST(release_what_is_broken)
{
	struct left left = previous();
	u64 memfd = left.memfd[0].data;

	left.session[0].name[0] = '\0';
	sim_boot_liveupdate(&left.handover);
	expect_linked(NR_LINKED);
	CHECK_EQ(0, kho_preserved_order(memfd));
	CHECK_EQ(0, kho_release_held(false));
	CHECK_EQ(-EINVAL, sim_session_retrieve(""));
	expect_released(memfd);
}

/* A subtree that nobody has retrieved, and one that nobody can any more */
TEST(release_subtrees)
{
	struct sim_handover handover;
	phys_addr_t phys;
	void *blob;

	sim_power_on();
	sim_boot_liveupdate(NULL);
	blob = kho_alloc_preserve(PAGE_SIZE);
	memset(blob, 1, PAGE_SIZE);
	CHECK_EQ(0, kho_add_subtree("blob", blob, PAGE_SIZE));
	CHECK_EQ(0, kho_preserve_folio(folio_alloc(GFP_KERNEL, 9)));
	handover = sim_kexec();

	sim_boot_liveupdate(&handover);
	CHECK_EQ(1, kho_held_waiting());
	CHECK_EQ(-EBUSY, kho_release_held(false));
	CHECK_EQ(0, kho_retrieve_subtree("blob", &phys, NULL));
	CHECK_EQ(0, kho_held_waiting());
	CHECK_EQ(0, kho_release_held(false));
	CHECK_EQ(-ENOENT, kho_retrieve_subtree("blob", &phys, NULL));
	expect_released(phys);
}

TEST(handler_reads_other_versions)
{
	struct left left = previous();

	strcpy(left.memfd[1].compatible, "linked-v2");
	expect_broken_file(&left, -EPROTONOSUPPORT);
}

TEST(file_is_nowhere)
{
	struct left left = previous();

	left.memfd[1].data = SIM_END + 8;
	expect_broken_file(&left, -EINVAL);
}

/* Two files with one state: the first that asks has it */
TEST(file_of_another_session)
{
	struct left left = previous();
	int memfds, linked;

	left.memfd[1].data = left.linked[3].data;
	sim_boot_liveupdate(&left.handover);
	memfds = sim_session_retrieve("memfds");
	linked = sim_session_retrieve("linked");
	CHECK(sim_session_retrieve_fd(linked, 3) >= 0);
	CHECK_EQ(-EINVAL, sim_session_retrieve_fd(memfds, 1));
	CHECK_EQ(-EINVAL, sim_session_retrieve_fd(memfds, 1));
	CHECK(sim_session_retrieve_fd(memfds, 2) >= 0);
	CHECK_EQ(0, sim_session_finish(memfds));
	CHECK_EQ(0, sim_session_finish(linked));
	sim_close(memfds);
	sim_close(linked);
	expect_work_goes_on();
}

/* Shared data */

static void expect_no_shared(const struct left *left, int err, const char *text)
{
	u64 flb = left->flb->data;
	void *obj;

	sim_boot_liveupdate(&left->handover);
	CHECK_EQ(err, liveupdate_flb_get_incoming(&sim_shared, &obj));
	CHECK(sim_logged(text));
	expect_memfds();
	expect_linked(NR_LINKED);
	expect_work_goes_on();
	expect_kept(flb);
}

TEST(list_of_flbs_is_nowhere)
{
	struct left left = previous();

	left.ser->flbs_pa = SIM_END;
	expect_no_shared(&left, -EINVAL, "list of FLBs at 0x82000000 is not in preserved memory");
}

TEST(more_flbs_than_there_is_room_for)
{
	struct left left = previous();

	left.flbs->count = 64;
	expect_no_shared(&left, -EINVAL, "list of FLBs has 64 entries, there is room for 63");
}

TEST(flb_of_another_name)
{
	struct left left = previous();

	memset(left.flb->name, 'x', sizeof(left.flb->name));
	expect_no_shared(&left, -ENOENT, "");
}

TEST(number_of_users_of_an_flb)
{
	const u64 bad[] = { 0, INT_MAX, 1ULL << 32, ~0ULL };

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		struct left left = previous();

		left.flb->count = bad[i];
		expect_no_shared(&left, -EINVAL, "FLB 'shared-v1' has ");
	}
}

/* It is gone with the last that was counted, or it is never gone */
TEST(users_of_an_flb_are_miscounted)
{
	struct left left = previous();

	left.flb->count = 3;
	sim_boot_liveupdate(&left.handover);
	expect_all();

	left = previous();
	left.flb->count = NR_LINKED + 1;
	sim_boot_liveupdate(&left.handover);
	expect_all();
}

TEST(flb_cannot_be_retrieved)
{
	struct left left = previous();
	void *obj;

	left.flb->data = 0x1000;
	sim_boot_liveupdate(&left.handover);
	CHECK_EQ(-EINVAL, liveupdate_flb_get_incoming(&sim_shared, &obj));
	CHECK_EQ(-EINVAL, liveupdate_flb_get_incoming(&sim_shared, &obj));
	expect_all();
}

TEST(flb_is_short_of_memory_once)
{
	struct left left = previous();
	void *obj;

	sim_boot_liveupdate(&left.handover);
	sim_shared_error = -ENOMEM;
	CHECK_EQ(-ENOMEM, liveupdate_flb_get_incoming(&sim_shared, &obj));
	sim_shared_error = 0;
	CHECK_EQ(0, liveupdate_flb_get_incoming(&sim_shared, &obj));
	liveupdate_flb_put_incoming(&sim_shared);
	expect_all();
	CHECK_EQ(-ENODATA, liveupdate_flb_get_incoming(&sim_shared, &obj));
}

/* Users that go while it cannot be had are not counted: it stays for good */
TEST(flb_is_short_of_memory_to_the_end)
{
	struct left left = previous();
	u64 flb = left.flb->data;
	void *obj;

	sim_boot_liveupdate(&left.handover);
	sim_shared_error = -ENOMEM;
	expect_linked(NR_LINKED);
	sim_shared_error = 0;
	CHECK(sim_logged("an FLB of the previous kernel"));
	CHECK_EQ(-EIO, liveupdate_flb_get_incoming(&sim_shared, &obj));
	expect_memfds();
	expect_work_goes_on();
	expect_kept(flb);
}

TEST(memory_is_short)
{
	const char *const names[] = { "linked", "memfds" };
	struct left left = previous();
	int session, fd;

	sim_boot_liveupdate(&left.handover);
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		session = ASK_UNTIL_ENOUGH(sim_session_retrieve(names[i]));
		for (u64 token = 0; token < 3; token++) {
			fd = ASK_UNTIL_ENOUGH(sim_session_retrieve_fd(session, token));
			if (!CHECK(fd >= 0))
				return;
			sim_close(fd);
		}
		CHECK_EQ(0, sim_session_finish(session));
		sim_close(session);
	}
	liveupdate_unregister_flb(&sim_linked_handler, &sim_shared);
	CHECK_MACHINE();
}

/* What a kernel has before it hands anything over */
struct use {
	unsigned long objects, pages;
};

static struct use now(void)
{
	return (struct use) { sim_objects(), sim_pages(SIM_USED) };
}

static void expect_use(struct use before)
{
	CHECK_EQ(before.objects, sim_objects());
	CHECK_EQ(before.pages, sim_pages(SIM_USED));
}

/* Preserve a file with each allocation failing, and see that nothing leaks */
static void preserve_short_of_memory(int session, u64 token, struct file *file)
{
	struct use before;
	unsigned int nr = 0;
	int fd = sim_open(file), err;

	/* The nodes of the map of preserved memory stay once they are there */
	CHECK_EQ(0, sim_session_preserve_fd(session, 100, fd));
	sim_close(session);
	session = sim_session_create("another");
	before = now();
	do {
		sim_fail_allocation(++nr);
		err = sim_session_preserve_fd(session, token, fd);
		sim_fail_allocation(0);
		if (err)
			expect_use(before);
	} while (err == -ENOMEM && nr < 1000);
	CHECK_EQ(0, err);
	CHECK(nr > 4);
	sim_close(session);
	sim_close(fd);
}

TEST(memory_is_short_when_preserving)
{
	struct use before;

	sim_boot_liveupdate(NULL);
	for (unsigned int i = 0; i < 2; i++) {
		before = now();
		preserve_short_of_memory(ASK_UNTIL_ENOUGH(sim_session_create("one")), 1,
					 i ? sim_linked_file(1) : sim_file(40, 0));
	}
	expect_use(before);
	CHECK_EQ(0, atomic_long_read(&memfd_kho_component.users));
	CHECK_EQ(0, atomic_long_read(&luo_kho_component.users));
}

/* A file that cannot be frozen keeps this kernel running, and others thaw */
TEST(kexec_is_refused_and_tried_again)
{
	struct sim_handover next;
	struct file *busy;
	int first, second, third;

	sim_boot_liveupdate(NULL);
	first = sim_session_create("memfds");
	second = sim_session_create("linked");
	third = sim_session_create("third");
	for (u64 token = 0; token < 3; token++)
		preserve(first, token, sim_file(token + 2, 0));
	preserve(second, 0, sim_linked_file(1000));
	busy = sim_linked_file(0);
	preserve(second, 1, get_file(busy));
	preserve(third, 0, sim_linked_file(1));

	CHECK_EQ(-EBUSY, sim_try_kexec(&next));
	CHECK(sim_logged("Freeze failed for token[0x1] handler[linked-v1] err[EBUSY]"));
	CHECK_EQ(-EBUSY, sim_try_kexec(&next));
	CHECK_EQ(-EEXIST, sim_session_create("linked"));
	preserve(first, 3, sim_file(5, 0));
	sim_close(third);

	i_size_write(file_inode(busy), 1001);
	CHECK_PAGES();
	CHECK_EQ(0, sim_try_kexec(&next));
	sim_boot_liveupdate(&next);
	CHECK_EQ(-ENOENT, sim_session_retrieve("third"));
	expect_linked(1);
	first = sim_session_retrieve("memfds");
	CHECK(sim_session_retrieve_fd(first, 3) >= 0);
	CHECK_EQ(0, sim_session_finish(first));
	sim_close(first);
	CHECK_PAGES();
}

/* A manager that dies loses nothing: the next one gets the same files, and others */
TEST(session_is_closed_without_finish)
{
	struct left left = previous();
	struct file *file;
	int session, fd;

	sim_boot_liveupdate(&left.handover);
	session = sim_session_retrieve("memfds");
	fd = sim_session_retrieve_fd(session, 1);
	file = sim_fd_file(fd);
	CHECK_EQ(-EINVAL, sim_session_retrieve("memfds"));
	sim_close(fd);
	sim_close(session);

	session = sim_session_retrieve("memfds");
	if (!CHECK(session >= 0))
		return;
	fd = sim_session_retrieve_fd(session, 1);
	CHECK(sim_fd_file(fd) == file);
	sim_close(fd);
	sim_close(session);
	expect_all();
	CHECK_EQ(-ENOENT, sim_session_retrieve("memfds"));
}

TEST(answer_cannot_be_written)
{
	struct left left = previous();
	u64 memfd = left.memfd[0].data;
	int session, fd;

	sim_boot_liveupdate(&left.handover);
	sim_read_only = true;
	CHECK_EQ(-EFAULT, sim_session_retrieve("memfds"));
	CHECK_EQ(-EFAULT, sim_session_create("new"));
	sim_read_only = false;
	session = sim_session_retrieve("memfds");
	if (!CHECK(session >= 0))
		return;
	sim_read_only = true;
	CHECK_EQ(-EFAULT, sim_session_retrieve_fd(session, 0));
	CHECK_EQ(-EFAULT, sim_session_finish(session));
	sim_read_only = false;
	expect_kept(memfd);
	sim_close(session);
	expect_memfds();

	session = sim_session_create("new");
	fd = sim_open(sim_file(1, 0));
	sim_read_only = true;
	CHECK_EQ(-EFAULT, sim_session_preserve_fd(session, 0, fd));
	sim_read_only = false;
	CHECK_EQ(0, sim_session_preserve_fd(session, 0, fd));
	sim_close(fd);
	sim_close(session);
	expect_linked(NR_LINKED);
	expect_work_goes_on();
}

TEST(unknown_ioctl)
{
	struct liveupdate_session_finish arg = { .size = sizeof(arg) };
	int session;

	sim_boot_liveupdate(NULL);
	session = sim_session_create("one");
	CHECK_EQ(-ENOTTY, sim_session_ioctl(session, _IO(LIVEUPDATE_IOCTL_TYPE, 0x60), &arg));
	CHECK_EQ(-ENOTTY, sim_session_ioctl(session, _IO('T', 0x42), NULL));
	sim_close(session);
}

/* What the next kexec would lose is in use, whether anybody has looked or not */
TEST(sessions_are_not_finished)
{
	struct left left = previous();
	struct sim_handover next;
	int session;

	sim_boot_liveupdate(&left.handover);
	CHECK_EQ(2, atomic_long_read(&luo_kho_component.users));
	CHECK_EQ(2, atomic_long_read(&luo_kho_component.unfinished));
	CHECK_EQ(-EPROTONOSUPPORT, sim_try_kexec(&next));
	CHECK(sim_logged("session [memfds] of the previous kernel is not finished"));
	CHECK(sim_logged("kexec refused: 2 sessions of the previous kernel would be lost"));

	expect_linked(NR_LINKED);
	CHECK_EQ(1, atomic_long_read(&luo_kho_component.users));
	CHECK_EQ(1, atomic_long_read(&luo_kho_component.unfinished));
	session = sim_session_retrieve("memfds");
	CHECK_EQ(-EPROTONOSUPPORT, sim_try_kexec(&next));
	CHECK(sim_logged("kexec refused: 1 sessions"));
	CHECK_EQ(0, sim_session_finish(session));
	CHECK_EQ(0, atomic_long_read(&luo_kho_component.unfinished));
	sim_close(session);
	CHECK_EQ(0, atomic_long_read(&luo_kho_component.users));
	CHECK_EQ(0, sim_try_kexec(&next));
}

TEST(broken_session_is_not_in_use)
{
	struct left left = previous();
	struct sim_handover next;

	left.session[0].file_set_ser.count = 2;
	sim_boot_liveupdate(&left.handover);
	expect_linked(NR_LINKED);
	CHECK_EQ(0, atomic_long_read(&luo_kho_component.users));
	CHECK_EQ(0, atomic_long_read(&luo_kho_component.unfinished));
	CHECK_EQ(0, sim_try_kexec(&next));
}

TEST(finished_session_is_used_again)
{
	struct left left = previous();
	struct sim_handover next;
	int session, fd, other;

	sim_boot_liveupdate(&left.handover);
	expect_linked(NR_LINKED);
	session = sim_session_retrieve("memfds");
	fd = sim_session_retrieve_fd(session, 1);
	CHECK_EQ(-EINVAL, sim_session_preserve_fd(session, 7, fd));
	CHECK_EQ(0, sim_session_finish(session));
	CHECK_EQ(0, sim_session_finish(session));
	CHECK_EQ(-ENOENT, sim_session_retrieve_fd(session, 1));

	/* Its name can still be had by a new session, until something is in it */
	other = sim_session_create("memfds");
	CHECK(other >= 0);
	CHECK_EQ(-EEXIST, sim_session_preserve_fd(session, 7, fd));
	sim_close(other);
	CHECK_EQ(0, sim_session_preserve_fd(session, 7, fd));
	CHECK_EQ(-EEXIST, sim_session_create("memfds"));
	CHECK_EQ(-EINVAL, sim_session_finish(session));
	CHECK_EQ(1, atomic_long_read(&luo_kho_component.users));

	CHECK_EQ(0, sim_try_kexec(&next));
	sim_boot_liveupdate(&next);
	session = sim_session_retrieve("memfds");
	fd = sim_session_retrieve_fd(session, 7);
	if (!CHECK(fd >= 0))
		return;
	CHECK_EQ(3 * PAGE_SIZE, i_size_read(file_inode(sim_fd_file(fd))));
	sim_close(fd);
	CHECK_EQ(0, sim_session_finish(session));
	sim_close(session);
	CHECK_EQ(0, atomic_long_read(&luo_kho_component.users));
	CHECK_PAGES();
}
