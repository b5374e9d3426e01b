// SPDX-License-Identifier: GPL-2.0-only
/*
 * Damage on purpose: right before a kexec, what this kernel hands over becomes
 * what a kernel with a bug would hand over. For tests with a real kexec; root
 * asks for it by files in kho_damage/ of debugfs:
 *
 * plan - "NUMBER" decides on the damages; reading it tells them, one
 *	"SESSION STRUCTURE" a line, where SESSION is a number, or -1 for what many
 *	depend on. The first line, "memfd VERSION vmalloc VERSION", has the versions
 *	in which files have to be preserved for it. The same number leads to the
 *	same plan in every kernel, so that the next one knows what was done to it.
 * arm - any number: the plan is carried out when kexec comes.
 * scratch - "1" and "0": images that are loaded in between get a damaged list of
 *	scratch areas, if that is the plan. It is part of the image, and the image
 *	is checked by its sum before it starts.
 * aims - to be read: how many numbers stand for damages that were thought out.
 *
 * The first numbers aim: each field of each structure gets each of the values
 * below. All others are seeds of random damages.
 *
 * What many depend on is damaged alone. What belongs to one session is damaged
 * in one session each of those that are named "victim-0", "victim-1" and so
 * on. They all are alike: the first file is a memfd with something in it, and it
 * is that file which is damaged.
 *
 * A damaged address never is that of other preserved memory by accident. No
 * reader could tell, as no version has checksums.
 *
 * Owns the list of structures and the ways to damage them. Nothing here knows
 * how the next kernel judges any of it.
 */

#define pr_fmt(fmt) "KHO: test: " fmt

#include <linux/array_size.h>
#include <linux/cleanup.h>
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/kexec_handover.h>
#include <linux/kho/abi/block.h>
#include <linux/kho/abi/compat.h>
#include <linux/kho/abi/kexec_handover.h>
#include <linux/kho/abi/kexec_metadata.h>
#include <linux/kho/abi/luo.h>
#include <linux/kho/abi/memblock.h>
#include <linux/kho/abi/memfd.h>
#include <linux/kho/abi/radix_tree.h>
#include <linux/kho/abi/vmalloc.h>
#include <linux/kho/radix_tree.h>
#include <linux/libfdt.h>
#include <linux/memblock.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/prandom.h>
#include <linux/reboot.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "../kexec_handover_internal.h"

#define VICTIM		"victim-"
#define NR_VICTIMS	7

/* Where no machine has memory */
#define NOWHERE		BIT_ULL(51)

/* Most words that a random damage changes one by one */
#define MAX_WORDS	4

/* A word of the structure that is in use, wherever that is */
#define ANYWHERE	((unsigned int)-1)

enum structure {
	/* For all that is handed over */
	FDT,
	FDT_VALUE,
	NODE,
	LEAF,
	LUO,
	SESSION_LIST,
	FLB_LIST,
	RESERVE_MEM,
	METADATA,
	SCRATCH,
	NR_SHARED,
	/* For a session, or its first file */
	SESSION = NR_SHARED,
	FILE_LIST,
	FILE_ENTRY,
	/* In version 2 of memfd */
	MEMFD,
	CHUNK,
	ARRAY,
	/* In version 3 */
	MEMFD_V3,
	PIECE,
	EXTENT,
	NR_STRUCTURES,
};

static const char *const names[NR_STRUCTURES] = {
	[FDT] = "fdt",
	[FDT_VALUE] = "fdt-value",
	[NODE] = "radix-node",
	[LEAF] = "radix-leaf",
	[LUO] = "luo",
	[SESSION_LIST] = "session-list",
	[FLB_LIST] = "flb-list",
	[RESERVE_MEM] = "reserve-mem",
	[METADATA] = "metadata",
	[SCRATCH] = "scratch",
	[SESSION] = "session",
	[FILE_LIST] = "file-list",
	[FILE_ENTRY] = "file",
	[MEMFD] = "memfd",
	[CHUNK] = "vmalloc-chunk",
	[ARRAY] = "folio-array",
	[MEMFD_V3] = "memfd-3",
	[PIECE] = "memfd-extents",
	[EXTENT] = "memfd-extent",
};

/* What files are described by */
enum format {
	BLOCKS,		/* memfd 2, vmalloc 1 */
	EXTENTS,	/* memfd 2, vmalloc 2 */
	NO_ARRAY,	/* memfd 3 */
	NR_FORMATS,
};

static const struct {
	unsigned int memfd;
	unsigned int vmalloc;
} versions[NR_FORMATS] = {
	[BLOCKS] = { 2, 1 },
	[EXTENTS] = { 2, 2 },
	[NO_ARRAY] = { 3, 1 },
};

