// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mismatches on purpose: this kernel hands over what one of another version,
 * or a buggy one, would. For tests with a real kexec; root asks for it by
 * writing to files in kho_test/ of debugfs:
 *
 * announce - in the FDT for the next kernel, at once, and once more during the
 *	kexec, because KHO itself states there what it writes:
 *	"NAME N", "NAME absent" or "NAME bytes N": property NAME of the
 *	components node becomes the number N, is removed, or becomes N zero
 *	bytes; "node absent" removes the node, "compatible TEXT" makes TEXT
 *	the only compatible string, "header broken" makes it no FDT any more.
 * damage - during the kexec, in what LUO has serialized:
 *	"luo" raises the version in LUO's own string. "count NAME" and "files
 *	NAME" give the session of that name a file too many, or a list of
 *	files that is nowhere; "handler NAME" raises the version of its first
 *	file's handler.
 * handler - "1" or "2" registers version 1 or 2 of the handler of test files.
 * file - opening it makes a test file: one page, which starts as zeroes.
 * refuse - "N": the next N times that a test file is to be frozen, which LUO
 *	does when kexec comes, its handler says that it is busy.
 *
 * Nothing here knows how the next kernel judges any of this.
 */

#define pr_fmt(fmt) "KHO: test: " fmt

#include <linux/anon_inodes.h>
#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/cleanup.h>
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/compat.h>
#include <linux/kho/abi/kexec_handover.h>
#include <linux/kho/abi/luo.h>
#include <linux/kstrtox.h>
#include <linux/libfdt.h>
#include <linux/liveupdate.h>
#include <linux/mm.h>
#include <linux/reboot.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "../kexec_handover_internal.h"

/* More than any command needs */
#define COMMAND_SIZE	128

/* Where no machine has memory */
#define NOWHERE		BIT_ULL(51)

static char *read_command(const char __user *buf, size_t count)
{
	char *command;

	if (count >= COMMAND_SIZE)
		return ERR_PTR(-EINVAL);

	command = memdup_user_nul(buf, count);
	if (!IS_ERR(command))
		command[strcspn(command, "\n")] = 0;
	return command;
}

/* announce */

static int announce_property(void *fdt, int node, const char *name, const char *value)
{
	static const u8 zeroes[16];
	u32 n;

	if (!fdt_getprop(fdt, node, name, NULL))
		return -EINVAL;
	if (!strcmp(value, "absent"))
		return fdt_delprop(fdt, node, name);
	if (sscanf(value, "bytes %u", &n) == 1)
		return n <= sizeof(zeroes) ? fdt_setprop(fdt, node, name, zeroes, n) : -EINVAL;
	if (kstrtou32(value, 10, &n))
		return -EINVAL;
	return fdt_setprop_u32(fdt, node, name, n);
}

static int announce(void *fdt, void *command)
{
	int node = fdt_subnode_offset(fdt, 0, KHO_FDT_COMPONENTS_NODE_NAME);
	char *value = command;
	const char *name = strsep(&value, " ");

	if (node < 0 || !value)
		return -EINVAL;
	if (!strcmp(name, "compatible"))
		return fdt_setprop_string(fdt, 0, name, value);
	if (!strcmp(name, "node"))
		return strcmp(value, "absent") ? -EINVAL : fdt_del_node(fdt, node);
	if (strcmp(name, "header"))
		return announce_property(fdt, node, name, value);
	if (strcmp(value, "broken"))
		return -EINVAL;

	fdt_set_magic(fdt, ~FDT_MAGIC);
	return 0;
}

/* What has been announced, to be done again */
static char announced[8][COMMAND_SIZE];
static unsigned int nr_announced;

static void announce_again(void)
{
	char command[COMMAND_SIZE];

	for (unsigned int i = 0; i < nr_announced; i++) {
		strscpy(command, announced[i]);
		kho_edit_out_fdt(announce, command);
	}
}

