// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit suite of the early pass over the FDT of the previous kernel.
 *
 * Every FDT is made here, by the description of the ABI, and compared with a
 * table of components that exists only here, so that no case depends on the
 * versions of this kernel. Those are the matter of kho_abi_kunit.c. What the
 * users of a component do about a status takes a kexec and is tested in a
 * virtual machine.
 */

#include <kunit/static_stub.h>
#include <kunit/test.h>
#include <linux/kexec_handover.h>
#include <linux/kho/compat.h>
#include <linux/libfdt.h>
#include <linux/printk.h>
#include <linux/sizes.h>
#include <linux/string.h>
#include <linux/unaligned.h>
#include <linux/vmalloc.h>

#include "../kexec_handover_internal.h"
#include "kho_kunit.h"

#define V5	"kho-v5"
#define V4	"kho-v4"

#define FDT_SIZE	SZ_64K
#define NESTING		500

enum {
	TREE,		/* first in the table: the one that a handover depends on */
	RANGE,		/* reads several versions */
	NEWBORN,	/* did not exist in the baseline */
	NR_COMPONENTS
};

static const struct kho_component fresh[NR_COMPONENTS] = {
	[TREE] = { .name = "tree", .version = 1, .min_version = 1, .write = 1, .baseline = 1 },
	[RANGE] = { .name = "range", .version = 7, .min_version = 5, .min_write = 6,
		    .write = 7, .baseline = 6 },
	[NEWBORN] = { .name = "newborn", .version = 2, .min_version = 1, .write = 2 },
};

struct compat_test {
	struct kho_component components[NR_COMPONENTS];
	struct kho_component *list[NR_COMPONENTS];
	struct kho_component_table table;
	void *fdt;
	int err;	/* of libfdt, while the FDT is made */
	void *end;	/* of a mapping: a read beyond faults */
};

KUNIT_DEFINE_ACTION_WRAPPER(vfree_action, vfree, const void *);

static int compat_test_init(struct kunit *test)
{
	struct compat_test *ct = kunit_kzalloc(test, sizeof(*ct), GFP_KERNEL);
	void *area = vzalloc(FDT_SIZE);

	KUNIT_ASSERT_NOT_NULL(test, area);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, vfree_action, area));
	KUNIT_ASSERT_NOT_NULL(test, ct);
	ct->fdt = kunit_kzalloc(test, FDT_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ct->fdt);

	ct->end = area + FDT_SIZE;
	memcpy(ct->components, fresh, sizeof(fresh));
	for (unsigned int i = 0; i < NR_COMPONENTS; i++)
		ct->list[i] = &ct->components[i];
	ct->table.components = ct->list;
	ct->table.nr = NR_COMPONENTS;
	test->priv = ct;
	return 0;
}

/* A fault in a call that was to be silent leaves the kernel so */
static void compat_test_exit(struct kunit *test)
{
	suppress_printk = false;
}

/* Making an FDT; finish() tells whether any step failed */

static void begin(struct compat_test *ct, const char *name)
{
	ct->err = ct->err ?: fdt_begin_node(ct->fdt, name);
}

static void end(struct compat_test *ct)
{
	ct->err = ct->err ?: fdt_end_node(ct->fdt);
}

static void prop(struct compat_test *ct, const char *name, const void *value, int len)
{
	ct->err = ct->err ?: fdt_property(ct->fdt, name, value, len);
}

static void cell(struct compat_test *ct, const char *name, u32 value)
{
	ct->err = ct->err ?: fdt_property_u32(ct->fdt, name, value);
}

static void start_root(struct compat_test *ct)
{
	ct->err = fdt_create(ct->fdt, FDT_SIZE) ?: fdt_finish_reservemap(ct->fdt);
	begin(ct, "");
}

static void start(struct compat_test *ct, const char *compatible, int len)
{
	start_root(ct);
	prop(ct, "compatible", compatible, len);
}

/* As far as the node with the versions, which end_versions() completes */
static void start_versions(struct compat_test *ct)
{
	start(ct, V5, sizeof(V5));
	begin(ct, "components");
	cell(ct, "page-shift", PAGE_SHIFT);
}

static void finish(struct kunit *test)
{
	struct compat_test *ct = test->priv;

	end(ct);
	ct->err = ct->err ?: fdt_finish(ct->fdt);
	KUNIT_ASSERT_EQ(test, 0, ct->err);
}

static void end_versions(struct kunit *test)
{
	end(test->priv);
	finish(test);
}

/* An FDT that all components can be read from */
static void make_good(struct kunit *test)
{
	struct compat_test *ct = test->priv;

	start_versions(ct);
	cell(ct, "tree", 1);
	cell(ct, "range", 5);
	cell(ct, "newborn", 2);
	end_versions(test);
}

