// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit suite of the ABI: the layout of each version of each format.
 *
 * A golden row is a number or a string that was worked out by hand when a
 * version was made, beside what the compiler makes of the header now. A change
 * of a layout that keeps the version fails because the two differ; a new
 * version fails for want of rows of its own.
 *
 * To add a component, write its rows and add a line to golden_sets. For a new
 * version of one do the same, with all rows that hold for it; the older set stays
 * for as long as that version is read. Never change a number to make a test pass
 * unless no released kernel has ever written the format.
 *
 * Whether readers and writers keep to the formats is not tested here.
 */

#include <kunit/test.h>
#include <linux/fcntl.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/block.h>
#include <linux/kho/abi/compat.h>
#include <linux/kho/abi/image.h>
#include <linux/kho/abi/kexec_handover.h>
#include <linux/kho/abi/kexec_metadata.h>
#include <linux/kho/abi/luo.h>
#include <linux/kho/abi/memblock.h>
#include <linux/kho/abi/memfd.h>
#include <linux/kho/abi/radix_tree.h>
#include <linux/kho/abi/vmalloc.h>
#include <linux/kho/compat.h>
#include <linux/libfdt.h>
#include <linux/sizes.h>
#include <linux/stddef.h>
#include <linux/string.h>
#include <linux/unaligned.h>

#include "../kexec_handover_internal.h"

struct golden_row {
	const char *what;
	u64 golden, compiled;
	/* How long it is, unless it is a number; @golden is where it starts then */
	size_t golden_size, compiled_size;
	/* What it is, if these bytes are handed over as they are */
	const void *golden_bytes, *compiled_bytes;
};

