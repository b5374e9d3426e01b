// SPDX-License-Identifier: GPL-2.0-only
/*
 * KHO radix tree - a set of integer keys in pages that survive kexec.
 *
 * Owns the nodes: how they are found, added, walked and freed. The meaning of a key
 * belongs to the user of the tree, and so does preserving the nodes: they are not
 * preserved pages by themselves.
 *
 * The layout is in linux/kho/abi/radix_tree.h.
 *
 * Takes the place of a part of kernel/liveupdate/kexec_handover.c of Linux 7.3:
 * Copyright (C) 2023 Alexander Graf <graf@amazon.com>
 * Copyright (C) 2025 Microsoft Corporation, Mike Rapoport <rppt@kernel.org>
 * Copyright (C) 2025 Google LLC, Changyuan Lyu <changyuanl@google.com>
 * Copyright (C) 2025 Pasha Tatashin <pasha.tatashin@soleen.com>
 * Copyright (C) 2026 Google LLC, Jason Miu <jasonmiu@google.com>
 */

#define pr_fmt(fmt) "KHO: " fmt

#include <kunit/static_stub.h>
#include <linux/bitops.h>
#include <linux/cleanup.h>
#include <linux/export.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/kho/abi/radix_tree.h>
#include <linux/kho/compat.h>
#include <linux/kho/radix_tree.h>
#include <linux/lockdep.h>
#include <linux/memblock.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include "kexec_handover_internal.h"

struct kho_component kho_radix_component = {
	.name = "radix",
	KHO_COMPONENT_VERSIONS(KHO_RADIX),
};

static_assert(BIT(KHO_BITMAP_SIZE_LOG2) == KHO_RADIX_BITMAP_KEYS);
static_assert(KHO_TREE_MAX_DEPTH <= KHO_RADIX_MAX_LEVELS);

#define KHO_RADIX_TOP_LEVEL	(KHO_TREE_MAX_DEPTH - 1)

static bool kho_radix_key_valid(unsigned long key)
{
	return !(key >> KHO_RADIX_KEY_WIDTH);
}

/* How far a key is shifted for the slots of the tables at @level, 1 or more */
static unsigned int kho_radix_shift(unsigned int level)
{
	return KHO_BITMAP_SIZE_LOG2 + (level - 1) * KHO_TABLE_SIZE_LOG2;
}

static u64 *kho_radix_slot(struct kho_radix_node *node, unsigned int level,
			   unsigned long key)
{
	unsigned long index = key >> kho_radix_shift(level);

	return &node->table[index & (ARRAY_SIZE(node->table) - 1)];
}

static unsigned long kho_radix_bit(unsigned long key)
{
	return key & (BIT(KHO_BITMAP_SIZE_LOG2) - 1);
}

/* Trees are built before the page allocator is up, too */
struct kho_radix_node __ref *kho_radix_alloc_node(void)
{
	struct page *page;

	KUNIT_STATIC_STUB_REDIRECT(kho_radix_alloc_node);

	if (!slab_is_available())
		return memblock_alloc(PAGE_SIZE, PAGE_SIZE);

	/* The map of preserved memory is one of these trees */
	page = kho_alloc_pages(GFP_KERNEL | __GFP_ZERO, 0);
	return page ? page_address(page) : NULL;
}

static void __ref kho_radix_free_node(struct kho_radix_node *node)
{
	if (slab_is_available())
		free_page((unsigned long)node);
	else
		memblock_free(node, PAGE_SIZE);
}

/* Free @node, which stands at @level, and everything below it */
static void kho_radix_free_branch(struct kho_radix_node *node,
				  unsigned int level)
{
	if (level) {
		for (int i = 0; i < ARRAY_SIZE(node->table); i++) {
			if (node->table[i])
				kho_radix_free_branch(phys_to_virt(node->table[i]),
						      level - 1);
		}
	}

	kho_radix_free_node(node);
}

/*
 * Make a branch from a node at @level down to the bitmap, with nothing in it
 * but @key. It is built bottom up and out of sight of the tree, so that a
 * failure never has to be undone in the tree itself.
 */