/* Judging it */

static void forget(struct compat_test *ct)
{
	for (unsigned int i = 0; i < NR_COMPONENTS; i++) {
		ct->components[i].incoming = 0;
		ct->components[i].status = KHO_COMPAT_NONE;
	}
}

static int judge(struct compat_test *ct)
{
	forget(ct);
	return kho_compat_read(ct->fdt, fdt_totalsize(ct->fdt), &ct->table);
}

static void expect_component(struct kunit *test, unsigned int i,
			     enum kho_compat_status status, u32 incoming)
{
	const struct compat_test *ct = test->priv;
	const struct kho_component *c = &ct->components[i];

	KUNIT_EXPECT_EQ_MSG(test, status, c->status, "%s, incoming %u",
			    c->name, c->incoming);
	KUNIT_EXPECT_EQ_MSG(test, incoming, c->incoming, "%s", c->name);
}

/* There is no handover, and so nothing that could be read */
static void expect_refused(struct kunit *test, int err, const char *what)
{
	struct compat_test *ct = test->priv;

	KUNIT_EXPECT_EQ_MSG(test, err, judge(ct), "%s", what);
	for (unsigned int i = 0; i < NR_COMPONENTS; i++)
		KUNIT_EXPECT_EQ_MSG(test, KHO_COMPAT_MALFORMED,
				    ct->components[i].status, "%s: %s", what,
				    ct->components[i].name);
}

/*
 * For FDTs that are damaged in a way that may or may not matter. What the pass
 * logs about thousands of them would push the results out of the log buffer.
 */
static int expect_verdict(struct kunit *test, const void *fdt, u64 len,
			  const char *damage, size_t where)
{
	struct compat_test *ct = test->priv;
	int err;

	forget(ct);
	suppress_printk = true;
	err = kho_compat_read(fdt, len, &ct->table);
	suppress_printk = false;

	KUNIT_EXPECT_TRUE_MSG(test, !err || err == -EBADMSG || err == -EPROTONOSUPPORT,
			      "%s at %zu: %d", damage, where, err);
	for (unsigned int i = 0; i < NR_COMPONENTS; i++)
		KUNIT_EXPECT_NE_MSG(test, KHO_COMPAT_NONE, ct->components[i].status,
				    "%s at %zu: %s", damage, where,
				    ct->components[i].name);
	KUNIT_EXPECT_EQ_MSG(test, !err, ct->components[TREE].status == KHO_COMPAT_OK,
			    "%s at %zu: %d", damage, where, err);
	return err;
}

/* Versions and sizes */

static void every_version(struct kunit *test)
{
	struct compat_test *ct = test->priv;
	const struct {
		u32 version;
		enum kho_compat_status status;
	} cases[] = {
		{ 0, KHO_COMPAT_MALFORMED },
		{ 1, KHO_COMPAT_TOO_OLD },
		{ 4, KHO_COMPAT_TOO_OLD },
		{ 5, KHO_COMPAT_OK },
		{ 6, KHO_COMPAT_OK },
		{ 7, KHO_COMPAT_OK },
		{ 8, KHO_COMPAT_TOO_NEW },
		{ 0x05000000, KHO_COMPAT_TOO_NEW },	/* 5 in the wrong byte order */
		{ S32_MAX + 1U, KHO_COMPAT_TOO_NEW },
		{ U32_MAX, KHO_COMPAT_TOO_NEW },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		start_versions(ct);
		cell(ct, "tree", 1);
		cell(ct, "range", cases[i].version);
		cell(ct, "newborn", 1);
		end_versions(test);

		KUNIT_EXPECT_EQ(test, 0, judge(ct));
		expect_component(test, TREE, KHO_COMPAT_OK, 1);
		expect_component(test, RANGE, cases[i].status, cases[i].version);
		expect_component(test, NEWBORN, KHO_COMPAT_OK, 1);
	}
}

static void absent(struct kunit *test)
{
	struct compat_test *ct = test->priv;

	start_versions(ct);
	cell(ct, "tree", 1);
	cell(ct, "newborn", 2);
	end_versions(test);

	KUNIT_EXPECT_EQ(test, 0, judge(ct));
	expect_component(test, RANGE, KHO_COMPAT_ABSENT, 0);
	expect_component(test, NEWBORN, KHO_COMPAT_OK, 2);
}

static void wrong_sizes(struct kunit *test)
{
	static const u8 five[] = { 0, 0, 0, 5, 0, 0, 0, 5 };
	struct compat_test *ct = test->priv;

	for (int len = 0; len <= sizeof(five); len++) {
		start_versions(ct);
		cell(ct, "tree", 1);
		prop(ct, "range", five, len);
		end_versions(test);

		KUNIT_EXPECT_EQ_MSG(test, 0, judge(ct), "%d bytes", len);
		if (len == sizeof(u32))
			expect_component(test, RANGE, KHO_COMPAT_OK, 5);
		else
			expect_component(test, RANGE, KHO_COMPAT_MALFORMED, 0);
	}
}

