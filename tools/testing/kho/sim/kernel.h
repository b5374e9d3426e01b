/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel as the files under test see it.
 *
 * Every header that they include is this one, unless that of tools/include will
 * do, see STUBS in the Makefile; their own headers, memblock.h and cleanup.h
 * are the kernel's. What is declared here is implemented in sim/, as far as
 * KHO and memblock notice; what they call for others' sake does nothing.
 */
#ifndef _SIM_KERNEL_H
#define _SIM_KERNEL_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * All variables of the simulated kernel lie in two sections of their own, so
 * that they can be what they were at power on, or at a checkpoint, again.
 */
#pragma clang section bss = "kernel_bss" data = "kernel_data"

#include <linux/types.h>
#include <linux/align.h>
#include <linux/bitmap.h>
#include <linux/bitops.h>
#include <linux/build_bug.h>
#include <linux/cache.h>
#include <linux/compiler.h>
#include <linux/container_of.h>
#include <linux/ctype.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/gfp.h>
#include <linux/kconfig.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/math.h>
#include <linux/numa.h>
#include <linux/overflow.h>
#include <linux/poison.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/stringify.h>
#include <linux/typecheck.h>
#include <linux/unaligned.h>
#include <linux/kho/image.h>
#include <uapi/linux/memfd.h>
#include <libfdt.h>

/* Words of the compiler */

#undef __init
#undef __initdata
#undef __setup
#undef early_param
#define __init
#define __initdata
#define __ref
#define __ro_after_init
#define __private
#define __user
#define ACCESS_PRIVATE(p, member)	((p)->member)
#define list_is_head(entry, head)	((entry) == (head))

/* The kernel's takes the address of what a null pointer leads to */
#include <linux/list_private.h>
#undef __list_private_offset
#define __list_private_offset(type, member) offsetof(type, member)

#define fs_initcall(fn)		int sim_##fn(void) { return fn(); }
#define core_initcall(fn)	fs_initcall(fn)
#define late_initcall(fn)	fs_initcall(fn)
#undef module_init
#undef module_exit
#define module_init(fn)		fs_initcall(fn)
#define module_exit(fn)		void sim_##fn(void) { fn(); }
#define module_param_string(name, string, len, perm)
#define MODULE_PARM_DESC(name, text)
#define MODULE_DESCRIPTION(text)
#define MODULE_LICENSE(text)
#define early_param(name, fn)	int sim_##fn(char *arg) { return fn(arg); }
#define __setup(name, fn)	early_param(name, fn)

#define __UNIQUE_ID(name)	__PASTE(name, __COUNTER__)
#define __cleanup(fn)		__attribute__((cleanup(fn), unused))
#define auto			__auto_type
#define __nonnull_args(x...)	__attribute__((nonnull(x)))

#define KUNIT_STATIC_STUB_REDIRECT(...) do { } while (0)
#define const_ilog2(n)		(63 - __builtin_clzll(n))
#define __ffs64(n)		((unsigned int)__builtin_ctzll(n))
#define lower_32_bits(n)	((u32)(n))
#define mult_frac(x, n, d)	((x) / (d) * (n) + (x) % (d) * (n) / (d))
#define DIV_ROUND_UP_ULL(x, d)	DIV_ROUND_UP((unsigned long long)(x), d)
#define U64_MAX			UINT64_MAX
#define U32_MAX		((u32)~0U)
#define flex_array_size(p, member, nr)	((nr) * sizeof(*(p)->member))

unsigned long bitmap_weight_from(const unsigned long *bitmap, unsigned int start,
				 unsigned int end);

#define swap(a, b)							\
	do {								\
		__typeof__(a) __a = (a);				\
									\
		(a) = (b);						\
		(b) = __a;						\
	} while (0)

#define bitmap_set(map, start, nr)					\
	do {								\
		for (unsigned long __i = 0; __i < (nr); __i++)		\
			__set_bit((start) + __i, map);			\
	} while (0)

#define for_each_set_bitrange(b, e, addr, size)				\
	for ((b) = 0;							\
	     (b) = find_next_bit(addr, size, b),			\
	     (e) = find_next_zero_bit(addr, size, (b) + 1), (b) < (size); \
	     (b) = (e) + 1)

#define for_each_clear_bitrange(b, e, addr, size)			\
	for ((b) = 0;							\
	     (b) = find_next_zero_bit(addr, size, b),			\
	     (e) = find_next_bit(addr, size, (b) + 1), (b) < (size);	\
	     (b) = (e) + 1)

static inline int count_trailing_zeros(unsigned long x)
{
	return x ? __builtin_ctzl(x) : BITS_PER_LONG;
}

/* Messages, with the kernel's own conversions */

#ifndef pr_fmt
#define pr_fmt(fmt) fmt
#endif

int sim_printk(const char *fmt, ...);
#define printk			sim_printk