/* What aimed damages put into a field */
enum value {
	ZERO,
	ONES,
	ONE_MORE,
	ONE_LESS,
	UNALIGNED,
	AWAY,		/* outside memory */
	FREE,		/* a page that is not preserved */
	SELF,		/* where the structure is, for cycles */
	GARBAGE,
	NR_VALUES,
};

/**
 * struct field - what is aimed at
 * @in: the structure.
 * @offset: in bytes, or ANYWHERE.
 * @size: in bytes.
 * @nth: of several, counted from 1; 0 leaves it to chance.
 * @pfn: it begins with a page frame number of 52 bits.
 */
struct field {
	enum structure in;
	unsigned int offset;
	unsigned int size;
	unsigned int nth;
	bool pfn;
};

/* Of text the first word is enough */
#define FIELD(structure, word, type, member) \
	{ .in = (structure), .offset = offsetof(type, member), .size = sizeof(word) }

static const struct field shared_fields[] = {
	FIELD(FDT, u32, struct fdt_header, magic),
	FIELD(FDT, u32, struct fdt_header, totalsize),
	FIELD(FDT, u32, struct fdt_header, off_dt_struct),
	FIELD(FDT, u32, struct fdt_header, off_dt_strings),
	FIELD(FDT, u32, struct fdt_header, version),
	FIELD(FDT, u32, struct fdt_header, size_dt_strings),
	FIELD(FDT, u32, struct fdt_header, size_dt_struct),
	/* The map, then address and size of each subtree */
	{ .in = FDT_VALUE, .size = sizeof(u64), .nth = 1 },
	{ .in = FDT_VALUE, .size = sizeof(u64), .nth = 2 },
	{ .in = FDT_VALUE, .size = sizeof(u64), .nth = 3 },
	{ .in = FDT_VALUE, .size = sizeof(u64), .nth = 4 },
	{ .in = FDT_VALUE, .size = sizeof(u64), .nth = 5 },
	{ .in = FDT_VALUE, .size = sizeof(u64), .nth = 6 },
	{ .in = FDT_VALUE, .size = sizeof(u64), .nth = 7 },
	{ .in = NODE, .offset = ANYWHERE, .size = sizeof(u64) },
	{ .in = LEAF, .offset = ANYWHERE, .size = sizeof(u64) },
	FIELD(LUO, u64, struct luo_ser, compatible),
	FIELD(LUO, u64, struct luo_ser, sessions_pa),
	FIELD(LUO, u64, struct luo_ser, flbs_pa),
	FIELD(SESSION_LIST, u64, struct kho_block_header_ser, next),
	FIELD(SESSION_LIST, u64, struct kho_block_header_ser, count),
	FIELD(FLB_LIST, u64, struct luo_flb_header_ser, pgcnt),
	FIELD(FLB_LIST, u64, struct luo_flb_header_ser, count),
	FIELD(RESERVE_MEM, u32, struct fdt_header, totalsize),
	FIELD(RESERVE_MEM, u32, struct fdt_header, off_dt_struct),
	{ .in = RESERVE_MEM, .offset = ANYWHERE, .size = sizeof(u32) },
	FIELD(METADATA, u32, struct kho_kexec_metadata, version),
	FIELD(METADATA, u32, struct kho_kexec_metadata, kexec_count),
	FIELD(SCRATCH, u64, struct kho_scratch, addr),
	FIELD(SCRATCH, u64, struct kho_scratch, size),
};

static const struct field block_fields[] = {
	FIELD(SESSION, u64, struct luo_session_ser, name),
	FIELD(SESSION, u64, struct luo_session_ser, file_set_ser.files),
	FIELD(SESSION, u64, struct luo_session_ser, file_set_ser.count),
	FIELD(FILE_LIST, u64, struct kho_block_header_ser, next),
	FIELD(FILE_LIST, u64, struct kho_block_header_ser, count),
	FIELD(FILE_ENTRY, u64, struct luo_file_ser, compatible),
	FIELD(FILE_ENTRY, u64, struct luo_file_ser, data),
	FIELD(FILE_ENTRY, u64, struct luo_file_ser, token),
	FIELD(MEMFD, u64, struct memfd_luo_ser, pos),
	FIELD(MEMFD, u64, struct memfd_luo_ser, size),
	FIELD(MEMFD, u32, struct memfd_luo_ser, seals),
	FIELD(MEMFD, u32, struct memfd_luo_ser, flags),
	FIELD(MEMFD, u64, struct memfd_luo_ser, nr_folios),
	FIELD(MEMFD, u64, struct memfd_luo_ser, folios.area.first),
	FIELD(MEMFD, u32, struct memfd_luo_ser, folios.area.total_pages),
	FIELD(MEMFD, u16, struct memfd_luo_ser, folios.area.flags),
	FIELD(MEMFD, u16, struct memfd_luo_ser, folios.area.order),
	FIELD(CHUNK, u64, struct kho_vmalloc_chunk, hdr.next),
	FIELD(CHUNK, u64, struct kho_vmalloc_chunk, phys[0]),
	/* Of a file of few folios it is the entry that ends the chunk */
	FIELD(CHUNK, u64, struct kho_vmalloc_chunk, phys[1]),
	{ .in = ARRAY, .size = sizeof(u64), .pfn = true },
	FIELD(ARRAY, u64, struct memfd_luo_folio_ser, index),
};