/* Without the first component nothing can be; the others are judged as ever */
static void first_one_decides(struct kunit *test)
{
	static const struct {
		u8 value[8];
		int len;
		u32 incoming;
		enum kho_compat_status status;
	} cases[] = {
		{ { 0, 0, 0, 2 }, 4, 2, KHO_COMPAT_TOO_NEW },
		{ { 0, 0, 0, 0 }, 4, 0, KHO_COMPAT_MALFORMED },
		{ { 0, 0, 0, 1 }, 3, 0, KHO_COMPAT_MALFORMED },
		{ { 0, 0, 0, 1 }, 8, 0, KHO_COMPAT_MALFORMED },
		{ { }, -1, 0, KHO_COMPAT_ABSENT },
	};
	struct compat_test *ct = test->priv;

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		start_versions(ct);
		if (cases[i].len >= 0)
			prop(ct, "tree", cases[i].value, cases[i].len);
		cell(ct, "range", 5);
		cell(ct, "newborn", 3);
		end_versions(test);

		KUNIT_EXPECT_EQ_MSG(test, -EPROTONOSUPPORT, judge(ct), "case %u", i);
		expect_component(test, TREE, cases[i].status, cases[i].incoming);
		expect_component(test, RANGE, KHO_COMPAT_OK, 5);
		expect_component(test, NEWBORN, KHO_COMPAT_TOO_NEW, 3);
	}

	ct->components[TREE].version = 3;
	ct->components[TREE].min_version = 2;
	make_good(test);
	KUNIT_EXPECT_EQ(test, -EPROTONOSUPPORT, judge(ct));
	expect_component(test, TREE, KHO_COMPAT_TOO_OLD, 1);
}

static void unknown_is_ignored(struct kunit *test)
{
	static const u8 blob[300];
	struct compat_test *ct = test->priv;

	start(ct, V5, sizeof(V5));
	cell(ct, "range", 99);
	begin(ct, "component");
	cell(ct, "range", 99);
	end(ct);
	begin(ct, "components-of-others");
	cell(ct, "range", 99);
	end(ct);
	begin(ct, "components");
	cell(ct, "rang", 99);
	cell(ct, "ranger", 99);
	prop(ct, "a-component-with-a-name-beyond-its-limit", blob, sizeof(blob));
	prop(ct, "flag", NULL, 0);
	cell(ct, "tree", 1);
	cell(ct, "page-shift", PAGE_SHIFT);
	cell(ct, "range", 6);
	cell(ct, "", 99);
	end_versions(test);

	KUNIT_EXPECT_EQ(test, 0, judge(ct));
	expect_component(test, TREE, KHO_COMPAT_OK, 1);
	expect_component(test, RANGE, KHO_COMPAT_OK, 6);
	expect_component(test, NEWBORN, KHO_COMPAT_ABSENT, 0);
}

/* The compatible string */

static void baseline(struct kunit *test)
{
	struct compat_test *ct = test->priv;

	start(ct, V4, sizeof(V4));
	finish(test);
	KUNIT_EXPECT_EQ(test, 0, judge(ct));
	expect_component(test, TREE, KHO_COMPAT_OK, 1);
	expect_component(test, RANGE, KHO_COMPAT_OK, 6);
	expect_component(test, NEWBORN, KHO_COMPAT_ABSENT, 0);

	/* A node of that name is not in the format of a kernel that writes this */
	start(ct, V4, sizeof(V4));
	begin(ct, "components");
	cell(ct, "page-shift", PAGE_SHIFT + 1);
	cell(ct, "range", 99);
	end_versions(test);
	KUNIT_EXPECT_EQ(test, 0, judge(ct));
	expect_component(test, TREE, KHO_COMPAT_OK, 1);
	expect_component(test, RANGE, KHO_COMPAT_OK, 6);
}

static void baseline_out_of_range(struct kunit *test)
{
	struct compat_test *ct = test->priv;

	start(ct, V4, sizeof(V4));
	finish(test);

	ct->components[RANGE].baseline = 4;
	ct->components[NEWBORN].baseline = 3;
	KUNIT_EXPECT_EQ(test, 0, judge(ct));
	expect_component(test, RANGE, KHO_COMPAT_TOO_OLD, 4);
	expect_component(test, NEWBORN, KHO_COMPAT_TOO_NEW, 3);

	ct->components[TREE].version = 2;
	ct->components[TREE].min_version = 2;
	KUNIT_EXPECT_EQ(test, -EPROTONOSUPPORT, judge(ct));
	expect_component(test, TREE, KHO_COMPAT_TOO_OLD, 1);

	ct->components[TREE].baseline = 0;
	KUNIT_EXPECT_EQ(test, -EPROTONOSUPPORT, judge(ct));
	expect_component(test, TREE, KHO_COMPAT_ABSENT, 0);
}

