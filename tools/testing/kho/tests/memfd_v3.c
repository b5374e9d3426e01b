// SPDX-License-Identifier: GPL-2.0-only
/* memfds in version 3 across kexec: extents, what is not there, and damage. */

#include <linux/kho/abi/memfd.h>
#include <linux/kho/compat.h>

#include "kexec_handover_internal.h"

#include "tap.h"

static void start(void)
{
	sim_power_on();
	sim_boot(NULL);
	sim_memfd_version = 3;
}

static void reboot(void)
{
	sim_reboot();
	sim_memfd_version = 3;
}

static u64 hand_over(struct file *file)
{
	u64 data = sim_memfd_preserve(file);

	reboot();
	return data;
}

static struct memfd_luo_v3_ser *ser_at(u64 data)
{
	return phys_to_virt(data);
}

static struct memfd_luo_extents *piece_at(u64 data)
{
	return &ser_at(data)->first;
}

static struct memfd_luo_extent *extent_at(u64 data, unsigned int i)
{
	return &piece_at(data)->extents[i];
}

/* Where it is described, maybe among others */
static u64 page_of(u64 data)
{
	return ALIGN_DOWN(data, PAGE_SIZE);
}

static struct file *retrieve(u64 data)
{
	struct file *file = NULL;

	CHECK_EQ(0, sim_memfd_retrieve(data, &file));
	CHECK_EQ(-ENOENT, kho_preserved_order(page_of(data)));
	return file;
}

/* The pages from @index on hold their indices, and are uptodate */
static void expect_pages(struct file *file, u64 index, unsigned int nr)
{
	for (u64 end = index + nr; index < end; index++) {
		unsigned int *page = sim_file_page(file, index);

		if (!CHECK(page))
			return;
		CHECK_EQ(index, *page);
		CHECK(folio_test_uptodate(sim_file_entry(file, index)));
		CHECK(folio_test_dirty(sim_file_entry(file, index)));
	}
}

static void expect_hole(struct file *file, u64 index, unsigned int nr)
{
	for (u64 end = index + nr; index < end; index++)
		CHECK(!sim_file_entry(file, index));
}

/* And everything belongs to somebody */
static void close_file(struct file *file)
{
	fput(file);
	CHECK_MACHINE();
}

TEST(empty)
{
	struct file *file;
	u64 data;

	start();
	data = hand_over(sim_file(0, 0));
	CHECK_EQ(0, ser_at(data)->nr_extents);
	CHECK_EQ(0, piece_at(data)->nr);
	CHECK_EQ(0, piece_at(data)->next.phys);
	file = retrieve(data);
	CHECK_EQ(0, i_size_read(file_inode(file)));
	CHECK_EQ(0, file_inode(file)->blocks);
	close_file(file);
}

/* Contiguous pages, as they come from the allocator, are one extent */
TEST(contiguous)
{
	struct file *file;
	u64 data;

	start();
	data = hand_over(sim_file(60, 0));
	CHECK_EQ(1, ser_at(data)->nr_extents);
	CHECK_EQ(60, ser_at(data)->nr_pages);
	CHECK_EQ(60, extent_at(data, 0)->nr_pages);
	file = retrieve(data);
	expect_pages(file, 0, 60);
	CHECK_EQ(60, file_inode(file)->blocks);
	close_file(file);
}

/* Every other page is another file's */
TEST(fragmented)
{
	struct file *file, *other;
	u64 data;

	start();
	file = sim_file(0, 0);
	other = sim_file(0, 0);
	for (unsigned int i = 0; i < 64; i++) {
		sim_file_add(file, i, 0);
		sim_file_add(other, i, 0);
	}
	data = hand_over(file);
	CHECK_EQ(64, ser_at(data)->nr_extents);
	CHECK_EQ(MEMFD_LUO_EXTENTS_IN_FILE, piece_at(data)->nr);
	CHECK_EQ(64 - MEMFD_LUO_EXTENTS_IN_FILE,
		 KHOSER_LOAD_PTR(piece_at(data)->next)->nr);
	file = retrieve(data);
	expect_pages(file, 0, 64);
	close_file(file);
}

TEST(mixed_orders)
{
	struct file *file;
	u64 data;

	start();
	file = sim_file(0, 0);
	sim_file_add(file, 0, 0);
	sim_file_add(file, 1, 0);
	sim_file_add(file, 4, 2);
	sim_file_add(file, 8, 3);
	sim_file_add(file, 16, 3);
	sim_file_add(file, 24, 0);
	data = hand_over(file);
	CHECK_EQ(23, ser_at(data)->nr_pages);
	file = retrieve(data);
	expect_pages(file, 0, 2);
	expect_hole(file, 2, 2);
	expect_pages(file, 4, 21);
	CHECK_EQ(2, folio_order(sim_file_entry(file, 4)));
	CHECK_EQ(3, folio_order(sim_file_entry(file, 16)));
	CHECK_EQ(23, file_inode(file)->blocks);
	close_file(file);
}

