// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files: those in memory, as memfd sees shmem, are an inode with folios by index,
 * and every misuse that the page cache would take for a bug is one here, too.
 * Others have operations. File descriptors are those of the one process there is.
 */

#include "internal.h"

#define MAX_FOLIOS	512
#define MAX_FDS		64
#define SIM_ALL_SEALS	0x3f

struct sim_folio {
	struct folio *folio;
	u64 index;
	unsigned int order;		/* of what is in swap */
};

struct sim_file {
	struct inode inode;
	struct file file;
	struct dentry dentry;
	struct sim_folio folios[MAX_FOLIOS];	/* in the order of their indices */
	unsigned int nr;
	unsigned int seals;
};

static long committed, commit_limit = LONG_MAX;

static struct sim_file *of_file(struct file *file)
{
	return container_of(file, struct sim_file, file);
}

static struct sim_file *of_inode(struct inode *inode)
{
	return container_of(inode, struct sim_file, inode);
}

static struct file_system_type simfs = { .name = "simfs" };
static struct super_block simfs_sb = { .s_type = &simfs };

bool sim_memfds_are_shmem = true;
int sim_file_error;

struct file *memfd_alloc_file(const char *name, unsigned int flags)
{
	struct sim_file *f;

	if (sim_file_error)
		return ERR_PTR(sim_file_error);

	f = kzalloc_obj(*f);
	if (!f)
		return ERR_PTR(-ENOMEM);

	f->file.f_inode = &f->inode;
	f->file.f_mapping = &f->inode;
	f->file.f_path.dentry = &f->dentry;
	strscpy(f->dentry.name, name);
	f->inode.i_mapping = &f->inode;
	f->inode.host = &f->inode;
	f->inode.i_sb = &simfs_sb;
	f->inode.i_mode = 0777;
	f->file.refs = 1;
	if (flags & MFD_NOEXEC_SEAL) {
		f->inode.i_mode &= ~0111;
		f->seals = F_SEAL_EXEC;
	} else if (!(flags & MFD_ALLOW_SEALING)) {
		f->seals = F_SEAL_SEAL;
	}
	return &f->file;
}

struct file *anon_inode_getfile(const char *name, const struct file_operations *fops,
				void *private_data, int flags)
{
	struct file *file = memfd_alloc_file(name, 0);

	if (IS_ERR(file))
		return file;

	file->f_op = fops;
	file->private_data = private_data;
	return file;
}

/* A file that may be executed is not written to any more once it must stay so */
int memfd_add_seals(struct file *file, unsigned int seals)
{
	struct sim_file *f = of_file(file);

	if (seals & ~SIM_ALL_SEALS)
		return -EINVAL;
	if (f->seals & F_SEAL_SEAL)
		return -EPERM;

	if (seals & F_SEAL_EXEC && f->inode.i_mode & 0111)
		seals |= F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE |
			 F_SEAL_FUTURE_WRITE;
	f->seals |= seals;
	return 0;
}

int memfd_get_seals(struct file *file)
{
	return of_file(file)->seals;
}

struct file *get_file(struct file *file)
{
	file->refs++;
	return file;
}

struct user_namespace init_user_ns;

int shmem_inode_acct_blocks(struct inode *inode, long nr)
{
	if (nr > commit_limit - committed)
		return -ENOSPC;

	committed += nr;
	inode->blocks += nr;
	return 0;
}

void shmem_count_marker(struct inode *inode)
{
	inode->swapped++;
}

void shmem_recalc_inode(struct inode *inode, long alloced, long swapped)
{
	long freed;

	inode->alloced += alloced;
	inode->swapped += swapped;
	freed = inode->alloced - inode->swapped - (long)inode->nrpages;
	if (freed > 0) {
		inode->alloced -= freed;
		inode->blocks -= freed;
		committed -= freed;
	}
}

/* For pages that have just been added to a file, whatever the limit is */
static void account(struct inode *inode, long nr)
{
	committed += nr;
	inode->blocks += nr;
	shmem_recalc_inode(inode, nr, 0);
}

void folio_lock(struct folio *folio)
{
	if (folio->page.locked)
		sim_bug("folio locked twice", folio_pfn(folio));
	folio->page.locked = true;
}

void folio_unlock(struct folio *folio)
{
	if (!folio->page.locked)
		sim_bug("folio unlocked that is not locked", folio_pfn(folio));
	folio->page.locked = false;
}