/* Versions that are stated win over those that a string implies */
static void both_strings(struct kunit *test)
{
	static const char *const lists[] = { V5 "\0" V4, V4 "\0" V5 };
	struct compat_test *ct = test->priv;

	for (unsigned int i = 0; i < ARRAY_SIZE(lists); i++) {
		start(ct, lists[i], sizeof(V5 "\0" V4));
		begin(ct, "components");
		cell(ct, "page-shift", PAGE_SHIFT);
		cell(ct, "tree", 1);
		cell(ct, "range", 7);
		cell(ct, "newborn", 1);
		end_versions(test);

		KUNIT_EXPECT_EQ(test, 0, judge(ct));
		expect_component(test, RANGE, KHO_COMPAT_OK, 7);
		expect_component(test, NEWBORN, KHO_COMPAT_OK, 1);

		start(ct, lists[i], sizeof(V5 "\0" V4));
		finish(test);
		expect_refused(test, -EBADMSG, "both strings, no versions");
	}
}

static void no_versions(struct kunit *test)
{
	struct compat_test *ct = test->priv;

	start(ct, V5, sizeof(V5));
	finish(test);
	expect_refused(test, -EBADMSG, "no node");

	start(ct, V5, sizeof(V5));
	cell(ct, "components", 1);
	finish(test);
	expect_refused(test, -EBADMSG, "a property instead of a node");

	start(ct, V5, sizeof(V5));
	begin(ct, "outer");
	begin(ct, "components");
	cell(ct, "page-shift", PAGE_SHIFT);
	cell(ct, "tree", 1);
	end(ct);
	end_versions(test);
	expect_refused(test, -EBADMSG, "a node one level too deep");

	start(ct, V5, sizeof(V5));
	begin(ct, "components");
	end_versions(test);
	expect_refused(test, -EBADMSG, "an empty node");
}

static void unknown_strings(struct kunit *test)
{
	static const struct {
		const char *list;
		int len;
	} cases[] = {
		{ "", 0 },
		{ "", 1 },
		{ "\0\0\0", 4 },
		{ "kho-v", 6 },
		{ "kho-v3", 7 },
		{ "kho-v6", 7 },
		{ "kho-v55", 8 },
		{ "kho-v44", 8 },
		{ "KHO-V5", 7 },
		{ "xkho-v5", 8 },
		{ "kho-v4,kho-v5", 14 },
		{ "kho-v6\0kho-v3", 14 },
	};
	struct compat_test *ct = test->priv;

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		start(ct, cases[i].list, cases[i].len);
		begin(ct, "components");
		cell(ct, "page-shift", PAGE_SHIFT);
		cell(ct, "tree", 1);
		end_versions(test);
		expect_refused(test, -EPROTONOSUPPORT, cases[i].list);
	}

	start_root(ct);
	finish(test);
	expect_refused(test, -EPROTONOSUPPORT, "no compatible string");
}

static void wrong_page_shift(struct kunit *test)
{
	static const u8 shift[] = { 0, 0, 0, PAGE_SHIFT, 0, 0, 0, 0 };
	static const u32 values[] = { 1, PAGE_SHIFT - 1, PAGE_SHIFT + 1,
				      PAGE_SHIFT + 2, PAGE_SHIFT << 24, U32_MAX };
	struct compat_test *ct = test->priv;

	for (unsigned int i = 0; i < ARRAY_SIZE(values); i++) {
		start(ct, V5, sizeof(V5));
		begin(ct, "components");
		cell(ct, "page-shift", values[i]);
		cell(ct, "tree", 1);
		end_versions(test);
		expect_refused(test, -EPROTONOSUPPORT, "pages of another size");
	}

	for (int len = 0; len <= sizeof(shift); len++) {
		start(ct, V5, sizeof(V5));
		begin(ct, "components");
		prop(ct, "page-shift", shift, len);
		cell(ct, "tree", 1);
		end_versions(test);
		if (len == sizeof(u32))
			KUNIT_EXPECT_EQ(test, 0, judge(ct));
		else
			expect_refused(test, -EBADMSG, "shift of the wrong size");
	}

	start(ct, V5, sizeof(V5));
	begin(ct, "components");
	cell(ct, "page-shift", 0);
	cell(ct, "tree", 1);
	end_versions(test);
	expect_refused(test, -EBADMSG, "shift of 0");

	start(ct, V5, sizeof(V5));
	cell(ct, "page-shift", PAGE_SHIFT);
	begin(ct, "components");
	cell(ct, "tree", 1);
	end_versions(test);
	expect_refused(test, -EBADMSG, "shift outside of the node");
}