static const struct field extent_fields[] = {
	FIELD(MEMFD, u64, struct memfd_luo_ser, folios.area.first),
	FIELD(MEMFD, u32, struct memfd_luo_ser, folios.area.total_pages),
	FIELD(MEMFD, u16, struct memfd_luo_ser, folios.area.flags),
	FIELD(MEMFD, u16, struct memfd_luo_ser, folios.area.order),
	FIELD(CHUNK, u64, struct kho_vmalloc_extent_chunk, hdr.next),
	FIELD(CHUNK, u64, struct kho_vmalloc_extent_chunk, nr),
	FIELD(CHUNK, u64, struct kho_vmalloc_extent_chunk, extents[0].phys),
	FIELD(CHUNK, u32, struct kho_vmalloc_extent_chunk, extents[0].first),
	FIELD(CHUNK, u32, struct kho_vmalloc_extent_chunk, extents[0].nr_pages),
};

static const struct field v3_fields[] = {
	FIELD(MEMFD_V3, u64, struct memfd_luo_v3_ser, pos),
	FIELD(MEMFD_V3, u64, struct memfd_luo_v3_ser, size),
	FIELD(MEMFD_V3, u32, struct memfd_luo_v3_ser, seals),
	FIELD(MEMFD_V3, u32, struct memfd_luo_v3_ser, flags),
	FIELD(MEMFD_V3, u32, struct memfd_luo_v3_ser, mode),
	FIELD(MEMFD_V3, u32, struct memfd_luo_v3_ser, uid),
	FIELD(MEMFD_V3, u32, struct memfd_luo_v3_ser, gid),
	FIELD(MEMFD_V3, u32, struct memfd_luo_v3_ser, reserved),
	FIELD(MEMFD_V3, u64, struct memfd_luo_v3_ser, nr_extents),
	FIELD(MEMFD_V3, u64, struct memfd_luo_v3_ser, nr_pages),
	FIELD(MEMFD_V3, u64, struct memfd_luo_v3_ser, nr_poisoned),
	FIELD(MEMFD_V3, u64, struct memfd_luo_v3_ser, name),
	/* Several times, because not every file has a second piece */
	{ .in = PIECE, .offset = offsetof(struct memfd_luo_extents, next),
	  .size = sizeof(u64), .nth = 1 },
	{ .in = PIECE, .offset = offsetof(struct memfd_luo_extents, next),
	  .size = sizeof(u64), .nth = 1 },
	{ .in = PIECE, .offset = offsetof(struct memfd_luo_extents, next),
	  .size = sizeof(u64), .nth = 2 },
	FIELD(PIECE, u64, struct memfd_luo_extents, nr),
	FIELD(EXTENT, u64, struct memfd_luo_extent, index),
	{ .in = EXTENT, .offset = offsetof(struct memfd_luo_extent, pfn),
	  .size = sizeof(u64), .pfn = true },
	FIELD(EXTENT, u32, struct memfd_luo_extent, nr_pages),
	FIELD(EXTENT, u8, struct memfd_luo_extent, order),
	FIELD(EXTENT, u8, struct memfd_luo_extent, flags),
	FIELD(EXTENT, u16, struct memfd_luo_extent, reserved),
};

static const struct {
	const struct field *fields;
	unsigned int nr;
} local_fields[NR_FORMATS] = {
	[BLOCKS] = { block_fields, ARRAY_SIZE(block_fields) },
	[EXTENTS] = { extent_fields, ARRAY_SIZE(extent_fields) },
	[NO_ARRAY] = { v3_fields, ARRAY_SIZE(v3_fields) },
};

