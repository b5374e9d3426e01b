// SPDX-License-Identifier: GPL-2.0-only
/* Versions that this kernel does not read: what each of them costs, and what not. */

#include <linux/kho/abi/compat.h>
#include <linux/kho/abi/memblock.h>

#include <linux/kho/compat.h>

#include "kexec_handover_internal.h"

#include "tap.h"

#define MEMFD	1	/* tokens of the files of the session */
#define LINKED	2

static struct sim_handover handover;

/* Some versions are fixed by kho_write=; the previous kernel chooses the others */
static void previous_writes(char *versions)
{
	int session;

	sim_power_on();
	CHECK_EQ(0, sim_kho_parse_write(versions));
	sim_scratch_parse((char[]){ "4M,0,4M" });
	sim_early_liveupdate_param((char[]){ "on" });
	sim_boot_map(NULL);
	kho_memory_init_early();
	sim_reserve_mem((char[]){ "1M:1M:region" });
	sim_boot_memory();
	sim_boot_init();
	sim_reserve_mem_init();

	session = sim_session_create("session");
	CHECK_EQ(0, sim_session_preserve_fd(session, MEMFD, sim_open(sim_file(3, 0))));
	CHECK_EQ(0, sim_session_preserve_fd(session, LINKED, sim_open(sim_linked_file(7))));
	handover = sim_kexec();
}

static void previous(void)
{
	previous_writes((char[]){ "" });
}

static void *components(int *node)
{
	void *fdt = phys_to_virt(handover.fdt);

	fdt_open_into(fdt, fdt, PAGE_SIZE);
	*node = fdt_subnode_offset(fdt, 0, KHO_FDT_COMPONENTS_NODE_NAME);
	return fdt;
}

/* The previous kernel has written that version, or none if it is negative */
static void set_version(const char *name, int version)
{
	int node;
	void *fdt = components(&node);

	if (version < 0)
		CHECK_EQ(0, fdt_delprop(fdt, node, name));
	else
		CHECK_EQ(0, fdt_setprop_u32(fdt, node, name, version));
}

static void set_wide_version(const char *name)
{
	int node;
	void *fdt = components(&node);

	CHECK_EQ(0, fdt_setprop_u64(fdt, node, name, 1));
}

static void boot(void)
{
	sim_scratch_parse((char[]){ "4M,0,4M" });
	sim_early_liveupdate_param((char[]){ "on" });
	sim_boot_early(&handover);
	sim_reserve_mem((char[]){ "1M:1M:region" });
	sim_boot_memory();
	sim_boot_init();
	sim_reserve_mem_init();
}

/* What comes of asking for the session, and for the memfd in it */
static void expect(int session_err, int memfd_err)
{
	int session;

	boot();
	session = sim_session_retrieve("session");
	if (session_err) {
		CHECK_EQ(session_err, session);
	} else if (CHECK(session >= 0)) {
		int fd = sim_session_retrieve_fd(session, MEMFD);

		if (memfd_err)
			CHECK_EQ(memfd_err, fd);
		else
			CHECK(fd >= 0);
		CHECK(sim_session_retrieve_fd(session, LINKED) >= 0);
		CHECK_EQ(0, sim_session_finish(session));
	}
	CHECK(sim_session_create("another") >= 0);
	CHECK_PAGES();
}

TEST(all_can_be_read)
{
	previous();
	expect(0, 0);
	CHECK(!sim_logged("this kernel reads"));
	CHECK(!sim_logged("allocated again"));
}

/* As Linux 7.3 writes it: every component has the version that it had then */
TEST(no_component_is_named)
{
	int node;
	void *fdt;

	previous_writes((char[]){ "radix:1,vmalloc:1,block:1,memblock:1,luo:5,memfd:2" });
	fdt = components(&node);
	CHECK_EQ(0, fdt_del_node(fdt, node));
	CHECK_EQ(0, fdt_setprop_string(fdt, 0, "compatible", "kho-v4"));
	expect(0, 0);
	CHECK(sim_logged("handover of kho-v4: radix 1 vmalloc 1 block 1 memblock 1 luo 5 memfd 2"));
}

static void expect_no_handover(const char *text)
{
	expect(-ENOENT, 0);
	CHECK(!is_kho_boot());
	CHECK(sim_logged(text));
}

