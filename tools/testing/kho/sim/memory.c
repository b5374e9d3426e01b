// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of the machine: what physical addresses lead to, struct pages,
 * the page allocator, small objects, vmalloc areas; and how all of it becomes
 * what it was at power on or at a checkpoint.
 *
 * Memory and struct pages are private mappings of a file that holds what they
 * were: to go back is to drop what has been written since.
 */
#include <sanitizer/asan_interface.h>
#include <limits.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

#define NR_PFNS		PHYS_PFN(SIM_END)
/* As of a preserved page, but of an earlier kernel, in a struct page of that one */
#define STALE_MARK	(0x4b484f50UL << 32)
#define MAX_FIXMAP	SZ_256K

const struct sim_range sim_memory[] = {
	{ SZ_2M, SZ_16M, 0 },
	{ SZ_1G, SZ_1G + SZ_4M, 0 },
	{ SIM_END - SZ_32M, SIM_END, 1 },
	{}
};

/* Of the running kernel */
static LIST_HEAD(objects);
static LIST_HEAD(areas);
static unsigned long nr_objects;
static unsigned long cursor = PHYS_PFN(SZ_2M);
static unsigned int fail_in;
static bool fail_all;
static long managed;
static struct mem_section mem_sections[PHYS_PFN(SIM_END) / PAGES_PER_SECTION];

bool sim_allocator_up;

/* A section of the kernel's variables, and what it was */
struct section {
	char *start, *stop;
	char *at_power_on, *at_checkpoint;
};

#pragma clang section bss = "" data = ""

static struct section sections[] = {
	{ __start_kernel_bss, __stop_kernel_bss },
	{ __start_kernel_data, __stop_kernel_data },
};

static int memory_fd = -1;
static char *memory;
static struct page *pages;

/* What sim_rollback() has to look at again; more than fits is everything */
static struct {
	unsigned long pfn, nr;
} repoisoned[256];
static unsigned int nr_repoisoned;

#define EVERYTHING	UINT_MAX

#pragma clang section bss = "kernel_bss" data = "kernel_data"

void sim_bug(const char *what, unsigned long where)
{
	fprintf(stderr, "BUG: %s, 0x%lx\n", what, where);
	abort();
}

/* Addresses */

static const struct sim_range *range_of(phys_addr_t phys)
{
	for (const struct sim_range *r = sim_memory; r->end; r++) {
		if (phys >= r->start && phys < r->end)
			return r;
	}

	return NULL;
}

/* An address beyond all memory becomes one that no program can have */
void *phys_to_virt(phys_addr_t phys)
{
	return phys < SIM_END ? memory + phys : (void *)(phys | 1UL << 63);
}

phys_addr_t virt_to_phys(const void *virt)
{
	phys_addr_t phys = (const char *)virt - memory;

	return phys < SIM_END ? phys : (unsigned long)virt & ~(1UL << 63);
}

struct page *pfn_to_page(unsigned long pfn)
{
	return pfn < NR_PFNS ? &pages[pfn] :
			       (void *)(pfn * sizeof(*pages) | 1UL << 63);
}

unsigned long page_to_pfn(const struct page *page)
{
	unsigned long pfn = page - pages;

	return pfn < NR_PFNS ? pfn :
	       ((unsigned long)page & ~(1UL << 63)) / sizeof(*page);
}

struct page *pfn_to_online_page(unsigned long pfn)
{
	/* Whatever is above the shift does not make another page of it */
	if (pfn >= NR_PFNS || !range_of(PFN_PHYS(pfn)))
		return NULL;
	return pfn_to_page(pfn);
}

int early_pfn_to_nid(unsigned long pfn)
{
	const struct sim_range *r = pfn < NR_PFNS ? range_of(PFN_PHYS(pfn)) : NULL;

	return r ? r->nid : 0;
}

