// SPDX-License-Identifier: GPL-2.0-only
/*
 * Deterministic contents and a checksum, both at a few instructions for eight
 * bytes: the machines these run in are emulated.
 *
 * xxh64() is the 64-bit xxHash as its specification defines it. Only little
 * endian machines are supported here, as in KHO.
 */
#include <string.h>

#include "scenario.h"

#define XXH_P1	0x9E3779B185EBCA87ULL
#define XXH_P2	0xC2B2AE3D27D4EB4FULL
#define XXH_P3	0x165667B19E3779F9ULL
#define XXH_P4	0x85EBCA77C2B2AE63ULL
#define XXH_P5	0x27D4EB2F165667C5ULL

/* Odd, so that no two words of a pattern are equal. */
#define PATTERN_STEP	0xD1B54A32D192ED03ULL

static __u64 pattern_word(__u64 seed, size_t offset)
{
	return seed + offset / 8 * PATTERN_STEP;
}

/* @offset must be a multiple of 8. */
void pattern_fill(void *buffer, size_t size, __u64 seed, size_t offset)
{
	__u64 word = pattern_word(seed, offset), *to = buffer;
	size_t words = size / 8;

	for (size_t i = 0; i < words; i++, word += PATTERN_STEP)
		to[i] = word;
	memcpy(to + words, &word, size % 8);
}

static size_t first_difference(const void *a, const void *b, size_t size)
{
	const unsigned char *x = a, *y = b;
	size_t i = 0;

	while (i < size && x[i] == y[i])
		i++;
	return i;
}

size_t pattern_mismatch(const void *buffer, size_t size, __u64 seed,
			size_t offset)
{
	__u64 word = pattern_word(seed, offset);
	const __u64 *from = buffer;
	size_t i = 0, words = size / 8;

	for (; i < words && from[i] == word; i++)
		word += PATTERN_STEP;
	if (i < words)
		return i * 8 + first_difference(from + i, &word, 8);
	return i * 8 + first_difference(from + i, &word, size % 8);
}

/* Depends on the run's seed, so that contents of an earlier run never fit. */
__u64 pattern_seed(const char *name)
{
	return xxh64(name, strlen(name), boot_seed());
}

/*
 * The offset at which a pattern has @word. Each step of Newton's iteration
 * doubles the number of right bits of the inverse modulo 2^64; an odd number
 * is its own inverse in the lowest three.
 */
size_t pattern_offset(__u64 word, __u64 seed)
{
	__u64 inverse = PATTERN_STEP;

	for (int bits = 3; bits < 64; bits *= 2)
		inverse *= 2 - PATTERN_STEP * inverse;
	return (word - seed) * inverse * 8;
}

static __u64 rotate(__u64 value, int bits)
{
	return value << bits | value >> (64 - bits);
}

static __u64 load64(const unsigned char *from)
{
	__u64 value;

	memcpy(&value, from, sizeof(value));
	return value;
}

static __u32 load32(const unsigned char *from)
{
	__u32 value;

	memcpy(&value, from, sizeof(value));
	return value;
}

static __u64 xxh_round(__u64 lane, __u64 input)
{
	return rotate(lane + input * XXH_P2, 31) * XXH_P1;
}

static __u64 xxh_merge(__u64 hash, __u64 lane)
{
	return (hash ^ xxh_round(0, lane)) * XXH_P1 + XXH_P4;
}

static __u64 xxh_stripes(const unsigned char *from, size_t stripes, __u64 seed)
{
	__u64 a = seed + XXH_P1 + XXH_P2, b = seed + XXH_P2;
	__u64 c = seed, d = seed - XXH_P1;
	__u64 hash;

	for (; stripes; stripes--, from += 32) {
		a = xxh_round(a, load64(from));
		b = xxh_round(b, load64(from + 8));
		c = xxh_round(c, load64(from + 16));
		d = xxh_round(d, load64(from + 24));
	}
	hash = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18);
	hash = xxh_merge(xxh_merge(hash, a), b);
	return xxh_merge(xxh_merge(hash, c), d);
}

static __u64 xxh_tail(__u64 hash, const unsigned char *from, size_t size)
{
	for (; size >= 8; size -= 8, from += 8)
		hash = rotate(hash ^ xxh_round(0, load64(from)), 27) * XXH_P1 +
		       XXH_P4;
	if (size >= 4) {
		hash = rotate(hash ^ load32(from) * XXH_P1, 23) * XXH_P2 +
		       XXH_P3;
		from += 4;
		size -= 4;
	}
	for (; size; size--, from++)
		hash = rotate(hash ^ *from * XXH_P5, 11) * XXH_P1;
	return hash;
}

__u64 xxh64(const void *data, size_t size, __u64 seed)
{
	size_t stripes = size / 32;
	__u64 hash = seed + XXH_P5;

	if (stripes)
		hash = xxh_stripes(data, stripes, seed);
	hash = xxh_tail(hash + size, (const unsigned char *)data + stripes * 32,
			size % 32);
	hash = (hash ^ hash >> 33) * XXH_P2;
	hash = (hash ^ hash >> 29) * XXH_P3;
	return hash ^ hash >> 32;
}