/* Damage */

/*
 * Copy the FDT to the end of a mapping, its structure block last and cut down
 * to @size bytes. The header is correct for what is left, so only the blocks
 * can tell; the filler, of at most 7 bytes, is no valid end of anything.
 */
static void *place_last(struct compat_test *ct, u32 size)
{
	const u32 rsvmap = sizeof(struct fdt_header);
	const u32 strings = rsvmap + sizeof(struct fdt_reserve_entry);
	const u32 structs = ALIGN(strings + fdt_size_dt_strings(ct->fdt), 4);
	void *fdt = PTR_ALIGN_DOWN(ct->end - structs - size, 8);

	memset(fdt, 0xff, ct->end - fdt);
	memcpy(fdt, ct->fdt, sizeof(struct fdt_header));
	memset(fdt + rsvmap, 0, sizeof(struct fdt_reserve_entry));
	memcpy(fdt + strings, ct->fdt + fdt_off_dt_strings(ct->fdt),
	       fdt_size_dt_strings(ct->fdt));
	memcpy(fdt + structs, ct->fdt + fdt_off_dt_struct(ct->fdt), size);

	fdt_set_off_mem_rsvmap(fdt, rsvmap);
	fdt_set_off_dt_strings(fdt, strings);
	fdt_set_off_dt_struct(fdt, structs);
	fdt_set_size_dt_struct(fdt, size);
	fdt_set_totalsize(fdt, structs + size);
	return fdt;
}

static void string_without_end(struct kunit *test)
{
	/* Of every length modulo 4, so with and without padding behind it */
	static const struct {
		const char *list;
		int len;
	} cases[] = {
		{ V5, 6 }, { "ab\0" V5, 9 }, { "a\0" V5, 8 }, { "\0" V5, 7 },
		{ V4, 6 }, { "ab\0" V4, 9 }, { "a\0" V4, 8 }, { "\0" V4, 7 },
	};
	struct compat_test *ct = test->priv;
	void *fdt;

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		start(ct, cases[i].list, cases[i].len);
		begin(ct, "components");
		cell(ct, "page-shift", PAGE_SHIFT);
		cell(ct, "tree", 1);
		end_versions(test);
		KUNIT_ASSERT_EQ_MSG(test, -EBADMSG, judge(ct), "case %u", i);
	}

	/* The last thing there is: BEGIN_NODE, "", and a property of 8 bytes */
	start(ct, "a\0" V5, 8);
	finish(test);
	fdt = place_last(ct, 8 + sizeof(struct fdt_property) + 8);
	KUNIT_EXPECT_PTR_EQ(test, ct->end, fdt + fdt_totalsize(fdt));
	KUNIT_EXPECT_EQ(test, -EBADMSG,
			kho_compat_read(fdt, fdt_totalsize(fdt), &ct->table));
}

static void too_short_for_its_size(struct kunit *test)
{
	struct compat_test *ct = test->priv;
	u32 total;

	make_good(test);
	total = fdt_totalsize(ct->fdt);
	for (u32 len = 0; len < total; len++) {
		void *fdt = PTR_ALIGN_DOWN(ct->end - len, 8);

		memcpy(fdt, ct->fdt, len);
		KUNIT_EXPECT_EQ_MSG(test, -EBADMSG,
				    expect_verdict(test, fdt, len, "end", len),
				    "%u of %u bytes", len, total);
	}

	KUNIT_EXPECT_EQ(test, 0, kho_compat_read(ct->fdt, total, &ct->table));
	KUNIT_EXPECT_EQ(test, 0, kho_compat_read(ct->fdt, total + 1, &ct->table));
	KUNIT_EXPECT_EQ(test, 0, kho_compat_read(ct->fdt, U64_MAX, &ct->table));

	fdt_set_totalsize(ct->fdt, total + 1);
	KUNIT_EXPECT_EQ(test, -EBADMSG, kho_compat_read(ct->fdt, total, &ct->table));
	fdt_set_totalsize(ct->fdt, U32_MAX);
	KUNIT_EXPECT_EQ(test, -EBADMSG, kho_compat_read(ct->fdt, total, &ct->table));
	KUNIT_EXPECT_EQ(test, -EBADMSG, kho_compat_read(ct->fdt, U64_MAX, &ct->table));
}