int try_grab_folio(struct folio *folio, int refs, unsigned int flags)
{
	folio->page.pins += refs;
	return 0;
}

void unpin_folio(struct folio *folio)
{
	if (!folio->page.pins)
		sim_bug("folio unpinned that is not pinned", folio_pfn(folio));
	folio->page.pins--;
}

void unpin_folios(struct folio **folios, unsigned long nr)
{
	while (nr--)
		unpin_folio(*folios++);
}

static unsigned long slot_pages(const struct sim_folio *slot)
{
	return xa_is_value(slot->folio) ? 1UL << slot->order :
					  folio_nr_pages(slot->folio);
}

/* What was in a slot is not in the file any more */
static void release_slot(struct sim_file *f, struct sim_folio *slot)
{
	if (xa_is_value(slot->folio)) {
		f->inode.swapped -= slot_pages(slot);
		return;
	}

	f->inode.nrpages -= folio_nr_pages(slot->folio);
	slot->folio->mapping = NULL;
	folio_put(slot->folio);
}

/* With the last reference goes what is in the file */
void fput(struct file *file)
{
	struct sim_file *f = of_file(file);

	if (!file->refs)
		sim_bug("reference to a file put that nobody has", (unsigned long)file);
	if (--file->refs)
		return;

	if (file->f_op)
		file->f_op->release(file_inode(file), file);
	for (unsigned int i = 0; i < f->nr; i++)
		release_slot(f, &f->folios[i]);
	shmem_recalc_inode(&f->inode, 0, 0);
	if (f->inode.blocks || f->inode.alloced)
		sim_bug("file is gone, pages are still accounted", f->inode.blocks);
	kfree(f);
}

static struct sim_folio *find_slot(struct sim_file *f, u64 index)
{
	for (unsigned int i = 0; i < f->nr; i++) {
		if (index - f->folios[i].index < slot_pages(&f->folios[i]))
			return &f->folios[i];
	}

	return NULL;
}

static int add_slot(struct sim_file *f, void *entry, u64 index)
{
	struct sim_folio slot = { entry, index, 0 };
	unsigned int i;

	for (i = f->nr; i && f->folios[i - 1].index >= index; i--)
		;
	if ((i && index < f->folios[i - 1].index + slot_pages(&f->folios[i - 1])) ||
	    (i < f->nr && f->folios[i].index < index + slot_pages(&slot)))
		return -EEXIST;
	if (f->nr == MAX_FOLIOS)
		return -ENOMEM;

	memmove(&f->folios[i + 1], &f->folios[i], (f->nr - i) * sizeof(slot));
	f->folios[i] = slot;
	f->nr++;
	return 0;
}

int shmem_add_to_page_cache(struct folio *folio, struct inode *mapping,
			    u64 index, void *shadow, gfp_t gfp)
{
	int err;

	if (!IS_ALIGNED(index, folio_nr_pages(folio)))
		sim_bug("folio in the page cache is not aligned", index);
	if (!folio->page.locked)
		sim_bug("folio added to the page cache that is not locked", index);
	err = add_slot(of_inode(mapping), folio, index);
	if (err)
		return err;

	folio->page.count++;
	folio->index = index;
	folio->mapping = mapping;
	mapping->nrpages += folio_nr_pages(folio);
	return 0;
}

unsigned int shmem_add_folios(struct inode *mapping, u64 index,
			      struct folio **folios, unsigned int nr, gfp_t gfp)
{
	for (unsigned int i = 0; i < nr; i++) {
		struct folio *folio = folios[i];

		if (folio_order(folio) || folio->page.count != 1)
			sim_bug("page is not a folio of its own", index + i);
		if (add_slot(of_inode(mapping), folio, index + i))
			return i;
		folio->index = index + i;
		folio->mapping = mapping;
		mapping->nrpages++;
	}

	return nr;
}

int xa_insert_irq(struct sim_xarray *xa, unsigned long index, void *entry, gfp_t gfp)
{
	return add_slot(of_inode(container_of(xa, struct inode, i_pages)), entry, index);
}

int xa_get_order(struct sim_xarray *xa, unsigned long index)
{
	struct sim_folio *slot;

	slot = find_slot(of_inode(container_of(xa, struct inode, i_pages)), index);
	return slot ? ilog2(slot_pages(slot)) : 0;
}

