// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a kernel: what start_kernel() and kexec_file_load() do, as far
 * as KHO takes part in it.
 */

#include <linux/kho/abi/kexec_handover.h>
#include <linux/liveupdate.h>

#include "internal.h"
#include "kexec_handover_internal.h"

/* Where the running kernel is */
char *sim_image;

struct resource crashk_res, crashk_low_res;
unsigned long initrd_start, initrd_end;

struct uts_namespace init_uts_ns = { .name.release = "7.3-sim" };

/* mem= of the command line */
phys_addr_t sim_memory_limit = PHYS_ADDR_MAX;

/* movable_node */
bool sim_movable_node;

unsigned int sim_kmemleak_objects;
unsigned long sim_rescheds;

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
	max_pfn = max_low_pfn;
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
 * The next kernel as it describes itself. It is this one again, whatever it says:
 * a test that has it read less tests this side only.
 */
static union {
	struct kho_image_note note;
	u8 bytes[KHO_IMAGE_NOTE_ALIGN];
} next_kernel;

/* True if it has another description than the note of this one */
static bool next_is_other;

char *sim_next_cmdline = "kho=on liveupdate=on";

/* Of two images, one may be loaded while the other one is being loaded */
static struct kimage images[2];
static struct kimage *loaded;

static struct kho_image_note *next_note(void)
{
	const size_t size = struct_size(&kho_image_note, entries, kho_image_note.nr);

	static_assert(sizeof(next_kernel) >= sizeof(kho_image_note) +
		      8 * sizeof(struct kho_image_entry));
	if (!next_is_other)
		memcpy(&next_kernel.note, &kho_image_note, size);
	next_is_other = true;
	return &next_kernel.note;
}

static void sum_up(struct kho_image_note *note)
{
	const u32 *words = (u32 *)note;
	size_t nr = struct_size(note, entries, note->nr) / sizeof(*words);
	u32 sum = note->sum;

	for (size_t i = 0; i < nr; i++)
		sum -= words[i];
	note->sum = sum;
}

/* What the note of the next kernel says that it reads */
void sim_next_reads(const char *name, u32 min_version, u32 version)
{
	struct kho_image_note *note = next_note();
	struct kho_image_entry *entry = note->entries;

	while (entry < note->entries + note->nr && strcmp(entry->name, name))
		entry++;
	if (entry == note->entries + note->nr)
		note->nr++;
	strscpy(entry->name, name);
	entry->min_version = min_version;
	entry->version = version;
	sum_up(note);
}

/* Its image has no note, and root says that it is Linux 7.3 */
void sim_next_is_stock(void)
{
	memset(&next_kernel, 0, sizeof(next_kernel));
	next_is_other = true;
}

/* It is this kernel again */
void sim_next_is_same(void)
{
	next_is_other = false;
}

static void kernel_file(struct kimage *image)
{
	image->kernel_buf = next_is_other ? (void *)&next_kernel : (void *)&kho_image_note;
	image->kernel_buf_len = next_is_other ? sizeof(next_kernel) :
		struct_size(&kho_image_note, entries, kho_image_note.nr);
	if (next_is_other && !next_kernel.note.nr)
		kho_set_assumed("7.3");
}

/* What happens while the image is read and loaded */
void (*sim_while_loading)(void);

/* kexec_file_load(); what was loaded before stays if it fails */
int sim_load(void)
{
	struct kimage *image = &images[loaded == images];
	struct kexec_buf kernel = {
		.image = image,
		.buffer = "kernel",
		.bufsz = sizeof("kernel"),
		.memsz = SIM_IMAGE_SIZE,
		.buf_align = PAGE_SIZE,
	};
	int err;

	*image = (struct kimage) {
		.type = KEXEC_TYPE_DEFAULT,
		.cmdline_buf = sim_next_cmdline,
	};
	kernel_file(image);
	err = kexec_add_buffer(&kernel) ?: kho_check_load(image) ?: kho_fill_kimage(image);
	if (err)
		return err;
	if (!image->kho.scratch)
		sim_bug("the next kernel gets no handover", 0);

	if (sim_while_loading)
		sim_while_loading();
	err = kho_accept_next(image);
	if (err)
		return err;

	kho_set_next(image);
	loaded = image;
	return 0;
}

void sim_unload(void)
{
	kho_set_next(NULL);
	loaded = NULL;
}

/*
 * End this kernel. Memory stays, and the next one can be booted. With an error,
 * this one goes on.
 */
int sim_try_kexec(struct sim_handover *to)
{
	int err = loaded ? 0 : sim_load();
	const struct kimage image = loaded ? *loaded : (struct kimage) {};

	if (err)
		sim_bug("the next kernel cannot be loaded", err);

	err = kho_check_next() ?: liveupdate_reboot();
	if (err) {
		kho_kexec_failed();
		sim_unload();
		return err;
	}
	kho_kexec_begins();

	*to = (struct sim_handover) {
		.fdt = image.kho.fdt,
		.fdt_len = PAGE_SIZE,
		.scratch = image.kho.scratch->mem,
		.scratch_len = image.kho.scratch->bufsz,
		.image = image.segment[0].mem,
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
