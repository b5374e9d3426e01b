// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files: those in memory, as memfd sees shmem, are an inode with folios by index,
 * and every misuse that the page cache would take for a bug is one here, too.
 * Others have operations. File descriptors are those of the one process there is.
 */

#include "internal.h"

#define MAX_FOLIOS	64
#define MAX_FDS		64
#define SIM_ALL_SEALS	0x3f

struct sim_folio {
	struct folio *folio;
	u64 index;
};

struct sim_file {
	struct inode inode;
	struct file file;
	struct sim_folio folios[MAX_FOLIOS];
	unsigned int nr;
	unsigned int seals;
	long accounted;		/* of @committed, in pages */
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
		folio_put(f->folios[i].folio);
	committed -= f->accounted;
	kfree(f);
}

int shmem_add_to_page_cache(struct folio *folio, struct inode *mapping,
			    u64 index, void *shadow, gfp_t gfp)
{
	struct sim_file *f = of_inode(mapping);

	if (!IS_ALIGNED(index, folio_nr_pages(folio)))
		sim_bug("folio in the page cache is not aligned", index);
	for (unsigned int i = 0; i < f->nr; i++) {
		u64 first = f->folios[i].index;

		if (index < first + folio_nr_pages(f->folios[i].folio) &&
		    first < index + folio_nr_pages(folio))
			return -EEXIST;
	}
	if (f->nr == MAX_FOLIOS)
		return -ENOMEM;

	folio->page.count++;
	folio->index = index;
	folio->mapping = mapping;
	mapping->nrpages += folio_nr_pages(folio);
	f->folios[f->nr++] = (struct sim_folio){ folio, index };
	return 0;
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

int shmem_inode_acct_blocks(struct inode *inode, long nr)
{
	if (nr > commit_limit - committed)
		return -ENOSPC;

	committed += nr;
	return 0;
}

void shmem_recalc_inode(struct inode *inode, long nr, long swapped)
{
	struct sim_file *f = of_inode(inode);
	long freed = max(0L, f->accounted + nr - (long)inode->nrpages);

	f->accounted += nr - freed;
	committed -= freed;
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

/* What was replaced: is it preserved? */
phys_addr_t sim_replaced(void)
{
	return page_to_phys(&replaced->page);
}

static void replace_folio(struct sim_file *f)
{
	struct sim_folio *slot = &f->folios[replace_index];
	struct folio *folio = folio_alloc(GFP_KERNEL, folio_order(slot->folio));

	replace_pinned = false;
	replaced = slot->folio;
	replaced->mapping = NULL;
	memcpy(folio_address(folio), folio_address(replaced), PAGE_SIZE);
	folio->index = replaced->index;
	folio->mapping = &f->inode;
	slot->folio = folio;
}

/* As far as KHO asks: the folios that are there, and they are all */
long memfd_pin_folios(struct file *file, loff_t start, loff_t end,
		      struct folio **folios, unsigned int max, u64 *offset)
{
	struct sim_file *f = of_file(file);

	for (unsigned int i = 0; i < f->nr; i++)
		folios[i] = f->folios[i].folio;
	if (replace_pinned)
		replace_folio(f);
	return f->nr;
}

/* In the order of their indices, as all files here are made */
unsigned int filemap_get_folios(struct inode *mapping, pgoff_t *start, pgoff_t end,
				struct folio_batch *batch)
{
	struct sim_file *f = of_inode(mapping);

	batch->nr = 0;
	for (unsigned int i = 0; i < f->nr; i++) {
		const struct sim_folio *sf = &f->folios[i];

		if (sf->index < *start || sf->index > end)
			continue;
		if (batch->nr == ARRAY_SIZE(batch->folios))
			break;
		batch->folios[batch->nr++] = sf->folio;
		*start = sf->index + folio_nr_pages(sf->folio);
	}

	return batch->nr;
}

/* A file with @nr folios of 2^@order pages, each with its index in it */
struct file *sim_file(unsigned int nr, unsigned int order)
{
	struct file *file = memfd_alloc_file("", MFD_ALLOW_SEALING);
	struct inode *inode = file_inode(file);

	for (unsigned int i = 0; i < nr; i++) {
		struct folio *folio = folio_alloc(GFP_KERNEL, order);

		*(unsigned int *)folio_address(folio) = i << order;
		if (shmem_add_to_page_cache(folio, inode, i << order, NULL, 0))
			sim_bug("too many folios", nr);
		folio_put(folio);
	}
	i_size_write(inode, (u64)nr << (order + PAGE_SHIFT));
	return file;
}

/* What is at an index, %NULL if nothing is */
void *sim_file_page(struct file *file, u64 index)
{
	struct sim_file *f = of_file(file);

	for (unsigned int i = 0; i < f->nr; i++) {
		if (index - f->folios[i].index < folio_nr_pages(f->folios[i].folio))
			return folio_address(f->folios[i].folio) +
			       PFN_PHYS(index - f->folios[i].index);
	}

	return NULL;
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