#define VALUE(constant, value)						\
	{ .what = #constant, .golden = (value), .compiled = (constant) }

#define SIZE(type, size)	VALUE(sizeof(type), size)

/* Where a member starts and how long it is; then the structure and the member */
#define MEMBER(offset, size, ...)					\
	{								\
		.what = #__VA_ARGS__,					\
		.golden = (offset),					\
		.compiled = offsetof(__VA_ARGS__),			\
		.golden_size = (size),					\
		.compiled_size = sizeof_field(__VA_ARGS__),		\
	}

#define BYTES(name, value, bytes)					\
	{								\
		.what = (name),						\
		.golden_size = sizeof(value),				\
		.compiled_size = sizeof(bytes),				\
		.golden_bytes = &(value),				\
		.compiled_bytes = &(bytes),				\
	}

#define STRING(constant, value)		BYTES(#constant, value, constant)

struct golden_set {
	const char *name;
	u32 current_version;	/* the newest that this kernel reads */
	u32 version;		/* what the rows are about */
	unsigned long page_size;	/* that the rows hold for; 0: for any */
	const struct golden_row *rows;	/* up to one without a name */
};

/* The FDT has a string for a version; see the row about it */
#define CORE_VERSION	5

static const struct golden_row core_5[] = {
	STRING(KHO_FDT_COMPATIBLE, "kho-v5"),
	STRING(KHO_FDT_COMPATIBLE_BASELINE, "kho-v4"),
	STRING(KHO_FDT_MEMORY_MAP_PROP_NAME, "preserved-memory-map"),
	STRING(KHO_SUB_TREE_PROP_NAME, "preserved-data"),
	STRING(KHO_SUB_TREE_SIZE_PROP_NAME, "blob-size"),
	STRING(KHO_FDT_COMPONENTS_NODE_NAME, "components"),
	STRING(KHO_FDT_PAGE_SHIFT_PROP_NAME, "page-shift"),
	SIZE(struct kho_scratch, 16),
	MEMBER(0, 8, struct kho_scratch, addr),
	MEMBER(8, 8, struct kho_scratch, size),
	{}
};

static const struct golden_row metadata_1[] = {
	STRING(KHO_METADATA_NODE_NAME, "kexec-metadata"),
	SIZE(struct kho_kexec_metadata, 73),
	MEMBER(0, 4, struct kho_kexec_metadata, version),
	MEMBER(4, 65, struct kho_kexec_metadata, previous_release),
	MEMBER(69, 4, struct kho_kexec_metadata, kexec_count),
	{}
};

static const struct golden_row radix_1[] = {
	VALUE(KHO_RADIX_BASELINE_VERSION, 1),
	{}
};

static const struct golden_row radix_1_4k[] = {
	VALUE(KHO_RADIX_KEY_WIDTH, 53),
	VALUE(KHO_TABLE_SIZE_LOG2, 9),
	VALUE(KHO_BITMAP_SIZE_LOG2, 15),
	VALUE(KHO_TREE_MAX_DEPTH, 6),
	SIZE(struct kho_radix_node, 4096),
	MEMBER(0, 4096, struct kho_radix_node, table),
	MEMBER(8, 8, struct kho_radix_node, table[1]),
	SIZE(struct kho_radix_leaf, 4096),
	MEMBER(0, 4096, struct kho_radix_leaf, bitmap),
	MEMBER(8, 8, struct kho_radix_leaf, bitmap[1]),
	{}
};

static const struct golden_row vmalloc_1[] = {
	VALUE(KHO_VMALLOC_BASELINE_VERSION, 1),
	VALUE(KHO_VMALLOC_ALLOC, 1),
	VALUE(KHO_VMALLOC_HUGE_VMAP, 2),
	SIZE(struct kho_vmalloc, 16),
	MEMBER(0, 8, struct kho_vmalloc, first),
	MEMBER(8, 4, struct kho_vmalloc, total_pages),
	MEMBER(12, 2, struct kho_vmalloc, flags),
	MEMBER(14, 2, struct kho_vmalloc, order),
	SIZE(struct kho_vmalloc_hdr, 8),
	MEMBER(0, 8, struct kho_vmalloc_hdr, next),
	MEMBER(0, 8, struct kho_vmalloc_chunk, hdr),
	MEMBER(8, 8, struct kho_vmalloc_chunk, phys[0]),
	{}
};

static const struct golden_row vmalloc_1_4k[] = {
	VALUE(KHO_VMALLOC_SIZE, 511),
	SIZE(struct kho_vmalloc_chunk, 4096),
	{}
};

/* The descriptor is that of version 1 */
static const struct golden_row vmalloc_2[] = {
	VALUE(KHO_VMALLOC_BASELINE_VERSION, 1),
	VALUE(KHO_VMALLOC_ALLOC, 1),
	VALUE(KHO_VMALLOC_HUGE_VMAP, 2),
	VALUE(KHO_VMALLOC_EXTENTS, 4),
	VALUE(KHO_VMALLOC_SPARSE, 8),
	SIZE(struct kho_vmalloc, 16),
	MEMBER(0, 8, struct kho_vmalloc, first),
	MEMBER(8, 4, struct kho_vmalloc, total_pages),
	MEMBER(12, 2, struct kho_vmalloc, flags),
	MEMBER(14, 2, struct kho_vmalloc, order),
	MEMBER(0, 8, struct kho_vmalloc_extent_chunk, hdr),
	MEMBER(8, 8, struct kho_vmalloc_extent_chunk, nr),
	MEMBER(16, 16, struct kho_vmalloc_extent_chunk, extents[0]),
	SIZE(struct kho_vmalloc_extent, 16),
	MEMBER(0, 8, struct kho_vmalloc_extent, phys),
	MEMBER(8, 4, struct kho_vmalloc_extent, first),
	MEMBER(12, 4, struct kho_vmalloc_extent, nr_pages),
	{}
};

static const struct golden_row vmalloc_2_4k[] = {
	VALUE(KHO_VMALLOC_EXTENTS_SIZE, 255),
	SIZE(struct kho_vmalloc_extent_chunk, 4096),
	{}
};

static const struct golden_row block_1[] = {
	VALUE(KHO_BLOCK_BASELINE_VERSION, 1),
	SIZE(struct kho_block_header_ser, 16),
	MEMBER(0, 8, struct kho_block_header_ser, next),
	MEMBER(8, 8, struct kho_block_header_ser, count),
	{}
};

static const struct golden_row block_1_4k[] = {
	VALUE(KHO_BLOCK_SIZE, 4096),
	{}
};

static const struct golden_row memblock_1[] = {
	VALUE(MEMBLOCK_KHO_BASELINE_VERSION, 1),
	STRING(MEMBLOCK_KHO_FDT, "memblock"),
	STRING(MEMBLOCK_KHO_NODE_COMPATIBLE, "memblock-v1"),
	STRING(RESERVE_MEM_KHO_NODE_COMPATIBLE, "reserve-mem-v1"),
	{}
};

static const struct golden_row luo_5[] = {
	VALUE(LUO_BASELINE_VERSION, 5),
	STRING(LUO_KHO_ENTRY_NAME, "LUO"),
	STRING(LUO_ABI_COMPATIBLE, "luo-v5"),
	SIZE(struct luo_ser, 32),
	MEMBER(0, 8, struct luo_ser, compatible),
	MEMBER(8, 8, struct luo_ser, liveupdate_num),
	MEMBER(16, 8, struct luo_ser, sessions_pa),
	MEMBER(24, 8, struct luo_ser, flbs_pa),
	SIZE(struct luo_session_ser, 80),
	MEMBER(0, 64, struct luo_session_ser, name),
	MEMBER(64, 16, struct luo_session_ser, file_set_ser),
	SIZE(struct luo_file_set_ser, 16),
	MEMBER(0, 8, struct luo_file_set_ser, files),
	MEMBER(8, 8, struct luo_file_set_ser, count),
	SIZE(struct luo_file_ser, 64),
	MEMBER(0, 48, struct luo_file_ser, compatible),
	MEMBER(48, 8, struct luo_file_ser, data),
	MEMBER(56, 8, struct luo_file_ser, token),
	SIZE(struct luo_flb_header_ser, 16),
	MEMBER(0, 8, struct luo_flb_header_ser, pgcnt),
	MEMBER(8, 8, struct luo_flb_header_ser, count),
	SIZE(struct luo_flb_ser, 64),
	MEMBER(0, 48, struct luo_flb_ser, name),
	MEMBER(48, 8, struct luo_flb_ser, data),
	MEMBER(56, 8, struct luo_flb_ser, count),
	{}
};

static const struct golden_row image_note_1[] = {
	STRING(KHO_IMAGE_NOTE_MAGIC, "\211KHO image note"),
	VALUE(KHO_IMAGE_NOTE_ALIGN, 512),
	VALUE(KHO_IMAGE_NOTE_MAX_ENTRIES, 32),
	VALUE(KHO_IMAGE_NOTE_KHO_ON, 1),
	VALUE(KHO_IMAGE_NOTE_LIVEUPDATE, 2),
	SIZE(struct kho_image_note, 48),
	MEMBER(0, 16, struct kho_image_note, magic),
	MEMBER(16, 4, struct kho_image_note, version),
	MEMBER(20, 4, struct kho_image_note, nr),
	MEMBER(24, 4, struct kho_image_note, sum),
	MEMBER(28, 4, struct kho_image_note, page_shift),
	MEMBER(32, 4, struct kho_image_note, flags),
	MEMBER(36, 12, struct kho_image_note, reserved),
	SIZE(struct kho_image_entry, 24),
	MEMBER(0, 16, struct kho_image_entry, name),
	MEMBER(16, 4, struct kho_image_entry, min_version),
	MEMBER(20, 4, struct kho_image_entry, version),
	{}
};

/* A bit field has no offset, so each is filled and looked at from outside */
static const struct memfd_luo_folio_ser all_pfn = { .pfn = -1 };
static const struct memfd_luo_folio_ser all_flags = { .flags = -1 };
static const __le64 all_pfn_mask[2] = { cpu_to_le64(0x000fffffffffffffULL) };
static const __le64 all_flags_mask[2] = { cpu_to_le64(0xfff0000000000000ULL) };

static const struct golden_row memfd_2[] = {
	VALUE(MEMFD_LUO_BASELINE_VERSION, 2),
	STRING(MEMFD_LUO_FH_COMPATIBLE(2), "memfd-v2"),
	VALUE(MEMFD_LUO_FOLIO_DIRTY, 1),
	VALUE(MEMFD_LUO_FOLIO_UPTODATE, 2),
	VALUE(MEMFD_LUO_ALL_SEALS, 0x3f),
	SIZE(struct memfd_luo_ser, 48),
	MEMBER(0, 8, struct memfd_luo_ser, pos),
	MEMBER(8, 8, struct memfd_luo_ser, size),
	MEMBER(16, 4, struct memfd_luo_ser, seals),
	MEMBER(20, 4, struct memfd_luo_ser, flags),
	MEMBER(24, 8, struct memfd_luo_ser, nr_folios),
	MEMBER(32, 16, struct memfd_luo_ser, folios),
	SIZE(struct memfd_luo_folio_ser, 16),
	BYTES("memfd_luo_folio_ser.pfn", all_pfn_mask, all_pfn),
	BYTES("memfd_luo_folio_ser.flags", all_flags_mask, all_flags),
	MEMBER(8, 8, struct memfd_luo_folio_ser, index),
	{}
};

static const struct golden_row memfd_3[] = {
	STRING(MEMFD_LUO_FH_COMPATIBLE(3), "memfd-v3"),
	VALUE(MEMFD_LUO_EXTENT_WRITTEN, 1),
	VALUE(MEMFD_LUO_EXTENT_POISONED, 2),
	VALUE(MEMFD_LUO_NAME_SIZE, 256),
	VALUE(MEMFD_LUO_FILE_PRESENT, 1),
	VALUE(MEMFD_LUO_FILE_SIZE, 512),
	VALUE(MEMFD_LUO_EXTENTS_IN_FILE, 7),
	SIZE(struct memfd_luo_v3_ser, 336),
	MEMBER(0, 8, struct memfd_luo_v3_ser, pos),
	MEMBER(8, 8, struct memfd_luo_v3_ser, size),
	MEMBER(16, 4, struct memfd_luo_v3_ser, seals),
	MEMBER(20, 4, struct memfd_luo_v3_ser, flags),
	MEMBER(24, 4, struct memfd_luo_v3_ser, mode),
	MEMBER(28, 4, struct memfd_luo_v3_ser, uid),
	MEMBER(32, 4, struct memfd_luo_v3_ser, gid),
	MEMBER(36, 4, struct memfd_luo_v3_ser, reserved),
	MEMBER(40, 8, struct memfd_luo_v3_ser, nr_extents),
	MEMBER(48, 8, struct memfd_luo_v3_ser, nr_pages),
	MEMBER(56, 8, struct memfd_luo_v3_ser, nr_poisoned),
	MEMBER(64, 256, struct memfd_luo_v3_ser, name),
	MEMBER(320, 16, struct memfd_luo_v3_ser, first),
	SIZE(struct memfd_luo_extent, 24),
	MEMBER(0, 8, struct memfd_luo_extent, index),
	MEMBER(8, 8, struct memfd_luo_extent, pfn),
	MEMBER(16, 4, struct memfd_luo_extent, nr_pages),
	MEMBER(20, 1, struct memfd_luo_extent, order),
	MEMBER(21, 1, struct memfd_luo_extent, flags),
	MEMBER(22, 2, struct memfd_luo_extent, reserved),
	SIZE(struct memfd_luo_extents, 16),
	MEMBER(0, 8, struct memfd_luo_extents, next),
	MEMBER(8, 8, struct memfd_luo_extents, nr),
	{}
};

static const struct golden_row memfd_3_4k[] = {
	VALUE(MEMFD_LUO_EXTENTS_IN_PIECE, 170),
	{}
};

static const struct golden_set golden_sets[] = {
	{ "core", CORE_VERSION, 5, 0, core_5 },
	{ "kexec-metadata", KHO_KEXEC_METADATA_VERSION, 1, 0, metadata_1 },
	{ "radix", KHO_RADIX_VERSION, 1, 0, radix_1 },
	{ "radix", KHO_RADIX_VERSION, 1, SZ_4K, radix_1_4k },
	{ "vmalloc", KHO_VMALLOC_VERSION, 1, 0, vmalloc_1 },
	{ "vmalloc", KHO_VMALLOC_VERSION, 1, SZ_4K, vmalloc_1_4k },
	{ "vmalloc", KHO_VMALLOC_VERSION, 2, 0, vmalloc_2 },
	{ "vmalloc", KHO_VMALLOC_VERSION, 2, SZ_4K, vmalloc_2_4k },
	{ "block", KHO_BLOCK_VERSION, 1, 0, block_1 },
	{ "block", KHO_BLOCK_VERSION, 1, SZ_4K, block_1_4k },
	{ "memblock", MEMBLOCK_KHO_VERSION, 1, 0, memblock_1 },
	{ "image-note", KHO_IMAGE_NOTE_VERSION, 1, 0, image_note_1 },
	{ "luo", LUO_VERSION, 5, 0, luo_5 },
	{ "memfd", MEMFD_LUO_VERSION, 2, 0, memfd_2 },
	{ "memfd", MEMFD_LUO_VERSION, 3, 0, memfd_3 },
	{ "memfd", MEMFD_LUO_VERSION, 3, SZ_4K, memfd_3_4k },
};

static bool have_golden(const char *name, u32 version)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(golden_sets); i++)
		if (!strcmp(golden_sets[i].name, name) &&
		    golden_sets[i].version == version)
			return true;
	return false;
}

