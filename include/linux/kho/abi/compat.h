/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Takes the place of a part of
 * include/linux/kho/abi/kexec_handover.h of Linux 7.3:
 * Copyright (C) 2023 Alexander Graf <graf@amazon.com>
 * Copyright (C) 2025 Microsoft Corporation, Mike Rapoport <rppt@kernel.org>
 * Copyright (C) 2025 Google LLC, Changyuan Lyu <changyuanl@google.com>
 * Copyright (C) 2025 Google LLC, Jason Miu <jasonmiu@google.com>
 */
#ifndef _LINUX_KHO_ABI_COMPAT_H
#define _LINUX_KHO_ABI_COMPAT_H

#include <linux/io.h>
#include <linux/typecheck.h>
#include <linux/types.h>

/**
 * DOC: KHO component versions
 *
 * The KHO FDT states which formats the previous kernel wrote, in a node of the
 * root with one cell (big endian) for each component that it had built in::
 *
 *     components {
 *         page-shift = <12>;
 *         radix = <1>;
 *         vmalloc = <1>;
 *         block = <1>;
 *         memblock = <1>;
 *         luo = <5>;
 *         memfd = <2>;
 *     };
 *
 * A version is never 0. A reader accepts the versions from its MIN_VERSION to
 * its VERSION of a component, macros in the header that describes the format;
 * it ignores components that it does not know. ``page-shift`` is the size of a
 * page, which every format depends on.
 *
 * Where an object carries a version of its own, as the state of LUO, the
 * handler string of a file and the FDT of memblock do, that one counts.
 */

#define KHO_FDT_COMPONENTS_NODE_NAME	"components"
#define KHO_FDT_PAGE_SHIFT_PROP_NAME	"page-shift"

/**
 * DOC: Serializable pointers
 *
 * A virtual address means nothing to the next kernel, so a structure that is
 * handed over links to other memory by physical address. The macros below
 * declare such a link together with the type of what it points to: the union
 * is eight bytes wide and only its ``phys`` member is ever stored; ``ptr``
 * exists to let the compiler check both ends.
 *
 * Any component may use them. They carry no version of their own: the
 * structure that embeds the link does.
 */

/**
 * DECLARE_KHOSER_PTR - declare a link that survives kexec
 * @name: name of the member.
 * @type: pointer type of what it links to.
 */
#define DECLARE_KHOSER_PTR(name, type)		\
	union {					\
		u64 phys;			\
		type ptr;			\
	} name

/**
 * KHOSER_STORE_PTR - make a link refer to an object
 * @dest: the link, declared by DECLARE_KHOSER_PTR().
 * @val: pointer into the direct map; its type must be the declared one.
 */
#define KHOSER_STORE_PTR(dest, val)				\
	do {							\
		typeof(val) __khoser_val = (val);		\
								\
		typecheck(typeof((dest).ptr), __khoser_val);	\
		(dest).phys = virt_to_phys(__khoser_val);	\
	} while (0)

/**
 * KHOSER_LOAD_PTR - turn a link back into a pointer
 * @src: the link, declared by DECLARE_KHOSER_PTR().
 *
 * The address is not checked: a reader that follows a link which the previous
 * kernel wrote must know that the page is preserved, see
 * kho_preserved_order().
 *
 * Return: a pointer of the declared type, %NULL for an empty link.
 */
#define KHOSER_LOAD_PTR(src)						\
({									\
	u64 __khoser_phys = (src).phys;					\
									\
	(typeof((src).ptr))(__khoser_phys ?				\
			    phys_to_virt(__khoser_phys) : NULL);	\
})

#endif /* _LINUX_KHO_ABI_COMPAT_H */