#define NR_BOOTS(fields)	DIV_ROUND_UP(ARRAY_SIZE(fields) * NR_VALUES, NR_VICTIMS)
#define NR_AIMS							\
	(NR_BOOTS(block_fields) + NR_BOOTS(extent_fields) +	\
	 NR_BOOTS(v3_fields) + ARRAY_SIZE(shared_fields) * NR_VALUES)

/**
 * struct step - one damage
 * @in: the structure.
 * @victim: number of the session, -1 if it is for all.
 * @field: what is aimed at, NULL for a random damage.
 * @value: what it gets.
 * @rnd: for all that is left to chance.
 */
struct step {
	enum structure in;
	int victim;
	const struct field *field;
	enum value value;
	struct rnd_state rnd;
};

static struct {
	u64 number;
	enum format format;
	struct step steps[NR_VICTIMS];
	int nr;
	bool armed;
} plan;

static DEFINE_MUTEX(plan_lock);

/**
 * struct instance - one structure in memory
 * @in: which.
 * @victim: number of its session, -1 if it is for all.
 * @mem: where it is.
 * @size: in bytes, as far as it is in use.
 */
struct instance {
	enum structure in;
	int victim;
	void *mem;
	size_t size;
};

#define MAX_INSTANCES	2048

/* The list of scratch areas, as long as a damaged one is in its place */
static struct kho_scratch *good_scratch;

/* What there is when kexec comes */
static struct {
	void *fdt;
	struct kho_radix_node *map;
	struct instance *instances;
	unsigned int nr;
} found;

static u32 below(struct rnd_state *rnd, u32 limit)
{
	return prandom_u32_state(rnd) % limit;
}

static u64 random_word(struct rnd_state *rnd)
{
	return (u64)prandom_u32_state(rnd) << 32 | prandom_u32_state(rnd);
}

/* The generator begins alike for numbers that are alike, and numbers in a row are */
static void seed_rnd(struct rnd_state *rnd, u64 number)
{
	prandom_seed_state(rnd, number * GOLDEN_RATIO_64);
	for (int i = 0; i < 8; i++)
		prandom_u32_state(rnd);
}

/* The plan */

static void plan_step(enum structure in, int victim)
{
	struct step *step = &plan.steps[plan.nr];

	*step = (struct step){ .in = in, .victim = victim };
	seed_rnd(&step->rnd, plan.number * NR_VICTIMS + plan.nr);
	plan.nr++;
}

static void plan_aim(const struct field *fields, unsigned int aim, int victim)
{
	const struct field *field = &fields[aim / NR_VALUES];

	plan_step(field->in, victim);
	plan.steps[plan.nr - 1].field = field;
	plan.steps[plan.nr - 1].value = aim % NR_VALUES;
}

static void plan_local_aims(unsigned int boot)
{
	unsigned int nr = local_fields[plan.format].nr * NR_VALUES;
	unsigned int aim = boot * NR_VICTIMS;

	for (int i = 0; i < NR_VICTIMS && aim < nr; i++, aim++)
		plan_aim(local_fields[plan.format].fields, aim, i);
}

static void plan_aims(void)
{
	unsigned int boot = plan.number, nr;

	for (enum format format = 0; format < NR_FORMATS; format++) {
		nr = DIV_ROUND_UP(local_fields[format].nr * NR_VALUES, NR_VICTIMS);
		if (boot < nr) {
			plan.format = format;
			plan_local_aims(boot);
			return;
		}
		boot -= nr;
	}

	plan_aim(shared_fields, boot, -1);
}

static_assert(NR_STRUCTURES - MEMFD_V3 == MEMFD_V3 - MEMFD);

/* One of the structures of the format */
static enum structure random_local(struct rnd_state *rnd)
{
	enum structure in = SESSION + below(rnd, MEMFD_V3 - SESSION);

	return in >= MEMFD && plan.format == NO_ARRAY ? in + MEMFD_V3 - MEMFD : in;
}

static void plan_random(void)
{
	struct rnd_state rnd;

	seed_rnd(&rnd, plan.number);
	if (below(&rnd, 2)) {
		plan_step(below(&rnd, NR_SHARED), -1);
		return;
	}

	for (int i = 0; i < NR_VICTIMS; i++)
		plan_step(random_local(&rnd), i);
}

static void make_plan(u64 number)
{
	plan.number = number;
	plan.format = number % NR_FORMATS;
	plan.nr = 0;
	if (number < NR_AIMS)
		plan_aims();
	else
		plan_random();
}

/* What there is to damage */

static void add(enum structure in, int victim, void *mem, size_t size)
{
	if (found.nr == MAX_INSTANCES)
		return;
	found.instances[found.nr++] = (struct instance){
		.in = in, .victim = victim, .mem = mem, .size = size,
	};
}