/* NULL for a format that is no component */
static const struct kho_component *component_of(const char *name)
{
	for (unsigned int i = 0; i < kho_table.nr; i++)
		if (!strcmp(kho_table.components[i]->name, name))
			return kho_table.components[i];
	return NULL;
}

/* True if this kernel reads or writes that version */
static bool in_use(const struct golden_set *set)
{
	const struct kho_component *c = component_of(set->name);

	if (!c)
		return set->version == set->current_version;
	return c->min_version <= set->version && set->version <= c->version;
}

static void version_has_rows(struct kunit *test)
{
	const struct golden_set *set = test->param_value;
	const struct kho_component *c = component_of(set->name);
	u32 version = c ? c->min_version : set->current_version;

	KUNIT_EXPECT_NOT_NULL(test, set->rows->what);
	for (; version <= set->current_version; version++)
		KUNIT_EXPECT_TRUE_MSG(test, have_golden(set->name, version),
				      "%s: no golden rows for version %u; a new version needs its own",
				      set->name, version);
}

static bool row_holds(const struct golden_row *row)
{
	if (row->golden != row->compiled || row->golden_size != row->compiled_size)
		return false;
	return !row->golden_bytes ||
	       !memcmp(row->golden_bytes, row->compiled_bytes, row->golden_size);
}

