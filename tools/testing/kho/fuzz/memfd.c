// SPDX-License-Identifier: GPL-2.0-only
/* memfds: the state of the file, and the array of its folios or its extents. */

#include <linux/kho/abi/memfd.h>
#include <linux/kho/compat.h>

#include "fuzz.h"
#include "kexec_handover_internal.h"

static const struct {
	unsigned int nr, order;
} shapes[] = {
	{ 0, 0 }, { 3, 0 }, { 20, 0 }, { 4, 2 },
};

/* In version 2 and in version 3 */
static u64 states[2 * ARRAY_SIZE(shapes)];

static void add_state_v3(u64 data)
{
	const struct memfd_luo_v3_ser *ser = phys_to_virt(data);

	/* Several files share it */
	fuzz_add_page(ALIGN_DOWN(data, PAGE_SIZE));
	if (ser->first.next.phys)
		fuzz_add_page(ser->first.next.phys);
}

static void add_state(u64 data)
{
	const struct memfd_luo_ser *ser = phys_to_virt(data);
	const struct kho_vmalloc_chunk *chunk;

	fuzz_add_page(data);
	if (!ser->nr_folios)
		return;

	chunk = phys_to_virt(ser->folios.area.first.phys);
	fuzz_add_page(virt_to_phys(chunk));
	fuzz_add_page(chunk->phys[0]);
}

static unsigned int version_of(unsigned int state)
{
	return state < ARRAY_SIZE(shapes) ? 2 : 3;
}

/* Pages behind holes, and one that was never written to */
static void make_sparse(struct file *file, unsigned int nr)
{
	u64 end = PHYS_PFN(i_size_read(file_inode(file)));

	for (unsigned int i = 0; i < nr; i++)
		sim_file_add(file, end + 7 + 2 * i, 0);
	sim_file_allocate(file, end + 3);
}

void fuzz_init(void)
{
	sim_boot(NULL);
	for (unsigned int i = 0; i < ARRAY_SIZE(states); i++) {
		unsigned int shape = i % ARRAY_SIZE(shapes);
		struct file *file = sim_file(shapes[shape].nr, shapes[shape].order);

		/* No kernel writes both at a time, but what is read is the same */
		sim_memfd_version = version_of(i);
		memfd_kho_component.write = sim_memfd_version;
		if (sim_memfd_version == 3)
			make_sparse(file, shape == 2 ? 10 : 1);
		states[i] = sim_memfd_preserve(file);
	}

	sim_reboot();
	for (unsigned int i = 0; i < ARRAY_SIZE(states); i++) {
		if (version_of(i) == 3)
			add_state_v3(states[i]);
		else
			add_state(states[i]);
	}
}

#define FINISH		1
#define VERSION_3	2

/* Two files, each retrieved, or finished without that */
void fuzz_one(void)
{
	struct file *file[2] = {};
	u8 how[2];
	u64 data[2];

	for (int i = 0; i < 2; i++) {
		data[i] = fuzz_take(8);
		how[i] = fuzz_take(1);
	}
	fuzz_damage_pages();

	for (int i = 0; i < 2; i++) {
		sim_memfd_version = how[i] & VERSION_3 ? 3 : 2;
		if (how[i] & FINISH)
			sim_memfd_finish(data[i]);
		else
			sim_memfd_retrieve(data[i], &file[i]);
	}
	for (int i = 0; i < 2; i++) {
		if (file[i])
			fput(file[i]);
	}
	fuzz_check_machine();
}

void fuzz_seeds(void)
{
	char name[16];

	for (unsigned int i = 0; i < ARRAY_SIZE(states); i++) {
		u8 version = version_of(i) == 3 ? VERSION_3 : 0;

		fuzz_put(states[i], 8);
		fuzz_put(version, 1);
		fuzz_put(states[i / 2 * 2], 8);
		fuzz_put(version | (i & 1 ? FINISH : 0), 1);
		fuzz_put_pages();
		snprintf(name, sizeof(name), "file%u", i);
		fuzz_end_seed(name);
	}
}
