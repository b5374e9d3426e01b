// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/liveupdate and its sessions as a program uses them, and the handler of
 * memfds as LUO uses it.
 */

#include <linux/liveupdate.h>

#include "internal.h"
#include "kexec_handover_internal.h"

bool sim_read_only;

static struct miscdevice *device;
static const struct liveupdate_file_handler *memfds[2];
unsigned int sim_memfd_version = 2;
#define memfd	memfds[sim_memfd_version - 2]

int misc_register(struct miscdevice *misc)
{
	device = misc;
	return 0;
}

static long call(struct file *file, unsigned int cmd, void *arg)
{
	return file->f_op->unlocked_ioctl(file, cmd, (unsigned long)arg);
}

/* Open the device, which is when sessions of the previous kernel are read */
static long call_device(unsigned int cmd, void *arg)
{
	struct file *file = anon_inode_getfile("liveupdate", device->fops, device, 0);
	long err;

	if (IS_ERR(file))
		return PTR_ERR(file);

	err = device->fops->open(file_inode(file), file);
	if (err)
		file->f_op = NULL;
	err = err ?: call(file, cmd, arg);
	fput(file);
	return err;
}

int sim_session_ioctl(int session, unsigned int cmd, void *arg)
{
	return call(sim_fd_file(session), cmd, arg);
}

/* All that make a descriptor return it, or an error */

int sim_session_create(const char *name)
{
	struct liveupdate_ioctl_create_session arg = { .size = sizeof(arg) };

	strncpy((char *)arg.name, name, sizeof(arg.name));
	return call_device(LIVEUPDATE_IOCTL_CREATE_SESSION, &arg) ?: arg.fd;
}

int sim_session_retrieve(const char *name)
{
	struct liveupdate_ioctl_retrieve_session arg = { .size = sizeof(arg) };

	strncpy((char *)arg.name, name, sizeof(arg.name));
	return call_device(LIVEUPDATE_IOCTL_RETRIEVE_SESSION, &arg) ?: arg.fd;
}

int sim_session_preserve_fd(int session, u64 token, int fd)
{
	struct liveupdate_session_preserve_fd arg = {
		.size = sizeof(arg),
		.fd = fd,
		.token = token,
	};

	return call(sim_fd_file(session), LIVEUPDATE_SESSION_PRESERVE_FD, &arg);
}

int sim_session_retrieve_fd(int session, u64 token)
{
	struct liveupdate_session_retrieve_fd arg = {
		.size = sizeof(arg),
		.token = token,
	};

	return call(sim_fd_file(session), LIVEUPDATE_SESSION_RETRIEVE_FD, &arg) ?: arg.fd;
}

int sim_session_finish(int session)
{
	struct liveupdate_session_finish arg = { .size = sizeof(arg) };

	return call(sim_fd_file(session), LIVEUPDATE_SESSION_FINISH, &arg);
}

/*
 * Files of a kind of their own, which have a link count: the state of each is a
 * page with its size, and they share another page, which is an FLB. One without
 * a size cannot be frozen.
 */

static int preserve_page(u64 *data, u64 value)
{
	u64 *page = kho_alloc_preserve(PAGE_SIZE);

	if (IS_ERR(page))
		return PTR_ERR(page);

	*page = value;
	*data = virt_to_phys(page);
	return 0;
}

static bool linked_can_preserve(struct liveupdate_file_handler *fh, struct file *file)
{
	return file_inode(file)->i_nlink;
}

static int linked_preserve(struct liveupdate_file_op_args *args)
{
	return preserve_page(&args->serialized_data, i_size_read(file_inode(args->file)));
}

static void linked_unpreserve(struct liveupdate_file_op_args *args)
{
	kho_unpreserve_free(phys_to_virt(args->serialized_data));
}

static int linked_freeze(struct liveupdate_file_op_args *args)
{
	return i_size_read(file_inode(args->file)) ? 0 : -EBUSY;
}

static int linked_retrieve(struct liveupdate_file_op_args *args)
{
	struct file *file = sim_linked_file(0);
	struct folio *folio;

	if (IS_ERR(file))
		return PTR_ERR(file);

	folio = kho_restore_folio(args->serialized_data);
	if (!folio) {
		fput(file);
		return -EINVAL;
	}

	i_size_write(file_inode(file), *(u64 *)folio_address(folio));
	folio_put(folio);
	args->file = file;
	return 0;
}

static void linked_finish(struct liveupdate_file_op_args *args)
{
	struct folio *folio;

	if (args->retrieve_status)
		return;

	folio = kho_restore_folio(args->serialized_data);
	if (folio)
		folio_put(folio);
}

int sim_shared_error;

