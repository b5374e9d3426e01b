// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test module: a component that is not built in.
 *
 * It registers a component and leaves for the module of the next kernel a block
 * set whose only entry describes an array from vmalloc(). When it is loaded it takes
 * what the module of the previous kernel left, if it can read it, and checks all of
 * it. The log and the parameter "result" say "first", "found N" for what N kernels
 * have handed on, or "error -N".
 */

#define pr_fmt(fmt) "KHO: test component: " fmt

#include <linux/err.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/vmalloc.h>
#include <linux/kho/block.h>
#include <linux/kho/compat.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/vmalloc.h>

#define SUBTREE		"test-component"
#define NR_NUMBERS	3000

/* The area holds the numbers from 0 on. Version 2 also says how old it is */
struct test_entry {
	KHO_VMALLOC_ARRAY(u32)
		numbers;
	u64 kernels;
};

/* The subtree: where the block set starts */
struct test_ser {
	u64 entries;
};

static struct kho_component test_component = {
	.name = "test-component",
	.min_version = 1,
	.version = 2,
	.min_write = 1,
	.write = 2,
};

static char result[24] = "none";
module_param_string(result, result, sizeof(result), 0444);
MODULE_PARM_DESC(result, "what the previous kernel's module has left");

/* What this module leaves */
static struct {
	struct kho_block_set entries;
	struct test_ser *ser;
	struct test_entry *entry;
	u32 *numbers;
} left;

static int test_check_numbers(const u32 *numbers)
{
	for (u32 i = 0; i < NR_NUMBERS; i++) {
		if (numbers[i] != i) {
			pr_err("number %u is %u\n", i, numbers[i]);
			return -EBADMSG;
		}
	}

	return 0;
}

static int test_take_entry(struct test_entry *entry, u64 *kernels)
{
	u32 *numbers = kho_restore_vmalloc_array(&entry->numbers, NR_NUMBERS, NULL);
	int err;

	if (IS_ERR(numbers))
		return PTR_ERR(numbers);

	err = test_check_numbers(numbers);
	*kernels = test_component.incoming == 1 ? 1 : entry->kernels;
	vfree(numbers);
	return err;
}

static int test_take_entries(u64 phys, u64 *kernels)
{
	struct kho_block_set entries;
	struct kho_block_set_it it;
	struct test_entry *entry;
	int err;

	kho_block_set_init(&entries, sizeof(*entry));
	err = kho_block_set_restore(&entries, phys);
	if (err)
		return err;

	kho_block_set_it_init(&it, &entries);
	entry = kho_block_set_it_read_entry(&it);
	err = entry ? test_take_entry(entry, kernels) : -EBADMSG;
	kho_block_set_destroy(&entries);
	return err;
}

/* Version 1 and 2 differ in what an entry says only. -ENOENT: there is nothing */
static int test_take(u64 *kernels)
{
	struct test_ser *ser;
	phys_addr_t phys;
	size_t size;
	u64 entries;
	int err;

	err = kho_retrieve_subtree(SUBTREE, &phys, &size);
	if (err)
		return err;

	err = kho_object_readable(&test_component);
	if (!err && (size != sizeof(*ser) || kho_preserved_order(phys) < 0))
		err = -EBADMSG;
	if (err) {
		kho_hold_back("what the test component left", err);
		return err;
	}

	ser = phys_to_virt(phys);
	entries = ser->entries;
	kho_restore_free(ser);
	return test_take_entries(entries, kernels);
}

static struct test_entry *test_new_entry(void)
{
	struct kho_block_set_it it;
	int err;

	kho_block_set_init(&left.entries, sizeof(*left.entry));
	err = kho_block_set_grow(&left.entries, 1);
	if (err)
		return ERR_PTR(err);

	kho_block_set_it_init(&it, &left.entries);
	return kho_block_set_it_reserve_entry(&it);
}

static int test_preserve_numbers(void)
{
	int err;

	left.numbers = vmalloc_array(NR_NUMBERS, sizeof(*left.numbers));
	if (!left.numbers)
		return -ENOMEM;

	for (u32 i = 0; i < NR_NUMBERS; i++)
		left.numbers[i] = i;
	err = kho_preserve_vmalloc_array(left.numbers, &left.entry->numbers);
	if (err)
		vfree(left.numbers);
	return err;
}

static int test_leave_entry(u64 kernels, u32 version)
{
	int err;

	left.entry = test_new_entry();
	if (IS_ERR(left.entry))
		return PTR_ERR(left.entry);

	if (version >= 2)
		left.entry->kernels = kernels;
	err = test_preserve_numbers();
	if (err)
		kho_block_set_destroy(&left.entries);
	return err;
}

static void test_take_back_entry(void)
{
	kho_unpreserve_vmalloc(&left.entry->numbers.area);
	vfree(left.numbers);
	kho_block_set_destroy(&left.entries);
}

static int test_leave_subtree(void)
{
	int err;

	left.ser = kho_alloc_preserve(sizeof(*left.ser));
	if (IS_ERR(left.ser))
		return PTR_ERR(left.ser);

	left.ser->entries = kho_block_set_head_pa(&left.entries);
	err = kho_add_subtree(SUBTREE, left.ser, sizeof(*left.ser));
	if (err)
		kho_unpreserve_free(left.ser);
	return err;
}

static int test_leave(u64 kernels)
{
	int err = test_leave_entry(kernels, kho_component_get(&test_component));

	if (err)
		goto put;
	err = test_leave_subtree();
	if (!err)
		return 0;

	test_take_back_entry();
put:
	kho_component_put(&test_component);
	return err;
}

static int __init kho_test_component_init(void)
{
	u64 kernels = 0;
	int err;

	if (!kho_is_enabled())
		return -EOPNOTSUPP;

	err = kho_component_register(&test_component);
	if (err)
		return err;

	err = test_take(&kernels);
	if (err && err != -ENOENT)
		snprintf(result, sizeof(result), "error %d", err);
	else if (err)
		strscpy(result, "first");
	else
		snprintf(result, sizeof(result), "found %llu", kernels);
	pr_info("%s\n", result);

	err = test_leave(kernels + 1);
	if (err)
		kho_component_unregister(&test_component);
	return err;
}
module_init(kho_test_component_init);

static void __exit kho_test_component_exit(void)
{
	kho_remove_subtree(left.ser);
	kho_unpreserve_free(left.ser);
	test_take_back_entry();
	kho_component_put(&test_component);
	kho_component_unregister(&test_component);
}
module_exit(kho_test_component_exit);

MODULE_DESCRIPTION("Test of KHO components in modules");
MODULE_LICENSE("GPL");
