/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What firmware offers to an EFI program, as far as it is used here, and what
 * khotest.py builds into one. Names are from the UEFI specification, in the style of
 * the kernel; a status is 0 or an error.
 */
#ifndef KHO_EFI_H
#define KHO_EFI_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

enum { ALLOCATE_ANY, ALLOCATE_MAX_ADDRESS, ALLOCATE_ADDRESS };
enum { EFI_RESERVED, EFI_LOADER_DATA = 2, EFI_BOOT_SERVICES_DATA = 4 };

struct boot_services {
	u8 header[24];
	void *raise_tpl, *restore_tpl;
	u64 (*allocate_pages)(int how, int type, u64 pages, u64 *address);
	u64 (*free_pages)(u64 address, u64 pages);
	void *get_memory_map;
	u64 (*allocate_pool)(int type, u64 size, void **memory);
	u64 (*free_pool)(void *memory);
	void *events[6];
	void *install_protocol, *reinstall_protocol, *uninstall_protocol;
	u64 (*handle_protocol)(void *handle, const void *guid,
			       void **interface);
	void *reserved, *notify, *locate_handle, *locate_path, *install_table;
	u64 (*load_image)(u8 policy, void *parent, void *path,
			  const void *image, u64 size, void **loaded);
	u64 (*start_image)(void *image, u64 *size, u16 **data);
};

struct text_output {
	void *reset;
	u64 (*output)(struct text_output *this, const u16 *text);
};

struct system_table {
	u8 header[24];
	u16 *vendor;
	u32 revision;
	void *input_handle;
	void *input;
	void *output_handle;
	struct text_output *output;
	void *error_handle;
	void *error;
	void *runtime;
	struct boot_services *boot;
};

struct loaded_image {
	u32 revision;
	void *parent;
	void *system;
	void *device;
	void *path, *reserved;
	u32 options_size;
	u16 *options;
};

/* The kernel, and the options to start it with, which end in a 0 */
extern const u8 kernel[], kernel_end[];
extern u16 options[], options_end[];

#endif
