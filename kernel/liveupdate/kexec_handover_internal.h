/* SPDX-License-Identifier: GPL-2.0 */
/*
 * KHO internals - what the files of KHO use of each other.
 *
 * Each group of declarations names the file that defines them and the callers.
 * Included by kernel/liveupdate and its tests only.
 *
 * Layers, lowest first. A file uses files of lower layers only, and none of its own.
 *
 * 1 kho_place.c               memory that the next kernel finds
 *   kho_frames.c              set of page frames kept from the page allocator
 *   kho_note.c                note in this kernel's image
 * 2 kho_radix.c               radix tree
 * 3 kho_scratch.c             scratch areas
 * 4 kho_crash.c               area for a crash kernel
 * 5 kho_takeover.c            preserved memory during boot
 * 6 kho_compat.c              component versions
 * 7 kexec_handover.c          core: FDT, preserved ranges
 * 8 kho_block.c               lists of blocks
 *   kho_vmalloc.c             vmalloc areas
 *   kho_image.c               check of the next image
 *   kho_held.c                release of memory of the previous kernel
 * 9 kho_sysfs.c               /sys/kernel/kho
 *   kexec_handover_debugfs.c  debugfs
 *
 * Live update, memfd and reserve_mem are above all of them and use public headers.
 * Two exceptions: changes are reported to layer 9, and a component that a module
 * registers to kho_image.c, neither of which returns anything; and kho_compat.c edits
 * its node of the FDT through the core.
 *
 * Takes the place of the file of this name in Linux 7.3.
 */
#ifndef _LINUX_KEXEC_HANDOVER_INTERNAL_H
#define _LINUX_KEXEC_HANDOVER_INTERNAL_H

#include <linux/kexec_handover.h>
#include <linux/kho/compat.h>
#include <linux/kho/image.h>
#include <linux/kho/radix_tree.h>
#include <linux/mutex_types.h>
#include <linux/types.h>

struct kexec_buf;
struct kho_radix_node;
struct kimage;
struct page;
struct resource;

/* kho_place.c; for all that is preserved or leads to it */
const char *kho_place_fault(unsigned long pfn, unsigned long end);
struct page *kho_alloc_pages(gfp_t gfp, unsigned int order);

/* kho_radix.c; for its own use and for tests that make allocations fail */
struct kho_radix_node *kho_radix_alloc_node(void);

/* kho_radix.c; for the core, which holds the lock of the tree */
int __kho_radix_add_key(struct kho_radix_tree *tree, unsigned long key);
void __kho_radix_del_key(struct kho_radix_tree *tree, unsigned long key);

/* kho_scratch.c; for the core and debugfs */
extern struct kho_scratch *kho_scratch;
extern unsigned int kho_scratch_cnt;

int kho_scratch_accept(phys_addr_t phys, u64 len);
void kho_scratch_adopt(phys_addr_t phys, u64 len);
void kho_scratch_forget(void);
int kho_scratch_reserve(void);
void kho_scratch_release(void);
void kho_scratch_free(void);
unsigned long kho_scratch_pages(void);
void kho_scratch_beside(unsigned long pfn, unsigned long end,
			unsigned long *first, unsigned long *last);
int kho_scratch_walk(struct kexec_buf *kbuf,
		     int (*func)(struct resource *, void *));
void kho_scratch_too_small(const struct kexec_buf *kbuf);

/* kho_crash.c; for the core and the image check */
#ifdef CONFIG_CRASH_RESERVE
u64 kho_crash_room(void);
u64 kho_crash_size(const char *val);
unsigned int kho_crash_areas(struct kho_scratch *area);
int kho_crash_write(void *fdt, void *data);
void kho_crash_read(const void *fdt);
#else
static inline u64 kho_crash_room(void) { return 0; }
static inline u64 kho_crash_size(const char *val) { return 0; }
static inline unsigned int kho_crash_areas(struct kho_scratch *area) { return 0; }
static inline int kho_crash_write(void *fdt, void *data) { return 0; }
static inline void kho_crash_read(const void *fdt) { }
#endif /* CONFIG_CRASH_RESERVE */

/*
 * kho_compat.c; for the core, and for tests with tables of their own. The first
 * component is the tree of preserved memory, which all others depend on.
 */
struct kho_component_table {
	struct kho_component *const *components;
	unsigned int nr;
};

/* The name is a property of the FDT and, with its NUL, an entry of an image note */
#define KHO_COMPONENT_NAME_MAX	15
#define KHO_MAX_COMPONENTS	KHO_IMAGE_NOTE_MAX_ENTRIES

