// SPDX-License-Identifier: GPL-2.0-only
/* Components that are not built in: they register, before or after the early pass. */

#include <linux/kho/abi/compat.h>
#include <linux/kho/abi/kexec_handover.h>
#include <linux/kho/compat.h>

#include "kexec_handover_internal.h"
#include "tap.h"

#define SUBTREE	"late-subtree"

/* Of a module: each kernel has its own */
static struct kho_component late;

static void load_module(u32 min_version, u32 version)
{
	late = (struct kho_component) {
		.name = "late",
		.min_version = min_version,
		.version = version,
		.min_write = min_version,
		.write = version,
	};
	CHECK_EQ(0, kho_component_register(&late));
}

/* A kernel with the module leaves something, the next one is about to boot */
static struct sim_handover leave(u32 version)
{
	void *blob;

	sim_power_on();
	sim_boot_liveupdate(NULL);
	load_module(1, version);
	CHECK_EQ(KHO_COMPAT_NONE, late.status);
	CHECK_EQ(-ENOENT, kho_component_readable(&late));
	blob = kho_alloc_preserve(PAGE_SIZE);
	strcpy(blob, "left");
	CHECK_EQ(version, kho_component_get(&late));
	CHECK_EQ(0, kho_add_subtree(SUBTREE, blob, PAGE_SIZE));
	return sim_kexec();
}

static void take(void)
{
	phys_addr_t phys;
	size_t size;

	CHECK_EQ(KHO_COMPAT_OK, late.status);
	CHECK_EQ(0, kho_object_readable(&late));
	CHECK_EQ(0, kho_retrieve_subtree(SUBTREE, &phys, &size));
	CHECK_EQ(0, strcmp(phys_to_virt(phys), "left"));
	kho_restore_free(phys_to_virt(phys));
}

TEST(before_the_handover_is_read)
{
	struct sim_handover handover = leave(2);

	load_module(1, 3);
	CHECK_EQ(KHO_COMPAT_NONE, late.status);
	sim_boot_liveupdate(&handover);
	CHECK_EQ(2, late.incoming);
	take();
	CHECK_PAGES();
}

TEST(after_the_handover_is_read)
{
	struct sim_handover handover = leave(2);

	sim_boot_liveupdate(&handover);
	load_module(1, 3);
	CHECK_EQ(2, late.incoming);
	CHECK(sim_logged("handover of kho-v5: late 2"));
	take();
	CHECK_PAGES();

	/* The FDT of the previous kernel stays, so the answer is the same again */
	kho_component_unregister(&late);
	load_module(1, 3);
	CHECK_EQ(KHO_COMPAT_OK, late.status);
}

static void expect(u32 min_version, u32 version, enum kho_compat_status status, int err)
{
	struct sim_handover handover = leave(2);

	load_module(min_version, version);
	sim_boot_liveupdate(&handover);
	CHECK_EQ(status, late.status);
	CHECK_EQ(err, kho_object_readable(&late));

	handover = leave(2);
	sim_boot_liveupdate(&handover);
	load_module(min_version, version);
	CHECK_EQ(status, late.status);
	CHECK_EQ(err, kho_object_readable(&late));
}

TEST(cannot_be_read)
{
	expect(1, 1, KHO_COMPAT_TOO_NEW, -EPROTONOSUPPORT);
	CHECK(sim_logged("late: version 2 in the handover is too-new, this kernel reads 1 to 1"));
	expect(3, 4, KHO_COMPAT_TOO_OLD, -EPROTONOSUPPORT);
}

TEST(previous_kernel_did_not_have_it)
{
	struct sim_handover handover;

	sim_boot_liveupdate(NULL);
	handover = sim_kexec();
	sim_boot_liveupdate(&handover);
	load_module(1, 1);
	CHECK_EQ(KHO_COMPAT_ABSENT, late.status);
	CHECK_EQ(-ENOENT, kho_component_readable(&late));
	CHECK_EQ(-EPROTONOSUPPORT, kho_object_readable(&late));
}

TEST(with_kho_off)
{
	sim_kho_parse_enable((char[]){ "off" });
	sim_boot(NULL);
	load_module(1, 1);
	CHECK_EQ(-ENOENT, kho_component_readable(&late));
	kho_component_unregister(&late);
}

/*
 * The image says nothing about modules: not in use it costs nothing, and in use
 * a warning, but Linux 7.3 cannot have such a module.
 */
TEST(next_image)
{
	sim_boot_liveupdate(NULL);
	load_module(1, 1);
	CHECK_EQ(0, sim_load());
	CHECK(!sim_logged("late:"));
	sim_next_is_stock();
	CHECK_EQ(0, sim_load());

	kho_component_get(&late);
	CHECK_EQ(-EPROTONOSUPPORT, sim_load());
	sim_next_is_same();
	CHECK_EQ(0, sim_load());
	CHECK(sim_logged("late: 1 in use with version 1, the image lacks this component"));

	/* There it is built in */
	sim_next_reads("late", 2, 2);
	CHECK_EQ(-EPROTONOSUPPORT, sim_load());
	sim_next_reads("late", 1, 2);
	CHECK_EQ(0, sim_load());
	kho_component_put(&late);
	kho_component_unregister(&late);

	/* What was agreed for it is forgotten with it */
	load_module(1, 3);
	CHECK_EQ(2, late.write);
	CHECK_EQ(0, sim_load());
	CHECK_EQ(2, late.write);
	kho_component_unregister(&late);
	CHECK_EQ(3, late.write);
}

