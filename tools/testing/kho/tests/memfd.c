// SPDX-License-Identifier: GPL-2.0-only
/* memfds across kexec: the file, the array of its folios, and damage to both. */

#include <linux/kho/abi/memfd.h>
#include <linux/kho/compat.h>

#include "kexec_handover_internal.h"

#include "tap.h"

/* A file of the previous kernel; returns where its state is */
static u64 incoming(unsigned int nr, unsigned int order)
{
	u64 data;

	sim_power_on();
	sim_boot(NULL);
	data = sim_memfd_preserve(sim_file(nr, order));
	CHECK(data);
	sim_reboot();
	return data;
}

static struct memfd_luo_ser *ser_at(u64 data)
{
	return phys_to_virt(data);
}

/* The entries are in the first page of the area, which the first chunk names */
static struct memfd_luo_folio_ser *entries(u64 data)
{
	const struct kho_vmalloc *area = &ser_at(data)->folios.area;
	const struct kho_vmalloc_extent_chunk *extents = phys_to_virt(area->first.phys);
	const struct kho_vmalloc_chunk *chunk = phys_to_virt(area->first.phys);

	return phys_to_virt(area->flags & KHO_VMALLOC_EXTENTS ? extents->extents[0].phys :
								chunk->phys[0]);
}

static void expect_file(u64 data, unsigned int pages)
{
	struct file *file = NULL;

	CHECK_EQ(0, sim_memfd_retrieve(data, &file));
	if (!CHECK(file))
		return;
	CHECK_EQ((loff_t)pages * PAGE_SIZE, i_size_read(file_inode(file)));
	CHECK(!sim_file_page(file, pages));
	fput(file);
	CHECK_EQ(-ENOENT, kho_preserved_order(data));
	CHECK_MACHINE();
}

/* The rest of the file, from the page at @left on, must stay reserved */
static void expect_damage(u64 data, int err, phys_addr_t left, const char *text)
{
	struct file *file = NULL;

	CHECK_EQ(err, sim_memfd_retrieve(data, &file));
	CHECK(!file);
	CHECK(sim_logged(text));
	CHECK(sim_logged("it stays reserved"));
	CHECK(kho_preserved_order(left) >= 0);
	CHECK_MACHINE();
}

TEST(round_trip)
{
	expect_file(incoming(1, 0), 1);
	expect_file(incoming(60, 0), 60);
	expect_file(incoming(5, 3), 40);
	expect_file(incoming(0, 0), 0);
}

/* The previous kernel replaced a folio, as khugepaged does, while it was pinned */
TEST(replaced_while_pinned)
{
	phys_addr_t replaced;
	struct file *file;
	u64 data;

	sim_power_on();
	sim_boot(NULL);
	file = sim_file(8, 0);
	sim_replace_pinned(3);
	data = sim_memfd_preserve(file);
	replaced = sim_replaced();
	*(unsigned int *)sim_file_page(file, 3) = 77;
	sim_reboot();

	CHECK_EQ(-ENOENT, kho_preserved_order(replaced));
	CHECK_EQ(0, sim_memfd_retrieve(data, &file));
	CHECK_EQ(77, *(unsigned int *)sim_file_page(file, 3));
	fput(file);
	CHECK_MACHINE();
}

/* @mode of a file of a page, with @seals from before it is preserved, @late after */
static void expect_sealed(unsigned int mode, unsigned int seals, unsigned int late,
			  unsigned int new_mode, unsigned int new_seals)
{
	struct file *file;
	u64 data;

	sim_power_on();
	sim_boot(NULL);
	file = sim_file(1, 0);
	file_inode(file)->i_mode = mode;
	CHECK_EQ(0, memfd_add_seals(file, seals));
	data = sim_memfd_preserve_sealed(file, late);
	sim_reboot();

	CHECK_EQ(0, sim_memfd_retrieve(data, &file));
	CHECK_EQ(new_mode, file_inode(file)->i_mode);
	CHECK_EQ(new_seals, memfd_get_seals(file));
	fput(file);
}

#define SEALS_OF_EXEC	(F_SEAL_EXEC | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | \
			 F_SEAL_FUTURE_WRITE)

TEST(seals_of_a_file_that_may_be_executed)
{
	expect_sealed(0777, 0, 0, 0777, 0);
	expect_sealed(0777, F_SEAL_SEAL | F_SEAL_WRITE, 0, 0777,
		      F_SEAL_SEAL | F_SEAL_WRITE);
	expect_sealed(0777, F_SEAL_EXEC, 0, 0777, SEALS_OF_EXEC);
}