extern struct kho_component_table kho_table;
extern struct mutex kho_components_lock;
extern bool kho_versions_fixed;

/* Bytes of the FDT that stay free for KHO_FDT_COMPATIBLE_BASELINE */
#define KHO_FDT_SPARE	8

int kho_compat_write(void *fdt, const struct kho_component_table *table);
int kho_compat_update(void *fdt, const struct kho_component_table *table,
		      const struct kho_component *component);
int kho_compat_read(const void *fdt, u64 len,
		    const struct kho_component_table *table);
long kho_unfinished(void);
struct kho_component *kho_find_component(const char *name, size_t len);
u32 kho_common_version(const struct kho_component *c, u32 min_version, u32 version);
void kho_component_agree(struct kho_component *c, u32 version);
int kho_component_pin(struct kho_component *c, u32 version);
void kho_agree_late(struct kho_component *c);

/* Components that others define; named here for the table only */
extern struct kho_component memblock_kho_component;
extern struct kho_component luo_kho_component;
extern struct kho_component memfd_kho_component;

/* kho_image.c; for the core and sysfs, and for tests */
enum kho_next_status {
	KHO_NEXT_NONE,
	KHO_NEXT_COMPATIBLE,
	KHO_NEXT_INCOMPATIBLE,
	KHO_NEXT_UNKNOWN,
};

/*
 * What this kernel has to hand over: components with their users, subtrees that
 * something was preserved for, areas of scratch, whether the FDT is one for Linux
 * 7.3, whether sessions can be made.
 */
struct kho_outgoing {
	const struct kho_component_table *table;
	unsigned int subtrees;
	unsigned int scratch;
	bool baseline;
	bool liveupdate;
};

const struct kho_image_note *kho_find_note(const void *image, size_t size);
int kho_describe_next(struct kho_next *next, const struct kho_image_note *note,
		      const char *cmdline);
void kho_assume_stock(struct kho_next *next, const struct kho_component_table *table);
long kho_outgoing_users(const struct kho_outgoing *out, const struct kho_component *c);
enum kho_next_status kho_compare_next(const struct kho_outgoing *out,
				      const struct kho_next *next, bool in_use);
long kho_component_users(const struct kho_component *c);
enum kho_next_status kho_next_status(bool in_use);
bool kho_next_loaded(void);
bool kho_next_entry(const char *name, struct kho_image_entry *entry);
const char *kho_check_mode_name(void);
int kho_set_check_mode(const char *name);
bool kho_check_only_warns(void);
const char *kho_assumed_name(void);
int kho_set_assumed(const char *name);

/* kho_sysfs.c; for changes of next/status and next/potential */
#ifdef CONFIG_SYSFS
void kho_sysfs_notify(void);
void kho_sysfs_notify_image(void);
void kho_sysfs_add_component(struct kho_component *c);
void kho_sysfs_remove_component(struct kho_component *c);
#else
static inline void kho_sysfs_notify(void) { }
static inline void kho_sysfs_notify_image(void) { }
static inline void kho_sysfs_add_component(struct kho_component *c) { }
static inline void kho_sysfs_remove_component(struct kho_component *c) { }
#endif

/* kho_frames.c; for the take-over, and for tests */
int kho_frames_init(unsigned long end);
int kho_frames_add(unsigned long pfn, unsigned long end, unsigned int order);
int kho_frames_add_word(unsigned long pfn, unsigned long word);
unsigned long kho_frames_next(unsigned long pfn, unsigned long end);
unsigned long kho_frames_next_late(unsigned long pfn, unsigned long end);
bool kho_frame_initialized(unsigned long pfn);
void kho_frames_free(void);
extern unsigned long kho_frames_pages;
extern unsigned long kho_frames_steps;

/* kho_takeover.c; for the core and for tests */
int kho_scratch_extend(struct kho_radix_tree *map, phys_addr_t fdt);

/* Ranges of one order, side by side: page frames from pfn up to end */
struct kho_run {
	unsigned long pfn;
	unsigned long end;
	unsigned int order;
};

