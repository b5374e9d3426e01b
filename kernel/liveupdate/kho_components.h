/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KHO components that are built in, lowest layer first.
 *
 * The table in kho_compat.c and the note in kho_note.c are made from this list.
 * A line has the name, the &struct kho_component, and the prefix of the macros with
 * its versions. The macros are in the ABI headers, which kho_note.c includes.
 */
#ifndef _LINUX_KHO_COMPONENTS_H
#define _LINUX_KHO_COMPONENTS_H

#ifdef CONFIG_LIVEUPDATE
#define KHO_IF_LIVEUPDATE(...)		__VA_ARGS__
#else
#define KHO_IF_LIVEUPDATE(...)
#endif

#ifdef CONFIG_LIVEUPDATE_MEMFD
#define KHO_IF_LIVEUPDATE_MEMFD(...)	__VA_ARGS__
#else
#define KHO_IF_LIVEUPDATE_MEMFD(...)
#endif

#define KHO_COMPONENTS(x)						\
	x("radix", kho_radix_component, KHO_RADIX)			\
	x("vmalloc", kho_vmalloc_component, KHO_VMALLOC)		\
	x("block", kho_block_component, KHO_BLOCK)			\
	x("memblock", memblock_kho_component, MEMBLOCK_KHO)		\
	KHO_IF_LIVEUPDATE(x("luo", luo_kho_component, LUO))		\
	KHO_IF_LIVEUPDATE_MEMFD(x("memfd", memfd_kho_component, MEMFD_LUO))

#endif /* _LINUX_KHO_COMPONENTS_H */