TEST(seals_of_a_file_that_must_not_be_executed)
{
	expect_sealed(0666, F_SEAL_EXEC, 0, 0666, F_SEAL_EXEC);
	expect_sealed(0666, F_SEAL_EXEC | F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW, 0,
		      0666, F_SEAL_EXEC | F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW);
	expect_sealed(0666, SEALS_OF_EXEC & ~F_SEAL_FUTURE_WRITE, 0,
		      0666, SEALS_OF_EXEC & ~F_SEAL_FUTURE_WRITE);
}

TEST(seals_added_after_preserving)
{
	expect_sealed(0777, 0, F_SEAL_SHRINK | F_SEAL_GROW, 0777,
		      F_SEAL_SHRINK | F_SEAL_GROW);
	expect_sealed(0777, F_SEAL_GROW, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL, 0777,
		      F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL);
	expect_sealed(0666, F_SEAL_SHRINK, F_SEAL_EXEC, 0666,
		      F_SEAL_SHRINK | F_SEAL_EXEC);
}

static void nothing(struct file *file) { }

static void poison_last_page(struct file *file)
{
	u64 index = PHYS_PFN(i_size_read(file_inode(file))) - 1;

	sim_poison(virt_to_page(sim_file_page(file, index)));
}

/* Neither before it is preserved, nor between that and the kexec */
TEST(poisoned)
{
	struct file *file;

	for (unsigned int order = 0; order < 4; order += 3) {
		sim_power_on();
		sim_boot(NULL);
		file = sim_file(3, order);
		CHECK_EQ(0, sim_memfd_try_preserve(file, nothing));
		CHECK_EQ(-EHWPOISON, sim_memfd_try_preserve(file, poison_last_page));
		CHECK(sim_logged(order ? "poisoned page at index 23" :
				 "poisoned page at index 2"));
		CHECK_EQ(-EHWPOISON, sim_memfd_try_preserve(file, nothing));
		CHECK_EQ(0, kho_component_users(&memfd_kho_component));
	}
}

/* Holes are filled; what there is no memory for is not even begun */
TEST(more_than_fits)
{
	struct file *file;

	sim_power_on();
	sim_boot(NULL);
	file = sim_file(3, 0);
	i_size_write(file_inode(file), PFN_PHYS(sim_pages(SIM_FREE) + 64));
	CHECK_EQ(-ENOMEM, sim_memfd_try_preserve(file, nothing));
	CHECK(sim_logged("KiB outside scratch"));
	CHECK_EQ(0, kho_component_users(&memfd_kho_component));
	CHECK_EQ(0, kho_component_users(&kho_vmalloc_component));
}

TEST(fits_when_cpus_give_pages_back)
{
	struct file *file;

	sim_power_on();
	sim_boot(NULL);
	file = sim_file(3, 0);
	sim_keep_pages(sim_pages(SIM_FREE));
	i_size_write(file_inode(file), PFN_PHYS(8));
	CHECK_EQ(0, sim_memfd_try_preserve(file, nothing));
}

TEST(room_for_root_is_left)
{
	unsigned long nr_pages;

	sim_power_on();
	sim_boot(NULL);
	nr_pages = kho_preservable_pages();
	sysctl_admin_reserve_kbytes = 40;
	CHECK_EQ(nr_pages - 10, kho_preservable_pages());
	sysctl_admin_reserve_kbytes = 1UL << 30;
	CHECK_EQ(0, kho_preservable_pages());
	sysctl_admin_reserve_kbytes = 0;
}

/* A file is accounted for as a whole, or nothing has happened to it */
TEST(more_than_may_be_committed)
{
	u64 data = incoming(3, 1);
	phys_addr_t first = PFN_PHYS(entries(data)[0].pfn);
	struct file *file = NULL;

	sim_commit_at_most(5);
	for (unsigned int i = 0; i < 2; i++) {
		CHECK_EQ(-ENOMEM, sim_memfd_retrieve(data, &file));
		CHECK(sim_logged("memfd has 24 KiB, more than may be committed"));
		CHECK_EQ(0, sim_committed());
		CHECK_EQ(1, kho_preserved_order(first));
	}

	sim_commit_at_most(6);
	CHECK_EQ(0, sim_memfd_retrieve(data, &file));
	CHECK_EQ(6, sim_committed());
	fput(file);
	CHECK_EQ(0, sim_committed());
	sim_commit_at_most(LONG_MAX);
	CHECK_MACHINE();
}

