// SPDX-License-Identifier: GPL-2.0-only
/* Which version of a component is written and recorded for the next kernel. */

#include <linux/kho/abi/compat.h>
#include <linux/kho/abi/kexec_handover.h>
#include <linux/kho/compat.h>

#include "kexec_handover_internal.h"
#include "tap.h"

/* The component "block" reads 1 to 3 here, writes 1 to 3, and prefers 2 */
static struct kho_component *const c = &kho_block_component;

static u32 cell;
static bool baseline_listed;

static void look(const void *fdt, void *unused)
{
	int node = fdt_subnode_offset(fdt, 0, KHO_FDT_COMPONENTS_NODE_NAME);
	const void *prop = fdt_getprop(fdt, node, c->name, NULL);

	cell = get_unaligned_be32(prop);
	CHECK_EQ(0, fdt_stringlist_search(fdt, 0, "compatible", KHO_FDT_COMPATIBLE));
	baseline_listed = fdt_stringlist_search(fdt, 0, "compatible",
						KHO_FDT_COMPATIBLE_BASELINE) == 1;
}

static void boot(void)
{
	c->version = 3;
	c->write = 2;
	sim_boot_liveupdate(NULL);
	sim_next_reads("block", 1, 3);
}

/* What is written, and whether the FDT says so and lists "kho-v4" */
#define CHECK_WRITTEN(version, listed)					\
	do {								\
		kho_read_out_fdt(look, NULL);				\
		CHECK_EQ(c->write, cell);				\
		CHECK_EQ(version, cell);				\
		CHECK_EQ(listed, baseline_listed);			\
	} while (0)

TEST(what_the_kernel_prefers)
{
	boot();
	CHECK_WRITTEN(2, true);
	CHECK_EQ(2, kho_component_get(c));
	CHECK_WRITTEN(2, false);
	CHECK_EQ(2, kho_component_get(c));
	kho_component_put(c);
	CHECK_WRITTEN(2, false);
	kho_component_put(c);
	CHECK_WRITTEN(2, true);
	CHECK_EQ(0, sim_warnings());
}

TEST(newest_that_both_know)
{
	boot();
	CHECK_EQ(0, sim_load());
	CHECK_WRITTEN(3, true);
	sim_next_reads("block", 1, 1);
	CHECK_EQ(0, sim_load());
	CHECK_WRITTEN(1, true);
	CHECK_EQ(1, kho_component_get(c));
	CHECK_WRITTEN(1, true);
	kho_component_put(c);
	sim_next_reads("block", 2, 9);
	CHECK_EQ(0, sim_load());
	CHECK_WRITTEN(3, true);
	sim_unload();
	CHECK_WRITTEN(2, true);
}

TEST(linux_7_3_reads_the_baseline)
{
	boot();
	sim_next_is_stock();
	CHECK_EQ(0, sim_load());
	CHECK_WRITTEN(1, true);
	CHECK_EQ(1, kho_component_get(c));
	CHECK_WRITTEN(1, true);
	CHECK_EQ(KHO_NEXT_COMPATIBLE, kho_next_status(true));
	kho_component_put(c);
}

/* All users write the same, whatever is loaded meanwhile */
TEST(users_fix_it)
{
	boot();
	CHECK_EQ(2, kho_component_get(c));
	CHECK_EQ(0, sim_load());
	CHECK_WRITTEN(2, false);
	CHECK_EQ(2, kho_component_get(c));
	sim_unload();
	CHECK_WRITTEN(2, false);
	CHECK_EQ(0, sim_load());
	kho_component_put(c);
	CHECK_WRITTEN(2, false);
	/* Nothing is preserved any more: the image that is loaded decides */
	kho_component_put(c);
	CHECK_WRITTEN(3, true);
}

TEST(image_does_not_read_what_is_in_use)
{
	boot();
	kho_component_get(c);
	kho_component_get(c);
	sim_next_reads("block", 1, 1);
	CHECK_EQ(-EPROTONOSUPPORT, sim_load());
	CHECK(sim_logged("block: 2 preserved as version 2, the image reads 1: "));
	CHECK(sim_logged("reads 1: close their sessions, load the image, preserve again"));
	sim_next_is_stock();
	CHECK_EQ(-EPROTONOSUPPORT, sim_load());
	CHECK_WRITTEN(2, false);

	/* And that helps */
	kho_component_put(c);
	kho_component_put(c);
	CHECK_EQ(0, sim_load());
	CHECK_EQ(1, kho_component_get(c));
	CHECK_EQ(KHO_NEXT_COMPATIBLE, kho_next_status(true));
}

static void use_it(void)
{
	kho_component_get(c);
}