#define pr_err(fmt, ...)	printk(pr_fmt(fmt), ##__VA_ARGS__)
#define pr_warn			pr_err
#define pr_notice		pr_err
#define pr_info			pr_err
/* As long as there are so few that a test may look for one */
#define pr_warn_ratelimited(fmt, ...)					\
	do {								\
		static unsigned int __nr;				\
									\
		if (__nr++ < 100)					\
			pr_warn(fmt, ##__VA_ARGS__);			\
	} while (0)
#define dump_stack()		do { } while (0)

void sim_panic(const char *fmt, ...) __noreturn;
#define panic			sim_panic

void sim_warn(const char *file, int line, const char *condition);

#undef WARN_ON
#undef WARN_ON_ONCE
#undef WARN
#define WARN_ON(condition)						\
({									\
	bool __warn = (condition);					\
									\
	if (__warn)							\
		sim_warn(__FILE__, __LINE__, #condition);		\
	__warn;								\
})
#define WARN_ON_ONCE		WARN_ON
#define WARN(condition, ...)	WARN_ON(condition)
#undef WARN_ONCE
#define WARN_ONCE		WARN

#undef strscpy
ssize_t sim_strscpy(char *to, const char *from, size_t size);
#define __strscpy_3(to, from, size)	sim_strscpy(to, from, size)
#define __strscpy_2(to, from)		sim_strscpy(to, from, sizeof(to))
#define __strscpy(a, b, c, name, ...)	name
#define strscpy(to, ...)						\
	__strscpy(to, ##__VA_ARGS__, __strscpy_3, __strscpy_2)(to, ##__VA_ARGS__)
#define strscpy_pad(to, from, size)					\
	(memset(to, 0, size), sim_strscpy(to, from, size))
unsigned long long memparse(const char *from, char **end);

static inline bool strends(const char *text, const char *end)
{
	return strlen(text) >= strlen(end) &&
	       !strcmp(text + strlen(text) - strlen(end), end);
}

int kstrtobool(const char *from, bool *val);
int sim_match_string(const char *const *words, size_t nr, const char *word);
#define sysfs_match_string(words, word)	\
	sim_match_string(words, ARRAY_SIZE(words), word)
#define parameq(a, b)		(!strcmp(a, b))
char *parse_args(const char *what, char *args, const void *params,
		 unsigned int nr, int min_level, int max_level, void *arg,
		 int (*take)(char *param, char *val, const char *what, void *arg));
int kstrtouint(const char *from, unsigned int base, unsigned int *val);

struct seq_buf {
	char *buf;
	size_t size, len;
};

void seq_buf_init(struct seq_buf *s, char *buf, size_t size);
int seq_buf_printf(struct seq_buf *s, const char *fmt, ...);
void sim_vformat(struct seq_buf *s, const char *fmt, va_list *args);
#define seq_buf_str(s)		((s)->buf)
#define seq_buf_buffer_left(s)	((s)->size - (s)->len)
#define seq_buf_clear(s)	seq_buf_init(s, (s)->buf, (s)->size)

/* There is no time, and one thread */

typedef unsigned long cycles_t;

#define get_cycles()		0UL
#define local_clock()		0ULL
#define NSEC_PER_USEC		1000

/* How many times somebody else could have run */
extern unsigned long sim_rescheds;
#define cond_resched()		((void)sim_rescheds++)

#define atomic_long_read(v)	((v)->counter)
#define atomic_long_xchg(v, n)	__atomic_exchange_n(&(v)->counter, n, __ATOMIC_RELAXED)
#define atomic_long_set(v, n)	((v)->counter = (n))
#define atomic_long_add(n, v)	((v)->counter += (n))
#define atomic_long_sub(n, v)	((v)->counter -= (n))
#define atomic_long_inc_return(v)	(++(v)->counter)
#define atomic_long_dec_return(v)	(--(v)->counter)
#define atomic_long_dec_if_positive(v)					\
	((v)->counter > 0 ? --(v)->counter : (v)->counter - 1)
#define xchg(ptr, v)		__atomic_exchange_n(ptr, v, __ATOMIC_SEQ_CST)
#define try_cmpxchg(ptr, old, new)					\
({									\
	bool __same = *(ptr) == *(old);					\
									\
	*(__same ? (ptr) : (old)) = __same ? (new) : *(ptr);		\
	__same;								\
})

#define smp_load_acquire(p)	(*(p))
#define smp_store_release(p, v)	(*(p) = (v))

#define ATOMIC_INIT(n)		{ n }
#define atomic_set(v, n)	((v)->counter = (n))
#define atomic_read(v)		((v)->counter)
#define atomic_inc(v)		((v)->counter++)
#define atomic_dec(v)		((v)->counter--)

static inline int atomic_cmpxchg(atomic_t *v, int old, int new)
{
	int was = v->counter;

	if (was == old)
		v->counter = new;
	return was;
}

typedef struct {
	int refs;
} refcount_t;

#define refcount_read(r)	((r)->refs)
#define refcount_set(r, n)	((r)->refs = (n))

static inline void refcount_inc(refcount_t *r)
{
	WARN_ON(r->refs <= 0 || r->refs == INT_MAX);
	r->refs++;
}

static inline bool refcount_dec_and_test(refcount_t *r)
{
	WARN_ON(r->refs <= 0);
	return !--r->refs;
}

struct lock_class_key { };
struct mutex {
	bool locked;
};

#define __MUTEX_INITIALIZER(name)	{ }
#define DEFINE_MUTEX(name)		struct mutex name
#define mutex_init(lock)		((lock)->locked = false)
#define mutex_destroy(lock)		WARN_ON((lock)->locked)
#define lockdep_set_class(lock, key)	((void)(lock), (void)(key))
#define lockdep_assert_held(lock)	WARN_ON(!(lock)->locked)

static inline void mutex_lock(struct mutex *lock)
{
	WARN_ON(lock->locked);
	lock->locked = true;
}

static inline void mutex_unlock(struct mutex *lock)
{
	WARN_ON(!lock->locked);
	lock->locked = false;
}

struct rw_semaphore {
	unsigned int readers;
	bool written;
};

#define __RWSEM_INITIALIZER(name)	{ }
#define DECLARE_RWSEM(name)		struct rw_semaphore name
#define lockdep_assert_held_write(lock)	WARN_ON(!(lock)->written)

static inline void down_read(struct rw_semaphore *lock)
{
	WARN_ON(lock->written);
	lock->readers++;
}

static inline void up_read(struct rw_semaphore *lock)
{
	WARN_ON(!lock->readers);
	lock->readers--;
}

static inline void down_write(struct rw_semaphore *lock)
{
	WARN_ON(lock->written || lock->readers);
	lock->written = true;
}

static inline void up_write(struct rw_semaphore *lock)
{
	WARN_ON(!lock->written);
	lock->written = false;
}

typedef struct mutex spinlock_t;

#define DEFINE_SPINLOCK(name)		spinlock_t name
#define spin_lock(lock)			mutex_lock(lock)
#define spin_unlock(lock)		mutex_unlock(lock)

#include <linux/cleanup.h>

DEFINE_GUARD(mutex, struct mutex *, mutex_lock(_T), mutex_unlock(_T))
DEFINE_GUARD(spinlock, spinlock_t *, spin_lock(_T), spin_unlock(_T))
DEFINE_LOCK_GUARD_0(rcu, barrier(), barrier())
DEFINE_GUARD(rwsem_read, struct rw_semaphore *, down_read(_T), up_read(_T))
DEFINE_GUARD(rwsem_write, struct rw_semaphore *, down_write(_T), up_write(_T))

/* Physical memory */

#define PAGE_SHIFT		12
#define PAGE_SIZE		(1UL << PAGE_SHIFT)
#define PAGE_MASK		(~(PAGE_SIZE - 1))
#define PAGE_ALIGN(x)		ALIGN(x, PAGE_SIZE)
#define PAGE_ALIGNED(x)		IS_ALIGNED((unsigned long)(x), PAGE_SIZE)
#define PAGE_ALIGN_DOWN(x)	ALIGN_DOWN(x, PAGE_SIZE)
#define PFN_UP(x)		(((x) + PAGE_SIZE - 1) >> PAGE_SHIFT)
#define PFN_DOWN(x)		((x) >> PAGE_SHIFT)
#define PFN_PHYS(x)		((phys_addr_t)(x) << PAGE_SHIFT)
#define PHYS_PFN(x)		((unsigned long)((x) >> PAGE_SHIFT))
#define PHYS_ADDR_MAX		(~(phys_addr_t)0)
#define offset_in_page(x)	((unsigned long)(x) & ~PAGE_MASK)

#define MAX_PAGE_ORDER		10
#define MAX_ORDER_NR_PAGES	(1UL << MAX_PAGE_ORDER)
#define MAX_FOLIO_ORDER		18
static inline unsigned long find_last_bit(const unsigned long *bitmap,
					  unsigned long bits)
{
	for (unsigned long bit = bits; bit--;) {
		if (test_bit(bit, bitmap))
			return bit;
	}
	return bits;
}

#define pageblock_order		9
#define pageblock_nr_pages	(1UL << pageblock_order)
#define pageblock_align(pfn)	ALIGN(pfn, pageblock_nr_pages)
#define pageblock_start_pfn(pfn) ALIGN_DOWN(pfn, pageblock_nr_pages)
#define pageblock_end_pfn(pfn)	ALIGN((pfn) + 1, pageblock_nr_pages)
#define CMA_MIN_ALIGNMENT_BYTES	(PAGE_SIZE * pageblock_nr_pages)

void *phys_to_virt(phys_addr_t phys);
phys_addr_t virt_to_phys(const void *virt);
int early_pfn_to_nid(unsigned long pfn);
int reserve_mem_find_by_name(const char *name, phys_addr_t *start,
			     phys_addr_t *size);
int reserve_mem_release_by_name(const char *name);

#define __va(phys)		phys_to_virt(phys)
#define __pa(virt)		virt_to_phys(virt)
#define __pa_symbol(virt)	virt_to_phys(virt)

extern char *sim_image;
#define SIM_IMAGE_SIZE		SZ_64K
#define _text			sim_image
#define _end			(sim_image + SIM_IMAGE_SIZE)
#define __is_kernel(addr)	false
#define kasan_reset_tag(addr)	(addr)
#define accept_memory(phys, size) do { } while (0)
#define pfn_to_nid(pfn)		early_pfn_to_nid(pfn)

void *early_memremap(phys_addr_t phys, unsigned long size);
void early_memunmap(void *virt, unsigned long size);

static inline unsigned int get_order(unsigned long size)
{
	return size > PAGE_SIZE ? fls_long((size - 1) >> PAGE_SHIFT) : 0;
}

/* Pages */

enum sim_page_state {
	SIM_HOLE,	/* not memory */
	SIM_EARLY,	/* memblock's, or preserved */
	SIM_FREE,	/* the page allocator's */
	SIM_USED,	/* somebody has a reference */
};

struct page {
	unsigned long private;
	int count;
	u8 state;
	u8 order;		/* of a compound page, in the head */
	bool reserved;
	bool poisoned;
	unsigned int back;	/* in a tail, how far it is from the head */
	/* Of a folio in a file */
	bool locked, uptodate, dirty;
	bool movable;		/* has to move before it can be pinned */
	u64 __index;
	struct inode *__mapping;
	unsigned int pins;
	bool device;		/* memory of a device */
	bool initialized;	/* or else private is anything */
} __attribute__((aligned(64)));

struct folio {
	union {
		struct page page;
		struct {
			char __before_index[24];
			u64 index;
			struct inode *mapping;
		};
	};
};

static_assert(offsetof(struct folio, mapping) == offsetof(struct page, __mapping));

enum migratetype {
	MIGRATE_MOVABLE,
	MIGRATE_CMA,
};

struct page *pfn_to_page(unsigned long pfn);
unsigned long page_to_pfn(const struct page *page);
struct page *pfn_to_online_page(unsigned long pfn);

#define phys_to_page(phys)	pfn_to_page(PHYS_PFN(phys))
#define page_to_phys(page)	PFN_PHYS(page_to_pfn(page))
#define virt_to_page(virt)	phys_to_page(virt_to_phys(virt))
#define page_to_virt(page)	phys_to_virt(page_to_phys(page))
#define page_address(page)	page_to_virt(page)
#define page_private(page)	((page)->private)
#define set_page_private(page, val) ((page)->private = (val))
#define page_folio(page)	((struct folio *)((page) - (page)->back))
#define virt_to_folio(virt)	page_folio(virt_to_page(virt))
#define folio_pfn(folio)	page_to_pfn(&(folio)->page)
#define folio_page(folio, n)	(&(folio)->page + (n))
#define folio_order(folio)	((unsigned int)(folio)->page.order)
#define folio_nr_pages(folio)	(1UL << folio_order(folio))
#define folio_address(folio)	page_address(&(folio)->page)
#define page_rmappable_folio(page) ((struct folio *)(page))
#define folio_test_large(folio)	(folio_order(folio) > 0)
/* Of the nodes, which is what can be told of them here */
#define page_zone(page)		early_pfn_to_nid(page_to_pfn(page))
#define PageReserved(page)	((page)->reserved)
#define __SetPageReserved(page)	((page)->reserved = true)
#define PageHWPoison(page)	((page)->poisoned)
#define SetPageHWPoison(page)	((page)->poisoned = true)
extern atomic_long_t num_poisoned_pages;
#define is_zone_device_page(page) ((page)->device)
/* Small zones, so that there are many */
#define page_to_nid(page)	early_pfn_to_nid(page_to_pfn(page))
#define folio_nid(folio)	page_to_nid(folio_page(folio, 0))
#define page_zone_id(page)	(page_to_pfn(page) / PHYS_PFN(SZ_2M))
#define for_each_valid_pfn(pfn, start, end)				\
	for ((pfn) = (start); (pfn) < (end); (pfn)++)			\
		if (pfn_to_online_page(pfn))

/* Sections; those of boot, but for what a test adds */
struct mem_section {
	bool added;
	bool device;		/* has pages of a device */
};

#define PAGES_PER_SECTION	PHYS_PFN(SZ_2M)
#define SECTION_ALIGN_UP(pfn)	ALIGN(pfn, PAGES_PER_SECTION)
#define SECTION_ALIGN_DOWN(pfn)	ALIGN_DOWN(pfn, PAGES_PER_SECTION)
#define SUBSECTION_ALIGN_UP(pfn) ALIGN(pfn, PHYS_PFN(SZ_256K))
#define early_section(section)	(!(section)->added)
#define online_device_section(section) ((section)->device)
struct mem_section *__pfn_to_section(unsigned long pfn);

void set_page_count(struct page *page, int count);
void prep_compound_page(struct page *page, unsigned int order);
void put_page(struct page *page);
#define clear_highpage(page)	memset(page_address(page), 0, PAGE_SIZE)
#undef set_bit
#define set_bit			__set_bit
/* Memory that goes offline: tests call what is notified */
struct notifier_block;
struct memory_notify {
	unsigned long start_pfn, nr_pages;
};

#define MEM_GOING_OFFLINE	1
#define NOTIFY_OK		1
#define notifier_from_errno(err) (err)
#define DEFAULT_CALLBACK_PRI	0
#define hotplug_memory_notifier(fn, pri) ((void)(fn), 0)
#define get_online_mems()	do { } while (0)
#define put_online_mems()	do { } while (0)
#define folio_put(folio)	put_page(&(folio)->page)
#define clear_page_tag_ref(page) ((void)(page))

struct page *alloc_pages(gfp_t gfp, unsigned int order);
struct folio *folio_alloc(gfp_t gfp, unsigned int order);
unsigned long get_zeroed_page(gfp_t gfp);
#define __free_pages(page, order) ((void)(order), put_page(page))
#define __free_page(page)	put_page(page)
void free_page(unsigned long virt);
#define alloc_page(gfp)		alloc_pages(gfp, 0)

void adjust_managed_page_count(struct page *page, long nr);
void totalram_pages_add(long nr);
void init_deferred_pages(unsigned long pfn, unsigned long end, int nid);
void memblock_free_all(void);
void memblock_free_pages(unsigned long pfn, unsigned int order);
void free_reserved_page(struct page *page);
void init_cma_reserved_pageblock(struct page *page);
unsigned long free_reserved_area(void *start, void *end, int poison,
				 const char *what);
unsigned long deferred_init_start(int nid);
void deferred_init_up_to(int nid, unsigned long end);
void init_deferred_heads(unsigned long pfn, unsigned long end, unsigned int order,
			 int nid, unsigned long private);
void init_deferred_mask(unsigned long pfn, unsigned long mask, int nid,
			unsigned long private);
void init_deferred_tails(struct page *head, unsigned int order);
extern bool sim_pages_missing;
#define deferred_pages_enabled() sim_pages_missing

/* What memory is used for: nothing but what the simulated kernels do */

#define NR_FREE_PAGES		0
#define NR_FREE_CMA_PAGES	0
#define NR_ACTIVE_FILE		0
#define NR_INACTIVE_FILE	0
#define NR_ZONE_ACTIVE_FILE	0
#define NR_ZONE_INACTIVE_FILE	0
#define ZONE_MOVABLE		1
#define totalcma_pages		0UL
#define global_zone_page_state(item)	0UL
#define global_node_page_state(item)	0UL
#define zone_page_state(zone, item)	((void)(zone), 0UL)
#define zone_idx(zone)			((void)(zone), 0)
#define for_each_populated_zone(zone)	for ((zone) = NULL; (zone);)
long si_mem_available(void);
extern unsigned long sysctl_admin_reserve_kbytes;
unsigned long totalram_pages(void);
#define get_num_physpages()	totalram_pages()
struct zone;
void drain_all_pages(struct zone *zone);
#define memalloc_mayfail_save()		0
#define memalloc_mayfail_restore(flags)	((void)(flags))
DEFINE_LOCK_GUARD_0(memalloc_mayfail, _T->flags = memalloc_mayfail_save(),
		    memalloc_mayfail_restore(_T->flags), unsigned int flags)

/* Nodes: MAX_NUMNODES of them, all with memory */

struct zone {
	atomic_long_t managed_pages;
};

#define MAX_NR_ZONES	1
typedef struct pglist_data {
	struct zone node_zones[MAX_NR_ZONES];
} pg_data_t;

#define for_each_online_pgdat(pgdat)	for ((pgdat) = NULL; (pgdat);)
#define for_each_node_state(nid, state)	for ((nid) = 0; (nid) < MAX_NUMNODES; (nid)++)
#define nodes_weight(mask)		MAX_NUMNODES

/* What a bootloader or an administrator had set aside: nothing, unless a test does */
extern struct resource crashk_res, crashk_low_res;
#define resource_size(res)	((res)->end - (res)->start + 1)
extern unsigned long initrd_start, initrd_end;

/* Small objects; all that a kernel leaves is gone with it */

bool slab_is_available(void);
void *sim_kmalloc(size_t size);
void kfree(const void *obj);
#define kvfree			kfree
#define kzalloc_obj(obj)	((typeof(obj) *)sim_kmalloc(sizeof(obj)))
#define kzalloc_objs(obj, n)	((typeof(obj) *)sim_kmalloc(array_size(n, sizeof(obj))))
#define kmalloc_array(n, size, gfp) sim_kmalloc(array_size(n, size))
#define kvmalloc_array		kmalloc_array
#define kvmalloc_objs(obj, n, ...) ((typeof(obj) *)sim_kmalloc(array_size(n, sizeof(obj))))
#define kmalloc(size, gfp)	sim_kmalloc(size)
#define kzalloc_node(size, gfp, nid) sim_kmalloc(size)

static inline void *kmemdup(const void *from, size_t size, gfp_t gfp)
{
	void *copy = sim_kmalloc(size);

	return copy ? memcpy(copy, from, size) : NULL;
}

DEFINE_FREE(kvfree, void *, kvfree(_T))
DEFINE_FREE(kfree, void *, kfree(_T))

static inline char *kstrdup(const char *from, gfp_t gfp)
{
	char *copy = kmalloc(strlen(from) + 1, gfp);

	return copy ? strcpy(copy, from) : NULL;
}

/* vmalloc: areas have pages and no mapping */

#define VM_ALLOC		0x02UL
#define VM_UNINITIALIZED	0x20UL
#define VM_ALLOW_HUGE_VMAP	0x400UL
#define VM_SPARSE		0x1000UL
#define VMALLOC_START		0UL
#define VMALLOC_END		~0UL
#define PAGE_KERNEL		0
#define NR_VMALLOC		0
#define KASAN_VMALLOC_PROT_NORMAL 0
#define KASAN_VMALLOC_VM_ALLOC	0
#define kasan_unpoison_vmalloc(start, size, flags) ((void)(flags), (start))
#define mod_lruvec_page_state(page, item, nr) ((void)(page))

typedef unsigned int kasan_vmalloc_flags_t;

struct vm_struct {
	void *addr;
	unsigned long size, flags;
	unsigned int nr_pages, page_order;
	struct page **pages;
	struct page **mapped;	/* of a sparse area, NULL where nothing is */
	struct list_head list;
};

struct vm_struct *find_vm_area(const void *addr);
struct vm_struct *__get_vm_area_node(unsigned long size, unsigned long align,
				     unsigned long shift, unsigned long flags,
				     unsigned long start, unsigned long end,
				     int node, gfp_t gfp, const void *caller);
int vmap_pages_range(unsigned long addr, unsigned long end, int prot,
		     struct page **pages, unsigned int shift);
struct vm_struct *get_vm_area_caller(unsigned long size, unsigned long flags,
				     const void *caller);
int vm_area_map_pages(struct vm_struct *area, unsigned long start, unsigned long end,
		      struct page **pages);
struct page *vmalloc_to_page(const void *addr);
void free_vm_area(struct vm_struct *area);
#define __vcalloc(n, size, gfp)	__vmalloc_node(array_size(n, size), 1, gfp, 0, NULL)
void *__vmalloc_node(size_t size, unsigned long align, gfp_t gfp, int node,
		     const void *caller);
#define vcalloc(n, size)	__vcalloc(n, size, GFP_KERNEL)
#define vmalloc_array(n, size)	vcalloc(n, size)
void vfree(const void *addr);
#define get_vm_area_size(area)		((area)->size)
#define get_vm_area_page_order(area)	((area)->page_order)
#define clear_vm_uninitialized_flag(area) ((area)->flags &= ~VM_UNINITIALIZED)

/* Files in memory; an inode is its own mapping */

typedef u64 pgoff_t;

struct file_system_type {
	const char *name;
};

struct super_block {
	struct file_system_type *s_type;
};

typedef struct {
	u32 val;
} kuid_t, kgid_t;

extern struct user_namespace {
	int nothing;
} init_user_ns;

#define make_kuid(ns, id)	((void)(ns), (kuid_t){ id })
#define make_kgid(ns, id)	((void)(ns), (kgid_t){ id })
#define from_kuid(ns, id)	((void)(ns), (id).val)
#define from_kgid(ns, id)	((void)(ns), (id).val)
#define uid_valid(id)		((id).val != (u32)-1)
#define gid_valid(id)		((id).val != (u32)-1)

/* Only what is in a file leads there */
struct sim_xarray {
	int nothing;
};

struct inode {
	loff_t i_size;
	unsigned long nrpages;
	unsigned int i_nlink, i_mode;
	kuid_t i_uid;
	kgid_t i_gid;
	struct inode *i_mapping, *host;
	struct super_block *i_sb;
	struct sim_xarray i_pages;
	unsigned long blocks;		/* accounted, in pages */
	long alloced, swapped;
};

struct dentry {
	char name[256];
};

struct name_snapshot {
	struct {
		const char *name;
	} name;
};

#define take_dentry_name_snapshot(snapshot, dentry)	\
	((snapshot)->name.name = (dentry)->name)
#define release_dentry_name_snapshot(snapshot)	do { } while (0)

struct file {
	struct inode *f_inode, *f_mapping;
	struct {
		struct dentry *dentry;
	} f_path;
	loff_t f_pos;
	const struct file_operations *f_op;
	void *private_data;
	unsigned int refs;
};

struct file_operations {
	void *owner;
	int (*open)(struct inode *inode, struct file *file);
	int (*release)(struct inode *inode, struct file *file);
	long (*unlocked_ioctl)(struct file *file, unsigned int cmd, unsigned long arg);
};

struct miscdevice {
	int minor;
	const char *name;
	const struct file_operations *fops;
};

struct module;

#define address_space		inode
#define file_inode(file)	((file)->f_inode)
#define i_size_read(inode)	((inode)->i_size)
#define i_size_write(inode, size) ((inode)->i_size = (size))
#define inode_lock(inode)	((void)(inode))
#define inode_unlock(inode)	((void)(inode))
#define MAX_LFS_FILESIZE	((loff_t)INT64_MAX)
#define S_IALLUGO		07777
#define F_SEAL_SEAL		0x01
#define F_SEAL_SHRINK		0x02
#define F_SEAL_GROW		0x04
#define F_SEAL_WRITE		0x08
#define F_SEAL_FUTURE_WRITE	0x10
#define F_SEAL_EXEC		0x20
#define THIS_MODULE		NULL
#define KBUILD_MODNAME		"kho"
#define try_module_get(module)	((void)(module), true)
#define module_put(module)	((void)(module))
#define MISC_DYNAMIC_MINOR	255
#define ENOIOCTLCMD		515
#define O_RDWR			2
#define O_CLOEXEC		02000000
#define offsetofend(type, member) \
	(offsetof(type, member) + sizeof(((type *)0)->member))

static inline loff_t vfs_setpos(struct file *file, loff_t pos, loff_t max)
{
	if (pos < 0 || pos > max)
		return -EINVAL;
	file->f_pos = pos;
	return pos;
}

struct file *memfd_alloc_file(const char *name, unsigned int flags);
int memfd_add_seals(struct file *file, unsigned int seals);
int memfd_get_seals(struct file *file);
long memfd_pin_folios(struct file *file, loff_t start, loff_t end,
		      struct folio **folios, unsigned int max, u64 *offset);

#define FOLIO_BATCH_SIZE			31

struct folio_batch {
	unsigned int nr;
	struct folio *folios[FOLIO_BATCH_SIZE];
};

#define folio_batch_init(batch)		((batch)->nr = 0)
#define folio_batch_count(batch)	((batch)->nr)
#define folio_batch_release(batch)	((batch)->nr = 0)
unsigned int filemap_get_folios(struct inode *mapping, pgoff_t *start, pgoff_t end,
				struct folio_batch *batch);
bool folio_contain_hwpoisoned_page(struct folio *folio);
#define folio_is_longterm_pinnable(folio) (!(folio)->page.movable)
unsigned int find_get_entries(struct inode *mapping, pgoff_t *start, pgoff_t end,
			      struct folio_batch *batch, pgoff_t *indices);

#define FOLL_PIN			1
int try_grab_folio(struct folio *folio, int refs, unsigned int flags);
void unpin_folio(struct folio *folio);
void unpin_folios(struct folio **folios, unsigned long nr);
int split_folio(struct folio *folio);
#define MAX_XAS_ORDER			11
#define MAX_PAGECACHE_ORDER		9
#define THP_ORDERS_ALL_FILE_DEFAULT	((BIT(MAX_PAGECACHE_ORDER + 1) - 1) & ~BIT(0))

/* Entries that are no folios: a page in swap, and one that memory failure took */
typedef struct {
	unsigned long val;
} swp_entry_t;

#define xa_is_value(entry)		((unsigned long)(entry) & 1)
#define swp_to_radix_entry(entry)	((void *)((entry).val << 1 | 1))
#define radix_to_swp_entry(entry)	((swp_entry_t){ (unsigned long)(entry) >> 1 })
#define make_poisoned_swp_entry()	((swp_entry_t){ 1 })
#define softleaf_is_poison_marker(entry) ((entry).val == 1)

#define XA_PRESENT			0
struct xa_state {
	struct sim_xarray *xa;
	unsigned long index;
};

#define XA_STATE(name, array, at)	struct xa_state name = { array, at }
#define xas_lock_irq(xas)		((void)(xas))
#define xas_unlock_irq(xas)		((void)(xas))
#define xas_for_each(xas, entry, max) \
	while (((entry) = sim_xas_next(xas, max)))
void *sim_xas_next(struct xa_state *xas, unsigned long max);
#define xas_advance(xas, at)		((xas)->index = (at) + 1)

#define GUP_PIN_COUNTING_BIAS		1
#define folio_ref_add(folio, nr)	((folio)->page.pins += (nr))
#define smp_mb()			((void)0)
#define smp_mb__before_atomic()		((void)0)
#define smp_mb__after_atomic()		((void)0)
#define folio_ref_sub(folio, nr)	((folio)->page.pins -= (nr))
#define NODE_DATA(nid)			(nid)
#define NR_FOLL_PIN_ACQUIRED		0
#define mod_node_page_state(node, item, nr)	((void)(node))
/* What a test wants replaced is found by those who look at it one by one */
bool folio_test_locked(struct folio *folio);
enum { PG_locked, PG_uptodate, PG_dirty, PG_head, PG_hwpoison };
#define __PG_HWPOISON			BIT(PG_hwpoison)
const unsigned long *const_folio_flags(const struct folio *folio, unsigned int n);

#define xa_lock_irq(xa)			((void)(xa))
#define xa_unlock_irq(xa)		((void)(xa))
void *xa_find(struct sim_xarray *xa, unsigned long *index, unsigned long max, int mark);
int xa_get_order(struct sim_xarray *xa, unsigned long index);
int xa_insert_irq(struct sim_xarray *xa, unsigned long index, void *entry, gfp_t gfp);

struct file *anon_inode_getfile(const char *name, const struct file_operations *fops,
				void *private_data, int flags);
int misc_register(struct miscdevice *misc);
struct file *get_file(struct file *file);
void fput(struct file *file);

/* File descriptors of the one process there is, and its memory */
int get_unused_fd_flags(unsigned int flags);
void put_unused_fd(unsigned int fd);
void fd_install(unsigned int fd, struct file *file);
struct file *fget(unsigned int fd);

#define get_user(to, from)		((to) = *(from), 0)
/* A test may have its answers refused */
extern bool sim_read_only;
#define copy_to_user(to, from, size)	\
	(sim_read_only ? (size) : (memcpy(to, from, size), 0UL))

static inline int copy_struct_from_user(void *to, size_t size, const void *from,
					size_t user_size)
{
	if (user_size > size)
		return -E2BIG;
	memset(to, 0, size);
	memcpy(to, from, user_size);
	return 0;
}

struct xarray {
	struct {
		unsigned long index;
		void *entry;
	} slots[128];
};

#define DEFINE_XARRAY(name)		struct xarray name
int xa_insert(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp);
void *xa_erase(struct xarray *xa, unsigned long index);

int shmem_add_to_page_cache(struct folio *folio, struct inode *mapping,
			    u64 index, void *shadow, gfp_t gfp);
unsigned int shmem_add_folios(struct inode *mapping, u64 index,
			      struct folio **folios, unsigned int nr, gfp_t gfp);

extern bool sim_memfds_are_shmem;
#define shmem_file(file)		sim_memfds_are_shmem
#define shmem_freeze(inode, on)		do { } while (0)
#define shmem_hold(inode, on)		((void)(inode))
#define SHMEM_I(inode)			(inode)
int shmem_inode_acct_blocks(struct inode *inode, long nr);
void shmem_recalc_inode(struct inode *inode, long alloced, long swapped);
void shmem_count_marker(struct inode *inode);
void folio_lock(struct folio *folio);
void folio_unlock(struct folio *folio);
#define __folio_set_locked(folio)	folio_lock(folio)
#define pfn_folio(pfn)			page_folio(pfn_to_page(pfn))
#define folio_test_dirty(folio)		((folio)->page.dirty)
#define folio_mark_dirty(folio)		((folio)->page.dirty = true)
#define folio_set_dirty(folio)		folio_mark_dirty(folio)
#define folio_mark_uptodate(folio)	((folio)->page.uptodate = true)
#define __folio_mark_uptodate(folio)	folio_mark_uptodate(folio)
#define folio_test_uptodate(folio)	((folio)->page.uptodate)
#define folio_zero_range(folio, at, size) memset(folio_address(folio) + (at), 0, size)
#define flush_dcache_folio(folio)	do { } while (0)
#define folio_next_index(folio)		((folio)->index + folio_nr_pages(folio))
#define folio_size(folio)		(folio_nr_pages(folio) * PAGE_SIZE)
#define folio_add_lru(folio)		do { } while (0)
#define folios_add_lru(folios, nr)	do { } while (0)
#define __folio_set_swapbacked(folio)	do { } while (0)
#define mapping_gfp_mask(mapping)	GFP_KERNEL
#define get_mem_cgroup_with_room(nr)	((void)(nr), NULL)
#define mem_cgroup_charge_nearest(folio, gfp) do { } while (0)
#define mem_cgroup_put(memcg)		((void)(memcg))
#define set_active_memcg(memcg)		((void)(memcg), NULL)
#define XA_CHUNK_SIZE			64
#define fatal_signal_pending(task)	false
#define current				NULL
#define schedule_timeout_killable(time)	do { } while (0)

/* kexec */

#define KEXEC_TYPE_DEFAULT	0
#define KEXEC_TYPE_CRASH	1
#define KEXEC_BUF_MEM_UNKNOWN	0

struct resource {
	phys_addr_t start, end;
};

struct kexec_segment {
	void *buf;
	size_t bufsz;
	unsigned long mem;
	size_t memsz;
};

struct kimage {
	int type;
	unsigned long nr_segments;
	struct kexec_segment segment[4];
	void *kernel_buf;
	unsigned long kernel_buf_len;
	char *cmdline_buf;
	struct {
		phys_addr_t fdt;
		struct kexec_segment *scratch;
		struct kho_next next;
	} kho;
};

struct kexec_buf {
	struct kimage *image;
	void *buffer;
	unsigned long bufsz, mem, memsz, buf_align, buf_min, buf_max;
	bool top_down;
};

int kexec_add_buffer(struct kexec_buf *kbuf);
int kho_fill_kimage(struct kimage *image);
int kho_locate_mem_hole(struct kexec_buf *kbuf,
			int (*func)(struct resource *, void *));

#define is_kdump_kernel()	false
#define __NEW_UTS_LEN		64

struct uts_namespace {
	struct {
		char release[__NEW_UTS_LEN + 1];
	} name;
};

extern struct uts_namespace init_uts_ns;

/* kmemleak has a small pool for what is allocated before the page allocator is there */
extern unsigned int sim_kmemleak_objects;
#define kmemleak_alloc_phys(phys, size, gfp)	((void)sim_kmemleak_objects++)

/* What nobody here looks at */

#define kmemleak_free_part_phys(phys, size) do { } while (0)
#define kmemleak_ignore_phys(phys)	do { } while (0)
#define mirrored_kernelcore		false
extern bool sim_movable_node;
#define movable_node_is_enabled()	sim_movable_node
#define K(pages)			((pages) << (PAGE_SHIFT - 10))
#define string_get_size(...)		do { } while (0)

#endif /* _SIM_KERNEL_H */
