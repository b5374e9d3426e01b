/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of the simulated machine know of each other. */
#ifndef _SIM_INTERNAL_H
#define _SIM_INTERNAL_H

#include "sim.h"

/* The linker's names for the sections of the kernel's variables */
extern char __start_kernel_bss[], __stop_kernel_bss[];
extern char __start_kernel_data[], __stop_kernel_data[];

/* memory.c */
extern bool sim_allocator_up;

void sim_bug(const char *what, unsigned long where) __noreturn;
void sim_start_pages(void);
void sim_sync_areas(void);
void sim_start_variables(void);

/* luo.c; what the linker makes of calls of the function, see LDFLAGS */
struct liveupdate_file_handler;

void sim_linked_init(void);
int __real_liveupdate_register_file_handler(struct liveupdate_file_handler *fh);
int __wrap_liveupdate_register_file_handler(struct liveupdate_file_handler *fh);

#endif /* _SIM_INTERNAL_H */