/* Pages that are aligned in the file as they are in memory become large folios */
TEST(joined)
{
	struct file *file;
	u64 data;
	u64 pfn;

	start();
	file = sim_file(0, 0);
	pfn = page_to_pfn(virt_to_page((void *)get_zeroed_page(GFP_KERNEL))) + 1;
	for (unsigned int i = 0; i < 40; i++)
		sim_file_add(file, pfn % 64 + i, 0);
	data = hand_over(file);
	CHECK_EQ(1, ser_at(data)->nr_extents);
	CHECK_EQ(pfn, extent_at(data, 0)->pfn);
	file = retrieve(data);
	expect_pages(file, pfn % 64, 40);
	CHECK(folio_order(sim_file_entry(file, ALIGN(pfn % 64, 16))) >= 4);
	close_file(file);
}

TEST(holes)
{
	unsigned long used;
	struct file *file;
	u64 data;

	start();
	file = sim_file(0, 0);
	sim_file_add(file, 3, 0);
	sim_file_add(file, 7, 0);
	sim_file_add(file, 1ULL << 27, 0);
	i_size_write(file_inode(file), 1ULL << 40);
	used = sim_pages(SIM_USED);
	data = sim_memfd_preserve(file);
	CHECK(sim_pages(SIM_USED) < used + 24);
	reboot();
	CHECK_EQ(3, ser_at(data)->nr_pages);
	file = retrieve(data);
	CHECK_EQ(1LL << 40, i_size_read(file_inode(file)));
	expect_hole(file, 0, 3);
	expect_pages(file, 3, 1);
	expect_hole(file, 4, 3);
	expect_pages(file, 7, 1);
	expect_hole(file, 8, 100);
	expect_pages(file, 1ULL << 27, 1);
	CHECK_EQ(3, file_inode(file)->blocks);
	close_file(file);
}

TEST(never_written)
{
	struct file *file;
	u64 data;

	start();
	file = sim_file(2, 0);
	for (unsigned int i = 2; i < 6; i++)
		sim_file_allocate(file, i);
	i_size_write(file_inode(file), 6 * PAGE_SIZE);
	data = hand_over(file);
	CHECK_EQ(2, ser_at(data)->nr_extents);
	file = retrieve(data);
	expect_pages(file, 0, 2);
	for (unsigned int i = 2; i < 6; i++) {
		CHECK(sim_file_entry(file, i));
		CHECK(!folio_test_uptodate(sim_file_entry(file, i)));
	}
	CHECK_EQ(6, file_inode(file)->blocks);
	close_file(file);
}

/* A hole that is filled, and memory that is used, between that and the kexec */
static void use_all(struct file *file)
{
	for (unsigned int i = 0; i < 8; i++) {
		if (!sim_file_entry(file, i))
			sim_file_add(file, i, 0);
		folio_mark_uptodate(sim_file_entry(file, i));
		*(unsigned int *)sim_file_page(file, i) = i;
	}
}

TEST(written_after_preserving)
{
	for (unsigned int allocated = 0; allocated < 2; allocated++) {
		struct file *file;
		u64 data;

		start();
		file = sim_file(4, 0);
		for (unsigned int i = 4; allocated && i < 8; i++)
			sim_file_allocate(file, i);
		i_size_write(file_inode(file), 8 * PAGE_SIZE);
		data = sim_memfd_preserve_between(file, use_all);
		reboot();
		CHECK_EQ(8, ser_at(data)->nr_pages);
		file = retrieve(data);
		expect_pages(file, 0, 8);
		close_file(file);
	}
}

TEST(unpreserved)
{
	unsigned long used;
	struct file *file;

	start();
	file = sim_file(20, 0);
	sim_file_add(file, 24, 3);
	/* What the map needs for that memory stays */
	CHECK_EQ(0, sim_memfd_try_preserve(file, use_all));
	used = sim_pages(SIM_USED);
	CHECK_EQ(0, sim_memfd_try_preserve(file, use_all));
	CHECK_EQ(used, sim_pages(SIM_USED));
	CHECK_EQ(0, kho_component_users(&memfd_kho_component));
	fput(file);
}