/* The header agrees that the FDT ends where it was cut */
static void cut_anywhere(struct kunit *test)
{
	struct compat_test *ct = test->priv;
	u32 total, structs;

	make_good(test);
	total = fdt_totalsize(ct->fdt);
	structs = fdt_size_dt_struct(ct->fdt);
	for (u32 len = sizeof(struct fdt_header); len < total; len++) {
		void *fdt = PTR_ALIGN_DOWN(ct->end - len, 8);

		memcpy(fdt, ct->fdt, len);
		fdt_set_totalsize(fdt, len);
		expect_verdict(test, fdt, len, "cut", len);
	}

	for (u32 size = 0; size <= structs; size++) {
		void *fdt = place_last(ct, size);

		expect_verdict(test, fdt, fdt_totalsize(fdt), "structure cut", size);
	}
	expect_component(test, TREE, KHO_COMPAT_OK, 1);
	expect_component(test, RANGE, KHO_COMPAT_OK, 5);
	expect_component(test, NEWBORN, KHO_COMPAT_OK, 2);
}

/* One bit of every byte at a time, then all of them */
static void every_byte_damaged(struct kunit *test)
{
	struct compat_test *ct = test->priv;
	u32 total;
	u8 *fdt;

	make_good(test);
	total = fdt_totalsize(ct->fdt);
	fdt = PTR_ALIGN_DOWN(ct->end - total, 8);
	memcpy(fdt, ct->fdt, total);
	for (u32 i = 0; i < total; i++) {
		for (unsigned int bit = 0; bit < 8; bit++) {
			fdt[i] ^= 1 << bit;
			expect_verdict(test, fdt, total, "bit", i * 8 + bit);
			fdt[i] ^= 1 << bit;
		}
		fdt[i] ^= 0xff;
		expect_verdict(test, fdt, total, "byte", i);
		fdt[i] ^= 0xff;
	}
	KUNIT_EXPECT_EQ(test, 0, expect_verdict(test, fdt, total, "nothing", 0));
}

static void no_fdt(struct kunit *test)
{
	struct compat_test *ct = test->priv;

	make_good(test);
	memmove(ct->fdt + 4, ct->fdt, fdt_totalsize(ct->fdt));
	KUNIT_EXPECT_EQ(test, -EBADMSG,
			kho_compat_read(ct->fdt + 4, FDT_SIZE - 4, &ct->table));

	/* One that is not finished has another magic number */
	start_versions(ct);
	KUNIT_EXPECT_EQ(test, -EBADMSG,
			kho_compat_read(ct->fdt, FDT_SIZE, &ct->table));

	memset(ct->fdt, 0, FDT_SIZE);
	KUNIT_EXPECT_EQ(test, -EBADMSG,
			kho_compat_read(ct->fdt, FDT_SIZE, &ct->table));
	memset(ct->fdt, 0xff, FDT_SIZE);
	KUNIT_EXPECT_EQ(test, -EBADMSG,
			kho_compat_read(ct->fdt, FDT_SIZE, &ct->table));
}

/* What the innermost node says is not about this component */
static void nest(struct compat_test *ct)
{
	for (unsigned int i = 0; i < NESTING; i++)
		begin(ct, "components");
	cell(ct, "range", 99);
	for (unsigned int i = 0; i < NESTING; i++)
		end(ct);
}

static void deep_nesting(struct kunit *test)
{
	struct compat_test *ct = test->priv;

	start(ct, V5, sizeof(V5));
	begin(ct, "before");
	nest(ct);
	end(ct);
	begin(ct, "components");
	cell(ct, "page-shift", PAGE_SHIFT);
	cell(ct, "tree", 1);
	nest(ct);
	end_versions(test);
	KUNIT_EXPECT_EQ(test, 0, judge(ct));
	expect_component(test, TREE, KHO_COMPAT_OK, 1);
	expect_component(test, RANGE, KHO_COMPAT_ABSENT, 0);

	start(ct, V5, sizeof(V5));
	begin(ct, "before");
	nest(ct);
	end(ct);
	finish(test);
	expect_refused(test, -EBADMSG, "no node of the root");

	/* Opened, and never closed */
	start(ct, V5, sizeof(V5));
	for (unsigned int i = 0; i < NESTING; i++)
		begin(ct, "open");
	for (unsigned int i = 0; i < NESTING; i++)
		end(ct);
	finish(test);
	for (u32 depth = 0; depth < NESTING; depth++) {
		void *fdt = place_last(ct, 28 + depth * 12);

		KUNIT_EXPECT_NE(test, 0, expect_verdict(test, fdt, fdt_totalsize(fdt),
							"not closed", depth));
	}
}

/* Writing */

static void write(struct kunit *test, const struct kho_component_table *table)
{
	struct compat_test *ct = test->priv;

	start_root(ct);
	ct->err = ct->err ?: kho_compat_write(ct->fdt, table);
	finish(test);
}