/* What is no memory reads as ones. The copy is as long as was asked for */
void *early_memremap(phys_addr_t phys, unsigned long size)
{
	char *copy;

	if (!size || size > MAX_FIXMAP)
		return NULL;

	copy = malloc(size);
	for (unsigned long i = 0; i < size; i++)
		copy[i] = range_of(phys + i) ? memory[phys + i] : 0xff;
	return copy;
}

void early_memunmap(void *virt, unsigned long size)
{
	free(virt);
}

/* Pages */

static void *page_start(struct page *page)
{
	return memory + PFN_PHYS(page - pages);
}

static struct page *checked_page(struct page *page)
{
	unsigned long pfn = page - pages;

	if (pfn >= NR_PFNS || !range_of(PFN_PHYS(pfn)))
		sim_bug("struct page of no memory", pfn);
	return page;
}

/*
 * Deferred initialization: before it, struct pages are what was in memory, as the
 * marks of a previous kernel. Sections are as large as MAX_ORDER blocks.
 */
bool sim_pages_missing;
phys_addr_t sim_forgotten_start, sim_forgotten_end;
static unsigned long first_deferred;
static long deferred_pages;

static struct page *initialized_page(struct page *page)
{
	if (!checked_page(page)->initialized)
		sim_bug("struct page used that is not initialized", page - pages);
	return page;
}

static void init_page(unsigned long pfn, int nid)
{
	struct page *page = checked_page(pfn_to_page(pfn));

	if (page->state != SIM_EARLY || page->count)
		sim_bug("struct page initialized late", pfn);
	if (early_pfn_to_nid(pfn) != nid)
		sim_bug("struct page initialized for another node", pfn);
	page->private = 0;
	page->reserved = false;
	page->initialized = true;
}

void init_deferred_pages(unsigned long pfn, unsigned long end, int nid)
{
	for (; pfn < end; pfn++)
		init_page(pfn, nid);
}

unsigned long deferred_init_start(int nid)
{
	return nid == early_pfn_to_nid(PHYS_PFN(SIM_DEFERRED)) ? first_deferred : ULONG_MAX;
}

/* Once each, and no reserved one: that has been initialized, too */
static void init_page_late(unsigned long pfn, int nid)
{
	if (pfn < PHYS_PFN(SIM_DEFERRED) || pfn_to_page(pfn)->initialized)
		sim_bug("struct page initialized again", pfn);
	init_page(pfn, nid);
}

void init_deferred_heads(unsigned long pfn, unsigned long end, unsigned int order,
			 int nid, unsigned long private)
{
	for (; pfn < end; pfn += 1UL << order) {
		init_page_late(pfn, nid);
		pfn_to_page(pfn)->private = private;
	}
}

void init_deferred_mask(unsigned long pfn, unsigned long mask, int nid,
			unsigned long private)
{
	for (unsigned int i = 0; i < BITS_PER_LONG; i++) {
		if (!(mask & 1UL << i))
			continue;
		if (pfn >= deferred_init_start(nid))
			init_page_late(pfn + i, nid);
		initialized_page(pfn_to_page(pfn + i))->private = private;
	}
}

void init_deferred_tails(struct page *head, unsigned int order)
{
	unsigned long pfn = page_to_pfn(initialized_page(head));

	for (unsigned long i = 1; i < 1UL << order; i++)
		init_page_late(pfn + i, early_pfn_to_nid(pfn));
}

/* Take a page over that memblock kept: its first reference, or a tail's none */
void set_page_count(struct page *page, int count)
{
	initialized_page(page);
	if (page->state == SIM_FREE)
		sim_bug("free page taken", page - pages);
	/* Its only user may make it the tail of a folio */
	if (page->state == SIM_USED && (count || page->count != 1))
		sim_bug("page in use taken", page - pages);
	page->state = SIM_USED;
	page->count = count;
}

void prep_compound_page(struct page *page, unsigned int order)
{
	page->order = order;
	for (unsigned int i = 1; i < 1U << order; i++)
		page[i].back = i;
}

/* Sections */

