/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Takes the place of the file of this name in Linux 7.3:
 * Copyright (C) 2023 Alexander Graf <graf@amazon.com>
 * Copyright (C) 2025 Microsoft Corporation, Mike Rapoport <rppt@kernel.org>
 * Copyright (C) 2025 Google LLC, Changyuan Lyu <changyuanl@google.com>
 * Copyright (C) 2025 Google LLC, Jason Miu <jasonmiu@google.com>
 */
#ifndef _LINUX_KHO_ABI_KEXEC_HANDOVER_H
#define _LINUX_KHO_ABI_KEXEC_HANDOVER_H

/**
 * DOC: KHO core ABI
 *
 * The root of a handover is a flattened device tree in one preserved page,
 * whose physical address the boot protocol of the architecture carries::
 *
 *     / {
 *         compatible = "kho-v5", "kho-v4";
 *         preserved-memory-map = <u64>;
 *         crash-memory = <u64 u64>, <u64 u64>;
 *
 *         components { ... };
 *
 *         <name> {
 *             preserved-data = <u64>;
 *             blob-size = <u64>;
 *         };
 *     };
 *
 * ``preserved-memory-map`` is the physical address of the root of a radix tree
 * that holds every preserved range of pages, see the ABI of the radix tree.
 * The nodes of that tree are not preserved pages themselves.
 *
 * ``crash-memory`` is optional: address and size of each area that the previous
 * kernel kept for a crash kernel. Nothing preserved is in it, and the next kernel
 * may reserve such an area there before it has read the memory map. An area that
 * is scratch as well is not listed.
 *
 * ``components`` states the version of every format in the handover, see the
 * ABI of component versions. "kho-v4" is listed for Linux 7.3, which does not
 * know that node, for as long as each format is what 7.3 reads. A handover
 * that lists "kho-v4" only comes from such a kernel.
 *
 * Every other child of the root is a subtree: ``preserved-data`` is the physical
 * address of a blob that a user of KHO has preserved and ``blob-size`` its size
 * in bytes. The format of a blob is its owner's business, and its owner gives
 * it a version.
 *
 * All numbers in these properties are in the byte order of the machine.
 *
 * Next to the FDT, the boot protocol carries the scratch areas: an array of
 * &struct kho_scratch, with memory that holds nothing preserved and so may be
 * used before the memory map has been read.
 *
 * The compatible string changes with the meaning of anything above, and not
 * with the format of a component.
 */

/* Compatible string of the root node, and the one of Linux 7.3 */
#define KHO_FDT_COMPATIBLE		"kho-v5"
#define KHO_FDT_COMPATIBLE_BASELINE	"kho-v4"

/* Property of the root node: where the preserved memory map is */
#define KHO_FDT_MEMORY_MAP_PROP_NAME	"preserved-memory-map"

/* Property of the root node: where memory for a crash kernel was, at most so often */
#define KHO_FDT_CRASH_PROP_NAME		"crash-memory"
#define KHO_MAX_CRASH_AREAS		2

/* Properties of a subtree: where its blob is, and its size in bytes */
#define KHO_SUB_TREE_PROP_NAME		"preserved-data"
#define KHO_SUB_TREE_SIZE_PROP_NAME	"blob-size"

#endif /* _LINUX_KHO_ABI_KEXEC_HANDOVER_H */