static void expect_compatible(struct kunit *test, const char *list, int size)
{
	const struct compat_test *ct = test->priv;
	const void *value;
	int len;

	value = fdt_getprop(ct->fdt, 0, "compatible", &len);
	KUNIT_ASSERT_EQ(test, size, len);
	KUNIT_EXPECT_MEMEQ(test, list, value, size);
}

/* Linux 7.3 may read it for as long as all that is in use is as it was there */
static void write_states_baseline(struct kunit *test)
{
	struct compat_test *ct = test->priv;
	struct kho_component *range = &ct->components[RANGE];

	write(test, &ct->table);
	expect_compatible(test, V5 "\0" V4, 14);

	for (unsigned int i = 0; i < NR_COMPONENTS; i++)
		atomic_long_set(&ct->components[i].users, i != NEWBORN);
	range->write = 6;
	write(test, &ct->table);
	expect_compatible(test, V5 "\0" V4, 14);

	for (unsigned int i = 0; i < NR_COMPONENTS; i++) {
		atomic_long_set(&ct->components[i].users, 1);
		ct->components[i].write++;
		write(test, &ct->table);
		expect_compatible(test, V5, 7);
		ct->components[i].write--;
	}

	/* Linux 7.3 did not have the last one at all */
	write(test, &ct->table);
	expect_compatible(test, V5, 7);
}

static void expect_cell(struct kunit *test, int node, const char *name, u32 value)
{
	const struct compat_test *ct = test->priv;
	const void *cell;
	int len;

	cell = fdt_getprop(ct->fdt, node, name, &len);
	KUNIT_ASSERT_EQ_MSG(test, (int)sizeof(u32), len, "%s", name);
	KUNIT_EXPECT_EQ_MSG(test, value, get_unaligned_be32(cell), "%s", name);
}

static void write_and_read(struct kunit *test)
{
	struct compat_test *ct = test->priv;
	int node;

	write(test, &ct->table);
	node = fdt_subnode_offset(ct->fdt, 0, "components");
	KUNIT_ASSERT_GT(test, node, 0);
	expect_cell(test, node, "page-shift", PAGE_SHIFT);
	expect_cell(test, node, "tree", 1);
	expect_cell(test, node, "range", 7);
	expect_cell(test, node, "newborn", 2);

	KUNIT_EXPECT_EQ(test, 0, judge(ct));
	expect_component(test, TREE, KHO_COMPAT_OK, 1);
	expect_component(test, RANGE, KHO_COMPAT_OK, 7);
	expect_component(test, NEWBORN, KHO_COMPAT_OK, 2);
}

/* Negotiating */

static void common_versions(struct kunit *test)
{
	static const struct {
		u32 min_version, version, common;
	} readers[] = {
		{ 1, 5, 0 }, { 1, 6, 6 }, { 6, 6, 6 }, { 5, 7, 7 }, { 7, 7, 7 },
		{ 1, U32_MAX, 7 }, { 7, 9, 7 }, { 8, 9, 0 }, { U32_MAX, U32_MAX, 0 },
	};
	struct compat_test *ct = test->priv;

	/* It writes 6 and 7, and reads 5, too */
	for (unsigned int i = 0; i < ARRAY_SIZE(readers); i++)
		KUNIT_EXPECT_EQ_MSG(test, readers[i].common,
				    kho_common_version(&ct->components[RANGE],
						       readers[i].min_version,
						       readers[i].version),
				    "%u to %u", readers[i].min_version, readers[i].version);
}

/* In place: the FDT is as long as before but for the baseline's string */
static void update_states_version(struct kunit *test)
{
	struct compat_test *ct = test->priv;
	struct kho_component *range = &ct->components[RANGE];
	int node;

	write(test, &ct->table);
	KUNIT_ASSERT_EQ(test, 0, fdt_open_into(ct->fdt, ct->fdt, FDT_SIZE));
	for (int users = 0; users < 2; users++) {
		atomic_long_set(&range->users, users);
		for (range->write = 6; range->write <= 7; range->write++) {
			KUNIT_EXPECT_EQ(test, 0, kho_compat_update(ct->fdt, &ct->table, range));
			node = fdt_subnode_offset(ct->fdt, 0, "components");
			expect_cell(test, node, "range", range->write);
			expect_cell(test, node, "tree", 1);
			if (users && range->write == 7)
				expect_compatible(test, V5, 7);
			else
				expect_compatible(test, V5 "\0" V4, 14);
		}
	}
}

/* Asking */