struct mem_section *__pfn_to_section(unsigned long pfn)
{
	return &mem_sections[pfn / PAGES_PER_SECTION];
}

/* Make memory, to which pages belong already, such as was not there at boot */
void sim_add_memory(phys_addr_t start, phys_addr_t end)
{
	for (; start < end; start += PFN_PHYS(PAGES_PER_SECTION))
		__pfn_to_section(PHYS_PFN(start))->added = true;
}

/* Make a page a device's, in a section that was there at boot */
void sim_add_device(struct page *page)
{
	__pfn_to_section(page_to_pfn(page))->device = true;
	page->device = true;
}

/* What the page allocator has is poisoned, everything else can be read */
static void poison(struct page *page, unsigned long nr, bool free)
{
	if (free)
		ASAN_POISON_MEMORY_REGION(page_start(page), PFN_PHYS(nr));
	else
		ASAN_UNPOISON_MEMORY_REGION(page_start(page), PFN_PHYS(nr));

	if (nr_repoisoned < ARRAY_SIZE(repoisoned)) {
		repoisoned[nr_repoisoned].pfn = page - pages;
		repoisoned[nr_repoisoned].nr = nr;
		nr_repoisoned++;
	} else {
		nr_repoisoned = EVERYTHING;
	}
}

static void poison_by_state(unsigned long pfn, unsigned long nr)
{
	unsigned long end = pfn + nr, from;

	while (pfn < end) {
		bool free = pages[pfn].state == SIM_FREE;

		for (from = pfn; pfn < end && free == (pages[pfn].state == SIM_FREE);)
			pfn++;
		poison(&pages[from], pfn - from, free);
	}
}

static void poison_memory(void)
{
	unsigned int nr = nr_repoisoned;

	if (nr == EVERYTHING) {
		for (const struct sim_range *r = sim_memory; r->end; r++)
			poison_by_state(PHYS_PFN(r->start), PHYS_PFN(r->end - r->start));
	} else {
		for (unsigned int i = 0; i < nr; i++)
			poison_by_state(repoisoned[i].pfn, repoisoned[i].nr);
	}
	nr_repoisoned = 0;
}

static void check_block(unsigned long pfn);

static void page_free(struct page *page)
{
	unsigned int nr = 1U << page->order;

	check_block(page_to_pfn(page));
	for (unsigned int i = 0; i < nr; i++) {
		if (page[i].state != SIM_USED)
			sim_bug("page freed that is not in use", page - pages + i);
		if (page[i].pins)
			sim_bug("page freed that is pinned", page - pages + i);
		page[i] = (struct page) { .state = SIM_FREE, .initialized = true };
	}
	poison(page, nr, true);
}

void put_page(struct page *page)
{
	page = initialized_page(page) - page->back;
	if (page->state != SIM_USED || page->count <= 0)
		sim_bug("reference put that nobody has", page - pages);
	if (!--page->count)
		page_free(page);
}

void free_page(unsigned long virt)
{
	put_page(virt_to_page((void *)virt));
}

/* From memblock to the page allocator */
static void pages_hand_over(unsigned long pfn, unsigned long end)
{
	struct page *page = checked_page(pfn_to_page(pfn));

	poison(page, end - pfn, true);
	for (; pfn < end; pfn++, page++) {
		initialized_page(page);
		if (page->state != SIM_EARLY)
			sim_bug("page freed twice by memblock", pfn);
		if (page->private)
			sim_bug("preserved page freed by memblock", pfn);
		page->state = SIM_FREE;
		managed++;
	}
}

/* A block that is free, but for what in it is preserved */
void memblock_free_pages(unsigned long pfn, unsigned int order)
{
	unsigned long end = pfn + (1UL << order);
	unsigned long stop;

	if (pfn >= deferred_init_start(early_pfn_to_nid(pfn))) {
		deferred_pages += (1UL << order) - kho_count_preserved(pfn, end);
		return;
	}

	for (; kho_next_unpreserved(&pfn, &stop, end); pfn = stop)
		pages_hand_over(pfn, stop);
}