static void report_row(struct kunit *test, const struct golden_set *set,
		       const struct golden_row *row)
{
	if (row->golden_bytes)
		KUNIT_FAIL(test, "%s version %u: %s is \"%*pE\", was \"%*pE\"",
			   set->name, set->version, row->what,
			   (int)row->compiled_size, row->compiled_bytes,
			   (int)row->golden_size, row->golden_bytes);
	else if (row->golden_size)
		KUNIT_FAIL(test, "%s version %u: %s is %zu bytes at %llu, was %zu bytes at %llu",
			   set->name, set->version, row->what,
			   row->compiled_size, row->compiled,
			   row->golden_size, row->golden);
	else
		KUNIT_FAIL(test, "%s version %u: %s is %llu, was %llu",
			   set->name, set->version, row->what,
			   row->compiled, row->golden);
}

static void layout_is_as_versioned(struct kunit *test)
{
	const struct golden_set *set = test->param_value;

	if (!in_use(set))
		kunit_skip(test, "this kernel has version %u", set->current_version);
	if (set->page_size && set->page_size != PAGE_SIZE)
		kunit_skip(test, "pages have %lu bytes", PAGE_SIZE);

	for (const struct golden_row *row = set->rows; row->what; row++)
		if (!row_holds(row))
			report_row(test, set, row);
}

