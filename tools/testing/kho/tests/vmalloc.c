// SPDX-License-Identifier: GPL-2.0-only
/* vmalloc areas across kexec, whole and damaged. */

#include <linux/kho/abi/vmalloc.h>
#include <linux/kho/compat.h>

#include "kexec_handover_internal.h"
#include "tap.h"

static struct kho_vmalloc_chunk *chunk_at(u64 phys)
{
	return phys_to_virt(phys);
}

static struct kho_vmalloc_extent_chunk *extents_at(u64 phys)
{
	return phys_to_virt(phys);
}

/* A kernel that writes that version */
static void boot_writer(u32 version)
{
	sim_power_on();
	sim_boot(NULL);
	CHECK_EQ(0, kho_component_pin(&kho_vmalloc_component, version));
}

/* An area of the previous kernel */
static void incoming_version(struct kho_vmalloc *kv, unsigned int nr_pages,
			     unsigned int order, u32 version)
{
	boot_writer(version);
	CHECK_EQ(0, kho_preserve_vmalloc(sim_vmalloc(nr_pages, order, VM_ALLOC), kv));
	CHECK_EQ(nr_pages, kv->total_pages);
	sim_reboot();
	CHECK_EQ(version, kho_vmalloc_component.incoming);
}

static void incoming(struct kho_vmalloc *kv, unsigned int nr_pages,
		     unsigned int order)
{
	incoming_version(kv, nr_pages, order, 1);
}

static void expect_area(const void *area, unsigned int nr_pages)
{
	if (!CHECK(area))
		return;
	for (unsigned int i = 0; i < nr_pages; i++)
		CHECK_EQ(i % nr_pages, *(unsigned int *)((char *)area + i * PAGE_SIZE));
	vfree(area);
	CHECK_MACHINE();
}

static void expect_damage(const struct kho_vmalloc *kv, const char *text)
{
	unsigned long held = kho_held_kib();

	CHECK(!kho_restore_vmalloc(kv));
	CHECK(sim_logged(text));
	CHECK_EQ(held, kho_held_kib());
	CHECK_MACHINE();
}

TEST(round_trip)
{
	const struct {
		unsigned int nr_pages, order;
	} cases[] = {
		{ 1, 0 }, { 510, 0 }, { 511, 0 }, { 512, 0 }, { 1500, 0 },
		{ 512, 9 }, { 1024, 9 }, { 64, 4 },
	};
	struct kho_vmalloc kv;

	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		const unsigned int n = i / 2;

		incoming_version(&kv, cases[n].nr_pages, cases[n].order, 1 + i % 2);
		expect_area(kho_restore_vmalloc(&kv), cases[n].nr_pages);
		CHECK(!kho_restore_vmalloc(&kv));
	}
}

TEST(given_up_in_the_first_kernel)
{
	struct kho_vmalloc kv;
	void *area;

	for (u32 version = 1; version <= 2; version++) {
		boot_writer(version);
		area = sim_vmalloc(600, 0, VM_ALLOC | VM_ALLOW_HUGE_VMAP);
		CHECK_EQ(0, kho_preserve_vmalloc(area, &kv));
		CHECK_EQ(-EBUSY, kho_component_pin(&kho_vmalloc_component, 3 - version));
		kho_unpreserve_vmalloc(&kv);
		CHECK_EQ(0, kho_component_pin(&kho_vmalloc_component, 3 - version));
		vfree(area);
		CHECK_MACHINE();
	}
}