TEST(replaced_while_found)
{
	for (unsigned int order = 0; order <= 3; order += 3) {
		struct file *file;
		u64 data;

		start();
		file = sim_file(8, order);
		for (unsigned int i = 0; i < 8; i++)
			virt_to_page(sim_file_page(file, i << order))->dirty = true;
		sim_replace_pinned(3);
		data = sim_memfd_preserve(file);
		CHECK_EQ(0, phys_to_page(sim_replaced())->pins);
		for (unsigned int i = 0; i < 8; i++)
			CHECK_EQ(1, virt_to_page(sim_file_page(file, i << order))->pins);
		*(unsigned int *)sim_file_page(file, 3 << order) = 77;
		reboot();
		file = retrieve(data);
		CHECK_EQ(77, *(unsigned int *)sim_file_page(file, 3 << order));
		close_file(file);
	}
}

TEST(moved_and_swapped)
{
	struct file *file;
	u64 data;

	start();
	file = sim_file(20, 0);
	for (unsigned int i = 5; i < 9; i++)
		sim_file_entry(file, i)->page.movable = true;
	sim_file_swap_out(file, 8, 8);
	sim_file_swap_out(file, 12, 12);
	sim_file_swap_out(file, 19, 19);
	data = hand_over(file);
	CHECK_EQ(20, ser_at(data)->nr_pages);
	file = retrieve(data);
	expect_pages(file, 0, 20);
	CHECK_EQ(20, file_inode(file)->blocks);
	close_file(file);
}

/* A large folio in swap may be read page by page */
TEST(large_in_swap)
{
	struct file *file;
	u64 data;

	start();
	file = sim_file(4, 3);
	sim_file_swap_out(file, 8, 8);
	sim_file_swap_out(file, 24, 24);
	data = hand_over(file);
	CHECK_EQ(32, ser_at(data)->nr_pages);
	file = retrieve(data);
	expect_pages(file, 0, 32);
	close_file(file);
}

static void fill_and_swap_out(struct file *file)
{
	sim_file_add(file, 6, 0);
	sim_file_swap_out(file, 6, 6);
}

/* As many pages as before are in the page cache then */
TEST(swapped_out_after_preserving)
{
	struct file *file;
	u64 data;

	start();
	file = sim_file(4, 0);
	i_size_write(file_inode(file), 8 * PAGE_SIZE);
	data = sim_memfd_preserve_between(file, fill_and_swap_out);
	reboot();
	CHECK_EQ(5, ser_at(data)->nr_pages);
	file = retrieve(data);
	expect_pages(file, 0, 4);
	expect_pages(file, 6, 1);
	close_file(file);
}

/* What is beyond the end is not handed over, but does not get lost before */
TEST(beyond_the_end)
{
	struct file *file;
	u64 data;

	start();
	file = sim_file(2, 0);
	sim_file_allocate(file, 2);
	sim_file_allocate(file, 3);
	data = hand_over(file);
	CHECK_EQ(2, ser_at(data)->nr_pages);
	file = retrieve(data);
	expect_pages(file, 0, 2);
	expect_hole(file, 2, 2);
	close_file(file);
}

/* The last folio goes beyond the end with the part of it that does */
TEST(folio_across_the_end)
{
	struct file *file;
	u64 data;

	start();
	file = sim_file(2, 3);
	i_size_write(file_inode(file), 9 * PAGE_SIZE);
	data = hand_over(file);
	file = retrieve(data);
	expect_pages(file, 0, 16);
	CHECK_EQ(9 * PAGE_SIZE, i_size_read(file_inode(file)));
	close_file(file);
}

static void poison_page_5(struct file *file)
{
	sim_poison(virt_to_page(sim_file_page(file, 5)));
}

static void expect_poison(u64 data)
{
	struct file *file;

	CHECK_EQ(15, ser_at(data)->nr_pages);
	CHECK_EQ(1, ser_at(data)->nr_poisoned);
	file = retrieve(data);
	expect_pages(file, 0, 5);
	expect_pages(file, 6, 10);
	CHECK(xa_is_value(sim_file_entry(file, 5)));
	CHECK(softleaf_is_poison_marker(radix_to_swp_entry(sim_file_entry(file, 5))));
	CHECK_EQ(16, file_inode(file)->blocks);

	/* And once more */
	data = hand_over(file);
	file = retrieve(data);
	CHECK(xa_is_value(sim_file_entry(file, 5)));
	expect_pages(file, 6, 10);
	close_file(file);
}

TEST(poisoned_before)
{
	for (unsigned int order = 0; order < 4; order += 3) {
		struct file *file;

		start();
		file = sim_file(16 >> order, order);
		poison_page_5(file);
		expect_poison(hand_over(file));
	}
}

TEST(poisoned_between)
{
	for (unsigned int order = 0; order < 4; order += 3) {
		struct file *file;
		u64 data;

		start();
		file = sim_file(16 >> order, order);
		data = sim_memfd_preserve_between(file, poison_page_5);
		reboot();
		expect_poison(data);
	}
}

/* Not counted: nobody looks for it, as long as no other page fails */
static void mark_page_5(struct file *file)
{
	SetPageHWPoison(virt_to_page(sim_file_page(file, 5)));
}

