// SPDX-License-Identifier: GPL-2.0-only
/*
 * What of the host's memory could cost a handover: the memory map that the running
 * kernel was given, and memory that is not in it. A kexec hands on the map, so the
 * next kernel does not know what was added.
 *
 * The map of x86 is in struct boot_params, see Documentation/arch/x86/zero-page.rst,
 * and in setup_data of type SETUP_E820_EXT. Neither is anywhere else.
 */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "firmware.h"
#include "reason.h"

#define NR_ENTRIES	0x1e8
#define ENTRIES		0x2d0
#define MAX_ENTRIES	128
#define BOOT_PARAMS	4096

#define SETUP_E820_EXT	1
#define TYPE_RAM	1

struct entry {
	uint64_t start, size;
	uint32_t type;
} __attribute__((packed));

struct map {
	unsigned int nr;
	struct entry *entries;
};

/* Returns how many bytes the file has, as far as there is room, or 0 */
static size_t read_all(const char *path, void *to, size_t size)
{
	FILE *file = fopen(path, "re");
	size_t done = 0;

	if (!file)
		return 0;
	done = fread(to, 1, size, file);
	fclose(file);
	return done;
}

static bool read_hex(const char *path, uint64_t *number)
{
	char text[32] = "";
	char *end;

	read_all(path, text, sizeof(text) - 1);
	*number = strtoull(text, &end, 16);
	return end != text && (!*end || *end == '\n');
}

static void add_entries(struct map *map, const void *data, unsigned int nr)
{
	struct entry *entries = allocate(map->nr + nr, sizeof(*entries));

	if (map->nr)
		memcpy(entries, map->entries, map->nr * sizeof(*entries));
	memcpy(entries + map->nr, data, nr * sizeof(*entries));
	free(map->entries);
	map->entries = entries;
	map->nr += nr;
}

static bool read_boot_params(const char *sysfs, struct map *map)
{
	unsigned char data[BOOT_PARAMS];
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/../boot_params/data", sysfs);
	if (read_all(path, data, sizeof(data)) < sizeof(data) ||
	    data[NR_ENTRIES] > MAX_ENTRIES)
		return false;

	add_entries(map, data + ENTRIES, data[NR_ENTRIES]);
	return true;
}

static void read_setup_data(const char *sysfs, struct map *map)
{
	static struct entry entries[4096];
	char path[PATH_MAX];
	uint64_t type;

	for (unsigned int i = 0; ; i++) {
		snprintf(path, sizeof(path), "%s/../boot_params/setup_data/%u/type",
			 sysfs, i);
		if (!read_hex(path, &type))
			return;
		if (type != SETUP_E820_EXT)
			continue;
		snprintf(path, sizeof(path), "%s/../boot_params/setup_data/%u/data",
			 sysfs, i);
		add_entries(map, entries, read_all(path, entries, sizeof(entries)) /
			    sizeof(*entries));
	}
}

static bool has_memory(const struct map *map, uint64_t start, uint64_t size)
{
	for (unsigned int i = 0; i < map->nr; i++) {
		const struct entry *entry = &map->entries[i];

		if (entry->type == TYPE_RAM && entry->start < start + size &&
		    start < entry->start + entry->size)
			return true;
	}

	return false;
}

static bool is_online(const char *sysfs, uint64_t block)
{
	char path[PATH_MAX], state[16] = "";

	snprintf(path, sizeof(path), "%s/../../devices/system/memory/memory%llu/state",
		 sysfs, (unsigned long long)block);
	read_all(path, state, sizeof(state) - 1);
	return !strcmp(state, "online\n");
}

/* In KiB, of blocks that are online */
static uint64_t added_memory(const char *sysfs, const struct map *map)
{
	uint64_t size, added = 0;
	unsigned long index;
	struct dirent *entry;
	char path[PATH_MAX];
	DIR *dir;

	snprintf(path, sizeof(path), "%s/../../devices/system/memory/block_size_bytes",
		 sysfs);
	if (!read_hex(path, &size))
		return 0;

	snprintf(path, sizeof(path), "%s/../../devices/system/memory", sysfs);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (sscanf(entry->d_name, "memory%lu", &index) != 1)
			continue;
		if (is_online(sysfs, index) && !has_memory(map, index * size, size))
			added += size >> 10;
	}
	if (dir)
		closedir(dir);

	return added;
}

void firmware_read(const char *sysfs, struct firmware *firmware)
{
	struct map map = { };

	*firmware = (struct firmware) { };
	if (!read_boot_params(sysfs, &map))
		return;

	read_setup_data(sysfs, &map);
	firmware->known = true;
	firmware->entries = map.nr;
	firmware->added = added_memory(sysfs, &map);
	free(map.entries);
}
