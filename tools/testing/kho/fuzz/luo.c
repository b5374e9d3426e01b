// SPDX-License-Identifier: GPL-2.0-only
/* Live update: the state, sessions, files of each, and the list of FLBs. */

#include <linux/kho/abi/luo.h>
#include <linux/liveupdate.h>

#include "fuzz.h"

static const char *const names[] = { "memfds", "linked", "empty" };

#define NR_TOKENS	3

static struct sim_handover handover;

static u64 add_block(u64 phys)
{
	struct kho_block_header_ser *block = phys_to_virt(phys);

	fuzz_add_page(phys);
	return (u64)(block + 1);
}

static void preserve(int session, u64 token, struct file *file)
{
	int fd = sim_open(file);

	if (sim_session_preserve_fd(session, token, fd))
		abort();
	sim_close(fd);
}

void fuzz_init(void)
{
	int session[ARRAY_SIZE(names)];
	struct luo_session_ser *ser;
	struct luo_ser *luo;

	sim_boot_liveupdate(NULL);
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		session[i] = sim_session_create(names[i]);
	for (u64 token = 0; token < NR_TOKENS; token++) {
		preserve(session[0], token, sim_file(2, 0));
		preserve(session[1], token, sim_linked_file(token + 1));
	}

	handover = sim_kexec();
	luo = sim_subtree(&handover, LUO_KHO_ENTRY_NAME);
	fuzz_add_page(virt_to_phys(luo));
	fuzz_add_page(luo->flbs_pa);
	ser = (struct luo_session_ser *)add_block(luo->sessions_pa);
	add_block(ser[0].file_set_ser.files);
	add_block(ser[1].file_set_ser.files);

	sim_early_liveupdate_param((char[]){ "on" });
	sim_boot_early(&handover);
	sim_boot_memory();
}

/* What a program does with a session, in the order that @how says */
static void use_session(const char *name, u64 how)
{
	int session, fd;

	session = sim_session_retrieve(name);
	if (session < 0)
		return;

	for (; how & 3; how >>= 2) {
		fd = sim_session_retrieve_fd(session, (how & 3) - 1);
		if (fd >= 0)
			sim_close(fd);
	}
	if (how & 4)
		sim_session_finish(session);
	sim_close(session);
}

/* What damage may have changed a name to cannot be known: an empty one is tried */
void fuzz_one(void)
{
	u64 how[ARRAY_SIZE(names)];
	bool shared = fuzz_take(1) & 1;
	void *obj;

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		how[i] = fuzz_take(1);
	fuzz_damage_pages();

	sim_boot_init();
	if (shared && !liveupdate_flb_get_incoming(&sim_shared, &obj))
		liveupdate_flb_put_incoming(&sim_shared);
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		use_session(names[i], how[i]);
	use_session("", 0);

	/* Sessions that cannot be read stay, so there may be objects */
	fuzz_restore_pages();
}

void fuzz_seeds(void)
{
	static const u8 all[] = { 0x39, 0x1b, 0x00, 0x5b };
	char name[16];

	for (unsigned int i = 0; i < ARRAY_SIZE(all); i++) {
		fuzz_put(i & 1, 1);
		for (unsigned int s = 0; s < ARRAY_SIZE(names); s++)
			fuzz_put(all[(i + s) % ARRAY_SIZE(all)], 1);
		fuzz_put_pages();
		snprintf(name, sizeof(name), "luo%u", i);
		fuzz_end_seed(name);
	}
}