/* The FDT that this kernel hands over, with nothing but its versions */
static const void *written_fdt(struct kunit *test)
{
	void *fdt = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
	int err;

	KUNIT_ASSERT_NOT_NULL(test, fdt);
	err = fdt_create(fdt, PAGE_SIZE) ?:
	      fdt_finish_reservemap(fdt) ?:
	      fdt_begin_node(fdt, "") ?:
	      kho_compat_write(fdt, NULL) ?:
	      fdt_end_node(fdt) ?:
	      fdt_finish(fdt);
	KUNIT_ASSERT_EQ(test, 0, err);
	return fdt;
}

/* A component that is in the table of this kernel only fails here */
static void written_versions_have_rows(struct kunit *test)
{
	const void *fdt = written_fdt(test), *value;
	int node = fdt_subnode_offset(fdt, 0, "components");
	unsigned int nr = 0;
	const char *name;
	int prop, len;

	KUNIT_ASSERT_GT(test, node, 0);
	fdt_for_each_property_offset(prop, fdt, node) {
		value = fdt_getprop_by_offset(fdt, prop, &name, &len);
		KUNIT_ASSERT_NOT_NULL(test, value);
		KUNIT_ASSERT_EQ_MSG(test, (int)sizeof(u32), len, "%s", name);
		if (!strcmp(name, "page-shift"))
			continue;

		nr++;
		KUNIT_EXPECT_LE_MSG(test, strlen(name), (size_t)15, "%s", name);
		KUNIT_EXPECT_TRUE_MSG(test, have_golden(name, get_unaligned_be32(value)),
				      "%s: no golden rows for version %u, which this kernel writes",
				      name, get_unaligned_be32(value));
	}

	/* Four are always built in */
	KUNIT_EXPECT_GE(test, nr, 4);
}

static void set_name(const struct golden_set *set, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s %u%s", set->name, set->version,
		 set->page_size ? ", by page size" : "");
}

KUNIT_ARRAY_PARAM(golden, golden_sets, set_name);

static struct kunit_case abi_cases[] = {
	KUNIT_CASE_PARAM(layout_is_as_versioned, golden_gen_params),
	KUNIT_CASE_PARAM(version_has_rows, golden_gen_params),
	KUNIT_CASE(written_versions_have_rows),
	{}
};

static struct kunit_suite abi_suite = {
	.name = "kho_abi",
	.test_cases = abi_cases,
};

kunit_test_suite(abi_suite);