/* The image is loaded already: what is written follows what it reads */
TEST(image_is_loaded_already)
{
	sim_boot_liveupdate(NULL);
	sim_next_reads("late", 1, 2);
	CHECK_EQ(0, sim_load());
	load_module(1, 3);
	CHECK_EQ(2, late.write);
	CHECK_EQ(2, kho_component_get(&late));
	CHECK_EQ(KHO_NEXT_COMPATIBLE, kho_next_status(false));
	kho_component_put(&late);
	kho_component_unregister(&late);
	CHECK_EQ(3, late.write);
	CHECK(!sim_logged("late:"));

	/* Nothing that it reads can be written */
	load_module(3, 4);
	CHECK(sim_logged("late: this kernel writes 3 to 4, the image reads 1 to 2"));
	CHECK(sim_logged("late was registered after the image was loaded"));
	CHECK_EQ(4, late.write);
	CHECK_EQ(KHO_NEXT_COMPATIBLE, kho_next_status(true));
	CHECK_EQ(KHO_NEXT_INCOMPATIBLE, kho_next_status(false));
	kho_component_unregister(&late);
	CHECK_EQ(KHO_NEXT_COMPATIBLE, kho_next_status(false));
}

/* No image says anything of modules: that is no reason to warn */
TEST(image_is_loaded_and_says_nothing)
{
	sim_boot_liveupdate(NULL);
	CHECK_EQ(0, sim_load());
	load_module(1, 3);
	CHECK_EQ(3, late.write);
	CHECK(!sim_logged("late"));
	kho_component_unregister(&late);
}

TEST(makes_no_sense)
{
	static const struct kho_component bad[] = {
		{ "", 1, 1, 1, 1 },
		{ "sixteen-letters-", 1, 1, 1, 1 },
		{ "zero", 0, 1, 1, 1 },
		{ "none", 2, 1, 2, 1 },
		{ "unread", 2, 2, 1, 2 },
		{ "old", 1, 2, 2, 1 },
		{ "new", 1, 2, 1, 3 },
	};

	sim_boot_liveupdate(NULL);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		late = bad[i];
		CHECK_EQ(-EINVAL, kho_component_register(&late));
	}
}

TEST(too_many)
{
	static struct kho_component many[KHO_MAX_COMPONENTS];
	static char names[KHO_MAX_COMPONENTS][16];
	unsigned int before, nr = 0;
	int err = 0;

	sim_boot_liveupdate(NULL);
	before = kho_table.nr;
	while (!err) {
		sprintf(names[nr], "component-%u", nr);
		many[nr] = (struct kho_component) { names[nr], 1, 1, 1, 1 };
		err = kho_component_register(&many[nr]);
		nr += !err;
	}
	CHECK_EQ(-ENOSPC, err);
	CHECK_EQ(KHO_MAX_COMPONENTS, before + nr);
	many[nr] = many[0];
	CHECK_EQ(-ENOSPC, kho_component_register(&many[nr]));
	kho_component_unregister(&many[2]);
	CHECK_EQ(-EEXIST, kho_component_register(&many[nr]));
	while (nr--) {
		if (nr != 2)
			kho_component_unregister(&many[nr]);
	}
	CHECK_EQ(before, kho_table.nr);
	CHECK_EQ(0, sim_warnings());
}

/* The test module, which uses what modules get */

TEST(module_hands_on)
{
	sim_boot_liveupdate(NULL);
	CHECK_EQ(0, sim_kho_test_component_init());
	CHECK(sim_logged("first"));
	CHECK_EQ(-EEXIST, sim_kho_test_component_init());
	sim_kho_test_component_exit();
	CHECK_PAGES();

	CHECK_EQ(0, sim_kho_test_component_init());
	sim_reboot();
	CHECK_EQ(0, sim_kho_test_component_init());
	CHECK(sim_logged("handover of kho-v5: test-component 2"));
	CHECK(sim_logged("found 1"));
	sim_reboot();
	CHECK_EQ(0, sim_kho_test_component_init());
	CHECK(sim_logged("found 2"));
	sim_kho_test_component_exit();
	CHECK_PAGES();
}

/* What the next kernel reads is known if the component is built in there */
TEST(module_writes_an_old_version)
{
	struct sim_handover handover;

	sim_power_on();
	sim_kho_parse_write((char[]){ "test-component:1" });
	sim_boot_liveupdate(NULL);
	CHECK_EQ(0, sim_kho_test_component_init());
	handover = sim_kexec();
	sim_boot_liveupdate(&handover);
	CHECK_EQ(0, sim_kho_test_component_init());
	CHECK(sim_logged("handover of kho-v5: test-component 1"));
	CHECK(sim_logged("found 1"));
}

TEST(module_without_memory)
{
	unsigned int nr = 1;
	int err;

	sim_boot_liveupdate(NULL);
	do {
		sim_fail_allocation(nr++);
		err = sim_kho_test_component_init();
		sim_fail_allocation(0);
		CHECK(!err || err == -ENOMEM);
		CHECK_PAGES();
	} while (err && nr < 50);
	CHECK_EQ(0, err);
	CHECK(nr > 6);
	sim_kho_test_component_exit();
	CHECK_PAGES();
}