/* Between the two checks of an image: what is in use by then decides */
TEST(first_user_while_an_image_is_loaded)
{
	boot();
	sim_next_reads("block", 1, 1);
	sim_while_loading = use_it;
	CHECK_EQ(-EPROTONOSUPPORT, sim_load());
	CHECK_WRITTEN(2, false);
	sim_while_loading = NULL;
	kho_component_put(c);
	CHECK_EQ(0, sim_load());
	CHECK_WRITTEN(1, true);
}

TEST(nothing_in_common)
{
	boot();
	sim_next_reads("block", 4, 9);
	CHECK_EQ(-EPROTONOSUPPORT, sim_load());
	CHECK(sim_logged("block: this kernel writes 1 to 3, the image reads 4 to 9"));
	kho_component_get(c);
	CHECK_EQ(-EPROTONOSUPPORT, sim_load());
	CHECK(sim_logged("block: 1 preserved as version 2, the image reads 4 to 9: no "));

	/* The map has a version from the start */
	sim_next_reads("radix", 2, 3);
	CHECK_EQ(-EPROTONOSUPPORT, sim_load());
	CHECK(sim_logged("radix: 1 preserved as version 1, the image reads 2 to 3: no "));
	kho_component_put(c);
	CHECK_EQ(-EPROTONOSUPPORT, sim_load());
	CHECK(sim_logged("radix: this kernel writes 1, the image reads 2 to 3"));
	kho_component_get(c);

	/* What cannot be written any more does not count */
	kho_component_put(c);
	c->min_write = 2;
	sim_next_reads("block", 1, 1);
	CHECK_EQ(-EPROTONOSUPPORT, sim_load());
	CHECK(sim_logged("block: this kernel writes 2 to 3, the image reads 1"));
	CHECK_WRITTEN(2, true);
}

/* What was loaded first stays, and so does what was agreed with it */
TEST(load_that_fails_changes_nothing)
{
	boot();
	sim_next_reads("block", 1, 1);
	CHECK_EQ(0, sim_load());
	sim_next_reads("block", 4, 4);
	CHECK_EQ(-EPROTONOSUPPORT, sim_load());
	CHECK_WRITTEN(1, true);
}

/* With refusals turned off: nothing is known of the image, so nothing is agreed */
TEST(image_that_says_nothing)
{
	boot();
	CHECK_EQ(0, kho_set_check_mode("warn"));
	sim_next_reads("block", 4, 9);
	CHECK_EQ(0, sim_load());
	CHECK_WRITTEN(2, true);
	CHECK_EQ(0, kho_set_check_mode("enforce"));
}

TEST(pinned)
{
	boot();
	CHECK_EQ(-EINVAL, kho_component_pin(c, 4));
	CHECK_EQ(0, kho_component_pin(c, 1));
	CHECK_WRITTEN(1, true);
	CHECK_EQ(0, sim_load());
	CHECK_WRITTEN(1, true);
	kho_component_get(c);
	CHECK_EQ(-EBUSY, kho_component_pin(c, 2));
	CHECK_EQ(-EBUSY, kho_component_pin(c, 0));
	CHECK_WRITTEN(1, true);
	sim_next_reads("block", 2, 3);
	CHECK_EQ(-EPROTONOSUPPORT, sim_load());
	CHECK(sim_logged("block: 1 preserved as version 1, the image reads 2 to 3: close "));
	CHECK(sim_logged("close their sessions, lift the pin, load the image, preserve again"));
	kho_component_put(c);
	CHECK_WRITTEN(1, true);

	/* Without the pin it would be written for that kernel */
	sim_next_reads("block", 2, 3);
	CHECK_EQ(-EPROTONOSUPPORT, sim_load());
	CHECK(sim_logged("block: pinned to version 1, the image reads 2 to 3: lift the pin"));
	CHECK_EQ(0, kho_component_pin(c, 0));
	CHECK_EQ(0, sim_load());
	CHECK_WRITTEN(3, true);
}

static void pin_on_command_line(const char *text)
{
	char arg[200];

	sim_power_on();
	c->version = 3;
	c->write = 2;
	strcpy(arg, text);
	sim_kho_parse_write(arg);
	sim_boot_liveupdate(NULL);
}