void *xa_find(struct sim_xarray *xa, unsigned long *index, unsigned long max, int mark)
{
	struct sim_file *f = of_inode(container_of(xa, struct inode, i_pages));

	for (unsigned int i = 0; i < f->nr; i++) {
		if (f->folios[i].index + slot_pages(&f->folios[i]) > *index)
			return f->folios[i].folio;
	}

	return NULL;
}

/* What files retrieved from now on may have in all */
void sim_commit_at_most(long nr_pages)
{
	committed = 0;
	commit_limit = nr_pages;
}

long sim_committed(void)
{
	return committed;
}

static struct folio *replaced;

/*
 * The folio at @index is replaced once it has been pinned, in the next file that
 * is; whoever sees it then sees the one that is not in the file any more.
 */
static bool replace_pinned;
static unsigned int replace_index;

void sim_replace_pinned(unsigned int index)
{
	replace_pinned = true;
	replace_index = index;
}

/* True if what was replaced is preserved */
phys_addr_t sim_replaced(void)
{
	return page_to_phys(&replaced->page);
}

static void swap_folio(struct sim_folio *slot, struct folio *by)
{
	struct folio *was = slot->folio;

	memcpy(folio_address(by), folio_address(was), folio_size(was));
	by->index = was->index;
	by->mapping = was->mapping;
	by->page.uptodate = was->page.uptodate;
	by->page.dirty = was->page.dirty;
	was->mapping = NULL;
	slot->folio = by;
}

static void replace_folio(struct sim_file *f)
{
	struct sim_folio *slot = &f->folios[replace_index];

	replace_pinned = false;
	replaced = slot->folio;
	swap_folio(slot, folio_alloc(GFP_KERNEL, folio_order(slot->folio)));
}

static struct folio *add_zeroes(struct sim_file *f, u64 index, bool uptodate)
{
	struct folio *folio = folio_alloc(GFP_KERNEL | __GFP_ZERO, 0);
	int err;

	if (!folio)
		return NULL;

	folio_lock(folio);
	err = shmem_add_to_page_cache(folio, &f->inode, index, NULL, 0);
	folio_unlock(folio);
	folio_put(folio);
	if (err)
		sim_bug("page cannot be added to a file", index);
	folio->page.uptodate = uptodate;
	account(&f->inode, 1);
	return folio;
}

/* What was swapped out at once is read page by page */
static void split_entry(struct sim_file *f, struct sim_folio *slot)
{
	u64 index = slot->index, value = radix_to_swp_entry(slot->folio).val >> 1;
	unsigned int nr = slot_pages(slot);

	if (f->nr + nr - 1 > MAX_FOLIOS)
		sim_bug("entry in swap has too many pages", nr);

	memmove(slot + nr, slot + 1, (char *)&f->folios[f->nr] - (char *)(slot + 1));
	f->nr += nr - 1;
	for (unsigned int i = 0; i < nr; i++) {
		swp_entry_t entry = { (value + i) << 1 };

		slot[i] = (struct sim_folio){ swp_to_radix_entry(entry), index + i, 0 };
	}
}

/* What the swap device has of a page is its number */
static void read_from_swap(struct sim_file *f, struct sim_folio *slot)
{
	u64 index = slot->index, value = radix_to_swp_entry(slot->folio).val >> 1;

	f->inode.swapped--;
	f->inode.alloced--;
	f->inode.blocks--;
	committed--;
	f->nr--;
	memmove(slot, slot + 1, (char *)&f->folios[f->nr] - (char *)slot);
	*(unsigned int *)folio_address(add_zeroes(f, index, true)) = value;
}

/* Holes are filled, what is in swap is read, and what is movable is moved */
long memfd_pin_folios(struct file *file, loff_t start, loff_t end,
		      struct folio **folios, unsigned int max, u64 *offset)
{
	struct sim_file *f = of_file(file);
	u64 index = PHYS_PFN(start);
	unsigned int nr;

	if (start > end || end >= i_size_read(&f->inode))
		return -EINVAL;

	for (nr = 0; nr < max && index <= PHYS_PFN(end); nr++) {
		struct sim_folio *slot = find_slot(f, index);
		struct folio *was;

		if (slot && slot->order) {
			split_entry(f, slot);
			slot = find_slot(f, index);
		}
		if (slot && xa_is_value(slot->folio))
			read_from_swap(f, slot);
		else if (!slot && !add_zeroes(f, index, true))
			return -ENOMEM;
		slot = find_slot(f, index);
		was = slot->folio;
		if (was->page.movable) {
			if (was->page.count > 1)
				sim_bug("folio cannot be moved, it has references", index);
			swap_folio(slot, folio_alloc(GFP_KERNEL, folio_order(was)));
			folio_put(was);
		}
		folios[nr] = slot->folio;
		slot->folio->page.pins++;
		index = folio_next_index(slot->folio);
	}
	if (replace_pinned)
		replace_folio(f);
	return nr;
}

