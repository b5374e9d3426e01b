/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Kexec Handover: memory and state that the next kernel finds again.
 *
 * The first group of functions is for users: they preserve folios, ranges of
 * pages, vmalloc areas and named blobs before kexec and get them back after
 * it. The second group is called by architecture and memory setup.
 *
 * Takes the place of the file of this name in Linux 7.3.
 */
#ifndef LINUX_KEXEC_HANDOVER_H
#define LINUX_KEXEC_HANDOVER_H

#include <linux/err.h>
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/types.h>

#include <asm-generic/kexec_handover.h>

struct folio;
struct kho_vmalloc;
struct page;

/* Pages may be spread over so many zones and are still accounted for in batches */
#define KHO_BATCH_ZONES	4

/**
 * struct kho_restore_batch - folios that are restored one after the other
 * @zone: what has not been accounted for, the zone of the last folio first.
 * @zone.page: a page of the zone.
 * @zone.nr_pages: how many.
 * @open: something has been restored, or tried; memory stays online until it ends.
 *
 * Private to kho_restore_folio_batch() and similar functions. It is on the stack of
 * the caller, zeroed at first.
 */
struct kho_restore_batch {
	struct {
		struct page *page;
		unsigned long nr_pages;
	} zone[KHO_BATCH_ZONES];
	bool open;
};

/**
 * struct kho_extent - contiguous pages that are preserved together
 * @pfn: page frame number of the first one.
 * @nr_pages: how many, a multiple of the size of a folio.
 * @order: of the folios that they are; 0: they are pages of their own, and restored
 *	by kho_restore_pages() with the same number.
 */
struct kho_extent {
	unsigned long pfn;
	unsigned long nr_pages;
	unsigned int order;
};

#ifdef CONFIG_KEXEC_HANDOVER

bool kho_is_enabled(void);
bool is_kho_boot(void);

int kho_preserve_folio(struct folio *folio);
void kho_unpreserve_folio(struct folio *folio);
struct folio *kho_restore_folio(phys_addr_t phys);

int kho_preserve_folios(struct folio **folios, unsigned long nr);
void kho_unpreserve_folios(struct folio **folios, unsigned long nr);
struct folio *kho_restore_folio_batch(struct kho_restore_batch *batch,
				      phys_addr_t phys);
void kho_restore_batch_end(struct kho_restore_batch *batch);

unsigned long kho_preservable_pages(void);
unsigned long kho_find_poison(unsigned long pfn, unsigned long nr_pages);
int kho_preserve_extents(const struct kho_extent *extents, unsigned int nr);
void kho_unpreserve_extents(const struct kho_extent *extents, unsigned int nr);
int kho_preserve_pages(struct page *page, unsigned long nr_pages);
void kho_unpreserve_pages(struct page *page, unsigned long nr_pages);
struct page *kho_restore_pages(phys_addr_t phys, unsigned long nr_pages);
struct page *kho_restore_pages_batch(struct kho_restore_batch *batch,
				     phys_addr_t phys, unsigned long nr_pages);
int kho_preserved_order(phys_addr_t phys);
unsigned long kho_held_kib(void);
void kho_hold_back(const char *what, int err);

void *kho_vcalloc(size_t n, size_t size, gfp_t gfp);
int kho_preserve_vmalloc(void *ptr, struct kho_vmalloc *preservation);
void kho_unpreserve_vmalloc(struct kho_vmalloc *preservation);
void *kho_restore_vmalloc(const struct kho_vmalloc *preservation);
void *kho_restore_vmalloc_sized(const struct kho_vmalloc *preservation, u64 nr,
				size_t size, struct kho_restore_batch *batch);

void *kho_alloc_preserve(size_t size);
void kho_unpreserve_free(void *mem);
void kho_restore_free(void *mem);
bool kho_restore_free_batch(struct kho_restore_batch *batch, void *mem);

int kho_add_subtree(const char *name, void *blob, size_t size);
void kho_remove_subtree(void *blob);
int kho_retrieve_subtree(const char *name, phys_addr_t *phys, size_t *size);

void kho_populate(phys_addr_t fdt_phys, u64 fdt_len,
		  phys_addr_t scratch_phys, u64 scratch_len);
void kho_memory_known(void);
void kho_memory_init_early(void);
void kho_memory_init(void);

bool kho_next_unpreserved(unsigned long *from, unsigned long *to,
			  unsigned long end);
unsigned long kho_count_preserved(unsigned long pfn, unsigned long end);
unsigned long kho_preserved_word(unsigned long pfn);
void kho_init_late_pages(unsigned long pfn, unsigned long end);
void kho_init_late_pages_done(void);

bool kho_scratch_overlap(phys_addr_t phys, size_t size);

phys_addr_t kho_crash_alloc(phys_addr_t size, phys_addr_t align,
			    phys_addr_t start, phys_addr_t end);
void kho_crash_shrunk(void);

/*
 * Scratch goes to the page allocator as CMA: what lands there must be movable,
 * or the next image could not be loaded into it.
 */
static inline enum migratetype kho_scratch_migratetype(unsigned long pfn,
						       enum migratetype mt)
{
	phys_addr_t start = PFN_PHYS(pfn);

	return kho_scratch_overlap(start, PFN_PHYS(pageblock_nr_pages)) ?
	       MIGRATE_CMA : mt;
}

#else

static inline bool kho_is_enabled(void) { return false; }
static inline bool is_kho_boot(void) { return false; }

static inline int kho_preserve_folio(struct folio *folio)
{
	return -EOPNOTSUPP;
}

static inline void kho_unpreserve_folio(struct folio *folio) { }

static inline struct folio *kho_restore_folio(phys_addr_t phys)
{
	return NULL;
}