TEST(pinned_on_command_line)
{
	pin_on_command_line("block:1");
	CHECK_WRITTEN(1, true);
	pin_on_command_line("vmalloc:1,block:3,luo:5");
	CHECK_WRITTEN(3, true);
	CHECK_EQ(3, kho_component_get(c));
	CHECK_WRITTEN(3, false);
	pin_on_command_line("bloc:1,lock:1,block");
	CHECK_WRITTEN(2, true);
	CHECK(!sim_logged("kho_write="));
	CHECK_EQ(0, sim_kho_check_write_param());
	CHECK(sim_logged("kho_write= has version 1 of bloc, which this kernel does not have"));
	CHECK(sim_logged("kho_write= has version 1 of lock, which this kernel does not have"));
	CHECK(sim_logged("kho_write= has 'block', expected NAME:VERSION"));
	pin_on_command_line("block:1,vmalloc:2,luo:5");
	CHECK_EQ(0, sim_kho_check_write_param());
	CHECK(!sim_logged("kho_write="));
	pin_on_command_line("block:x,,");
	CHECK_EQ(0, sim_kho_check_write_param());
	CHECK(sim_logged("kho_write= has 'block:x', expected NAME:VERSION"));
	CHECK(!sim_logged("kho_write= has ''"));
	pin_on_command_line("block:4");
	CHECK_WRITTEN(2, true);
	CHECK(sim_logged("kho_write= has version 4 of block, expected 1 to 3"));
}

TEST(pins_are_too_many)
{
	char arg[200] = "block:1,";

	memset(arg + strlen(arg), ',', 150);
	pin_on_command_line(arg);
	CHECK_WRITTEN(2, true);
	CHECK(sim_logged("kho_write= needs NAME:VERSION"));
	CHECK_EQ(-EINVAL, sim_kho_parse_write(NULL));
}

/* A component of a module that is there by then is known, one that is not is named */
TEST(pinned_for_a_module)
{
	struct kho_component module = { "module", 1, 2, 1, 2 };

	pin_on_command_line("module:1,other:7");
	CHECK_EQ(0, kho_component_register(&module));
	CHECK_EQ(1, module.write);
	CHECK_EQ(0, sim_kho_check_write_param());
	CHECK(!sim_logged("of module,"));
	CHECK(sim_logged("kho_write= has version 7 of other, which this kernel does not have"));
	kho_component_unregister(&module);
}

TEST(finished_too_often)
{
	boot();
	kho_unfinished_inc(c);
	kho_unfinished_dec(c);
	CHECK_EQ(0, sim_warnings());
	kho_unfinished_dec(c);
	CHECK_EQ(1, sim_warnings());
	CHECK_EQ(0, atomic_long_read(&c->unfinished));
	CHECK_EQ(0, kho_unfinished());
}

/* What the next kernel was checked with is what it gets, unless it is not started */
TEST(fixed_once_a_kexec_has_begun)
{
	struct kho_component module = { "module", 1, 1, 1, 1 };

	boot();
	CHECK_EQ(0, sim_load());
	CHECK_EQ(0, kho_check_next());
	CHECK_EQ(-EBUSY, kho_component_pin(c, 1));
	CHECK_EQ(-EBUSY, kho_component_register(&module));
	CHECK_WRITTEN(3, true);
	CHECK_EQ(3, kho_component_get(c));
	kho_component_put(c);

	kho_kexec_failed();
	CHECK_EQ(0, kho_component_register(&module));
	kho_component_unregister(&module);
	CHECK_EQ(0, kho_component_pin(c, 1));
	CHECK_WRITTEN(1, true);
}

/* What is built on others has nothing to do with their versions */
TEST(memfd_is_the_same_with_either)
{
	struct file *file = NULL;
	u64 data;

	for (u32 version = 1; version <= 2; version++) {
		sim_power_on();
		sim_boot_liveupdate(NULL);
		CHECK_EQ(0, kho_component_pin(&kho_vmalloc_component, version));
		data = sim_memfd_preserve(sim_file(60, 0));
		CHECK(data);
		sim_reboot();
		CHECK_EQ(version, kho_vmalloc_component.incoming);
		CHECK_EQ(0, sim_memfd_retrieve(data, &file));
		CHECK(file && i_size_read(file_inode(file)) == 60 * PAGE_SIZE);
		CHECK_PAGES();
	}
}

/* Subtrees take all the room that there is, but not that for the string */
TEST(fdt_is_full)
{
	static char names[400][5];
	unsigned int nr = 0;

	boot();
	kho_component_get(c);
	CHECK_WRITTEN(2, false);
	do {
		sprintf(names[nr], "%u", nr);
	} while (!kho_add_subtree(names[nr], phys_to_virt(SZ_8M), 1) && ++nr < 400);
	CHECK(nr > 20 && nr < 400);
	kho_component_put(c);
	CHECK_WRITTEN(2, true);
	CHECK(kho_add_subtree("more", phys_to_virt(SZ_8M), 1));
	CHECK_WRITTEN(2, true);
}

TEST(users_do_not_underflow)
{
	boot();
	kho_component_get(c);
	kho_component_put(c);
	CHECK_EQ(0, sim_warnings());
	kho_component_put(c);
	CHECK_EQ(1, sim_warnings());
	CHECK_EQ(0, atomic_long_read(&c->users));
	CHECK_WRITTEN(2, true);
}