static ssize_t announce_write(struct file *file, const char __user *buf, size_t count,
			      loff_t *pos)
{
	char *command __free(kfree) = read_command(buf, count);

	if (IS_ERR(command))
		return PTR_ERR(command);
	if (nr_announced == ARRAY_SIZE(announced))
		return -ENOSPC;

	/* Errors of libfdt are not errno values */
	strscpy(announced[nr_announced], command);
	if (kho_edit_out_fdt(announce, command))
		return -EINVAL;

	nr_announced++;
	return count;
}

static const struct file_operations announce_fops = {
	.write = announce_write,
	.llseek = noop_llseek,
};

/* damage */

static void raise_version(char *compatible)
{
	compatible[strlen(compatible) - 1]++;
}

static void damage_count(struct luo_session_ser *session)
{
	session->file_set_ser.count++;
}

static void damage_files(struct luo_session_ser *session)
{
	session->file_set_ser.files = NOWHERE;
}

static void damage_handler(struct luo_session_ser *session)
{
	struct kho_block_header_ser *block = phys_to_virt(session->file_set_ser.files);
	struct luo_file_ser *file = (struct luo_file_ser *)(block + 1);

	/* Far beyond all that is read */
	file->compatible[strlen(file->compatible) - 1] = '9';
}

static const struct damage {
	const char *what;
	void (*session)(struct luo_session_ser *session);
} damages[] = {
	{ "count", damage_count },
	{ "files", damage_files },
	{ "handler", damage_handler },
	{ "luo", NULL },
};

/* What is to be done when kexec comes; the name is empty for LUO as a whole */
static struct {
	const struct damage *damage;
	char session[LIVEUPDATE_SESSION_NAME_LENGTH];
} armed;

static struct luo_session_ser *find_session(const struct luo_ser *luo)
{
	struct kho_block_header_ser *block;

	for (u64 phys = luo->sessions_pa; phys; phys = block->next) {
		struct luo_session_ser *session;

		block = phys_to_virt(phys);
		session = (struct luo_session_ser *)(block + 1);
		for (u64 i = 0; i < block->count; i++, session++) {
			if (!strcmp(session->name, armed.session))
				return session;
		}
	}

	return NULL;
}

static void do_damage(struct luo_ser *luo)
{
	struct luo_session_ser *session;

	if (!armed.damage->session) {
		raise_version(luo->compatible);
		return;
	}

	session = find_session(luo);
	if (session)
		armed.damage->session(session);
	else
		pr_err("no session '%s' to damage\n", armed.session);
}

/* Changes nothing in the FDT, only finds its way by it */
static int damage_luo(void *fdt, void *unused)
{
	int node = fdt_subnode_offset(fdt, 0, LUO_KHO_ENTRY_NAME);
	u64 phys;

	if (node >= 0 && !kho_fdt_u64(fdt, node, KHO_SUB_TREE_PROP_NAME, &phys))
		do_damage(phys_to_virt(phys));
	return 0;
}

/* kernel_kexec() has LUO serialize before it calls the reboot notifiers */
static int damage_at_reboot(struct notifier_block *nb, unsigned long event, void *cmd)
{
	announce_again();
	if (armed.damage)
		kho_edit_out_fdt(damage_luo, NULL);
	return NOTIFY_DONE;
}

static struct notifier_block damage_nb = {
	.notifier_call = damage_at_reboot,
};

static int arm(char *command)
{
	const char *what = strsep(&command, " ");

	for (int i = 0; i < ARRAY_SIZE(damages); i++) {
		if (strcmp(damages[i].what, what))
			continue;
		if (!damages[i].session != !command)
			return -EINVAL;
		if (strscpy(armed.session, command ?: "") < 0)
			return -EINVAL;
		armed.damage = &damages[i];
		return 0;
	}

	return -EINVAL;
}

static ssize_t damage_write(struct file *file, const char __user *buf, size_t count,
			    loff_t *pos)
{
	char *command __free(kfree) = read_command(buf, count);

	if (IS_ERR(command))
		return PTR_ERR(command);

	return arm(command) ?: count;
}

static const struct file_operations damage_fops = {
	.write = damage_write,
	.llseek = noop_llseek,
};

/* file: the page of a test file is its private data */