static void poison_another(struct file *file)
{
	mark_page_5(file);
	sim_poison(alloc_pages(GFP_KERNEL, 0));
}

TEST(poison_is_looked_for_when_more_pages_fail)
{
	u64 data;

	start();
	sim_poison(alloc_pages(GFP_KERNEL, 0));
	data = sim_memfd_preserve_between(sim_file(16, 0), mark_page_5);
	CHECK_EQ(0, ser_at(data)->nr_poisoned);

	start();
	sim_poison(alloc_pages(GFP_KERNEL, 0));
	data = sim_memfd_preserve_between(sim_file(16, 0), poison_another);
	CHECK_EQ(1, ser_at(data)->nr_poisoned);
}

/* Pages of a file that are aligned as they are in memory, from index *@first on */
static struct file *aligned_file(unsigned int order, pgoff_t *first)
{
	struct file *file = sim_file(64 >> order, order);

	*first = 0;
	if (order)
		return file;

	close_file(file);
	file = sim_file(0, 0);
	*first = (page_to_pfn(virt_to_page((void *)get_zeroed_page(GFP_KERNEL))) + 1) % 64;
	for (unsigned int i = 0; i < 64; i++)
		sim_file_add(file, *first + i, 0);
	return file;
}

/* Whether it was part of a folio or not: those around it become folios all the same */
TEST(poisoned_while_held)
{
	for (unsigned int order = 0; order <= 6; order += 6) {
		struct file *file;
		pgoff_t first, block;
		u64 data;

		start();
		file = aligned_file(order, &first);
		data = hand_over(file);
		CHECK_EQ(1, ser_at(data)->nr_extents);
		block = ALIGN(first, 16);
		sim_poison(pfn_to_page(extent_at(data, 0)->pfn + block - first + 5));

		file = retrieve(data);
		expect_pages(file, first, 64);
		for (unsigned int i = 0; i < 16; i++)
			CHECK_EQ(0, folio_order(sim_file_entry(file, block + i)));
		CHECK(folio_order(sim_file_entry(file, block + 16)) >= 4);
		close_file(file);
	}
}

TEST(attributes)
{
	struct file *file;
	u64 data;

	start();
	file = sim_file(1, 0);
	file_inode(file)->i_mode = 0640;
	file_inode(file)->i_uid.val = 1000;
	file_inode(file)->i_gid.val = 64055;
	file->f_pos = 77;
	CHECK_EQ(0, memfd_add_seals(file, F_SEAL_EXEC | F_SEAL_GROW));
	data = hand_over(file);
	file = retrieve(data);
	CHECK_EQ(0640, file_inode(file)->i_mode);
	CHECK_EQ(1000, file_inode(file)->i_uid.val);
	CHECK_EQ(64055, file_inode(file)->i_gid.val);
	CHECK_EQ(77, file->f_pos);
	CHECK_EQ(F_SEAL_EXEC | F_SEAL_GROW, memfd_get_seals(file));
	CHECK(!strcmp(file->f_path.dentry->name, "memfd:sim"));
	close_file(file);
}

/* More extents than a piece has room for */
TEST(many_pieces)
{
	struct memfd_luo_extents *piece;
	struct file *file;
	u64 nr = 0;
	u64 data;

	start();
	file = sim_file(0, 0);
	for (unsigned int i = 0; i < 400; i++)
		sim_file_add(file, 2 * i, 0);
	data = hand_over(file);
	CHECK_EQ(400, ser_at(data)->nr_extents);
	for (piece = piece_at(data); piece; piece = KHOSER_LOAD_PTR(piece->next))
		nr += piece->nr;
	CHECK_EQ(400, nr);
	file = retrieve(data);
	for (unsigned int i = 0; i < 400; i++)
		expect_pages(file, 2 * i, 1);
	close_file(file);
}

/* Files of a page */
#define NR_SMALL	64

static void preserve_small(u64 *data, unsigned int nr)
{
	struct file *files[NR_SMALL];
	unsigned long used;

	for (unsigned int i = 0; i < nr; i++)
		files[i] = sim_file(1, 0);
	used = sim_pages(SIM_USED);
	for (unsigned int i = 0; i < nr; i++)
		data[i] = sim_memfd_preserve(files[i]);

	/* Beside descriptions a few pages of the map of preserved memory */
	used = sim_pages(SIM_USED) - used;
	if (!CHECK(used <= nr / 8 + 6))
		printf("# %lu pages for %u files\n", used, nr);
	reboot();
}

static void retrieve_small(u64 data)
{
	struct file *file = NULL;

	CHECK_EQ(0, sim_memfd_retrieve(data, &file));
	expect_pages(file, 0, 1);
	fput(file);
}