static struct kho_radix_node *kho_radix_new_branch(unsigned long key,
						   unsigned int level)
{
	struct kho_radix_node *child, *node = kho_radix_alloc_node();

	if (!node)
		return NULL;

	__set_bit(kho_radix_bit(key), ((struct kho_radix_leaf *)node)->bitmap);

	for (unsigned int l = 1; l <= level; l++) {
		child = node;
		node = kho_radix_alloc_node();
		if (!node) {
			kho_radix_free_branch(child, l - 1);
			return NULL;
		}
		*kho_radix_slot(node, l, key) = virt_to_phys(child);
	}

	return node;
}

/**
 * kho_radix_init_tree - make a tree usable
 * @tree: the tree.
 * @root: topmost node of an existing tree, %NULL to start with an empty one.
 *
 * A @root from the previous kernel must have been checked by the caller.
 *
 * Context: may sleep; usable as soon as memblock can allocate.
 * Return: 0, or -ENOMEM if there is no page for the root.
 */
int kho_radix_init_tree(struct kho_radix_tree *tree, struct kho_radix_node *root)
{
	mutex_init(&tree->lock);
	tree->root = root ?: kho_radix_alloc_node();
	tree->leaf = NULL;

	return tree->root ? 0 : -ENOMEM;
}
EXPORT_SYMBOL_GPL(kho_radix_init_tree);

/**
 * kho_radix_destroy_tree - free all nodes of a tree
 * @tree: the tree; harmless on one without nodes.
 *
 * Context: the caller ensures that @tree has no other user. Only
 * for trees whose nodes this kernel allocated, or has restored as single pages.
 */
void kho_radix_destroy_tree(struct kho_radix_tree *tree)
{
	if (!tree->root)
		return;

	kho_radix_free_branch(tree->root, KHO_RADIX_TOP_LEVEL);
	tree->root = NULL;
	tree->leaf = NULL;
}
EXPORT_SYMBOL_GPL(kho_radix_destroy_tree);

/* The lowest existing node on the way to @key, and its level in *@level */
static struct kho_radix_node *kho_radix_descend(const struct kho_radix_tree *tree,
						unsigned long key,
						unsigned int *level)
{
	struct kho_radix_node *node = tree->root;

	for (*level = KHO_RADIX_TOP_LEVEL; *level; --*level) {
		u64 below = *kho_radix_slot(node, *level, key);

		if (!below)
			break;
		node = phys_to_virt(below);
	}

	return node;
}

/* Keys come in neighbourhoods, so most are found in the bitmap used last */
static bool kho_radix_cursor_hits(const struct kho_radix_tree *tree,
				  unsigned long key)
{
	return tree->leaf && tree->leaf_index == key >> KHO_BITMAP_SIZE_LOG2;
}

static void kho_radix_move_cursor(struct kho_radix_tree *tree,
				  struct kho_radix_node *leaf, unsigned long key)
{
	tree->leaf = (struct kho_radix_leaf *)leaf;
	tree->leaf_index = key >> KHO_BITMAP_SIZE_LOG2;
}

/* Add a key that is not in the bitmap used last */
static noinline int kho_radix_add_far(struct kho_radix_tree *tree, unsigned long key)
{
	struct kho_radix_node *node, *branch;
	unsigned int level;

	if (WARN_ON_ONCE(!tree->root))
		return -EINVAL;
	if (!kho_radix_key_valid(key))
		return -ERANGE;

	node = kho_radix_descend(tree, key, &level);
	if (level) {
		branch = kho_radix_new_branch(key, level - 1);
		if (!branch)
			return -ENOMEM;
		*kho_radix_slot(node, level, key) = virt_to_phys(branch);
		return 0;
	}

	kho_radix_move_cursor(tree, node, key);
	__set_bit(kho_radix_bit(key), tree->leaf->bitmap);
	return 0;
}

/* kho_radix_add_key() for callers that hold @tree->lock */
int __kho_radix_add_key(struct kho_radix_tree *tree, unsigned long key)
{
	lockdep_assert_held(&tree->lock);

	if (!kho_radix_cursor_hits(tree, key))
		return kho_radix_add_far(tree, key);

	__set_bit(kho_radix_bit(key), tree->leaf->bitmap);
	return 0;
}