/* A reference to each folio, and what has been found of those that are none */
bool folio_test_locked(struct folio *folio)
{
	return replace_pinned;
}

const unsigned long *const_folio_flags(const struct folio *folio, unsigned int n)
{
	static unsigned long flags;

	flags = (replace_pinned ? BIT(PG_locked) : 0) |
		(folio->page.uptodate ? BIT(PG_uptodate) : 0) |
		(folio->page.dirty ? BIT(PG_dirty) : 0) |
		(folio->page.order ? BIT(PG_head) : 0) |
		(folio->page.poisoned ? BIT(PG_hwpoison) : 0);
	return &flags;
}

void *sim_xas_next(struct xa_state *xas, unsigned long max)
{
	struct sim_file *f = of_inode(container_of(xas->xa, struct inode, i_pages));

	for (unsigned int i = 0; i < f->nr; i++) {
		const struct sim_folio *slot = &f->folios[i];

		if (slot->index + slot_pages(slot) <= xas->index)
			continue;
		if (slot->index > max)
			return NULL;
		xas->index = slot->index + slot_pages(slot);
		return slot->folio;
	}

	return NULL;
}

unsigned int find_get_entries(struct inode *mapping, pgoff_t *start, pgoff_t end,
			      struct folio_batch *batch, pgoff_t *indices)
{
	struct sim_file *f = of_inode(mapping);
	pgoff_t from = *start;

	for (unsigned int i = 0; i < f->nr && batch->nr < FOLIO_BATCH_SIZE; i++) {
		const struct sim_folio *slot = &f->folios[i];

		if (slot->index + slot_pages(slot) <= from || slot->index > end)
			continue;
		indices[batch->nr] = max(slot->index, from);
		batch->folios[batch->nr++] = slot->folio;
		if (!xa_is_value(slot->folio))
			slot->folio->page.count++;
		*start = slot->index + slot_pages(slot);
	}
	if (replace_pinned && batch->nr)
		replace_folio(f);

	return batch->nr;
}

/* Each page a folio of its own; as often as there are pages, somebody has them */
int split_folio(struct folio *folio)
{
	struct sim_file *f = of_inode(folio->mapping);
	struct sim_folio *slot = find_slot(f, folio->index);
	unsigned int nr = folio_nr_pages(folio);
	struct page *page = &folio->page;
	u64 index = folio->index;
	bool uptodate = page->uptodate;

	if (page->pins)
		return -EBUSY;
	if (f->nr + nr - 1 > MAX_FOLIOS)
		return -ENOMEM;

	memmove(slot + nr, slot + 1, (char *)&f->folios[f->nr] - (char *)(slot + 1));
	f->nr += nr - 1;
	for (unsigned int i = 0; i < nr; i++) {
		page[i].order = 0;
		page[i].back = 0;
		page[i].uptodate = uptodate;
		page[i].dirty = true;
		page[i].__index = index + i;
		page[i].__mapping = &f->inode;
		if (i)
			page[i].count = 1;
		slot[i] = (struct sim_folio){ (struct folio *)&page[i], index + i, 0 };
	}
	return 0;
}

/* In the order of their indices, as all files here are made */
unsigned int filemap_get_folios(struct inode *mapping, pgoff_t *start, pgoff_t end,
				struct folio_batch *batch)
{
	struct sim_file *f = of_inode(mapping);

	batch->nr = 0;
	for (unsigned int i = 0; i < f->nr; i++) {
		const struct sim_folio *sf = &f->folios[i];

		if (sf->index < *start || sf->index > end || xa_is_value(sf->folio))
			continue;
		if (batch->nr == ARRAY_SIZE(batch->folios))
			break;
		batch->folios[batch->nr++] = sf->folio;
		*start = sf->index + folio_nr_pages(sf->folio);
	}

	return batch->nr;
}

