/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A machine for the files under test, as tests and fuzzers handle it.
 *
 * It has two nodes with little memory in a large address space, boots one
 * kernel after the other, and takes every misuse of a page for a bug: it ends
 * the program, as AddressSanitizer does.
 *
 * node 0	16 MiB at 0 without the first two, and 4 MiB at 1 GiB
 * node 1	32 MiB at 2 GiB
 */
#ifndef _SIM_SIM_H
#define _SIM_SIM_H

#include "kernel.h"
#include <linux/kexec_handover.h>
#include <linux/memblock.h>

#define SIM_END		(2 * (phys_addr_t)SZ_1G + SZ_32M)

struct sim_range {
	phys_addr_t start, end;
	int nid;
};

/* All memory, in ascending order; ends with an empty range */
extern const struct sim_range sim_memory[];

/* What the boot protocol carries from kernel to kernel */
struct sim_handover {
	phys_addr_t fdt, scratch, image;
	u64 fdt_len, scratch_len;
};

extern phys_addr_t sim_memory_limit;

/* From here on the struct pages of node 1 are initialized later */
#define SIM_DEFERRED	(SIM_END - SZ_16M - SZ_8M)
/* Where no thread initializes any, as if memblock did not say that they are free */
extern phys_addr_t sim_forgotten_start, sim_forgotten_end;

void sim_power_on(void);
void sim_boot_map(const struct sim_handover *from);
void sim_boot_early(const struct sim_handover *from);
void sim_boot_release(void);
void sim_boot_free(void);
void sim_deferred_init(void);
void sim_pages_all(void);
void sim_boot_memory(void);
void sim_boot_init(void);
void sim_boot(const struct sim_handover *from);
void sim_boot_liveupdate(const struct sim_handover *from);

extern char *sim_next_cmdline;
void sim_next_reads(const char *name, u32 min_version, u32 version);
void sim_next_is_stock(void);
void sim_next_is_same(void);
extern void (*sim_while_loading)(void);
int sim_load(void);
void sim_unload(void);
int sim_try_kexec(struct sim_handover *to);
struct sim_handover sim_kexec(void);
void *sim_subtree(const struct sim_handover *handover, const char *name);
void sim_reboot(void);

void sim_checkpoint(void);
void sim_rollback(void);

bool sim_logged(const char *text);
unsigned int sim_log_count(const char *text);
void sim_log_clear(void);
unsigned int sim_warnings(void);

void sim_fail_allocation(unsigned int nr);
void sim_fail_all_allocations(bool fail);
void sim_meanwhile(void (*other)(void));
unsigned long sim_objects(void);
unsigned long sim_pages(enum sim_page_state state);
void sim_poison(struct page *page);
void sim_keep_pages(unsigned long nr);
void sim_add_memory(phys_addr_t start, phys_addr_t end);
void sim_add_device(struct page *page);
long sim_managed_pages(void);

void *sim_vmalloc(unsigned int nr_pages, unsigned int order, unsigned long flags);
void *sim_sparse(unsigned int nr_pages, bool (*has)(unsigned int i));
void sim_free_sparse(void *addr);

extern bool sim_memfds_are_shmem;
extern int sim_file_error;	/* of each new file, while it is not 0 */
struct file *sim_file(unsigned int nr, unsigned int order);
void sim_file_add(struct file *file, u64 index, unsigned int order);
void sim_file_allocate(struct file *file, u64 index);
void sim_file_swap_out(struct file *file, u64 index, unsigned int value);
struct folio *sim_file_entry(struct file *file, u64 index);
void *sim_file_page(struct file *file, u64 index);
void sim_replace_pinned(unsigned int index);
phys_addr_t sim_replaced(void);
void sim_commit_at_most(long nr_pages);
long sim_committed(void);
struct file *sim_fd_file(unsigned int fd);
int sim_open(struct file *file);
void sim_close(unsigned int fd);

extern struct liveupdate_file_handler sim_linked_handler;
extern struct liveupdate_flb sim_shared;
extern int sim_shared_error;	/* of its .retrieve(), while it is not 0 */
struct file *sim_linked_file(u64 size);
extern bool sim_read_only;	/* what programs have for answers */
int sim_session_ioctl(int session, unsigned int cmd, void *arg);
int sim_session_create(const char *name);
int sim_session_retrieve(const char *name);
int sim_session_preserve_fd(int session, u64 token, int fd);
int sim_session_retrieve_fd(int session, u64 token);
int sim_session_finish(int session);
extern unsigned int sim_memfd_version;	/* of the handler that is used */
u64 sim_memfd_preserve(struct file *file);
u64 sim_memfd_preserve_sealed(struct file *file, unsigned int seals);
u64 sim_memfd_preserve_between(struct file *file, void (*between)(struct file *file));
int sim_memfd_try_preserve(struct file *file, void (*between)(struct file *file));
int sim_memfd_retrieve(u64 data, struct file **file);
void sim_memfd_finish(u64 data);

/* Init functions and parameters of the files under test */
int sim_kho_takeover_done(void);
int sim_kho_init(void);
int sim_kho_parse_enable(char *arg);
int sim_kho_parse_write(char *arg);
int sim_kho_check_write_param(void);
int sim_kho_test_component_init(void);
void sim_kho_test_component_exit(void);
int sim_scratch_parse(char *arg);
int sim_reserve_mem(char *arg);
int sim_reserve_mem_init(void);
int sim_early_liveupdate_param(char *arg);
int sim_luo_early_startup(void);
int sim_luo_late_startup(void);
int sim_liveupdate_ioctl_init(void);
int sim_memfd_luo_init(void);

#endif /* _SIM_SIM_H */