/* The page of descriptions is freed when the last of its files is gone */
TEST(small_files_share_pages)
{
	u64 data[NR_SMALL];

	start();
	preserve_small(data, NR_SMALL);
	for (unsigned int i = 0; i < NR_SMALL; i++) {
		unsigned int nr = i * 27 % NR_SMALL;

		CHECK_EQ(0, kho_preserved_order(page_of(data[nr])));
		if (i % 3)
			retrieve_small(data[nr]);
		else
			sim_memfd_finish(data[nr]);
	}
	for (unsigned int i = 0; i < NR_SMALL; i++)
		CHECK_EQ(-ENOENT, kho_preserved_order(page_of(data[i])));
	CHECK_MACHINE();
}

static u64 second;

static void preserve_second(struct file *file)
{
	second = sim_memfd_preserve(sim_file(1, 0));
}

/* What is released before the kexec is used again */
TEST(unpreserved_among_others)
{
	u64 third;

	start();
	CHECK_EQ(0, sim_memfd_try_preserve(sim_file(1, 0), preserve_second));
	third = sim_memfd_preserve(sim_file(1, 0));
	CHECK_EQ(page_of(second), page_of(third));
	CHECK(third < second);
	reboot();
	retrieve_small(second);
	retrieve_small(third);
	CHECK_EQ(-ENOENT, kho_preserved_order(page_of(third)));
}

/* The second time nothing is there, whether or not the page is */
TEST(same_description_twice)
{
	struct file *file = NULL;
	u64 data[2];

	start();
	preserve_small(data, 2);
	retrieve_small(data[0]);
	CHECK_EQ(-EOPNOTSUPP, sim_memfd_retrieve(data[0], &file));
	CHECK(sim_logged("seals 0x0 and flags 0x0"));
	retrieve_small(data[1]);
	CHECK_EQ(-EINVAL, sim_memfd_retrieve(data[1], &file));
	CHECK(sim_logged("is not in preserved memory"));
	CHECK_MACHINE();
}

/* What is wrong with a file costs none that is described in the same page */
static void expect_neighbour(void (*damage)(u64 data), const char *text)
{
	struct file *file = NULL;
	u64 data[2];

	start();
	preserve_small(data, 2);
	damage(data[0]);
	CHECK(sim_memfd_retrieve(data[0], &file) < 0);
	if (!CHECK(sim_logged(text)))
		printf("# %s\n", text);
	retrieve_small(data[1]);
	CHECK_PAGES();
}

static void damage_flags(u64 data)
{
	ser_at(data)->flags = 0;
}

static void damage_next(u64 data)
{
	ser_at(data)->nr_pages = 2;
	ser_at(data)->nr_extents = 2;
	piece_at(data)->next.phys = page_of(data);
}

static void damage_page_frame(u64 data)
{
	extent_at(data, 0)->pfn = PHYS_PFN(data);
}

TEST(neighbour_of_a_damaged_file)
{
	expect_neighbour(damage_flags, "flags 0x0, known");
	expect_neighbour(damage_next, "are not in preserved memory");
	expect_neighbour(damage_page_frame, "with its description at");
}

/* In every walk: to describe the file, to forget it, to restore it, to free it */
TEST(others_run_meanwhile)
{
	unsigned long before;
	struct file *file;
	u64 data;

	start();
	file = sim_file(0, 0);
	for (unsigned int i = 0; i < 500; i++)
		sim_file_add(file, 2 * i, 0);

	before = sim_rescheds;
	CHECK_EQ(0, sim_memfd_try_preserve(file, use_all));
	CHECK(sim_rescheds >= before + 500);
	before = sim_rescheds;
	data = sim_memfd_preserve(file);
	CHECK(sim_rescheds >= before + 1);

	reboot();
	before = sim_rescheds;
	file = retrieve(data);
	CHECK(sim_rescheds >= before + 500);
	before = sim_rescheds;
	data = hand_over(file);
	before = sim_rescheds;
	sim_memfd_finish(data);
	CHECK(sim_rescheds >= before + 500);
	CHECK_MACHINE();
}

TEST(finished_without_being_retrieved)
{
	phys_addr_t first;
	struct file *file;
	u64 data;

	start();
	file = sim_file(20, 0);
	sim_file_add(file, 24, 3);
	data = hand_over(file);
	first = PFN_PHYS(extent_at(data, 0)->pfn);
	sim_memfd_finish(data);
	CHECK_EQ(-ENOENT, kho_preserved_order(first));
	CHECK_EQ(-ENOENT, kho_preserved_order(data));
	CHECK_MACHINE();
}

static unsigned int failing;
static struct file *changing;

static void fail_now(struct file *file)
{
	sim_fail_allocation(failing);
}