static int file_open(struct inode *inode, struct file *file)
{
	file->private_data = folio_alloc(GFP_KERNEL | __GFP_ZERO, 0);
	return file->private_data ? 0 : -ENOMEM;
}

static int file_release(struct inode *inode, struct file *file)
{
	folio_put(file->private_data);
	return 0;
}

static ssize_t file_read(struct file *file, char __user *buf, size_t count, loff_t *pos)
{
	return simple_read_from_buffer(buf, count, pos, folio_address(file->private_data),
				       PAGE_SIZE);
}

static ssize_t file_write(struct file *file, const char __user *buf, size_t count,
			  loff_t *pos)
{
	return simple_write_to_buffer(folio_address(file->private_data), PAGE_SIZE, pos,
				      buf, count);
}

static const struct file_operations test_file_fops = {
	.open = file_open,
	.release = file_release,
	.read = file_read,
	.write = file_write,
	.llseek = default_llseek,
};

/* handler */

static bool handler_can_preserve(struct liveupdate_file_handler *handler, struct file *file)
{
	return file->f_op == &test_file_fops;
}

static int handler_preserve(struct liveupdate_file_op_args *args)
{
	struct folio *folio = args->file->private_data;

	args->serialized_data = PFN_PHYS(folio_pfn(folio));
	return kho_preserve_folio(folio);
}

static atomic_t refusals;

static int handler_freeze(struct liveupdate_file_op_args *args)
{
	return atomic_dec_if_positive(&refusals) < 0 ? 0 : -EBUSY;
}

static void handler_unpreserve(struct liveupdate_file_op_args *args)
{
	kho_unpreserve_folio(args->file->private_data);
}

static int handler_retrieve(struct liveupdate_file_op_args *args)
{
	struct folio *folio = kho_restore_folio(args->serialized_data);
	struct file *file;

	if (!folio)
		return -EINVAL;

	file = anon_inode_getfile("[kho-test-file]", &test_file_fops, folio, O_RDWR);
	if (IS_ERR(file)) {
		folio_put(folio);
		return PTR_ERR(file);
	}

	args->file = file;
	return 0;
}

static void handler_finish(struct liveupdate_file_op_args *args)
{
	if (!args->retrieve_status)
		kho_restore_free(phys_to_virt(args->serialized_data));
}

static const struct liveupdate_file_ops handler_ops = {
	.can_preserve = handler_can_preserve,
	.preserve = handler_preserve,
	.unpreserve = handler_unpreserve,
	.freeze = handler_freeze,
	.retrieve = handler_retrieve,
	.finish = handler_finish,
};

static struct liveupdate_file_handler handlers[] = {
	{ .ops = &handler_ops, .compatible = "kho-test-file-v1" },
	{ .ops = &handler_ops, .compatible = "kho-test-file-v2" },
};

static int handler_register(void *data, u64 version)
{
	if (!version || version > ARRAY_SIZE(handlers))
		return -EINVAL;

	return liveupdate_register_file_handler(&handlers[version - 1]);
}

DEFINE_DEBUGFS_ATTRIBUTE(handler_fops, NULL, handler_register, "%llu\n");

static int refuse_set(void *data, u64 count)
{
	atomic_set(&refusals, count);
	return 0;
}

DEFINE_DEBUGFS_ATTRIBUTE(refuse_fops, NULL, refuse_set, "%llu\n");

static int __init kho_mismatch_init(void)
{
	struct dentry *dir;

	if (!kho_is_enabled())
		return 0;

	dir = debugfs_create_dir("kho_test", NULL);
	debugfs_create_file("announce", 0200, dir, NULL, &announce_fops);
	debugfs_create_file("damage", 0200, dir, NULL, &damage_fops);
	debugfs_create_file_unsafe("handler", 0200, dir, NULL, &handler_fops);
	debugfs_create_file_unsafe("refuse", 0200, dir, NULL, &refuse_fops);

	/* Not through a proxy: the handler knows a test file by its operations */
	debugfs_create_file_unsafe("file", 0600, dir, NULL, &test_file_fops);

	return register_reboot_notifier(&damage_nb);
}
late_initcall(kho_mismatch_init);