/**
 * struct kho_map_cb - what a walk of the preserved memory map calls
 * @span: for each bitmap, before its runs: all of them are of one order and lie in
 *	@span, which is memory of one node, or it is %NULL. %true if that is all
 *	there was to know.
 * @word: for pages in a word of a bitmap of order 0 that are all in memory of the
 *	node @nid: the lowest bit stands for page frame @pfn. %false to have @run
 *	called for them; may be %NULL.
 * @run: for each run of ranges; all are in memory, and none of them spans nodes.
 *	Something other than 0 ends the walk.
 * @node: with the address of each node of the map that can be read; may be %NULL.
 * @lost: for each range that has no place in this kernel's memory, and why; may
 *	be %NULL.
 * @bad: for each "node" that cannot be read, with its address, and each "key"
 *	that stands for no range; may be %NULL.
 */
struct kho_map_cb {
	bool (*span)(const struct kho_run *span, const unsigned long *bitmap,
		     void *data);
	bool (*word)(unsigned long pfn, unsigned long word, int nid, void *data);
	int (*run)(const struct kho_run *run, void *data);
	void (*node)(phys_addr_t phys, void *data);
	void (*lost)(const struct kho_run *range, const char *why, void *data);
	void (*bad)(const char *what, u64 where, void *data);
};

int kho_next_run(struct kho_run *run, unsigned long *bit, unsigned long first,
		 const unsigned long *bitmap);
int kho_walk_map(struct kho_radix_tree *map, const struct kho_map_cb *cb,
		 void *data);
bool kho_in_memory(phys_addr_t phys);
extern unsigned long kho_takeover_steps;
long kho_take_over(struct kho_radix_tree *map, phys_addr_t fdt);
bool kho_complete_range(struct page *page);

/*
 * page->private of the first page of a preserved range until the range is
 * restored: this in the upper half, the order of the range in the
 * lower. Pages that are not the start of a preserved range never match.
 */
#define KHO_PAGE_MAGIC	0x4b484f50UL	/* "KHOP" */

/* The other struct pages of the range have not been initialized yet */
#define KHO_PAGE_LATE	BIT(31)

static inline unsigned long kho_page_info(unsigned int order)
{
	return KHO_PAGE_MAGIC << 32 | order;
}

/* True if @info, from page->private, marks the start of a preserved range */
static inline bool kho_page_marked(unsigned long info)
{
	return info >> 32 == KHO_PAGE_MAGIC;
}

static inline unsigned int kho_page_order(unsigned long info)
{
	return lower_32_bits(info) & ~KHO_PAGE_LATE;
}

/* kexec_handover.c; for kho_vmalloc.c, which has validated what it restores */
bool kho_restore_range(struct kho_restore_batch *batch, struct page *page,
		       unsigned int order);

/* kexec_handover.c; for memory that goes offline */
bool kho_find_preserved(unsigned long *pfn, unsigned long end);
bool kho_find_held(unsigned long *pfn, unsigned long end);
bool kho_is_restoring(void);

/* kexec_handover.c; for the release of what is held */
long kho_subtrees_waiting(void);
void kho_subtrees_give_up(void);
bool kho_in_fdt_range(unsigned long pfn, unsigned long end);

/* kho_held.c; for sysfs */
long kho_held_waiting(void);
int kho_release_held(bool all);
int kho_check_offline(unsigned long pfn, unsigned long end);

/* kexec_handover.c; for debugfs and tests */
int kho_fdt_u64(const void *fdt, int node, const char *name, u64 *val);
bool kho_range_preserved(phys_addr_t phys, u64 size);
int kho_edit_out_fdt(int (*edit)(void *fdt, void *data), void *data);

/* kexec_handover.c; for kho_compat.c */
const void *kho_in_fdt(void);
bool kho_fdt_crowded(const void *fdt);

/* kexec_handover.c; for the check of the next image */
void kho_read_out_fdt(void (*look)(const void *fdt, void *data), void *data);

/* kexec_handover_debugfs.c; for the core */
#ifdef CONFIG_KEXEC_HANDOVER_DEBUGFS
void kho_debugfs_init(void);
void kho_debugfs_exit(void);
void kho_debugfs_add_out(const char *name, const void *blob, size_t size);
void kho_debugfs_remove_out(const void *blob);
void kho_debugfs_add_in(const void *fdt);
#else
static inline void kho_debugfs_init(void) { }
static inline void kho_debugfs_exit(void) { }
static inline void kho_debugfs_add_out(const char *name, const void *blob,
				       size_t size) { }
static inline void kho_debugfs_remove_out(const void *blob) { }
static inline void kho_debugfs_add_in(const void *fdt) { }
#endif /* CONFIG_KEXEC_HANDOVER_DEBUGFS */

#endif /* _LINUX_KEXEC_HANDOVER_INTERNAL_H */