static void *memory_at(u64 phys)
{
	return phys ? phys_to_virt(phys) : NULL;
}

/* With version 1 of the tree: the bitmaps are at level 0 */
static void add_nodes(struct kho_radix_node *node, unsigned int level)
{
	add(level ? NODE : LEAF, -1, node, PAGE_SIZE);
	for (int i = 0; level && i < ARRAY_SIZE(node->table); i++) {
		if (node->table[i])
			add_nodes(memory_at(node->table[i]), level - 1);
	}
}

/* The part of an array that is there; returns how much of it is left */
static size_t add_array_part(int victim, u64 phys, size_t left)
{
	size_t size = min_t(size_t, left, PAGE_SIZE);

	if (size)
		add(ARRAY, victim, memory_at(phys), size);
	return left - size;
}

static size_t add_blocks(struct kho_vmalloc_chunk *chunk, int victim, size_t left)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(chunk->phys) && chunk->phys[i]; i++)
		left = add_array_part(victim, chunk->phys[i], left);
	add(CHUNK, victim, chunk, offsetof(struct kho_vmalloc_chunk, phys[i]));
	return left;
}

static size_t add_extents(struct kho_vmalloc_extent_chunk *chunk, int victim, size_t left)
{
	for (u64 i = 0; i < chunk->nr; i++) {
		const struct kho_vmalloc_extent *extent = &chunk->extents[i];

		for (u32 j = 0; j < extent->nr_pages; j++)
			left = add_array_part(victim, extent->phys + PFN_PHYS(j), left);
	}
	add(CHUNK, victim, chunk,
	    offsetof(struct kho_vmalloc_extent_chunk, extents[chunk->nr]));
	return left;
}

static void add_array(const struct memfd_luo_ser *ser, int victim)
{
	const struct kho_vmalloc *area = &ser->folios.area;
	struct kho_vmalloc_chunk *chunk = memory_at(area->first.phys);
	size_t left = ser->nr_folios * sizeof(struct memfd_luo_folio_ser);

	for (; chunk; chunk = memory_at(chunk->hdr.next.phys))
		left = area->flags & KHO_VMALLOC_EXTENTS ?
		       add_extents((void *)chunk, victim, left) :
		       add_blocks(chunk, victim, left);
}

static void add_memfd_v3(struct memfd_luo_v3_ser *ser, int victim)
{
	struct memfd_luo_extents *piece = &ser->first;

	add(MEMFD_V3, victim, ser, sizeof(*ser));
	for (; piece; piece = memory_at(piece->next.phys)) {
		add(PIECE, victim, piece, offsetof(struct memfd_luo_extents, extents));
		for (u64 i = 0; i < piece->nr; i++)
			add(EXTENT, victim, &piece->extents[i], sizeof(piece->extents[i]));
	}
}

static void add_files(struct luo_session_ser *session, int victim)
{
	struct kho_block_header_ser *block = memory_at(session->file_set_ser.files);
	struct luo_file_ser *file = (struct luo_file_ser *)(block + 1);

	add(SESSION, victim, session, sizeof(*session));
	if (!block)
		return;

	add(FILE_LIST, victim, block, sizeof(*block));
	add(FILE_ENTRY, victim, file, sizeof(*file));
	if (!strcmp(file->compatible, MEMFD_LUO_FH_COMPATIBLE(3))) {
		add_memfd_v3(memory_at(file->data), victim);
		return;
	}
	add(MEMFD, victim, memory_at(file->data), sizeof(struct memfd_luo_ser));
	add_array(memory_at(file->data), victim);
}

static void add_sessions(struct luo_ser *luo)
{
	struct kho_block_header_ser *block = memory_at(luo->sessions_pa);

	for (; block; block = memory_at(block->next)) {
		struct luo_session_ser *session = (struct luo_session_ser *)(block + 1);

		add(SESSION_LIST, -1, block, sizeof(*block));
		for (u64 i = 0; i < block->count; i++) {
			int victim;

			if (sscanf(session[i].name, VICTIM "%d", &victim) == 1)
				add_files(&session[i], victim);
		}
	}
}

static void *subtree(const char *name, u64 *size)
{
	int node = fdt_subnode_offset(found.fdt, 0, name);
	u64 phys;

	if (node < 0 || kho_fdt_u64(found.fdt, node, KHO_SUB_TREE_PROP_NAME, &phys) ||
	    kho_fdt_u64(found.fdt, node, KHO_SUB_TREE_SIZE_PROP_NAME, size))
		return NULL;
	return memory_at(phys);
}