/* Struct pages around a page that is freed may be looked at */
static void check_block(unsigned long pfn)
{
	unsigned long end = ALIGN(pfn + 1, MAX_ORDER_NR_PAGES);

	for (pfn = ALIGN_DOWN(pfn, MAX_ORDER_NR_PAGES); pfn < end; pfn++) {
		if (range_of(PFN_PHYS(pfn)))
			initialized_page(pfn_to_page(pfn));
	}
}

static bool forgotten(unsigned long pfn)
{
	return PFN_PHYS(pfn) >= sim_forgotten_start && PFN_PHYS(pfn) < sim_forgotten_end;
}

static void init_block(unsigned long start, unsigned long end, int nid)
{
	unsigned long from, to;

	for (from = start; kho_next_unpreserved(&from, &to, end); from = to)
		for (unsigned long pfn = from; pfn < to; pfn++)
			init_page_late(pfn, nid);
	if (!forgotten(start))
		kho_init_late_pages(start, end);
	for (from = start; kho_next_unpreserved(&from, &to, end); from = to)
		pages_hand_over(from, to);
}

static void init_section(unsigned long start, unsigned long end, int nid)
{
	phys_addr_t from, to;
	u64 i;

	for_each_free_mem_range(i, nid, MEMBLOCK_NONE, &from, &to, NULL) {
		unsigned long pfn = max(PFN_UP(from), start);
		unsigned long stop = min(PFN_DOWN(to), end);

		if (pfn < stop)
			init_block(pfn, stop, nid);
	}
}

void deferred_init_up_to(int nid, unsigned long end)
{
	while (deferred_init_start(nid) < end) {
		unsigned long start = first_deferred;

		first_deferred = start + MAX_ORDER_NR_PAGES;
		init_section(start, first_deferred, nid);
	}
}

/* Nothing is deferred in this boot */
void sim_pages_all(void)
{
	for (unsigned long pfn = first_deferred; pfn < NR_PFNS; pfn++)
		init_page_late(pfn, early_pfn_to_nid(pfn));
	first_deferred = ULONG_MAX;
	sim_pages_missing = false;
}

/* What threads do, and that they have done it */
void sim_deferred_init(void)
{
	deferred_init_up_to(early_pfn_to_nid(PHYS_PFN(SIM_DEFERRED)), PHYS_PFN(SIM_END));
	kho_init_late_pages_done();
	sim_pages_missing = false;
}

void free_reserved_page(struct page *page)
{
	pages_hand_over(page_to_pfn(page), page_to_pfn(page) + 1);
}

void init_cma_reserved_pageblock(struct page *page)
{
	unsigned long pfn = page_to_pfn(page);

	pages_hand_over(pfn, pfn + pageblock_nr_pages);
}

static void (*meanwhile)(void);

static bool allocation_fails(void)
{
	void (*other)(void) = meanwhile;

	meanwhile = NULL;
	if (other)
		other();
	return fail_all || (fail_in && !--fail_in);
}

/* What somebody else does while the next allocation waits for memory */
void sim_meanwhile(void (*other)(void))
{
	meanwhile = other;
}

/* Let the @nr-th allocation of pages or objects from now on fail, 0 for none */
void sim_fail_allocation(unsigned int nr)
{
	fail_in = nr;
}

/* There is no memory, however long one waits */
void sim_fail_all_allocations(bool fail)
{
	fail_all = fail;
}

static bool pages_free(unsigned long pfn, unsigned long nr)
{
	const struct sim_range *r = range_of(PFN_PHYS(pfn));

	if (!r || PFN_PHYS(pfn + nr) > r->end ||
	    kho_scratch_overlap(PFN_PHYS(pfn), PFN_PHYS(nr)))
		return false;

	for (unsigned long i = 0; i < nr; i++) {
		if (pages[pfn + i].state != SIM_FREE)
			return false;
	}

	return true;
}