/* Which one it is follows from the next kernel */
TEST(version_of_the_next_kernel)
{
	struct kho_vmalloc kv;
	void *area;

	kho_vmalloc_component.write = 1;
	sim_boot(NULL);
	area = sim_vmalloc(5, 0, VM_ALLOC);
	CHECK_EQ(0, kho_preserve_vmalloc(area, &kv));
	CHECK_EQ(KHO_VMALLOC_ALLOC, kv.flags);
	kho_unpreserve_vmalloc(&kv);

	CHECK_EQ(0, sim_load());
	CHECK_EQ(0, kho_preserve_vmalloc(area, &kv));
	CHECK_EQ(KHO_VMALLOC_ALLOC | KHO_VMALLOC_EXTENTS, kv.flags);
	kho_unpreserve_vmalloc(&kv);

	sim_next_is_stock();
	CHECK_EQ(0, sim_load());
	CHECK_EQ(0, kho_preserve_vmalloc(area, &kv));
	CHECK_EQ(KHO_VMALLOC_ALLOC, kv.flags);
}

/* Of what follows one another in memory there is one entry */
TEST(extents_are_as_long_as_can_be)
{
	struct kho_vmalloc_extent_chunk *chunk;
	struct kho_vmalloc kv;

	incoming_version(&kv, 1024, 9, 2);
	chunk = extents_at(kv.first.phys);
	CHECK(chunk->nr <= 2);
	CHECK_EQ(0, chunk->extents[0].first);
	CHECK_EQ(0, chunk->hdr.next.phys);
	if (chunk->nr == 2)
		CHECK_EQ(chunk->extents[0].nr_pages, chunk->extents[1].first);
	expect_area(kho_restore_vmalloc(&kv), 1024);
}

TEST(what_is_no_plain_area)
{
	struct kho_vmalloc kv;
	void *area;

	sim_boot(NULL);
	CHECK_EQ(-EINVAL, kho_preserve_vmalloc(&kv, &kv));
	area = sim_vmalloc(1, 0, VM_ALLOC | 0x8000);
	CHECK_EQ(-EOPNOTSUPP, kho_preserve_vmalloc(area, &kv));
	vfree(area);
	CHECK_MACHINE();
}

TEST(trailing_empty_chunk)
{
	struct kho_vmalloc_chunk *chunk;
	struct kho_vmalloc kv;
	struct page *page;

	sim_boot(NULL);
	CHECK_EQ(0, kho_preserve_vmalloc(sim_vmalloc(511, 0, VM_ALLOC), &kv));
	page = alloc_pages(GFP_KERNEL | __GFP_ZERO, 0);
	CHECK_EQ(0, kho_preserve_pages(page, 1));
	chunk = chunk_at(kv.first.phys);
	CHECK_EQ(0, chunk->hdr.next.phys);
	chunk->hdr.next.phys = page_to_phys(page);

	sim_reboot();
	expect_area(kho_restore_vmalloc(&kv), 511);
}

/* The area of @kv with one member of its descriptor damaged */
#define EXPECT_BAD(kv, member, value, text)	\
	do {					\
		struct kho_vmalloc __bad = kv;	\
						\
		__bad.member = value;		\
		expect_damage(&__bad, text);	\
	} while (0)

TEST(descriptor)
{
	struct kho_vmalloc kv;

	incoming(&kv, 600, 0);

	EXPECT_BAD(kv, flags, 0x11, "area has flags 0x11, known are 0xf");
	EXPECT_BAD(kv, flags, KHO_VMALLOC_SPARSE, "sparse area has flags 0x8 and order 0");
	EXPECT_BAD(kv, flags, KHO_VMALLOC_EXTENTS | KHO_VMALLOC_ALLOC, "extents");
	EXPECT_BAD(kv, order, 11, "area has blocks of order 11, the largest is 10");
	EXPECT_BAD(kv, order, 1, "is not a preserved range of order 1");
	EXPECT_BAD(kv, total_pages, 0, "area has no pages");
	EXPECT_BAD(kv, total_pages, 599, "goes beyond the end of its area");
	EXPECT_BAD(kv, total_pages, ~0U,
		   "area lists 600 pages, expected 4294967295");
	EXPECT_BAD(kv, first.phys, 0, "area lists 0 pages, expected 600");
	EXPECT_BAD(kv, first.phys, SIM_END, "is not a preserved page");
	EXPECT_BAD(kv, first.phys, kv.first.phys + 8, "is not a preserved page");

	expect_area(kho_restore_vmalloc(&kv), 600);
}