/* Properties of eight bytes: the map, and where and how large each subtree is */
static void add_values(int node)
{
	int property, child;

	fdt_for_each_property_offset(property, found.fdt, node) {
		int size;
		const void *value = fdt_getprop_by_offset(found.fdt, property, NULL, &size);

		if (size == sizeof(u64))
			add(FDT_VALUE, -1, (void *)value, size);
	}
	fdt_for_each_subnode(child, found.fdt, node)
		add_values(child);
}

static void look_at_fdt(const void *fdt, void *unused)
{
	found.fdt = (void *)fdt;
}

static void find_all(void)
{
	u64 map, size;
	void *mem;

	found.nr = 0;
	kho_read_out_fdt(look_at_fdt, NULL);
	if (!found.fdt ||
	    kho_fdt_u64(found.fdt, 0, KHO_FDT_MEMORY_MAP_PROP_NAME, &map))
		return;

	found.map = memory_at(map);
	add(FDT, -1, found.fdt, fdt_totalsize(found.fdt));
	add_values(0);
	add_nodes(found.map, KHO_TREE_MAX_DEPTH - 1);

	mem = subtree(LUO_KHO_ENTRY_NAME, &size);
	if (mem) {
		struct luo_ser *luo = mem;

		add(LUO, -1, luo, sizeof(*luo));
		add(FLB_LIST, -1, memory_at(luo->flbs_pa), sizeof(struct luo_flb_header_ser));
		add_sessions(luo);
	}
	mem = subtree(MEMBLOCK_KHO_FDT, &size);
	if (mem)
		add(RESERVE_MEM, -1, mem, fdt_totalsize(mem));
	mem = subtree(KHO_METADATA_NODE_NAME, &size);
	if (mem)
		add(METADATA, -1, mem, size);
}

static const struct instance *choose(struct step *step)
{
	unsigned int nr = 0, nth;

	for (unsigned int i = 0; i < found.nr; i++)
		nr += found.instances[i].in == step->in &&
		      found.instances[i].victim == step->victim;
	if (!nr)
		return NULL;

	if (step->field && step->field->nth)
		nth = (step->field->nth - 1) % nr;
	else
		nth = below(&step->rnd, nr);
	for (unsigned int i = 0; i < found.nr; i++) {
		if (found.instances[i].in == step->in &&
		    found.instances[i].victim == step->victim && !nth--)
			return &found.instances[i];
	}
	return NULL;
}

/* True if a range of the map starts at @phys or contains it */
static bool is_preserved(u64 phys)
{
	for (unsigned int order = 0; order <= MAX_PAGE_ORDER; order++) {
		unsigned long key = kho_radix_encode_key(phys, order);
		void *node = found.map;

		for (int level = KHO_TREE_MAX_DEPTH - 1; node && level; level--) {
			unsigned int shift = KHO_BITMAP_SIZE_LOG2 +
					     (level - 1) * KHO_TABLE_SIZE_LOG2;
			struct kho_radix_node *table = node;

			node = memory_at(table->table[(key >> shift) %
						      ARRAY_SIZE(table->table)]);
		}
		if (node && test_bit(key % KHO_RADIX_BITMAP_KEYS, node))
			return true;
	}

	return false;
}

/* Number of pages that follow the address at @offset */
static u64 run_length(const struct instance *instance, unsigned int offset)
{
	const struct kho_vmalloc_extent_chunk *chunk = instance->mem;
	const struct memfd_luo_extent *extent = instance->mem;
	const size_t first = offsetof(struct kho_vmalloc_extent_chunk, extents);

	if (instance->in == EXTENT)
		return extent->nr_pages;
	if (instance->in != CHUNK || plan.format != EXTENTS || offset < first)
		return 1;
	return chunk->extents[(offset - first) / sizeof(chunk->extents[0])].nr_pages;
}

/*
 * True if a run that moves from @old to @new reaches memory that it did not have. Its
 * length may be damaged already.
 */
static bool run_grows(u64 old, u64 new, u64 nr)
{
	u64 end = min_t(u64, new + nr, max_pfn);

	for (u64 pfn = new + 1; pfn < end; pfn++) {
		if ((pfn < old || pfn >= old + nr) && is_preserved(PFN_PHYS(pfn)))
			return true;
	}

	return false;
}

