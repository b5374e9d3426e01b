// SPDX-License-Identifier: GPL-2.0-only
/*
 * The part of every fuzzer that is the same. FUZZ_SEEDS=dir in the environment
 * writes the seeds there and does nothing else.
 */

#include <limits.h>

#include "fuzz.h"

#define MAX_PAGES	64
#define MAX_SEED	SZ_64K
#define PAGE_WORDS	(PAGE_SIZE / sizeof(u64))

static const u8 *input;
static size_t input_left;

static phys_addr_t structure[MAX_PAGES];
static unsigned int nr_structure;

static u8 seed[MAX_SEED];
static size_t seed_size;
static const char *seed_dir;

const u8 *fuzz_rest(size_t *size)
{
	*size = input_left;
	return input;
}

u64 fuzz_take(unsigned int bytes)
{
	u64 value = 0;

	if (bytes > input_left)
		bytes = input_left;
	memcpy(&value, input, bytes);
	input += bytes;
	input_left -= bytes;
	return value;
}

void fuzz_add_page(phys_addr_t phys)
{
	for (unsigned int i = 0; i < nr_structure; i++) {
		if (structure[i] == phys)
			return;
	}
	if (nr_structure == MAX_PAGES)
		abort();
	structure[nr_structure++] = phys;
}

static u64 *word(unsigned int page, unsigned int index)
{
	u64 *words = phys_to_virt(structure[page % nr_structure]);

	return &words[index % PAGE_WORDS];
}

void fuzz_damage_pages(void)
{
	while (input_left) {
		unsigned int page = fuzz_take(1), index = fuzz_take(2);

		*word(page, index) = fuzz_take(8);
	}
}

void fuzz_put_bytes(const void *from, size_t size)
{
	if (size > MAX_SEED - seed_size)
		abort();
	memcpy(seed + seed_size, from, size);
	seed_size += size;
}

void fuzz_put(u64 value, unsigned int bytes)
{
	fuzz_put_bytes(&value, bytes);
}

void fuzz_put_pages(void)
{
	for (unsigned int page = 0; page < nr_structure; page++) {
		for (unsigned int i = 0; i < PAGE_WORDS; i++) {
			if (!*word(page, i))
				continue;
			fuzz_put(page, 1);
			fuzz_put(i, 2);
			fuzz_put(*word(page, i), 8);
		}
	}
}

void fuzz_end_seed(const char *name)
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", seed_dir, name);
	file = fopen(path, "w");
	if (!file || fwrite(seed, 1, seed_size, file) != seed_size || fclose(file)) {
		perror(path);
		exit(1);
	}
	seed_size = 0;
}

void fuzz_check_pages(void)
{
	unsigned long has = sim_pages(SIM_FREE) + sim_pages(SIM_USED);

	if (has == sim_managed_pages() && !sim_warnings())
		return;

	fprintf(stderr, "BUG: %ld pages managed, there are %lu; %u warnings\n",
		sim_managed_pages(), has, sim_warnings());
	abort();
}

static void check_objects(void)
{
	if (!sim_objects())
		return;

	fprintf(stderr, "BUG: %lu objects left\n", sim_objects());
	abort();
}

void fuzz_check_machine(void)
{
	fuzz_check_pages();
	check_objects();
}

/* What nobody else does with a range of the previous kernel, here it is freed */
static void restore_range(phys_addr_t phys, unsigned int order)
{
	struct folio *folio = kho_restore_folio(phys);

	if (!folio || folio_order(folio) != order) {
		fprintf(stderr, "BUG: range of order %u is not restored, 0x%lx\n",
			order, (unsigned long)phys);
		abort();
	}
	folio_put(folio);
}

void fuzz_restore_pages(void)
{
	for (const struct sim_range *r = sim_memory; r->end; r++) {
		for (phys_addr_t phys = r->start; phys < r->end; phys += PAGE_SIZE) {
			int order = kho_preserved_order(phys);

			if (order >= 0)
				restore_range(phys, order);
		}
	}
	fuzz_check_pages();
}

void fuzz_restore_all(void)
{
	fuzz_restore_pages();
	check_objects();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	seed_dir = getenv("FUZZ_SEEDS");

	sim_power_on();
	fuzz_init();
	sim_checkpoint();
	if (seed_dir) {
		fuzz_seeds();
		exit(0);
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	input = data;
	input_left = size;
	sim_rollback();
	fuzz_one();
	return 0;
}