/* Memory failure: nobody stops using the page */
atomic_long_t num_poisoned_pages;

bool folio_contain_hwpoisoned_page(struct folio *folio)
{
	for (unsigned long i = 0; i < folio_nr_pages(folio); i++) {
		if (PageHWPoison(folio_page(folio, i)))
			return true;
	}

	return false;
}

void sim_poison(struct page *page)
{
	SetPageHWPoison(page);
	num_poisoned_pages.counter++;
}

unsigned long totalram_pages(void)
{
	return managed;
}

/* Free pages in the lists of CPUs */
static unsigned long pages_of_cpus;

void sim_keep_pages(unsigned long nr)
{
	pages_of_cpus = nr;
}

void drain_all_pages(struct zone *zone)
{
	pages_of_cpus = 0;
}

unsigned long sysctl_admin_reserve_kbytes;

long si_mem_available(void)
{
	return sim_pages(SIM_FREE) - pages_of_cpus;
}

/*
 * Next fit; nothing here is movable, so none of it may lie in scratch. A zone that
 * is asked for is all memory that was there at boot.
 */
static struct page *find_free_pages(gfp_t gfp, unsigned int order)
{
	unsigned long step = 1UL << order;

	for (int round = 0; round < 2; round++) {
		for (const struct sim_range *r = sim_memory; r->end; r++) {
			unsigned long pfn = ALIGN(max(cursor, PHYS_PFN(r->start)), step);

			for (; PFN_PHYS(pfn + step) <= r->end; pfn += step) {
				if (!pages_free(pfn, step) ||
				    (gfp & __GFP_DMA32 && __pfn_to_section(pfn)->added))
					continue;
				cursor = pfn + step;
				return &pages[pfn];
			}
		}
		cursor = 0;
	}

	return NULL;
}

struct page *alloc_pages(gfp_t gfp, unsigned int order)
{
	struct page *page;

	if (allocation_fails())
		return NULL;

	page = find_free_pages(gfp, order);
	if (!page)
		return NULL;

	poison(page, 1UL << order, false);
	memset(page_start(page), gfp & __GFP_ZERO ? 0 : 0xa5, PAGE_SIZE << order);
	for (unsigned long i = 0; i < 1UL << order; i++)
		page[i] = (struct page) { .state = SIM_USED, .initialized = true };
	page->count = 1;
	prep_compound_page(page, order);
	return page;
}

struct folio *folio_alloc(gfp_t gfp, unsigned int order)
{
	return (struct folio *)alloc_pages(gfp, order);
}

unsigned long get_zeroed_page(gfp_t gfp)
{
	struct page *page = alloc_pages(gfp | __GFP_ZERO, 0);

	return page ? (unsigned long)page_start(page) : 0;
}

void adjust_managed_page_count(struct page *page, long nr)
{
	managed += nr;
}

/* From memblock_free_all(), of everything it has released */
void totalram_pages_add(long nr)
{
	if (nr != managed + deferred_pages)
		sim_bug("memblock released one number of pages, counted another", nr);
}

unsigned long sim_pages(enum sim_page_state state)
{
	unsigned long nr = 0;

	for (const struct sim_range *r = sim_memory; r->end; r++) {
		for (unsigned long pfn = PHYS_PFN(r->start); PFN_PHYS(pfn) < r->end; pfn++)
			nr += pages[pfn].state == state;
	}

	return nr;
}

long sim_managed_pages(void)
{
	return managed;
}

/* Objects */

struct object {
	struct list_head list;
	char data[];
};

bool slab_is_available(void)
{
	return sim_allocator_up;
}

void *sim_kmalloc(size_t size)
{
	struct object *obj;

	if (allocation_fails())
		return NULL;

	obj = calloc(1, sizeof(*obj) + size);
	list_add(&obj->list, &objects);
	nr_objects++;
	return obj->data;
}