TEST(chunks)
{
	struct kho_vmalloc_chunk *first, *second, saved;
	struct kho_vmalloc kv;

	incoming(&kv, 600, 0);
	first = chunk_at(kv.first.phys);
	second = chunk_at(first->hdr.next.phys);

	saved = *second;
	second->hdr.next.phys = kv.first.phys;
	expect_damage(&kv, "goes beyond the end of its area");
	EXPECT_BAD(kv, total_pages, ~0U, "list of chunks is cyclic");
	second->hdr.next.phys = virt_to_phys(second);
	EXPECT_BAD(kv, total_pages, ~0U, "list of chunks is cyclic");
	*second = saved;

	second->phys[0] = 0;
	second->hdr.next.phys = virt_to_phys(second);
	expect_damage(&kv, "is empty but not the last one");
	*second = saved;

	second->phys[7] = SIM_END + PAGE_SIZE;
	expect_damage(&kv, "block at 0x0000000082001000 is not a preserved range");
	second->phys[7] = saved.phys[7] | 1;
	expect_damage(&kv, "is not a preserved range of order 0");
	second->phys[7] = 0;
	expect_damage(&kv, "area lists 518 pages, expected 600");
	*second = saved;

	expect_area(kho_restore_vmalloc(&kv), 600);
}

/* Found out late: what has been taken by then is neither used nor freed */
TEST(block_listed_twice)
{
	struct kho_vmalloc_chunk *chunk;
	struct kho_vmalloc kv;
	unsigned long free;

	incoming(&kv, 20, 0);
	chunk = chunk_at(kv.first.phys);
	chunk->phys[9] = chunk->phys[3];

	free = sim_pages(SIM_FREE);
	CHECK(!kho_restore_vmalloc(&kv));
	CHECK(sim_logged("is listed twice"));
	CHECK_EQ(free, sim_pages(SIM_FREE));
	CHECK_EQ(0, sim_objects());
}

static void without_memory(u32 version)
{
	struct kho_vmalloc kv;
	unsigned int nr = 1;
	int err;

	boot_writer(version);
	void *area = sim_vmalloc(600, 0, VM_ALLOC);

	do {
		sim_fail_allocation(nr++);
		err = kho_preserve_vmalloc(area, &kv);
		sim_fail_allocation(0);
	} while (err == -ENOMEM && nr < 100);
	CHECK_EQ(0, err);
	CHECK(nr > 2);

	sim_reboot();
	for (nr = 1; nr <= 3; nr++) {
		unsigned long held = kho_held_kib();

		sim_fail_allocation(nr);
		CHECK(!kho_restore_vmalloc(&kv));
		CHECK_EQ(held, kho_held_kib());
		CHECK_MACHINE();
	}
	expect_area(kho_restore_vmalloc(&kv), 600);
}

TEST(no_memory)
{
	without_memory(1);
	without_memory(2);
}

/* Areas with holes: every third page has none, and the first and last ones */
static bool has_memory(unsigned int i)
{
	return i > 2 && i % 3 && i < 1990;
}

#define SPARSE_PAGES	2000

static bool has_none(unsigned int i)
{
	return false;
}

static void expect_sparse(void *area)
{
	if (!CHECK(area))
		return;
	for (unsigned int i = 0; i < SPARSE_PAGES; i++) {
		CHECK_EQ(has_memory(i), !!vmalloc_to_page(area + i * PAGE_SIZE));
		if (has_memory(i))
			CHECK_EQ(i, *(unsigned int *)(area + i * PAGE_SIZE));
	}
	sim_free_sparse(area);
	CHECK_MACHINE();
}

static void incoming_sparse(struct kho_vmalloc *kv)
{
	boot_writer(2);
	CHECK_EQ(0, kho_preserve_vmalloc(sim_sparse(SPARSE_PAGES, has_memory), kv));
	CHECK_EQ(SPARSE_PAGES, kv->total_pages);
	CHECK_EQ(KHO_VMALLOC_EXTENTS | KHO_VMALLOC_SPARSE, kv->flags);
	sim_reboot();
}

