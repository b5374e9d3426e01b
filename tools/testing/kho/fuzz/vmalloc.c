// SPDX-License-Identifier: GPL-2.0-only
/* vmalloc areas: the descriptor and the list of chunks. */

#include <linux/kho/abi/vmalloc.h>
#include <linux/kho/compat.h>

#include "fuzz.h"

static const struct {
	unsigned int nr_pages, order;
	bool sparse;
} shapes[] = {
	{ 3, 0 }, { 511, 0 }, { 520, 0 }, { 8, 2 }, { 512, 9 },
	{ 3, 0 }, { 520, 0 }, { 64, 4 }, { 900, 0, true }, { 20, 0, true },
};

/* What is written in version 1; all of the handover is said to be of version 2 */
#define NR_OLD	5

static struct kho_vmalloc areas[ARRAY_SIZE(shapes)];

static bool has_memory(unsigned int i)
{
	return i % 3;
}

static void write_area(unsigned int i)
{
	void *area = shapes[i].sparse ? sim_sparse(shapes[i].nr_pages, has_memory) :
		sim_vmalloc(shapes[i].nr_pages, shapes[i].order,
			    VM_ALLOC | (shapes[i].order ? VM_ALLOW_HUGE_VMAP : 0));
	struct kho_vmalloc_chunk *chunk;

	kho_vmalloc_component.write = i < NR_OLD ? 1 : 2;
	if (kho_preserve_vmalloc(area, &areas[i]))
		abort();

	for (u64 phys = areas[i].first.phys; phys; phys = chunk->hdr.next.phys) {
		fuzz_add_page(phys);
		chunk = phys_to_virt(phys);
	}
}

void fuzz_init(void)
{
	sim_boot(NULL);
	for (unsigned int i = 0; i < ARRAY_SIZE(shapes); i++)
		write_area(i);
	sim_reboot();
}

/* Two areas: damage may make them share pages */
void fuzz_one(void)
{
	struct kho_vmalloc kv[2];
	u64 nr[2], size[2];
	void *area[2];

	for (int i = 0; i < 2; i++) {
		kv[i].first.phys = fuzz_take(8);
		kv[i].total_pages = fuzz_take(4);
		kv[i].flags = fuzz_take(2);
		kv[i].order = fuzz_take(2);
		nr[i] = fuzz_take(8);
		size[i] = fuzz_take(2);
	}
	fuzz_damage_pages();

	for (int i = 0; i < 2; i++)
		area[i] = size[i] ? kho_restore_vmalloc_sized(&kv[i], nr[i], size[i],
							      NULL) :
				    kho_restore_vmalloc(&kv[i]);
	for (int i = 0; i < 2; i++) {
		if (IS_ERR_OR_NULL(area[i]))
			continue;
		if (kv[i].flags & KHO_VMALLOC_SPARSE)
			sim_free_sparse(area[i]);
		else
			vfree(area[i]);
	}
	fuzz_check_machine();
}

static void put_area(const struct kho_vmalloc *kv, u64 nr, u64 size)
{
	fuzz_put(kv->first.phys, 8);
	fuzz_put(kv->total_pages, 4);
	fuzz_put(kv->flags, 2);
	fuzz_put(kv->order, 2);
	fuzz_put(nr, 8);
	fuzz_put(size, 2);
}

void fuzz_seeds(void)
{
	char name[16];

	for (unsigned int i = 0; i < ARRAY_SIZE(shapes); i++) {
		const struct kho_vmalloc *other = &areas[(i + 1) % ARRAY_SIZE(shapes)];

		put_area(&areas[i], 0, 0);
		put_area(other, other->total_pages * 64UL, 64);
		snprintf(name, sizeof(name), "area%u", i);
		fuzz_end_seed(name);
	}
	put_area(&areas[0], 0, 0);
	put_area(&areas[1], 0, 0);
	fuzz_put_pages();
	fuzz_end_seed("words");
}