void kfree(const void *data)
{
	struct object *obj;

	if (!data)
		return;

	obj = container_of(data, struct object, data);
	list_del(&obj->list);
	nr_objects--;
	free(obj);
}

unsigned long sim_objects(void)
{
	return nr_objects;
}

static void free_objects(void)
{
	struct object *obj, *next;

	list_for_each_entry_safe(obj, next, &objects, list)
		kfree(obj->data);
}

/*
 * vmalloc areas. What is mapped is a copy, made when it is mapped and written
 * back at kexec, so that a page beyond its end is not there.
 */

struct vm_struct *find_vm_area(const void *addr)
{
	struct vm_struct *area;

	list_for_each_entry(area, &areas, list) {
		if (area->addr == addr)
			return area;
	}

	return NULL;
}

struct vm_struct *__get_vm_area_node(unsigned long size, unsigned long align,
				     unsigned long shift, unsigned long flags,
				     unsigned long start, unsigned long end,
				     int node, gfp_t gfp, const void *caller)
{
	struct vm_struct *area;

	/* More than all memory, and so more than anybody needs */
	if (size > SZ_64M)
		return NULL;

	area = kzalloc_obj(*area);
	if (!area)
		return NULL;

	area->addr = sim_kmalloc(size);
	if (!area->addr) {
		kfree(area);
		return NULL;
	}
	area->size = size;
	area->flags = flags;
	area->page_order = shift - PAGE_SHIFT;
	list_add(&area->list, &areas);
	return area;
}

int vmap_pages_range(unsigned long addr, unsigned long end, int prot,
		     struct page **map, unsigned int shift)
{
	unsigned long nr = (end - addr) >> PAGE_SHIFT;

	for (unsigned long i = 0; i < nr; i++)
		memcpy((void *)(addr + PFN_PHYS(i)), page_start(checked_page(map[i])),
		       PAGE_SIZE);
	return allocation_fails() ? -ENOMEM : 0;
}

struct vm_struct *get_vm_area_caller(unsigned long size, unsigned long flags,
				     const void *caller)
{
	struct vm_struct *area = __get_vm_area_node(size, PAGE_SIZE, PAGE_SHIFT, flags,
						    VMALLOC_START, VMALLOC_END,
						    NUMA_NO_NODE, GFP_KERNEL, caller);

	if (!area)
		return NULL;

	area->mapped = sim_kmalloc((size >> PAGE_SHIFT) * sizeof(*area->mapped));
	if (area->mapped)
		return area;

	free_vm_area(area);
	return NULL;
}

int vm_area_map_pages(struct vm_struct *area, unsigned long start, unsigned long end,
		      struct page **pages)
{
	unsigned long first = (start - (unsigned long)area->addr) >> PAGE_SHIFT;

	if (start < (unsigned long)area->addr ||
	    end > (unsigned long)area->addr + area->size)
		return -ERANGE;
	for (unsigned long i = 0; i < (end - start) >> PAGE_SHIFT; i++) {
		if (area->mapped[first + i])
			return -EBUSY;
		area->mapped[first + i] = pages[i];
	}
	return vmap_pages_range(start, end, PAGE_KERNEL, pages, PAGE_SHIFT);
}

/* Of sparse areas only */
struct page *vmalloc_to_page(const void *addr)
{
	struct vm_struct *area;

	list_for_each_entry(area, &areas, list) {
		if (area->mapped && addr >= area->addr && addr < area->addr + area->size)
			return area->mapped[(addr - area->addr) >> PAGE_SHIFT];
	}

	return NULL;
}

void free_vm_area(struct vm_struct *area)
{
	list_del(&area->list);
	kfree(area->mapped);
	kfree(area->addr);
	kfree(area);
}

