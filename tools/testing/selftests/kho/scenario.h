/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a scenario can use. A scenario is one file under scenarios/ with a
 * function for each boot of the virtual machine; SCENARIO() lists them in
 * order. main.c runs the function that belongs to this boot and kexecs into
 * the next one.
 *
 * The comment at the top of a scenario file states what the virtual machine
 * needs, as lines of the form "needs KEY: VALUE"; run.py reads them there.
 */
#ifndef KHO_SCENARIO_H
#define KHO_SCENARIO_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <linux/types.h>

#define __printf(fmt, first)	__attribute__((__format__(printf, fmt, first)))
#define __noreturn		__attribute__((__noreturn__))
#define __section(name)		__attribute__((__used__, __section__(name)))

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define KIB(n)		((size_t)(n) << 10)
#define MIB(n)		((size_t)(n) << 20)

/**
 * struct boot - one boot of the virtual machine
 * @run: what to do; returning from it leads to the next boot
 * @kernel: name of the image to kexec into for this boot, NULL: the same
 *	kernel again. The first boot's kernel is the host's business.
 * @cmdline: added to the command line of this boot only, may be NULL
 */
struct boot {
	void (*run)(void);
	const char *kernel;
	const char *cmdline;
};

struct scenario {
	const char *name;
	const struct boot *boots;
	int nr_boots;
};

/* The name must be that of the file: the host finds scenarios by file name. */
#define SCENARIO(id, ...)						\
	static const struct boot id##_boots[] = { __VA_ARGS__ };	\
	static const struct scenario id##_scenario = {			\
		#id, id##_boots, ARRAY_SIZE(id##_boots)			\
	};								\
	static const struct scenario *const id##_entry			\
	__section("scenarios") = &id##_scenario

/* main.c: facts about this boot, the first one being 1 */
int boot_number(void);
bool last_boot(void);
void stop_here(void);
__u64 boot_seed(void);
__u64 number_of_boot(int boot);
bool kernel_is_ours(void);
extern unsigned long load_flags;
int load_next_kernel(void);
int load_kernel(const char *name, const char *cmdline);
int try_kexec(void);
void start_last(void);
void fail_kexec_allocations(void);

/*
 * report.c: results. check() records one test and returns whether it held;
 * require() ends the scenario if it did not. check_result() compares a return
 * value that is 0, a file descriptor or a negative errno.
 */
__printf(2, 3) bool check(bool ok, const char *fmt, ...);
__printf(2, 3) void require(bool ok, const char *fmt, ...);
__printf(3, 4) bool check_result(int got, int expected, const char *fmt, ...);
__printf(2, 3) int require_fd(int fd, const char *fmt, ...);
__printf(1, 2) void note(const char *fmt, ...);
const char *result_name(int result);

/* luo.c: /dev/liveupdate. Each returns 0 or a descriptor, or -errno. */
int luo_device(void);
int luo_create(int device, const char *name);
int luo_retrieve(int device, const char *name);
int luo_preserve(int session, int fd, __u64 token);
int luo_retrieve_fd(int session, __u64 token);
int luo_finish(int session);
int luo_name(int session, char *name, size_t size);

/**
 * struct hole - page-aligned part of a memfd that is never written
 * @start: offset in bytes
 * @size: in bytes
 */
struct hole {
	size_t start;
	size_t size;
};

/**
 * struct memfile - a memfd whose contents follow from this description
 * @name: for messages, and for the seed of the contents
 * @token: identifies it in its LUO session
 * @size: in bytes, need not be a multiple of anything
 * @position: file position when it is preserved
 * @seals: F_SEAL_*
 * @huge: back it with transparent huge pages
 * @hole: hole.size 0 means none
 *
 * Both sides of a kexec use the same table of these, so that nothing but the
 * boot command line's seed has to be carried for verification.
 */
struct memfile {
	const char *name;
	__u64 token;
	size_t size;
	size_t position;
	unsigned int seals;
	bool huge;
	struct hole hole;
};