TEST(sparse)
{
	struct kho_vmalloc kv;
	void *area;

	incoming_sparse(&kv);
	/* Version 1 has no way to say so, and would fill the holes */
	area = kho_restore_vmalloc(&kv);
	CHECK_EQ(0, kho_component_pin(&kho_vmalloc_component, 1));
	CHECK_EQ(-EOPNOTSUPP, kho_preserve_vmalloc(area, &kv));
	CHECK_EQ(0, kho_component_pin(&kho_vmalloc_component, 2));
	CHECK_EQ(0, kho_preserve_vmalloc(area, &kv));
	kho_unpreserve_vmalloc(&kv);
	expect_sparse(area);
}

TEST(sparse_without_memory_at_all)
{
	struct kho_vmalloc kv;
	void *area;

	boot_writer(2);
	CHECK_EQ(0, kho_preserve_vmalloc(sim_sparse(SPARSE_PAGES, has_none), &kv));
	sim_reboot();
	area = kho_restore_vmalloc(&kv);
	CHECK(area);
	CHECK(!vmalloc_to_page(area));
	sim_free_sparse(area);
	CHECK_MACHINE();
}

TEST(sparse_is_no_array)
{
	struct kho_vmalloc kv;

	incoming_sparse(&kv);
	CHECK(ERR_PTR(-EINVAL) ==
	      kho_restore_vmalloc_sized(&kv, SPARSE_PAGES, PAGE_SIZE, NULL));
	CHECK(sim_logged("area is sparse, expected an array"));
	expect_sparse(kho_restore_vmalloc(&kv));
}

TEST(sparse_no_memory)
{
	/* The copy, the area, what is in it, page tables: the first, the last */
	const unsigned int failing[] = { 1, 2, 3, 4, 5, 6, 500 };
	struct kho_vmalloc kv;

	incoming_sparse(&kv);
	for (unsigned int i = 0; i < ARRAY_SIZE(failing); i++) {
		unsigned long held = kho_held_kib();

		sim_fail_allocation(failing[i]);
		CHECK(!kho_restore_vmalloc(&kv));
		sim_fail_allocation(0);
		CHECK_EQ(held, kho_held_kib());
		CHECK_MACHINE();
	}
	expect_sparse(kho_restore_vmalloc(&kv));
}

/* The area of @kv with a member of its list damaged */
#define EXPECT_BAD_LIST(kv, member, value, text)	\
	do {						\
		typeof(member) __member = (member);	\
		typeof(*__member) __good = *__member;	\
							\
		*__member = value;			\
		expect_damage(&(kv), text);		\
		*__member = __good;			\
	} while (0)