/* True if the new value is the address of other preserved memory */
static bool means_others(u64 old, u64 new, const struct instance *instance,
			 unsigned int offset)
{
	u64 pfn = new & GENMASK_ULL(51, 0), self = virt_to_phys(instance->mem);
	u64 nr = run_length(instance, offset);

	if (instance->in < SESSION && instance->in != LUO)
		return false;
	if (run_grows(PHYS_PFN(old), PHYS_PFN(new), nr) ||
	    run_grows(old & GENMASK_ULL(51, 0), pfn, nr))
		return true;
	if (PHYS_PFN(new) != PHYS_PFN(old) && PHYS_PFN(new) != PHYS_PFN(self) &&
	    is_preserved(new))
		return true;
	/* Files share a page of descriptions */
	if (instance->in == FILE_ENTRY && new != old && PHYS_PFN(new) == PHYS_PFN(old) &&
	    IS_ALIGNED(new, MEMFD_LUO_FILE_SIZE))
		return true;
	return pfn != (old & GENMASK_ULL(51, 0)) && pfn != PHYS_PFN(self) &&
	       pfn <= PHYS_PFN(U64_MAX) && is_preserved(PFN_PHYS(pfn));
}

/* Random damages */

/* Half of all words that are hit are not zero, if there is one */
static unsigned int choose_word(const struct instance *instance, unsigned int size,
				struct rnd_state *rnd)
{
	unsigned int nr = max(instance->size / size, 1), at = below(rnd, nr);

	if (below(rnd, 2))
		return at * size;
	for (unsigned int i = 0; i < nr; i++, at = (at + 1) % nr) {
		if (memchr_inv(instance->mem + at * size, 0, size))
			break;
	}
	return at * size;
}

static u64 random_value(u64 old, const struct instance *instance, struct rnd_state *rnd)
{
	switch (below(rnd, 8)) {
	case 0:
		return 0;
	case 1:
		return random_word(rnd);
	case 2:
		return old + below(rnd, 3) - 1;
	case 3:
		return virt_to_phys(instance->mem);
	default:
		return old ^ BIT_ULL(below(rnd, 64)) ^ BIT_ULL(below(rnd, 64));
	}
}

/* No damage is none: what would not change anything changes one bit */
static void put(const struct instance *instance, unsigned int offset, unsigned int size,
		u64 old, u64 new)
{
	new &= GENMASK_ULL(size * BITS_PER_BYTE - 1, 0);
	if (new == old)
		new ^= 1;
	pr_info("damage: %s at 0x%llx, %u bytes at %u: 0x%llx becomes 0x%llx\n",
		names[instance->in], (u64)virt_to_phys(instance->mem), size, offset,
		old, new);
	memcpy(instance->mem + offset, &new, size);
}

static void random_words(const struct instance *instance, struct rnd_state *rnd)
{
	u32 words = 1 + below(rnd, MAX_WORDS);

	while (words--) {
		unsigned int offset = choose_word(instance, sizeof(u64), rnd);
		u64 old, new;

		memcpy(&old, instance->mem + offset, sizeof(old));
		new = random_value(old, instance, rnd);
		if (!means_others(old, new, instance, offset))
			put(instance, offset, sizeof(new), old, new);
	}
}

static void random_damage(const struct instance *instance, struct rnd_state *rnd)
{
	switch (below(rnd, 8)) {
	case 0:
		pr_info("damage: %s at 0x%llx, all becomes zero\n", names[instance->in],
			(u64)virt_to_phys(instance->mem));
		memset(instance->mem, 0, instance->size);
		break;
	case 1:
		pr_info("damage: %s at 0x%llx, all becomes random\n", names[instance->in],
			(u64)virt_to_phys(instance->mem));
		prandom_bytes_state(rnd, instance->mem, instance->size);
		break;
	default:
		random_words(instance, rnd);
		break;
	}
}

/* Aimed damages */

static u64 aimed_value(u64 old, struct step *step, const struct instance *instance)
{
	struct page *page;

	switch (step->value) {
	case ZERO:
		return 0;
	case ONES:
		return U64_MAX;
	case ONE_MORE:
		return old + 1;
	case ONE_LESS:
		return old - 1;
	case UNALIGNED:
		return old ^ BIT_ULL(below(&step->rnd, PAGE_SHIFT));
	case AWAY:
		return old | NOWHERE;
	case FREE:
		page = alloc_page(GFP_KERNEL | __GFP_ZERO);
		return page ? page_to_phys(page) : NOWHERE;
	case SELF:
		return virt_to_phys(instance->mem);
	default:
		return random_word(&step->rnd);
	}
}

static void aimed_damage(const struct instance *instance, struct step *step)
{
	const struct field *field = step->field;
	unsigned int offset = field->offset;
	u64 old = 0, new;

	if (offset == ANYWHERE)
		offset = choose_word(instance, field->size, &step->rnd);
	memcpy(&old, instance->mem + offset, field->size);
	new = aimed_value(old, step, instance);
	if (field->pfn && (step->value == FREE || step->value == SELF))
		new = PHYS_PFN(new) | (old & ~GENMASK_ULL(51, 0));
	if (means_others(old, new, instance, offset))
		new = old | NOWHERE;
	put(instance, offset, field->size, old, new);
}