static int shared_preserve(struct liveupdate_flb_op_args *args)
{
	int err = preserve_page(&args->data, 0);

	args->obj = err ? NULL : phys_to_virt(args->data);
	return err;
}

static void shared_unpreserve(struct liveupdate_flb_op_args *args)
{
	kho_unpreserve_free(args->obj);
}

static int shared_retrieve(struct liveupdate_flb_op_args *args)
{
	struct folio *folio;

	if (sim_shared_error)
		return sim_shared_error;

	folio = kho_restore_folio(args->data);
	if (!folio)
		return -EINVAL;

	args->obj = folio_address(folio);
	return 0;
}

static void shared_finish(struct liveupdate_flb_op_args *args)
{
	folio_put(virt_to_folio(args->obj));
}

static const struct liveupdate_file_ops linked_ops = {
	.can_preserve = linked_can_preserve,
	.preserve = linked_preserve,
	.unpreserve = linked_unpreserve,
	.freeze = linked_freeze,
	.retrieve = linked_retrieve,
	.finish = linked_finish,
};

static const struct liveupdate_flb_ops shared_ops = {
	.preserve = shared_preserve,
	.unpreserve = shared_unpreserve,
	.retrieve = shared_retrieve,
	.finish = shared_finish,
};

struct liveupdate_file_handler sim_linked_handler = {
	.ops = &linked_ops,
	.compatible = "linked-v1",
};

struct liveupdate_flb sim_shared = {
	.ops = &shared_ops,
	.compatible = "shared-v1",
};

void sim_linked_init(void)
{
	if (liveupdate_register_file_handler(&sim_linked_handler) ||
	    liveupdate_register_flb(&sim_linked_handler, &sim_shared))
		sim_bug("the handler of linked files is not taken", 0);
}

struct file *sim_linked_file(u64 size)
{
	struct file *file = memfd_alloc_file("", 0);

	if (IS_ERR(file))
		return file;

	file_inode(file)->i_nlink = 1;
	i_size_write(file_inode(file), size);
	return file;
}

/* The linker leads here first, so that the handler need not be searched for */
int __wrap_liveupdate_register_file_handler(struct liveupdate_file_handler *fh)
{
	if (strstarts(fh->compatible, "memfd"))
		memfds[fh->compatible[strlen("memfd-v")] - '2'] = fh;
	return __real_liveupdate_register_file_handler(fh);
}

/* One handler of the two takes files at a time */
static int memfd_preserve(struct liveupdate_file_op_args *args)
{
	if (memfd_kho_component.write != sim_memfd_version &&
	    kho_component_pin(&memfd_kho_component, sim_memfd_version))
		sim_bug("version of memfds cannot be set", sim_memfd_version);
	return memfd->ops->preserve(args);
}

/* As for a file of a session; the state that goes to the next kernel */
u64 sim_memfd_preserve(struct file *file)
{
	struct liveupdate_file_op_args args = { .file = file };

	if (memfd_preserve(&args) || memfd->ops->freeze(&args))
		sim_bug("memfd cannot be preserved", 0);
	return args.serialized_data;
}

/* The same for a file that gets more seals between the two */
u64 sim_memfd_preserve_sealed(struct file *file, unsigned int seals)
{
	struct liveupdate_file_op_args args = { .file = file };

	if (memfd_preserve(&args) ||
	    (seals && memfd_add_seals(file, seals)) ||
	    memfd->ops->freeze(&args))
		sim_bug("memfd cannot be preserved", seals);
	return args.serialized_data;
}

/* The same for a file that changes between the two */
u64 sim_memfd_preserve_between(struct file *file, void (*between)(struct file *file))
{
	struct liveupdate_file_op_args args = { .file = file };

	if (memfd_preserve(&args))
		sim_bug("memfd cannot be preserved", 0);
	between(file);
	if (memfd->ops->freeze(&args))
		sim_bug("memfd cannot be frozen", 0);
	return args.serialized_data;
}

/* The error, if it cannot be preserved, or not be frozen after @between */
int sim_memfd_try_preserve(struct file *file, void (*between)(struct file *file))
{
	struct liveupdate_file_op_args args = { .file = file };
	int err = memfd_preserve(&args);

	if (err)
		return err;

	between(file);
	err = memfd->ops->freeze(&args);
	memfd->ops->unpreserve(&args);
	return err;
}

int sim_memfd_retrieve(u64 data, struct file **file)
{
	struct liveupdate_file_op_args args = { .serialized_data = data };
	int err = memfd->ops->retrieve(&args);

	*file = args.file;
	return err;
}

void sim_memfd_finish(u64 data)
{
	struct liveupdate_file_op_args args = { .serialized_data = data };

	memfd->ops->finish(&args);
}