TEST(extents)
{
	struct kho_vmalloc_extent_chunk *first, *second;
	struct kho_vmalloc kv;

	incoming_sparse(&kv);
	first = extents_at(kv.first.phys);
	second = extents_at(first->hdr.next.phys);
	CHECK_EQ(KHO_VMALLOC_EXTENTS_SIZE, first->nr);

	EXPECT_BAD(kv, flags, KHO_VMALLOC_EXTENTS, "leaves a gap");
	EXPECT_BAD(kv, flags, KHO_VMALLOC_SPARSE, "sparse area has flags 0x8 and order 0");
	EXPECT_BAD(kv, flags, kv.flags | KHO_VMALLOC_ALLOC, "sparse area has flags 0xd");
	EXPECT_BAD(kv, order, 1, "sparse area has flags 0xc and order 1");
	EXPECT_BAD(kv, total_pages, 1988, "is not in its area");
	EXPECT_BAD(kv, first.phys, 0, "area lists 0 pages, expected 2000");

	EXPECT_BAD_LIST(kv, &first->nr, KHO_VMALLOC_EXTENTS_SIZE + 1, "extents, at most 255");
	EXPECT_BAD_LIST(kv, &first->nr, ~0ULL, "extents, at most 255");
	EXPECT_BAD_LIST(kv, &first->nr, 0, "is empty but not the last one");
	EXPECT_BAD_LIST(kv, &first->extents[0].nr_pages, 0, "is not in its area");
	EXPECT_BAD_LIST(kv, &first->extents[0].nr_pages, ~0U, "is not in its area");
	EXPECT_BAD_LIST(kv, &first->extents[0].first, ~0U, "is not in its area");
	EXPECT_BAD_LIST(kv, &first->extents[0].first, 6, "overlaps the one before it");
	EXPECT_BAD_LIST(kv, &first->extents[0].phys, SIM_END, "is not preserved memory");
	EXPECT_BAD_LIST(kv, &first->extents[0].phys, ~0ULL, "is not preserved memory");
	EXPECT_BAD_LIST(kv, &first->extents[0].phys, 0, "is not preserved memory");
	EXPECT_BAD_LIST(kv, &first->extents[0].phys, first->extents[0].phys | 8,
			"is not preserved memory");
	EXPECT_BAD_LIST(kv, &second->hdr.next.phys, kv.first.phys,
			"overlaps the one before it");
	EXPECT_BAD_LIST(kv, &first->hdr.next.phys, SIM_END, "is not a preserved page");

	expect_sparse(kho_restore_vmalloc(&kv));
}

TEST(extents_of_a_full_area)
{
	struct kho_vmalloc_extent_chunk *chunk;
	struct kho_vmalloc kv;

	incoming_version(&kv, 64, 4, 2);
	chunk = extents_at(kv.first.phys);
	EXPECT_BAD(kv, total_pages, 63, "is not in its area");
	EXPECT_BAD(kv, total_pages, 65, "area lists 64 pages, expected 65");
	EXPECT_BAD(kv, total_pages, ~0U, "area lists 64 pages, expected 4294967295");
	EXPECT_BAD(kv, order, 10, "is not made of whole blocks");
	EXPECT_BAD_LIST(kv, &chunk->nr, 0, "area lists 0 pages, expected 64");
	expect_area(kho_restore_vmalloc(&kv), 64);
}

/* Found out late: what has been taken by then is neither used nor freed */
TEST(extent_listed_twice)
{
	struct kho_vmalloc_extent_chunk *chunk;
	struct kho_vmalloc kv;
	unsigned long free;

	incoming_sparse(&kv);
	chunk = extents_at(kv.first.phys);
	chunk->extents[9].phys = chunk->extents[3].phys;

	free = sim_pages(SIM_FREE);
	CHECK(!kho_restore_vmalloc(&kv));
	CHECK(sim_logged("is listed twice"));
	CHECK_EQ(free, sim_pages(SIM_FREE));
	CHECK_EQ(0, sim_objects());
}

struct element {
	char bytes[48];
};

struct holder {
	KHO_VMALLOC_ARRAY(struct element)
		array;
};

/* 200 elements need 9600 bytes, so 3 pages */
static void typed_array(u32 version)
{
	struct holder holder;
	struct element *area;

	boot_writer(version);
	area = sim_vmalloc(3, 0, VM_ALLOC);
	CHECK_EQ(0, kho_preserve_vmalloc_array(area, &holder.array));

	sim_reboot();
	CHECK(ERR_PTR(-EINVAL) == kho_restore_vmalloc_array(&holder.array, 170, NULL));
	CHECK(sim_logged("area has 3 pages, 170 elements of 48 bytes need 2"));
	CHECK(ERR_PTR(-EINVAL) == kho_restore_vmalloc_array(&holder.array, 257, NULL));
	CHECK(ERR_PTR(-EINVAL) == kho_restore_vmalloc_array(&holder.array, ~0ULL, NULL));
	CHECK(ERR_PTR(-EINVAL) == kho_restore_vmalloc_array(&holder.array, 0, NULL));
	holder.array.area.order = 99;
	CHECK(ERR_PTR(-EINVAL) == kho_restore_vmalloc_array(&holder.array, 200, NULL));
	holder.array.area.order = 0;
	expect_area(kho_restore_vmalloc_array(&holder.array, 200, NULL), 3);
}

