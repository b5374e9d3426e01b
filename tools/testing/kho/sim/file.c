// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files in memory, as memfd sees shmem: an inode with folios by index. Every
 * misuse that the page cache would take for a bug is one here, too.
 */

#include <linux/liveupdate.h>

#include "internal.h"

#define MAX_FOLIOS	64

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
};

static struct sim_file *of_file(struct file *file)
{
	return container_of(file, struct sim_file, file);
}

static struct sim_file *of_inode(struct inode *inode)
{
	return container_of(inode, struct sim_file, inode);
}

struct file *memfd_alloc_file(const char *name, unsigned int flags)
{
	struct sim_file *f = kzalloc_obj(*f);

	if (!f)
		return ERR_PTR(-ENOMEM);

	f->file.f_inode = &f->inode;
	f->inode.i_mapping = &f->inode;
	f->inode.host = &f->inode;
	return &f->file;
}

int memfd_add_seals(struct file *file, unsigned int seals)
{
	of_file(file)->seals |= seals;
	return 0;
}

int memfd_get_seals(struct file *file)
{
	return of_file(file)->seals;
}

/* Closes the file, which frees what is in it */
void fput(struct file *file)
{
	struct sim_file *f = of_file(file);

	for (unsigned int i = 0; i < f->nr; i++)
		folio_put(f->folios[i].folio);
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
	f->folios[f->nr++] = (struct sim_folio){ folio, index };
	return 0;
}

void filemap_remove_folio(struct folio *folio)
{
	sim_bug("nothing fails that late", folio_pfn(folio));
}

/* As far as KHO asks: the folios that are there, and they are all */
long memfd_pin_folios(struct file *file, loff_t start, loff_t end,
		      struct folio **folios, unsigned int max, u64 *offset)
{
	struct sim_file *f = of_file(file);

	for (unsigned int i = 0; i < f->nr; i++)
		folios[i] = f->folios[i].folio;
	return f->nr;
}

/* A file with @nr folios of 2^@order pages, each with its index in it */
struct file *sim_file(unsigned int nr, unsigned int order)
{
	struct file *file = memfd_alloc_file("", 0);
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

/* The one handler that there is, registered when it is first asked for */
static const struct liveupdate_file_handler *handler;

int liveupdate_register_file_handler(struct liveupdate_file_handler *fh)
{
	handler = fh;
	return 0;
}

static const struct liveupdate_file_ops *file_ops(void)
{
	if (!handler)
		sim_memfd_luo_init();
	return handler->ops;
}

/* As LUO does for a file of a session; the state that goes to the next kernel */
u64 sim_memfd_preserve(struct file *file)
{
	struct liveupdate_file_op_args args = { .file = file };

	if (file_ops()->preserve(&args) || file_ops()->freeze(&args))
		sim_bug("memfd cannot be preserved", 0);
	return args.serialized_data;
}

int sim_memfd_retrieve(u64 data, struct file **file)
{
	struct liveupdate_file_op_args args = { .serialized_data = data };
	int err = file_ops()->retrieve(&args);

	*file = args.file;
	return err;
}

void sim_memfd_finish(u64 data)
{
	struct liveupdate_file_op_args args = { .serialized_data = data };

	file_ops()->finish(&args);
}