static inline int kho_preserve_folios(struct folio **folios, unsigned long nr)
{
	return -EOPNOTSUPP;
}

static inline void kho_unpreserve_folios(struct folio **folios,
					 unsigned long nr) { }

static inline struct folio *
kho_restore_folio_batch(struct kho_restore_batch *batch, phys_addr_t phys)
{
	return NULL;
}

static inline void kho_restore_batch_end(struct kho_restore_batch *batch) { }

static inline unsigned long kho_preservable_pages(void) { return 0; }

static inline unsigned long kho_find_poison(unsigned long pfn,
					    unsigned long nr_pages)
{
	return pfn + nr_pages;
}

static inline int kho_preserve_extents(const struct kho_extent *extents, unsigned int nr)
{
	return -EOPNOTSUPP;
}

static inline void kho_unpreserve_extents(const struct kho_extent *extents,
					  unsigned int nr) { }

static inline int kho_preserve_pages(struct page *page, unsigned long nr_pages)
{
	return -EOPNOTSUPP;
}

static inline void kho_unpreserve_pages(struct page *page,
					unsigned long nr_pages) { }

static inline struct page *kho_restore_pages(phys_addr_t phys,
					     unsigned long nr_pages)
{
	return NULL;
}

static inline struct page *
kho_restore_pages_batch(struct kho_restore_batch *batch, phys_addr_t phys,
			unsigned long nr_pages)
{
	return NULL;
}

static inline int kho_preserved_order(phys_addr_t phys)
{
	return -ENOENT;
}

static inline unsigned long kho_held_kib(void) { return 0; }
static inline void kho_hold_back(const char *what, int err) { }

static inline void *kho_vcalloc(size_t n, size_t size, gfp_t gfp)
{
	return NULL;
}

static inline int kho_preserve_vmalloc(void *ptr,
				       struct kho_vmalloc *preservation)
{
	return -EOPNOTSUPP;
}

static inline void kho_unpreserve_vmalloc(struct kho_vmalloc *preservation) { }

static inline void *kho_restore_vmalloc(const struct kho_vmalloc *preservation)
{
	return NULL;
}

static inline void *
kho_restore_vmalloc_sized(const struct kho_vmalloc *preservation, u64 nr,
			  size_t size, struct kho_restore_batch *batch)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static inline void *kho_alloc_preserve(size_t size)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static inline void kho_unpreserve_free(void *mem) { }
static inline void kho_restore_free(void *mem) { }

static inline bool kho_restore_free_batch(struct kho_restore_batch *batch,
					  void *mem)
{
	return false;
}

static inline int kho_add_subtree(const char *name, void *blob, size_t size)
{
	return -EOPNOTSUPP;
}

static inline void kho_remove_subtree(void *blob) { }

static inline int kho_retrieve_subtree(const char *name, phys_addr_t *phys,
				       size_t *size)
{
	return -EOPNOTSUPP;
}

static inline void kho_populate(phys_addr_t fdt_phys, u64 fdt_len,
				phys_addr_t scratch_phys, u64 scratch_len) { }
static inline void kho_memory_known(void) { }
static inline void kho_memory_init_early(void) { }
static inline void kho_memory_init(void) { }

static inline bool kho_next_unpreserved(unsigned long *from, unsigned long *to,
					unsigned long end)
{
	*to = end;
	return *from < end;
}

static inline unsigned long kho_count_preserved(unsigned long pfn,
						unsigned long end)
{
	return 0;
}

static inline unsigned long kho_preserved_word(unsigned long pfn)
{
	return 0;
}

static inline void kho_init_late_pages(unsigned long pfn, unsigned long end) { }
static inline void kho_init_late_pages_done(void) { }

static inline bool kho_scratch_overlap(phys_addr_t phys, size_t size)
{
	return false;
}

static inline enum migratetype kho_scratch_migratetype(unsigned long pfn,
						       enum migratetype mt)
{
	return mt;
}

static inline phys_addr_t kho_crash_alloc(phys_addr_t size, phys_addr_t align,
					  phys_addr_t start, phys_addr_t end)
{
	return 0;
}

static inline void kho_crash_shrunk(void) { }

#endif /* CONFIG_KEXEC_HANDOVER */

/**
 * kho_preserve_vmalloc_array - preserve an array from vmalloc()
 * @array: the array; its elements must have the type that @dest has.
 * @dest: a member whose type is KHO_VMALLOC_ARRAY().
 *
 * Otherwise like kho_preserve_vmalloc(), and undone by
 * kho_unpreserve_vmalloc() of the member's ``area``.
 */
#define kho_preserve_vmalloc_array(array, dest)				\
({									\
	typeof(dest) __dest = (dest);					\
	typeof(__dest->elem) __array = (array);				\
									\
	kho_preserve_vmalloc(__array, &__dest->area);			\
})

/**
 * kho_restore_vmalloc_array - map a preserved array again
 * @src: a member whose type is KHO_VMALLOC_ARRAY().
 * @nr: number of elements that the array must have.
 * @batch: what accounts for its pages, as for kho_restore_folio_batch(), if what
 *	the array names is restored as well; or %NULL.
 *
 * Otherwise like kho_restore_vmalloc(): the array, of the type that @src
 * has; ERR_PTR() of -ENOMEM, with nothing taken over; or of -EINVAL if the
 * preserved area is damaged or not what @nr elements need.
 */
#define kho_restore_vmalloc_array(src, nr, batch)			\
({									\
	typeof(src) __src = (src);					\
									\
	(typeof(__src->elem))						\
	kho_restore_vmalloc_sized(&__src->area, nr,			\
				  sizeof(*__src->elem), batch);		\
})

#endif /* LINUX_KEXEC_HANDOVER_H */