TEST(typed_array_of_either_version)
{
	typed_array(1);
	typed_array(2);
}

static phys_addr_t shared;

static void write_to_shared(void)
{
	struct page *page = kho_restore_pages(shared, 1);

	if (CHECK(page))
		memset(page_address(page), 0xff, PAGE_SIZE);
}

/* Whose page a chunk is, too, gets it between the first look at it and the last */
TEST(chunk_is_taken_meanwhile)
{
	struct kho_vmalloc kv;
	phys_addr_t first;

	incoming(&kv, 600, 0);
	shared = kv.first.phys;
	first = chunk_at(shared)->phys[0];
	sim_meanwhile(write_to_shared);
	CHECK(!kho_restore_vmalloc(&kv));
	CHECK(sim_logged("is not a preserved page"));
	CHECK_EQ(0, kho_preserved_order(first));
}

static struct kho_vmalloc other_area;
static void *other;

static void restore_other(void)
{
	other = kho_restore_vmalloc(&other_area);
}

/* When the list has been read */
static void restore_other_later(void)
{
	sim_meanwhile(restore_other);
}

/* While one waits for memory others do not wait */
TEST(two_areas_at_once)
{
	struct kho_vmalloc kv;
	void *area;

	boot_writer(1);
	CHECK_EQ(0, kho_preserve_vmalloc(sim_vmalloc(20, 0, VM_ALLOC), &kv));
	CHECK_EQ(0, kho_preserve_vmalloc(sim_vmalloc(20, 0, VM_ALLOC), &other_area));
	sim_reboot();
	sim_meanwhile(restore_other);
	area = kho_restore_vmalloc(&kv);
	CHECK(other);
	vfree(other);
	expect_area(area, 20);
}

/* The second one finds them gone, however much of them it has read */
static void restore_twice_at_once(u32 version, void (*meanwhile)(void))
{
	struct kho_vmalloc kv;

	incoming_version(&kv, 20, 0, version);
	other_area = kv;
	sim_meanwhile(meanwhile);
	CHECK(!kho_restore_vmalloc(&kv));
	CHECK(sim_logged("is not a preserved page"));
	CHECK_PAGES();
	expect_area(other, 20);
}

TEST(same_chunks_at_once)
{
	for (u32 version = 1; version <= 2; version++) {
		restore_twice_at_once(version, restore_other);
		restore_twice_at_once(version, restore_other_later);
	}
}

/* For each range of pages; for each chunk when they are unpreserved */
TEST(others_run_meanwhile)
{
	struct kho_vmalloc kv;
	unsigned long before;
	void *area;

	boot_writer(1);
	area = sim_vmalloc(1100, 0, VM_ALLOC);
	before = sim_rescheds;
	CHECK_EQ(0, kho_preserve_vmalloc(area, &kv));
	CHECK(sim_rescheds >= before + 1100);
	before = sim_rescheds;
	kho_unpreserve_vmalloc(&kv);
	CHECK(sim_rescheds >= before + 3);
	CHECK_EQ(0, kho_preserve_vmalloc(area, &kv));

	sim_reboot();
	before = sim_rescheds;
	expect_area(kho_restore_vmalloc(&kv), 1100);
	CHECK(sim_rescheds >= before + 1100);
}

/* As a caller does that clears its descriptor and undoes everything on errors */
TEST(nothing_is_unpreserved)
{
	long before = kho_component_users(&kho_vmalloc_component);
	struct kho_vmalloc zeroed = {};

	kho_unpreserve_vmalloc(&zeroed);
	CHECK_EQ(before, kho_component_users(&kho_vmalloc_component));
}