static void nothing_to_read_without_handover(struct kunit *test)
{
	struct compat_test *ct = test->priv;
	struct kho_component *c = &ct->components[RANGE];
	static const enum kho_compat_status statuses[] = {
		KHO_COMPAT_NONE, KHO_COMPAT_OK, KHO_COMPAT_TOO_OLD,
		KHO_COMPAT_TOO_NEW, KHO_COMPAT_MALFORMED,
	};

	if (is_kho_boot())
		kunit_skip(test, "there is a handover");

	for (unsigned int i = 0; i < ARRAY_SIZE(statuses); i++) {
		c->status = statuses[i];
		KUNIT_EXPECT_EQ_MSG(test, -ENOENT, kho_component_readable(c), "%s",
				    kho_compat_status_name(c->status));
		KUNIT_EXPECT_EQ_MSG(test, -ENOENT, kho_object_readable(c), "%s",
				    kho_compat_status_name(c->status));
	}

	KUNIT_EXPECT_EQ(test, KHO_COMPAT_NONE, kho_radix_component.status);
	KUNIT_EXPECT_EQ(test, -ENOENT, kho_component_readable(&kho_radix_component));
	KUNIT_EXPECT_EQ(test, -ENOENT, kho_component_readable(&kho_vmalloc_component));
	KUNIT_EXPECT_EQ(test, -ENOENT, kho_component_readable(&kho_block_component));
}

static bool handover_stub(void)
{
	return true;
}

static void errors_of_statuses(struct kunit *test)
{
	static const struct {
		enum kho_compat_status status;
		int component, object;
	} cases[] = {
		{ KHO_COMPAT_NONE, -ENOENT, -ENOENT },
		{ KHO_COMPAT_OK, 0, 0 },
		{ KHO_COMPAT_ABSENT, -ENOENT, -EPROTONOSUPPORT },
		{ KHO_COMPAT_TOO_OLD, -EPROTONOSUPPORT, -EPROTONOSUPPORT },
		{ KHO_COMPAT_TOO_NEW, -EPROTONOSUPPORT, -EPROTONOSUPPORT },
		{ KHO_COMPAT_MALFORMED, -EBADMSG, -EBADMSG },
	};
	struct kho_component c = { .name = "any", .version = 1 };

	kho_kunit_needs_kho(test);
	kunit_activate_static_stub(test, is_kho_boot, handover_stub);

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		c.status = cases[i].status;
		KUNIT_EXPECT_EQ_MSG(test, cases[i].component,
				    kho_component_readable(&c), "status %s",
				    kho_compat_status_name(c.status));
		KUNIT_EXPECT_EQ_MSG(test, cases[i].object,
				    kho_object_readable(&c), "status %s",
				    kho_compat_status_name(c.status));
	}
}

static void status_names(struct kunit *test)
{
	KUNIT_EXPECT_STREQ(test, "none", kho_compat_status_name(KHO_COMPAT_NONE));
	KUNIT_EXPECT_STREQ(test, "ok", kho_compat_status_name(KHO_COMPAT_OK));
	KUNIT_EXPECT_STREQ(test, "absent", kho_compat_status_name(KHO_COMPAT_ABSENT));
	KUNIT_EXPECT_STREQ(test, "too-old", kho_compat_status_name(KHO_COMPAT_TOO_OLD));
	KUNIT_EXPECT_STREQ(test, "too-new", kho_compat_status_name(KHO_COMPAT_TOO_NEW));
	KUNIT_EXPECT_STREQ(test, "malformed",
			   kho_compat_status_name(KHO_COMPAT_MALFORMED));
}

static struct kunit_case compat_cases[] = {
	KUNIT_CASE(every_version),
	KUNIT_CASE(absent),
	KUNIT_CASE(wrong_sizes),
	KUNIT_CASE(first_one_decides),
	KUNIT_CASE(unknown_is_ignored),
	KUNIT_CASE(baseline),
	KUNIT_CASE(baseline_out_of_range),
	KUNIT_CASE(both_strings),
	KUNIT_CASE(no_versions),
	KUNIT_CASE(unknown_strings),
	KUNIT_CASE(wrong_page_shift),
	KUNIT_CASE(string_without_end),
	KUNIT_CASE(too_short_for_its_size),
	KUNIT_CASE(cut_anywhere),
	KUNIT_CASE(every_byte_damaged),
	KUNIT_CASE(no_fdt),
	KUNIT_CASE(deep_nesting),
	KUNIT_CASE(write_states_baseline),
	KUNIT_CASE(write_and_read),
	KUNIT_CASE(common_versions),
	KUNIT_CASE(update_states_version),
	KUNIT_CASE(nothing_to_read_without_handover),
	KUNIT_CASE(errors_of_statuses),
	KUNIT_CASE(status_names),
	{}
};

static struct kunit_suite compat_suite = {
	.name = "kho_compat",
	.init = compat_test_init,
	.exit = compat_test_exit,
	.test_cases = compat_cases,
};

kunit_test_suite(compat_suite);