/* The kexec begins, cannot go on, and the file is used, and closed */
static void fail_later(struct file *file)
{
	sim_file_add(file, 1000 + failing, 0);
	sim_fail_allocation(failing);
}

static void expect_failures(void (*before)(struct file *file),
			    void (*between)(struct file *file))
{
	start();
	changing = sim_file(0, 0);
	for (unsigned int i = 0; i < 200; i++)
		sim_file_add(changing, 2 * i, 0);
	i_size_write(file_inode(changing), 2000 * PAGE_SIZE);
	CHECK_EQ(0, sim_memfd_try_preserve(changing, use_all));

	for (failing = 1;; failing++) {
		unsigned long used = sim_pages(SIM_USED) + (between == fail_later);
		unsigned long objects = sim_objects();
		int err;

		before(changing);
		err = sim_memfd_try_preserve(changing, between);
		sim_fail_allocation(0);
		CHECK_EQ(used, sim_pages(SIM_USED));
		CHECK_EQ(objects, sim_objects());
		CHECK_EQ(0, kho_component_users(&memfd_kho_component));
		if (!err)
			break;
		CHECK_EQ(-ENOMEM, err);
		CHECK(failing < 100);
	}
	CHECK(failing > 2);
	fput(changing);
}

static void nothing(struct file *file) { }

/* Each allocation fails in turn: nothing is left of the attempt */
TEST(preserving_fails)
{
	expect_failures(fail_now, nothing);
}

TEST(freezing_fails)
{
	expect_failures(nothing, fail_later);
}

/* Damage. The file has three extents: 0 to 7, 16 to 23, and 32 to 39, never written */
static u64 damaged(void)
{
	struct file *file;

	start();
	file = sim_file(8, 0);
	sim_file_add(file, 16, 3);
	for (unsigned int i = 32; i < 40; i++)
		sim_file_allocate(file, i);
	i_size_write(file_inode(file), 40 * PAGE_SIZE);
	return hand_over(file);
}

/* What @left names must stay reserved; all that was read before is freed */
static void expect_damage(u64 data, int err, u64 left, const char *text)
{
	struct file *file = NULL;

	CHECK_EQ(err, sim_memfd_retrieve(data, &file));
	CHECK(!file);
	if (!CHECK(sim_logged(text)))
		printf("# %s\n", text);
	CHECK(sim_logged("it stays reserved"));
	CHECK(kho_preserved_order(PFN_PHYS(left)) >= 0);
	CHECK_PAGES();
	CHECK_EQ(0, sim_objects());
}

struct field {
	size_t offset, end;
};

#define FIELD_OF(...)	\
	((struct field){ offsetof(__VA_ARGS__), offsetofend(__VA_ARGS__) })
#define EXTENT(name)	FIELD_OF(struct memfd_luo_extent, name)
#define HEADER(name)	FIELD_OF(struct memfd_luo_v3_ser, name)

static void set_field(void *in, struct field field, u64 value)
{
	memcpy(in + field.offset, &value, field.end - field.offset);
}

/* When the file is retrieved, and when it is finished */
static void expect_damaged_extent(unsigned int nr, struct field field, u64 value,
				  const char *text)
{
	u64 data = damaged();
	u64 left = extent_at(data, nr)->pfn;

	set_field(extent_at(data, nr), field, value);
	expect_damage(data, -EINVAL, left, text);

	data = damaged();
	left = extent_at(data, nr)->pfn;
	set_field(extent_at(data, nr), field, value);
	sim_memfd_finish(data);
	CHECK(sim_logged(text));
	CHECK(kho_preserved_order(PFN_PHYS(left)) >= 0);
	CHECK_PAGES();
}

TEST(index)
{
	expect_damaged_extent(1, EXTENT(index), 0,
			      "8 pages at index 0, expected at most 16 from index 8 to 40");
	expect_damaged_extent(1, EXTENT(index), 40, "at index 40, expected");
	expect_damaged_extent(1, EXTENT(index), ~0ULL,
			      "at index 18446744073709551615, expected");
	expect_damaged_extent(1, EXTENT(index), 17, "not aligned to order 3");
}

TEST(page_frame)
{
	expect_damaged_extent(0, EXTENT(pfn), 0,
			      "8 pages at page frame 0x0, order 0, index 0, that are not preserved");
	expect_damaged_extent(0, EXTENT(pfn), ~0ULL, "page frame 0xffffffffffffffff");
	expect_damaged_extent(0, EXTENT(pfn), PHYS_PFN(SIM_END), "that are not preserved");
	expect_damaged_extent(1, EXTENT(pfn), 3,
			      "page frame 0x3, index 16, not aligned to order 3");
}

