// SPDX-License-Identifier: GPL-2.0-only
/*
 * An EFI program that firmware starts from a disk and that leaves memory behind as
 * firmware of real hosts does. It carries the kernel, IMAGE, and the options that it
 * starts it with, OPTIONS, in UTF-16; the kernel finds its initrd= on the disk.
 *
 * What the EFI stub allocates for tables of a few bytes comes out of the midst of
 * the memory and not near its end, where the kernel's first allocations cover it.
 * Two options are for this program:
 *
 * efi_holes=N		N pages become reserved, each with a free page on both
 *			sides, so that the map has 2 * N entries more
 * efi_boot_data=N	N pages of boot services data are left; they make one
 *			descriptor with what firmware has beside them
 */
#include "efi.h"

#define PAGE		4096ULL

/* Where memory of the machines begins */
#ifdef __aarch64__
#define MEMORY		0x40000000ULL
#else
#define MEMORY		0ULL
#endif

/* Holes are below this, so that most of the memory comes after them in the map. */
#define HOLES_BELOW	(MEMORY + (128ULL << 20))

/* In the way while memory for small tables is found */
#define IN_THE_WAY	(192ULL << 20)

/* Of the size of the table for an initrd; more than free ones that are left */
#define TABLE_SIZE	16
#define TABLES		512
#define TABLES_FREED	8

#define MOST_TAKEN	4096

static const u8 loaded_image_guid[16] = {
	0xa1, 0x31, 0x1b, 0x5b, 0x62, 0x95, 0xd2, 0x11,
	0x8e, 0x3f, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b,
};

__asm__(".section .rdata,\"dr\"\n"
	".balign 4096\n"
	".globl kernel, kernel_end\n"
	"kernel: .incbin \"" IMAGE "\"\n"
	"kernel_end:\n"
	".balign 2\n"
	".globl options, options_end\n"
	"options: .incbin \"" OPTIONS "\"\n"
	".short 0\n"
	"options_end:\n"
	".text\n");

static u64 number_of(const char *option)
{
	for (const u16 *text = options; *text; text++) {
		u64 number = 0;
		u32 n = 0;

		while (option[n] && text[n] == option[n])
			n++;
		if (option[n])
			continue;
		for (; text[n] >= '0' && text[n] <= '9'; n++)
			number = number * 10 + text[n] - '0';
		return number;
	}
	return 0;
}

static u64 leave_boot_data(struct boot_services *boot, u64 pages)
{
	u64 start;

	if (!pages)
		return 0;
	return boot->allocate_pages(ALLOCATE_ANY, EFI_BOOT_SERVICES_DATA, pages,
				    &start);
}

/* A stretch that is free, where there was room for it */
static u64 make_holes(struct boot_services *boot, u64 holes)
{
	u64 pages = 2 * holes + 1, start = HOLES_BELOW;
	u64 status;

	status = boot->allocate_pages(ALLOCATE_MAX_ADDRESS, EFI_BOOT_SERVICES_DATA,
				      pages, &start);
	if (status)
		return status;
	status = boot->free_pages(start, pages);
	for (u64 i = 0; i < holes && !status; i++) {
		u64 page = start + (2 * i + 1) * PAGE;

		status = boot->allocate_pages(ALLOCATE_ADDRESS, EFI_RESERVED, 1,
					      &page);
	}
	return status;
}

/* Static, as there is nothing that probes a large stack */
static struct {
	u64 start, pages;
} taken[MOST_TAKEN];

static u32 nr_taken;

/* Everything above the lowest piece of that size that firmware gives away */
static void take(struct boot_services *boot, u64 pages, u64 above)
{
	u64 start = ~0ULL;

	while (nr_taken < MOST_TAKEN && start > above &&
	       !boot->allocate_pages(ALLOCATE_ANY, EFI_BOOT_SERVICES_DATA, pages,
				     &start)) {
		taken[nr_taken].start = start;
		taken[nr_taken++].pages = pages;
	}
}

static u64 place_tables(struct boot_services *boot)
{
	static void *tables[TABLES];
	u64 status = 0;

	take(boot, IN_THE_WAY / PAGE, ~0ULL - 1);
	for (u64 pages = IN_THE_WAY / PAGE / 8; pages; pages /= 8)
		take(boot, pages, taken[0].start);
	for (u32 i = 0; i < TABLES && !status; i++)
		status = boot->allocate_pool(EFI_LOADER_DATA, TABLE_SIZE,
					     &tables[i]);
	for (u32 i = TABLES - TABLES_FREED; i < TABLES && !status; i++)
		status = boot->free_pool(tables[i]);
	while (nr_taken-- && !status)
		status = boot->free_pages(taken[nr_taken].start,
					  taken[nr_taken].pages);
	return status;
}

static u64 start_kernel(struct boot_services *boot, void *self)
{
	struct loaded_image *program, *image;
	void *handle;
	u64 status;

	status = boot->handle_protocol(self, loaded_image_guid, (void **)&program);
	if (status)
		return status;
	status = boot->load_image(0, self, 0, kernel, kernel_end - kernel, &handle);
	if (status)
		return status;
	status = boot->handle_protocol(handle, loaded_image_guid, (void **)&image);
	if (status)
		return status;
	image->device = program->device;
	image->options = options;
	image->options_size = (options_end - options) * sizeof(*options);
	return boot->start_image(handle, 0, 0);
}

u64 efi_main(void *self, struct system_table *system)
{
	static const u16 failed[] = u"fragment: failed\r\n";
	struct boot_services *boot = system->boot;
	u64 status;

	status = leave_boot_data(boot, number_of("efi_boot_data="));
	if (!status)
		status = make_holes(boot, number_of("efi_holes="));
	if (!status)
		status = place_tables(boot);
	if (!status)
		status = start_kernel(boot, self);
	system->output->output(system->output, failed);
	return status;
}