/* What has been written to areas becomes what is in their pages */
void sim_sync_areas(void)
{
	struct vm_struct *area;

	list_for_each_entry(area, &areas, list) {
		for (unsigned int i = 0; i < area->nr_pages; i++)
			memcpy(page_start(area->pages[i]), area->addr + PFN_PHYS(i),
			       PAGE_SIZE);
		for (unsigned long i = 0; area->mapped && i < area->size >> PAGE_SHIFT; i++) {
			if (area->mapped[i])
				memcpy(page_start(area->mapped[i]),
				       area->addr + PFN_PHYS(i), PAGE_SIZE);
		}
	}
}

static void *vmalloc_blocks(unsigned int nr_pages, unsigned int order,
			    unsigned long flags, gfp_t gfp)
{
	struct vm_struct *area;

	area = __get_vm_area_node(nr_pages * PAGE_SIZE, PAGE_SIZE, PAGE_SHIFT + order,
				  flags, VMALLOC_START, VMALLOC_END, NUMA_NO_NODE,
				  GFP_KERNEL, NULL);
	area->pages = kmalloc_array(nr_pages, sizeof(*area->pages), GFP_KERNEL);
	for (unsigned int i = 0; i < nr_pages; i++) {
		struct page *page = i % (1U << order) ? area->pages[i - 1] + 1 :
							alloc_pages(gfp, order);

		if (!page)
			sim_bug("not enough memory for vmalloc", nr_pages);
		/* vmalloc() splits what it gets */
		page->order = 0;
		page->back = 0;
		page->count = 1;
		area->pages[area->nr_pages++] = page;
		*(unsigned int *)(area->addr + PFN_PHYS(i)) = i;
	}

	return area->addr;
}

/* As vmalloc() would, in blocks of 2^@order pages, with the page's index in each */
void *sim_vmalloc(unsigned int nr_pages, unsigned int order, unsigned long flags)
{
	return vmalloc_blocks(nr_pages, order, flags, GFP_KERNEL);
}

/* An area with VM_SPARSE and memory where @has says so, with the index in it */
void *sim_sparse(unsigned int nr_pages, bool (*has)(unsigned int i))
{
	struct vm_struct *area = get_vm_area_caller(nr_pages * PAGE_SIZE, VM_SPARSE, NULL);

	for (unsigned int i = 0; i < nr_pages; i++) {
		if (!has(i))
			continue;
		area->mapped[i] = alloc_pages(GFP_KERNEL, 0);
		if (!area->mapped[i])
			sim_bug("not enough memory for a sparse area", nr_pages);
		*(unsigned int *)(area->addr + PFN_PHYS(i)) = i;
	}

	return area->addr;
}

/* As its owner does */
void sim_free_sparse(void *addr)
{
	struct vm_struct *area = find_vm_area(addr);

	for (unsigned long i = 0; i < area->size >> PAGE_SHIFT; i++) {
		if (area->mapped[i])
			put_page(area->mapped[i]);
	}
	free_vm_area(area);
}

/* Counts as one allocation, whatever it is made of */
void *__vmalloc_node(size_t size, unsigned long align, gfp_t gfp, int node,
		     const void *caller)
{
	unsigned int fail_later;
	void *mem;

	if (allocation_fails())
		return NULL;

	fail_later = fail_in;
	fail_in = 0;
	mem = vmalloc_blocks(PFN_UP(size), 0, VM_ALLOC, gfp);
	fail_in = fail_later;
	return mem;
}

void vfree(const void *addr)
{
	struct vm_struct *area = find_vm_area(addr);

	if (!area)
		sim_bug("area freed that is none", (unsigned long)addr);
	for (unsigned int i = 0; i < area->nr_pages; i++)
		put_page(area->pages[i]);
	kfree(area->pages);
	free_vm_area(area);
}

/* Back to what was */

/* Neither instrumented nor made a memcpy(): there are redzones in between */
__attribute__((no_sanitize("address", "undefined")))
static void copy_section(char *to, const char *from, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		to[i] = from[i];
		barrier();
	}
}

