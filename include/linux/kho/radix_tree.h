/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The KHO radix tree: a set of integer keys that survives kexec.
 *
 * This is the in-kernel interface; what the tree looks like in memory is in
 * linux/kho/abi/radix_tree.h.
 *
 * Takes the place of include/linux/kho_radix_tree.h of Linux 7.3.
 */
#ifndef _LINUX_KHO_RADIX_TREE_H
#define _LINUX_KHO_RADIX_TREE_H

#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/mutex_types.h>
#include <linux/types.h>

#include <asm/page.h>

struct kho_radix_leaf;
struct kho_radix_node;

/* Keys in a bitmap of the tree; the first is a multiple of it */
#define KHO_RADIX_BITMAP_KEYS	(PAGE_SIZE * BITS_PER_BYTE)

/* How many levels of nodes a tree has at most, the bitmaps included */
#define KHO_RADIX_MAX_LEVELS	6

/**
 * struct kho_radix_tree - handle of a tree
 * @root: topmost node, in the direct map.
 * @leaf: the bitmap that was used last, %NULL at first. It stays valid because
 *	no node is freed before the whole tree is.
 * @leaf_index: which one that is, counted in bitmaps from key 0.
 * @lock: serialises everything that reads or changes the tree.
 */
struct kho_radix_tree {
	struct kho_radix_node *root;
	struct kho_radix_leaf *leaf;
	unsigned long leaf_index;
	struct mutex lock;	/* all of the above, and the nodes */
};

/* From the callback for nodes; no error has this value */
#define KHO_RADIX_SKIP		1

/**
 * struct kho_radix_walk_cb - what a walk calls
 * @keys: called for each bitmap, in ascending order: @first + n is a key if bit n
 *	of the %KHO_RADIX_BITMAP_KEYS bits is set. The bitmap may be empty. In a
 *	damaged tree keys can be wider than %KHO_RADIX_KEY_WIDTH. May be %NULL.
 * @node: called with the physical address of each node before the node is read,
 *	so it can keep the walk away from an address that makes no sense; may
 *	be %NULL. With %KHO_RADIX_SKIP the walk leaves out the node and all that
 *	is below it.
 *
 * The walk stops at the first callback that returns something else but 0.
 */
struct kho_radix_walk_cb {
	int (*keys)(unsigned long first, const unsigned long *bitmap, void *data);
	int (*node)(phys_addr_t phys, void *data);
};

/**
 * kho_radix_encode_key - key of a preserved range of pages
 * @phys: physical address of the range, a multiple of its size.
 * @order: the range has 2^@order pages.
 *
 * Return: the key.
 */
static inline unsigned long kho_radix_encode_key(phys_addr_t phys,
						 unsigned int order)
{
	unsigned int shift = PAGE_SHIFT + order;

	return BIT(BITS_PER_LONG - shift) | (phys >> shift);
}

/**
 * kho_radix_decode_key - range of pages that a key stands for
 * @key: a key; 0, which no range has, gives an order beyond all memory.
 * @order: where to store the order of the range.
 *
 * Return: physical address of the range.
 */
static inline phys_addr_t kho_radix_decode_key(unsigned long key,
					       unsigned int *order)
{
	unsigned int shift = BITS_PER_LONG - (key ? __fls(key) : 0);

	*order = shift - PAGE_SHIFT;
	/* The mark of the order leaves at the top; 64 places are too many for one shift */
	return (phys_addr_t)key << (shift - 1) << 1;
}

#ifdef CONFIG_KEXEC_HANDOVER

int kho_radix_init_tree(struct kho_radix_tree *tree, struct kho_radix_node *root);
void kho_radix_destroy_tree(struct kho_radix_tree *tree);
int kho_radix_add_key(struct kho_radix_tree *tree, unsigned long key);
void kho_radix_del_key(struct kho_radix_tree *tree, unsigned long key);
int kho_radix_walk_tree(struct kho_radix_tree *tree,
			const struct kho_radix_walk_cb *cb, void *data);

#else

static inline int kho_radix_init_tree(struct kho_radix_tree *tree,
				      struct kho_radix_node *root)
{
	return 0;
}

static inline void kho_radix_destroy_tree(struct kho_radix_tree *tree) { }

static inline int kho_radix_add_key(struct kho_radix_tree *tree,
				    unsigned long key)
{
	return -EOPNOTSUPP;
}

static inline void kho_radix_del_key(struct kho_radix_tree *tree,
				     unsigned long key) { }

static inline int kho_radix_walk_tree(struct kho_radix_tree *tree,
				      const struct kho_radix_walk_cb *cb,
				      void *data)
{
	return -EOPNOTSUPP;
}

#endif /* CONFIG_KEXEC_HANDOVER */

#endif /* _LINUX_KHO_RADIX_TREE_H */