/* A folio at @index of a file, with the index of each page in it */
void sim_file_add(struct file *file, u64 index, unsigned int order)
{
	struct folio *folio = folio_alloc(GFP_KERNEL, order);
	struct inode *inode = file_inode(file);
	int err;

	for (unsigned int i = 0; i < 1U << order; i++)
		*(unsigned int *)(folio_address(folio) + i * PAGE_SIZE) = index + i;
	folio_lock(folio);
	err = shmem_add_to_page_cache(folio, inode, index, NULL, 0);
	folio_mark_uptodate(folio);
	folio_unlock(folio);
	folio_put(folio);
	if (err)
		sim_bug("folio cannot be added to a file", index);
	account(inode, 1 << order);
	i_size_write(inode, max_t(loff_t, i_size_read(inode),
				  PFN_PHYS(index + (1 << order))));
}

/* As fallocate() leaves it */
void sim_file_allocate(struct file *file, u64 index)
{
	add_zeroes(of_file(file), index, false);
}

/* A folio that is written out; the value of its first page when it is read is @value */
void sim_file_swap_out(struct file *file, u64 index, unsigned int value)
{
	struct sim_file *f = of_file(file);
	struct sim_folio *slot = find_slot(f, index);

	f->inode.swapped += slot_pages(slot);
	f->inode.nrpages -= slot_pages(slot);
	slot->order = folio_order(slot->folio);
	folio_put(slot->folio);
	slot->folio = swp_to_radix_entry(((swp_entry_t){ (u64)value << 1 }));
}

/* A file with @nr folios of 2^@order pages, each with its index in it */
struct file *sim_file(unsigned int nr, unsigned int order)
{
	struct file *file = memfd_alloc_file("memfd:sim", MFD_ALLOW_SEALING);

	for (unsigned int i = 0; i < nr; i++)
		sim_file_add(file, (u64)i << order, order);
	return file;
}

/* The folio at an index, or a value; %NULL if there is none */
struct folio *sim_file_entry(struct file *file, u64 index)
{
	struct sim_folio *slot = find_slot(of_file(file), index);

	return slot ? slot->folio : NULL;
}

/* What is at an index, %NULL if nothing is */
void *sim_file_page(struct file *file, u64 index)
{
	struct folio *folio = sim_file_entry(file, index);

	return folio && !xa_is_value(folio) ?
	       folio_address(folio) + PFN_PHYS(index - folio->index) : NULL;
}

/* Descriptors; one that is being made has no file yet */
static struct file making;
static struct file *fds[MAX_FDS];

int get_unused_fd_flags(unsigned int flags)
{
	for (unsigned int fd = 0; fd < MAX_FDS; fd++) {
		if (!fds[fd]) {
			fds[fd] = &making;
			return fd;
		}
	}

	return -EMFILE;
}

void put_unused_fd(unsigned int fd)
{
	if (fds[fd] != &making)
		sim_bug("descriptor given back that is in use", fd);
	fds[fd] = NULL;
}

void fd_install(unsigned int fd, struct file *file)
{
	if (fds[fd] != &making)
		sim_bug("descriptor used that is not being made", fd);
	fds[fd] = file;
}

/* The file of a descriptor, without a reference of its own */
struct file *sim_fd_file(unsigned int fd)
{
	return fd < MAX_FDS && fds[fd] != &making ? fds[fd] : NULL;
}

struct file *fget(unsigned int fd)
{
	struct file *file = sim_fd_file(fd);

	return file ? get_file(file) : NULL;
}

/* Gives the reference to @file to a new descriptor */
int sim_open(struct file *file)
{
	int fd = get_unused_fd_flags(0);

	if (fd < 0)
		sim_bug("too many open files", MAX_FDS);
	fd_install(fd, file);
	return fd;
}

void sim_close(unsigned int fd)
{
	struct file *file = sim_fd_file(fd);

	if (!file)
		sim_bug("descriptor closed that is not open", fd);
	fds[fd] = NULL;
	fput(file);
}

/* An array is enough of an xarray */

int xa_insert(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp)
{
	int free = -ENOMEM;

	for (int i = ARRAY_SIZE(xa->slots) - 1; i >= 0; i--) {
		if (!xa->slots[i].entry)
			free = i;
		else if (xa->slots[i].index == index)
			return -EBUSY;
	}
	if (free < 0)
		return free;

	xa->slots[free].index = index;
	xa->slots[free].entry = entry;
	return 0;
}

void *xa_erase(struct xarray *xa, unsigned long index)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(xa->slots); i++) {
		void *entry = xa->slots[i].entry;

		if (entry && xa->slots[i].index == index) {
			xa->slots[i].entry = NULL;
			return entry;
		}
	}

	return NULL;
}