/* memfile.c */
int memfile_create(const struct memfile *file);
int memfile_create_torn(const struct memfile *file, int *other);
void memfile_verify(const struct memfile *file, int fd);
bool memfile_same(const struct memfile *file, int fd);
void memfile_change(int fd, size_t offset, size_t size);
__u64 memfile_checksum(int fd);
unsigned long memfile_pfn(int fd, size_t offset);

void memfiles_preserve(int session, const struct memfile *files, int count);
void memfiles_retrieve(int session, const struct memfile *files, int count);

/*
 * pattern.c: contents. Word i of a pattern depends on the seed and on i;
 * pattern_mismatch() returns the offset of the first wrong byte, or size.
 */
void pattern_fill(void *buffer, size_t size, __u64 seed, size_t offset);
size_t pattern_mismatch(const void *buffer, size_t size, __u64 seed,
			size_t offset);
size_t pattern_offset(__u64 word, __u64 seed);
__u64 pattern_seed(const char *name);
__u64 xxh64(const void *data, size_t size, __u64 seed);

/*
 * mismatch.c: kho_test/ in debugfs, see kernel/liveupdate/tests/kho_mismatch.c.
 * A test file is a page, the one at @offset of what @file describes.
 */
void make_mismatch(const char *what);
void make_damage(const char *what);
int register_handler(int version);
int refuse_kexec(int times);
int testfile_create(const struct memfile *file, size_t offset);
bool testfile_same(const struct memfile *file, size_t offset, int fd);
void check_intact(const struct memfile *file);

/*
 * image.c: /sys/kernel/kho, and images that are loaded in other ways than
 * main.c does it. What load_bare() loads resets the machine.
 */
const char *kho_says(const char *file);
bool check_kho(const char *file, const char *expected);
void set_kho_check(const char *mode);
int load_bare(void);
int load_crash(const char *name);
int unload(void);

/*
 * memory.c: kho_memory/ in debugfs, see kernel/liveupdate/tests/kho_memory.c;
 * and numbers that go to the next boot, in a memfd of their own.
 */
__printf(2, 3) void memory_job(const char *job, const char *fmt, ...);
__u64 memory_report(const char *name);
void note_map(void);
void grab_everything(void);
__u64 memory_in_machine(void);
void check_memory_in_machine(__u64 expected);
void carry_number(int session, __u64 token, __u64 number);
__u64 carried_number(int session, __u64 token);

/* pieces.c: pieces of memory of random sizes, over several kexecs */
void pieces_cold(void);
void pieces_first(void);
void pieces_next(void);
void pieces_last(void);

/* faults.c: allocations that fail on purpose */
void faults_init(void);
void fail_allocation(int nth);
int fail_each_allocation(const char *what, int (*call)(void),
			 void (*undo)(int result));

/* interop.c: the same steps in kernels of either kind */
void interop_first(void);
void interop_between(void);
void interop_last(void);

/* efi.c: what UEFI firmware and the EFI stub could break */
void efi_first(void);
void efi_between(void);
void efi_last(void);
void efi_write_chunk(void);
bool is_system_ram(__u64 phys);

/* machine.c: what the kernel says about itself */
bool kmsg_has(const char *text);
int kmsg_each(const char *text, void (*line)(const char *message));
int kmsg_warnings(const char *text);
long scratch_set_aside(void);
long meminfo_kib(const char *field);
long free_kib(void);
long free_outside_scratch_kib(void);
int write_file(const char *path, const char *text);
ssize_t read_file(const char *path, char *text, size_t room);
void check_leaks(void);
void use_free_memory(void);
size_t pages_in_memory(const struct memfile *file);
bool iomem_reserved(__u64 pfn);

struct reserved {
	__u64 start;
	__u64 size;
};

int reserve_mem_find(const char *name, struct reserved *found);
void *reserve_mem_map(const char *name, size_t size);

/**
 * struct preserved - what the map of preserved memory holds
 * @nodes: pages of the map itself
 * @pages: pages that it names
 * @runs: of pages that follow one another, counted for each order by itself
 * @end: of the last range seen, while counting
 */
struct preserved {
	__u64 nodes;
	__u64 pages;
	__u64 runs;
	__u64 end;
};

__u64 preserved_memory_map(void);
struct preserved count_preserved(void);

#endif