TEST(number_of_pages)
{
	expect_damaged_extent(0, EXTENT(nr_pages), 0, "extent of 0 pages");
	expect_damaged_extent(0, EXTENT(nr_pages), 9,
			      "extent of 8 pages at index 32, expected at most 7");
	expect_damaged_extent(0, EXTENT(nr_pages), U32_MAX, "extent of 4294967295 pages");
	expect_damaged_extent(1, EXTENT(nr_pages), 12, "12 pages");
	expect_damaged_extent(2, EXTENT(nr_pages), 16,
			      "extent of 16 pages at index 32, expected at most 8");
}

/* Then it has a page of another file, which comes back all the same */
TEST(too_long)
{
	struct file *file, *other;
	u64 data, kept;

	start();
	file = sim_file(8, 0);
	other = sim_file(1, 0);
	sim_file_add(file, 16, 0);
	i_size_write(file_inode(file), 17 * PAGE_SIZE);
	data = sim_memfd_preserve(file);
	kept = hand_over(other);
	CHECK_EQ(extent_at(data, 0)->pfn + 8, extent_at(kept, 0)->pfn);

	extent_at(data, 0)->nr_pages = 9;
	expect_damage(data, -EINVAL, extent_at(data, 1)->pfn,
		      "extent of 1 pages at index 16, expected at most 0");
	other = retrieve(kept);
	expect_pages(other, 0, 1);
	close_file(other);
}

TEST(order)
{
	expect_damaged_extent(0, EXTENT(order), 1,
			      "order 1, index 0, that are not preserved");
	expect_damaged_extent(1, EXTENT(order), 2,
			      "order 2, index 16, that are not preserved");
	expect_damaged_extent(1, EXTENT(order), 255, "order 255 at index 16");
}

TEST(flags)
{
	expect_damaged_extent(0, EXTENT(flags), 4,
			      "flags 0x4 at index 0, expected 0x1, 0x2 or none");
	expect_damaged_extent(0, EXTENT(flags), 3, "flags 0x3");
	expect_damaged_extent(0, EXTENT(flags), 2, "expected at most 0 from index");
	expect_damaged_extent(1, EXTENT(reserved), 1, "reserved 0x1");
}

/* The same memory twice: the second has nothing */
TEST(same_memory_twice)
{
	u64 data = damaged();
	u64 left = extent_at(data, 2)->pfn;

	extent_at(data, 2)->pfn = extent_at(data, 0)->pfn;
	expect_damage(data, -EINVAL, left, "index 32, that are not preserved");
}

TEST(pieces)
{
	u64 data = damaged();
	u64 left = extent_at(data, 0)->pfn;

	piece_at(data)->nr = MEMFD_LUO_EXTENTS_IN_FILE + 1;
	expect_damage(data, -EINVAL, left,
		      "8 extents in a piece with room for 7, 3 are left");

	data = damaged();
	left = extent_at(data, 0)->pfn;
	piece_at(data)->nr = 0;
	expect_damage(data, -EINVAL, left, "0 extents in a piece");

	data = damaged();
	left = extent_at(data, 2)->pfn;
	piece_at(data)->nr = 2;
	expect_damage(data, -EINVAL, left, "are not in preserved memory");

	data = damaged();
	left = extent_at(data, 0)->pfn;
	ser_at(data)->nr_extents = 0;
	expect_damage(data, -EINVAL, left, "3 extents in a piece with room for 7, 0 are left");
}

/* A page more extents than the description has room for, each of a page */
static u64 damaged_list(void)
{
	struct file *file;

	start();
	file = sim_file(0, 0);
	for (unsigned int i = 0; i < 20; i++)
		sim_file_add(file, 2 * i, 0);
	return hand_over(file);
}

static void expect_damaged_list(void (*damage)(struct memfd_luo_extents *first),
				const char *text)
{
	u64 data = damaged_list();

	damage(piece_at(data));
	expect_damage(data, -EINVAL, extent_at(data, 0)->pfn, text);
}

static void damage_address(struct memfd_luo_extents *first)
{
	first->next.phys += 8;
}

static void damage_number(struct memfd_luo_extents *first)
{
	KHOSER_LOAD_PTR(first->next)->nr = MEMFD_LUO_EXTENTS_IN_PIECE + 1;
}

static void damage_number_0(struct memfd_luo_extents *first)
{
	KHOSER_LOAD_PTR(first->next)->nr = 0;
}

/* A list that leads back to where it was */
static void damage_end(struct memfd_luo_extents *first)
{
	KHOSER_LOAD_PTR(first->next)->nr = 5;
	KHOSER_LOAD_PTR(first->next)->next = first->next;
}

TEST(list_of_pieces)
{
	expect_damaged_list(damage_address, "are not in preserved memory");
	expect_damaged_list(damage_number,
			    "171 extents in a piece with room for 170, 13 are left");
	expect_damaged_list(damage_number_0, "0 extents in a piece");
	expect_damaged_list(damage_end, "are not in preserved memory");
}