static void save_sections(size_t copy)
{
	for (int i = 0; i < ARRAY_SIZE(sections); i++) {
		struct section *s = &sections[i];
		char **to = (char **)((char *)s + copy);

		*to = *to ?: malloc(s->stop - s->start);
		copy_section(*to, s->start, s->stop - s->start);
	}
}

static void restore_sections(size_t copy)
{
	for (int i = 0; i < ARRAY_SIZE(sections); i++) {
		struct section *s = &sections[i];
		char **from = (char **)((char *)s + copy);

		copy_section(s->start, *from, s->stop - s->start);
	}
}

static size_t file_size(void)
{
	return SIM_END + NR_PFNS * sizeof(*pages);
}

static void map_memory(void)
{
	phys_addr_t hole = 0;

	memory_fd = memfd_create("memory", 0);
	if (memory_fd < 0 || ftruncate(memory_fd, file_size()))
		sim_bug("cannot make a file for memory", file_size());
	memory = mmap(NULL, file_size(), PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_NORESERVE, memory_fd, 0);
	if (memory == MAP_FAILED)
		sim_bug("cannot map memory", file_size());
	pages = (struct page *)(memory + SIM_END);

	for (const struct sim_range *r = sim_memory; r->end; r++) {
		mprotect(memory + hole, r->start - hole, PROT_NONE);
		mprotect(&pages[PHYS_PFN(hole)],
			 PHYS_PFN(r->start - hole) * sizeof(*pages), PROT_NONE);
		hole = r->end;
	}
}

/* Struct pages as they are when a kernel starts */
void sim_start_pages(void)
{
	for (const struct sim_range *r = sim_memory; r->end; r++) {
		unsigned long first = PHYS_PFN(r->start), nr = PHYS_PFN(r->end - r->start);

		memset(&pages[first], 0, nr * sizeof(*pages));
		for (unsigned long i = 0; i < nr; i++) {
			pages[first + i].state = SIM_EARLY;
			pages[first + i].initialized = PFN_PHYS(first + i) < SIM_DEFERRED;
			if (!pages[first + i].initialized)
				pages[first + i].private = STALE_MARK;
		}
	}
	nr_repoisoned = EVERYTHING;
	poison_memory();
}

/* The variables of a kernel that has just been loaded */
void sim_start_variables(void)
{
	free_objects();
	restore_sections(offsetof(struct section, at_power_on));
	sim_pages_missing = true;
	first_deferred = PHYS_PFN(SIM_DEFERRED);
}

/* A machine that is off: nothing in memory, no kernel */
void sim_power_on(void)
{
	if (!memory) {
		map_memory();
		save_sections(offsetof(struct section, at_power_on));
	}

	if (ftruncate(memory_fd, 0) || ftruncate(memory_fd, file_size()))
		sim_bug("cannot clear memory", file_size());
	madvise(memory, file_size(), MADV_DONTNEED);
	sim_start_variables();
	sim_start_pages();
}

static void write_range(void *start, void *stop)
{
	ASAN_UNPOISON_MEMORY_REGION(start, (char *)stop - (char *)start);
	for (char *at = start; at < (char *)stop; at += PAGE_SIZE) {
		if (pwrite(memory_fd, at, PAGE_SIZE, at - memory) != PAGE_SIZE)
			sim_bug("cannot save memory", at - memory);
	}
}

/* Remember everything for sim_rollback(); no objects, they would not be */
void sim_checkpoint(void)
{
	if (nr_objects)
		sim_bug("checkpoint with objects", nr_objects);

	for (const struct sim_range *r = sim_memory; r->end; r++) {
		write_range(memory + r->start, memory + r->end);
		write_range(&pages[PHYS_PFN(r->start)], &pages[PHYS_PFN(r->end)]);
	}
	save_sections(offsetof(struct section, at_checkpoint));
	sim_rollback();
}

void sim_rollback(void)
{
	free_objects();
	madvise(memory, file_size(), MADV_DONTNEED);
	restore_sections(offsetof(struct section, at_checkpoint));
	poison_memory();
}