/* The last folio is accounted for, too, if there is room */
TEST(committed_beyond_the_end)
{
	for (unsigned int room = 0; room < 2; room++) {
		u64 data = incoming(3, 1);
		struct file *file = NULL;

		ser_at(data)->size -= PAGE_SIZE;
		sim_commit_at_most(5 + room);
		CHECK_EQ(0, sim_memfd_retrieve(data, &file));
		CHECK_EQ(5 + room, sim_committed());
		fput(file);
		CHECK_EQ(0, sim_committed());
	}
	sim_commit_at_most(LONG_MAX);
}

/* What is in the file by then stays accounted for until the file is gone */
TEST(committed_although_damaged)
{
	u64 data = incoming(8, 0);

	entries(data)[5].index = 7;
	sim_commit_at_most(8);
	CHECK_EQ(-EINVAL, sim_memfd_retrieve(data, &(struct file *){ NULL }));
	CHECK_EQ(0, sim_committed());
	sim_commit_at_most(LONG_MAX);
	CHECK_MACHINE();
}

TEST(contents)
{
	u64 data = incoming(7, 1);
	struct file *file = NULL;

	CHECK_EQ(0, sim_memfd_retrieve(data, &file));
	for (unsigned int i = 0; i < 7; i++)
		CHECK_EQ(2 * i, *(unsigned int *)sim_file_page(file, 2 * i));
	fput(file);
}

/* In every walk: to pin, to look for poison, to unpin, to restore, to free */
TEST(others_run_meanwhile)
{
	struct file *file = NULL;
	unsigned long before;
	u64 data;

	sim_power_on();
	sim_boot(NULL);
	file = sim_file(500, 0);
	before = sim_rescheds;
	CHECK_EQ(0, sim_memfd_try_preserve(file, nothing));
	CHECK(sim_rescheds >= before + 3 * 500);

	data = sim_memfd_preserve(file);
	sim_reboot();
	before = sim_rescheds;
	CHECK_EQ(0, sim_memfd_retrieve(data, &file));
	CHECK(sim_rescheds >= before + 500);
	fput(file);

	data = incoming(500, 0);
	before = sim_rescheds;
	sim_memfd_finish(data);
	CHECK(sim_rescheds >= before + 500);
	CHECK_MACHINE();
}

TEST(finished_without_being_retrieved)
{
	u64 data = incoming(20, 0);
	phys_addr_t first = PFN_PHYS(entries(data)[0].pfn);

	sim_memfd_finish(data);
	CHECK_EQ(-ENOENT, kho_preserved_order(first));
	CHECK_EQ(-ENOENT, kho_preserved_order(data));
	CHECK_MACHINE();
}

#define FOLIO	4	/* the one that is damaged, of 8 */

static u64 damaged(phys_addr_t *left)
{
	u64 data = incoming(8, 0);

	*left = PFN_PHYS(entries(data)[FOLIO + 1].pfn);
	return data;
}

/* Whoever finishes cannot wait for memory that does not come */
TEST(finished_without_memory)
{
	u64 data = incoming(20, 0);
	phys_addr_t first = PFN_PHYS(entries(data)[0].pfn);

	sim_fail_all_allocations(true);
	sim_memfd_finish(data);
	sim_fail_all_allocations(false);
	CHECK(sim_logged("a memfd of the previous kernel cannot be read: ENOMEM"));
	CHECK_EQ(0, kho_preserved_order(first));
	CHECK_MACHINE();
}

TEST(index_beyond_the_end)
{
	phys_addr_t left;
	u64 data = damaged(&left);

	entries(data)[FOLIO].index = 1ULL << 40;
	expect_damage(data, -EINVAL, left,
		      "index 1099511627776, flags 0x3; expected one at index 4 of 8");
}

TEST(same_index_twice)
{
	phys_addr_t left;
	u64 data = damaged(&left);

	entries(data)[FOLIO].index = FOLIO - 1;
	expect_damage(data, -EINVAL, left, "index 3, flags 0x3; expected one at index 4");
}

TEST(same_folio_twice)
{
	phys_addr_t left;
	u64 data = damaged(&left);

	entries(data)[FOLIO].pfn = entries(data)[0].pfn;
	expect_damage(data, -EINVAL, left, "index 4, flags 0x3; expected one at index 4");
}