/**
 * kho_radix_add_key - put a key into a tree
 * @tree: the tree.
 * @key: the key, at most %KHO_RADIX_KEY_WIDTH bits wide. Adding a key that is
 *	present already changes nothing.
 *
 * Context: takes @tree->lock, may sleep.
 * Return: 0; -ERANGE if @key is too wide; -ENOMEM if a node could not be
 * allocated, the tree is then what it was before; -EINVAL if @tree has not
 * been initialized.
 */
int kho_radix_add_key(struct kho_radix_tree *tree, unsigned long key)
{
	/* Its lock need not be initialized, either */
	if (WARN_ON_ONCE(!tree->root))
		return -EINVAL;

	guard(mutex)(&tree->lock);

	return __kho_radix_add_key(tree, key);
}
EXPORT_SYMBOL_GPL(kho_radix_add_key);

/* kho_radix_del_key() for callers that hold @tree->lock */
void __kho_radix_del_key(struct kho_radix_tree *tree, unsigned long key)
{
	struct kho_radix_node *node;
	unsigned int level;

	lockdep_assert_held(&tree->lock);

	if (!kho_radix_cursor_hits(tree, key)) {
		if (WARN_ON_ONCE(!tree->root || !kho_radix_key_valid(key)))
			return;

		node = kho_radix_descend(tree, key, &level);
		if (WARN_ON(level))
			return;
		kho_radix_move_cursor(tree, node, key);
	}

	WARN_ON(!__test_and_clear_bit(kho_radix_bit(key), tree->leaf->bitmap));
}

/**
 * kho_radix_del_key - take a key out of a tree
 * @tree: the tree.
 * @key: a key that is in it; anything else is a bug of the caller and warns.
 *
 * Nodes stay where they are even if they become empty: a key that is removed
 * is likely to come back, and its return must not fail for lack of memory.
 *
 * Context: takes @tree->lock, may sleep.
 */
void kho_radix_del_key(struct kho_radix_tree *tree, unsigned long key)
{
	if (WARN_ON_ONCE(!tree->root))
		return;

	guard(mutex)(&tree->lock);

	__kho_radix_del_key(tree, key);
}
EXPORT_SYMBOL_GPL(kho_radix_del_key);

/* Walk the branch at @phys, whose keys all start with the bits of @first */
static int kho_radix_walk_branch(phys_addr_t phys, unsigned int level,
				 unsigned long first,
				 const struct kho_radix_walk_cb *cb, void *data)
{
	struct kho_radix_node *node;
	int err;

	if (cb->node) {
		err = cb->node(phys, data);
		if (err)
			return err == KHO_RADIX_SKIP ? 0 : err;
	}

	cond_resched();
	node = phys_to_virt(phys);
	if (!level)
		return cb->keys ? cb->keys(first, ((struct kho_radix_leaf *)node)->bitmap,
					   data) : 0;

	for (unsigned long i = 0; i < ARRAY_SIZE(node->table); i++) {
		if (!node->table[i])
			continue;

		err = kho_radix_walk_branch(node->table[i], level - 1,
					    first | i << kho_radix_shift(level),
					    cb, data);
		if (err)
			return err;
	}

	return 0;
}

/**
 * kho_radix_walk_tree - visit all keys and nodes of a tree
 * @tree: the tree.
 * @cb: what to call for them.
 * @data: handed through to the callbacks.
 *
 * Context: holds @tree->lock throughout, so callbacks must not use @tree; may
 * sleep.
 * Return: 0 after a complete walk, else what the callback returned that ended
 * it; -EINVAL if @tree has not been initialized.
 */
int kho_radix_walk_tree(struct kho_radix_tree *tree,
			const struct kho_radix_walk_cb *cb, void *data)
{
	if (WARN_ON_ONCE(!tree->root))
		return -EINVAL;

	guard(mutex)(&tree->lock);

	return kho_radix_walk_branch(virt_to_phys(tree->root),
				     KHO_RADIX_TOP_LEVEL, 0, cb, data);
}
EXPORT_SYMBOL_GPL(kho_radix_walk_tree);
