// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a kernel: what start_kernel() and kexec_file_load() do, as far
 * as KHO takes part in it.
 */

#include <linux/kho/abi/kexec_handover.h>
#include <linux/liveupdate.h>

#include "internal.h"

/* Where the running kernel is */
char *sim_image;

struct resource crashk_res, crashk_low_res;
unsigned long initrd_start, initrd_end;

struct uts_namespace init_uts_ns = { .name.release = "7.3-sim" };

/* mem= of the command line */
phys_addr_t sim_memory_limit = PHYS_ADDR_MAX;

/* As far as the memory map: kho= and kho_scratch= have been read already */
void sim_boot_map(const struct sim_handover *from)
{
	sim_image = phys_to_virt(from ? from->image : SZ_2M);
	if (from)
		kho_populate(from->fdt, from->fdt_len, from->scratch,
			     from->scratch_len);

	for (const struct sim_range *r = sim_memory; r->end; r++)
		memblock_add(r->start, r->end - r->start);
	if (sim_memory_limit != PHYS_ADDR_MAX)
		memblock_remove(sim_memory_limit, PHYS_ADDR_MAX);
	max_low_pfn = PHYS_PFN(SIM_END);
	memblock_reserve_kern(__pa_symbol(_text), SIM_IMAGE_SIZE);
	kho_memory_known();

	for (const struct sim_range *r = sim_memory; r->end; r++)
		memblock_set_node(r->start, r->end - r->start, &memblock.memory, r->nid);
	memblock_allow_resize();
}

/* As far as the map of preserved memory is known, too */
void sim_boot_early(const struct sim_handover *from)
{
	sim_boot_map(from);
	kho_memory_init_early();
}

/* From memblock to the page allocator, as far as there are struct pages */
void sim_boot_free(void)
{
	memblock_free_all();
	sim_allocator_up = true;
}

/* All of it */
void sim_boot_release(void)
{
	sim_boot_free();
	sim_deferred_init();
	sim_kho_takeover_done();
}

/* Until the page allocator is up */
void sim_boot_memory(void)
{
	kho_memory_init();
	sim_boot_release();
}

/* The rest of it, in the order of the levels of init functions */
void sim_boot_init(void)
{
	sim_luo_early_startup();
	sim_kho_init();
	sim_luo_late_startup();
	sim_liveupdate_ioctl_init();
	sim_memfd_luo_init();
	if (liveupdate_enabled())
		sim_linked_init();
}

/* Everything; @from is what the last kernel left, %NULL on a cold boot */
void sim_boot(const struct sim_handover *from)
{
	char scratch[] = "4M,0,4M";

	sim_scratch_parse(scratch);
	sim_boot_early(from);
	sim_boot_memory();
	sim_boot_init();
}

/* With liveupdate=on */
void sim_boot_liveupdate(const struct sim_handover *from)
{
	sim_early_liveupdate_param((char[]){ "on" });
	sim_boot(from);
}

/* Find a place in an area for a segment, from the top, below earlier ones */
static int locate_hole(struct resource *res, void *data)
{
	struct kexec_buf *kbuf = data;
	const struct kimage *image = kbuf->image;
	phys_addr_t end = res->end + 1, start;

	for (unsigned long i = 0; i < image->nr_segments; i++) {
		if (image->segment[i].mem >= res->start)
			end = min(end, image->segment[i].mem);
	}

	start = ALIGN_DOWN(end - kbuf->memsz, kbuf->buf_align);
	if (end < res->start + kbuf->memsz || start < res->start)
		return 0;

	kbuf->mem = start;
	return 1;
}

int kexec_add_buffer(struct kexec_buf *kbuf)
{
	struct kimage *image = kbuf->image;
	int err = kho_locate_mem_hole(kbuf, locate_hole);

	if (err)
		return err < 0 ? err : -EADDRNOTAVAIL;

	image->segment[image->nr_segments++] = (struct kexec_segment) {
		.buf = kbuf->buffer,
		.bufsz = kbuf->bufsz,
		.mem = kbuf->mem,
		.memsz = kbuf->memsz,
	};
	return 0;
}

/*
 * End this kernel. Memory stays, and the next one can be booted. With an error,
 * this one goes on.
 */
int sim_try_kexec(struct sim_handover *to)
{
	char cmdline[] = "kho=on liveupdate=on";
	/* Of the image only the note matters; the next kernel is this one again */
	struct kimage image = {
		.type = KEXEC_TYPE_DEFAULT,
		.kernel_buf = (void *)&kho_image_note,
		.kernel_buf_len = struct_size(&kho_image_note, entries, kho_image_note.nr),
		.cmdline_buf = cmdline,
	};
	struct kexec_buf kernel = {
		.image = &image,
		.buffer = (char[]){ "kernel" },
		.bufsz = sizeof("kernel"),
		.memsz = SIM_IMAGE_SIZE,
		.buf_align = PAGE_SIZE,
	};
	int err = kexec_add_buffer(&kernel) ?: kho_fill_kimage(&image);

	if (err || !image.kho.scratch)
		sim_bug("the next kernel cannot be loaded", err);

	kho_set_next(&image);
	err = kho_check_next() ?: liveupdate_reboot();
	kho_set_next(NULL);
	if (err)
		return err;

	*to = (struct sim_handover) {
		.fdt = image.kho.fdt,
		.fdt_len = PAGE_SIZE,
		.scratch = image.kho.scratch->mem,
		.scratch_len = image.kho.scratch->bufsz,
		.image = kernel.mem,
	};

	sim_sync_areas();

	/* Nothing is in use and nothing is free any more: there is no kernel */
	sim_start_pages();
	for (unsigned long i = 0; i < image.nr_segments; i++)
		memcpy(phys_to_virt(image.segment[i].mem), image.segment[i].buf,
		       image.segment[i].bufsz);
	sim_start_variables();
	return 0;
}

struct sim_handover sim_kexec(void)
{
	struct sim_handover to;
	int err = sim_try_kexec(&to);

	if (err)
		sim_bug("the next kernel cannot be started", err);
	return to;
}

/* What a kernel has handed over by that name */
void *sim_subtree(const struct sim_handover *handover, const char *name)
{
	const void *fdt = phys_to_virt(handover->fdt);
	int node = fdt_subnode_offset(fdt, 0, name);
	const u64 *phys = fdt_getprop(fdt, node, KHO_SUB_TREE_PROP_NAME, NULL);

	return phys_to_virt(get_unaligned(phys));
}

/* From this kernel to the next */
void sim_reboot(void)
{
	struct sim_handover next = sim_kexec();

	sim_boot(&next);
}