/* Nothing of the file is touched */
static void expect_bad_header(u64 data, int err, const char *text)
{
	phys_addr_t first = PFN_PHYS(extent_at(data, 0)->pfn);

	expect_damage(data, err, PHYS_PFN(first), text);
	CHECK_EQ(0, kho_preserved_order(data));
	sim_memfd_finish(data);
	CHECK_EQ(0, kho_preserved_order(data));
	CHECK(kho_preserved_order(first) >= 0);
}

static void expect_bad_field(u64 data, struct field field, u64 value, int err,
			     const char *text)
{
	struct memfd_luo_v3_ser good = *ser_at(data);

	set_field(ser_at(data), field, value);
	expect_bad_header(data, err, text);
	*ser_at(data) = good;
}

TEST(header)
{
	u64 data = damaged();

	expect_bad_field(data, HEADER(seals), 0x100, -EOPNOTSUPP,
			 "seals 0x100 and flags 0x1");
	expect_bad_field(data, HEADER(flags), 2, -EOPNOTSUPP, "flags 0x2");
	expect_bad_field(data, HEADER(size), 1ULL << 63, -EINVAL,
			 "memfd has 9223372036854775808 bytes");
	expect_bad_field(data, HEADER(pos), 1ULL << 63, -EINVAL,
			 "position 9223372036854775808");
	expect_bad_field(data, HEADER(mode), 0100644, -EINVAL,
			 "mode 0100644, permissions are at most 07777");
	expect_bad_field(data, HEADER(uid), -1, -EINVAL, "owner 4294967295");
	expect_bad_field(data, HEADER(gid), -1, -EINVAL, "group 4294967295");
	expect_bad_field(data, HEADER(reserved), 1, -EINVAL,
			 "memfd has 0x1 where 0 is expected");
	expect_bad_field(data, HEADER(nr_pages), 1ULL << 40, -EINVAL,
			 "memfd has 1099511627776 pages");
	expect_bad_field(data, HEADER(nr_poisoned), 1ULL << 40, -EINVAL,
			 "1099511627776 poisoned ones");
	expect_bad_field(data, HEADER(nr_extents), 25, -EINVAL, "24 pages in 25 extents");

	memset(ser_at(data)->name, 'x', sizeof(ser_at(data)->name));
	expect_damage(data, -EINVAL, extent_at(data, 0)->pfn, "a name of more than 255 bytes");
	ser_at(data)->name[3] = 0;
	close_file(retrieve(data));
}

TEST(numbers_do_not_add_up)
{
	u64 data = damaged();

	ser_at(data)->nr_pages = 25;
	CHECK_EQ(-EINVAL, sim_memfd_retrieve(data, &(struct file *){ NULL }));
	CHECK(sim_logged("memfd has extents of 24 pages and 0 poisoned ones, expected 25 and 0"));
	CHECK_PAGES();

	data = damaged();
	ser_at(data)->nr_pages = 16;
	CHECK_EQ(-EINVAL, sim_memfd_retrieve(data, &(struct file *){ NULL }));
	CHECK(sim_logged("expected at most 0 from index 24 to 40"));
	CHECK_PAGES();

	data = damaged();
	ser_at(data)->nr_poisoned = 1;
	CHECK_EQ(-EINVAL, sim_memfd_retrieve(data, &(struct file *){ NULL }));
	CHECK(sim_logged("24 pages and 0 poisoned ones, expected 24 and 1"));
	CHECK_PAGES();
}

TEST(state_is_nowhere)
{
	struct file *file = NULL;

	start();
	hand_over(sim_file(1, 0));
	CHECK_EQ(-EINVAL, sim_memfd_retrieve(SIM_END, &file));
	CHECK_EQ(-EINVAL, sim_memfd_retrieve(0, &file));
	CHECK_EQ(-EINVAL, sim_memfd_retrieve(~0ULL, &file));
	CHECK(sim_logged("state of a memfd at 0xffffffffffffffff is not in preserved memory"));
	CHECK_MACHINE();
}

/* There and back in the other version, and there again: each reads what it finds */
TEST(version_2_between)
{
	struct file *file;
	u64 data;

	start();
	file = sim_file(9, 0);
	file = retrieve(hand_over(file));
	sim_memfd_version = 2;
	data = sim_memfd_preserve(file);
	sim_reboot();
	sim_memfd_version = 2;
	CHECK_EQ(0, sim_memfd_retrieve(data, &file));
	expect_pages(file, 0, 9);
	sim_memfd_version = 3;
	file = retrieve(hand_over(file));
	expect_pages(file, 0, 9);
	close_file(file);
}