TEST(compatible_with_nothing)
{
	void *fdt;
	int node;

	previous();
	fdt = components(&node);
	CHECK_EQ(0, fdt_setprop_string(fdt, 0, "compatible", "kho-v6"));
	expect_no_handover("compatible with neither 'kho-v5' nor 'kho-v4'");

	previous();
	fdt = components(&node);
	CHECK_EQ(0, fdt_setprop(fdt, 0, "compatible", "kho", 3));
	expect_no_handover("the compatible strings of the handover are invalid");

	previous();
	fdt = components(&node);
	CHECK_EQ(0, fdt_del_node(fdt, node));
	expect_no_handover("no node 'components' in a handover of 'kho-v5'");
}

TEST(map_cannot_be_read)
{
	const int versions[] = { -1, 0, 2 };

	for (unsigned int i = 0; i < ARRAY_SIZE(versions); i++) {
		previous();
		set_version("radix", versions[i]);
		expect_no_handover("radix: ");
	}
}

TEST(pages_of_another_size)
{
	previous();
	set_version(KHO_FDT_PAGE_SHIFT_PROP_NAME, 14);
	expect_no_handover("page-shift is 14 in the handover, expected 12");
}

TEST(sessions_cannot_be_read)
{
	const char *const names[] = { "luo", "block" };

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		previous();
		set_version(names[i], 6);
		expect(-EPROTONOSUPPORT, 0);
		CHECK(sim_logged(": version 6 in the handover is too-new, this kernel reads"));

		previous();
		set_version(names[i], -1);
		expect(-EPROTONOSUPPORT, 0);
		CHECK(sim_logged(": not in the handover, this kernel reads"));

		previous();
		set_version(names[i], 0);
		expect(-EBADMSG, 0);
		previous();
		set_wide_version(names[i]);
		expect(-EBADMSG, 0);
		CHECK(sim_logged(": no valid version in the handover, this kernel reads"));
	}
}

TEST(version_is_too_old)
{
	previous();
	set_version("luo", 4);
	expect(-EPROTONOSUPPORT, 0);
	CHECK(sim_logged("luo: version 4 in the handover is too-old, this kernel reads 5 to 5"));
	previous();
	set_version("memfd", 1);
	expect(0, -EPROTONOSUPPORT);
}

/* Version 2 of memfd has an array in a vmalloc area */
TEST(memfds_cannot_be_read)
{
	const char *const names[] = { "memfd", "vmalloc" };

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		previous_writes((char[]){ "memfd:2" });
		set_version(names[i], 6);
		expect(0, -EPROTONOSUPPORT);
		previous_writes((char[]){ "memfd:2" });
		set_version(names[i], -1);
		expect(0, -EPROTONOSUPPORT);
		previous_writes((char[]){ "memfd:2" });
		set_version(names[i], 0);
		expect(0, -EBADMSG);
	}
}

TEST(vmalloc_is_not_needed)
{
	previous_writes((char[]){ "memfd:3" });
	set_version("vmalloc", 6);
	expect(0, 0);
}

TEST(reserve_mem_cannot_be_read)
{
	previous();
	set_version("memblock", 2);
	expect(0, 0);
	CHECK(sim_logged("reserve_mem regions are allocated again"));
}

TEST(users_do_not_underflow)
{
	struct kho_component c = { .name = "one" };

	kho_component_get(&c);
	kho_component_put(&c);
	CHECK_EQ(0, sim_warnings());
	kho_component_put(&c);
	CHECK_EQ(1, sim_warnings());
	CHECK_EQ(0, atomic_long_read(&c.users));
}

/* The report names all of them, however many there are */
TEST(many_components)
{
	struct kho_component components[16] = {}, *table[16];
	struct kho_component_table many = { table, ARRAY_SIZE(table) };
	char names[16][KHO_COMPONENT_NAME_MAX + 1], fdt[PAGE_SIZE], line[32];

	sim_power_on();
	for (unsigned int i = 0; i < many.nr; i++) {
		struct kho_component *c = table[i] = &components[i];

		snprintf(names[i], sizeof(names[i]), "component-%05u", i);
		c->name = names[i];
		c->min_version = 4000000000u + i;
		c->version = c->min_version;
		c->write = c->min_version;
	}
	CHECK_EQ(0, fdt_create(fdt, sizeof(fdt)));
	CHECK_EQ(0, fdt_finish_reservemap(fdt));
	CHECK_EQ(0, fdt_begin_node(fdt, ""));
	CHECK_EQ(0, kho_compat_write(fdt, &many));
	CHECK_EQ(0, fdt_end_node(fdt));
	CHECK_EQ(0, fdt_finish(fdt));

	CHECK_EQ(0, kho_compat_read(fdt, sizeof(fdt), &many));
	for (unsigned int i = 0; i < many.nr; i++) {
		snprintf(line, sizeof(line), " %s %u", names[i], 4000000000u + i);
		CHECK(sim_logged(line));
	}
}