static void do_step(struct step *step)
{
	const struct instance *instance = choose(step);

	if (!instance && step->in == SCRATCH)
		return;
	if (!instance)
		pr_info("damage: there is no %s to damage\n", names[step->in]);
	else if (step->field)
		aimed_damage(instance, step);
	else
		random_damage(instance, &step->rnd);
}

/* kernel_kexec() has LUO serialize before it calls the reboot notifiers */
static int damage_at_reboot(struct notifier_block *nb, unsigned long event, void *cmd)
{
	if (!plan.armed)
		return NOTIFY_DONE;

	found.instances = kvzalloc_objs(*found.instances, MAX_INSTANCES);
	if (!found.instances)
		return NOTIFY_DONE;

	/* Before the first damage: nothing can be found by what is damaged */
	find_all();
	for (int i = 0; i < plan.nr; i++)
		do_step(&plan.steps[i]);
	kvfree(found.instances);
	return NOTIFY_DONE;
}

static struct notifier_block damage_nb = {
	.notifier_call = damage_at_reboot,
};

/* The files */

static int plan_show(struct seq_file *m, void *unused)
{
	guard(mutex)(&plan_lock);

	seq_printf(m, "memfd %u vmalloc %u\n", versions[plan.format].memfd,
		   versions[plan.format].vmalloc);
	for (int i = 0; i < plan.nr; i++)
		seq_printf(m, "%d %s\n", plan.steps[i].victim, names[plan.steps[i].in]);
	return 0;
}

static int plan_open(struct inode *inode, struct file *file)
{
	return single_open(file, plan_show, NULL);
}

static ssize_t plan_write(struct file *file, const char __user *buf, size_t count,
			  loff_t *pos)
{
	u64 number;
	int err = kstrtou64_from_user(buf, count, 10, &number);

	if (err)
		return err;

	guard(mutex)(&plan_lock);
	make_plan(number);
	return count;
}

static const struct file_operations plan_fops = {
	.open = plan_open,
	.read = seq_read,
	.write = plan_write,
	.llseek = seq_lseek,
	.release = single_release,
};

static int arm(void *data, u64 unused)
{
	guard(mutex)(&plan_lock);
	plan.armed = true;
	return 0;
}

DEFINE_DEBUGFS_ATTRIBUTE(arm_fops, NULL, arm, "%llu\n");

/*
 * The first area stays as it is, so that there is room for the image: it has to
 * be found by the damaged list.
 */
static int damage_scratch(void)
{
	size_t size = kho_scratch_cnt * sizeof(*kho_scratch);
	struct instance instances[8];

	if (plan.nr != 1 || plan.steps[0].in != SCRATCH || good_scratch)
		return -EINVAL;

	good_scratch = kho_scratch;
	kho_scratch = kmemdup(good_scratch, size, GFP_KERNEL | __GFP_NOFAIL);
	found.instances = instances;
	found.nr = 0;
	for (int i = 1; i < min(kho_scratch_cnt, ARRAY_SIZE(instances)); i++)
		add(SCRATCH, -1, &kho_scratch[i], sizeof(*kho_scratch));
	do_step(&plan.steps[0]);
	return 0;
}

static int mend_scratch(void)
{
	if (!good_scratch)
		return -EINVAL;

	kfree(kho_scratch);
	kho_scratch = good_scratch;
	good_scratch = NULL;
	return 0;
}

static int scratch_set(void *data, u64 damaged)
{
	guard(mutex)(&plan_lock);
	return damaged ? damage_scratch() : mend_scratch();
}

DEFINE_DEBUGFS_ATTRIBUTE(scratch_fops, NULL, scratch_set, "%llu\n");

static u32 aims = NR_AIMS;

static int __init kho_damage_init(void)
{
	struct dentry *dir;

	if (!kho_is_enabled())
		return 0;

	dir = debugfs_create_dir("kho_damage", NULL);
	debugfs_create_file("plan", 0600, dir, NULL, &plan_fops);
	debugfs_create_file_unsafe("arm", 0200, dir, NULL, &arm_fops);
	debugfs_create_file_unsafe("scratch", 0200, dir, NULL, &scratch_fops);
	debugfs_create_u32("aims", 0400, dir, &aims);

	return register_reboot_notifier(&damage_nb);
}
late_initcall(kho_damage_init);