TEST(no_folio_there)
{
	const u64 nowhere[] = { 0, 1, PHYS_PFN(SIM_END), (1ULL << 52) - 1 };

	for (unsigned int i = 0; i < ARRAY_SIZE(nowhere); i++) {
		phys_addr_t left;
		u64 data = damaged(&left);

		entries(data)[FOLIO].pfn = nowhere[i];
		expect_damage(data, -EINVAL, left, "memfd has a folio at page frame 0x");
	}
}

TEST(unknown_flags)
{
	phys_addr_t left;
	u64 data = damaged(&left);

	entries(data)[FOLIO].flags = 0x800;
	expect_damage(data, -EINVAL, left, "flags 0x800");
}

/* A folio of four pages in the place of a single one */
TEST(folio_is_not_aligned)
{
	struct folio *large;
	phys_addr_t phys;
	u64 data;

	sim_boot(NULL);
	data = sim_memfd_preserve(sim_file(8, 0));
	large = folio_alloc(GFP_KERNEL, 2);
	phys = page_to_phys(&large->page);
	CHECK_EQ(0, kho_preserve_folio(large));
	sim_reboot();

	entries(data)[1].pfn = PHYS_PFN(phys);
	expect_damage(data, -EINVAL, PFN_PHYS(entries(data)[2].pfn),
		      "index 1, flags 0x3; expected one at index 1");
}

TEST(damage_met_by_finish)
{
	phys_addr_t left;
	u64 data = damaged(&left);

	entries(data)[FOLIO].index = 77;
	sim_memfd_finish(data);
	CHECK(sim_logged("index 77"));
	CHECK(kho_preserved_order(left) >= 0);
	CHECK_MACHINE();
}

/* The header: nothing of the file is touched, not even that page */
static void expect_bad_header(u64 data, int err, const char *text)
{
	phys_addr_t first = PFN_PHYS(entries(data)[0].pfn);

	expect_damage(data, err, first, text);
	CHECK_EQ(0, kho_preserved_order(data));
	sim_memfd_finish(data);
	CHECK_EQ(0, kho_preserved_order(data));
	CHECK_EQ(0, kho_preserved_order(first));
}

TEST(header)
{
	u64 data = incoming(8, 0);
	struct memfd_luo_ser good = *ser_at(data);

	ser_at(data)->seals = 0x100;
	expect_bad_header(data, -EOPNOTSUPP, "memfd has seals 0x100 and flags 0x0");
	*ser_at(data) = good;
	ser_at(data)->flags = 2;
	expect_bad_header(data, -EOPNOTSUPP, "memfd has seals 0x0 and flags 0x2");
	*ser_at(data) = good;
	ser_at(data)->size = 1ULL << 63;
	expect_bad_header(data, -EINVAL, "memfd has 9223372036854775808 bytes in 8 folios");
	*ser_at(data) = good;
	ser_at(data)->size = 7 * PAGE_SIZE;
	expect_bad_header(data, -EINVAL, "memfd has 28672 bytes in 8 folios");
	*ser_at(data) = good;
	ser_at(data)->nr_folios = 0;
	expect_bad_header(data, -EINVAL, "bytes in 0 folios");
	*ser_at(data) = good;
	expect_file(data, 8);
}

TEST(fewer_folios_than_the_size_needs)
{
	u64 data = incoming(8, 0);

	ser_at(data)->nr_folios = 7;
	CHECK_EQ(-EINVAL, sim_memfd_retrieve(data, &(struct file *){ NULL }));
	CHECK(sim_logged("memfd has folios up to index 7, expected 8"));
	CHECK_MACHINE();
}

TEST(state_is_nowhere)
{
	struct file *file = NULL;

	incoming(1, 0);
	CHECK_EQ(-EINVAL, sim_memfd_retrieve(SIM_END, &file));
	CHECK_EQ(-EINVAL, sim_memfd_retrieve(0, &file));
	CHECK_EQ(-EINVAL, sim_memfd_retrieve(~0ULL, &file));
	CHECK(sim_logged("state of a memfd at 0xffffffffffffffff is not in preserved memory"));
	CHECK_MACHINE();
}

TEST(array_cannot_be_restored)
{
	u64 data = incoming(8, 0);
	struct file *file = NULL;
	phys_addr_t first = PFN_PHYS(entries(data)[0].pfn);

	ser_at(data)->folios.area.total_pages = 2;
	CHECK_EQ(-EINVAL, sim_memfd_retrieve(data, &file));
	CHECK(sim_logged("a memfd of the previous kernel cannot be read: EINVAL"));
	CHECK_EQ(0, kho_preserved_order(first));
	CHECK_MACHINE();
}
