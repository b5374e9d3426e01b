/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the fuzzers share.
 *
 * Each is one file with three functions: fuzz_init() makes the previous kernel
 * and boots the new one up to where the reader runs; fuzz_one() starts from
 * there, damages memory as its input says, and reads; fuzz_seeds() writes out
 * what the writers themselves have made, as inputs to start with.
 *
 * Structures that link to each other are damaged in place, word by word: an
 * input has records of a page of the structure, the number of a word in it, and
 * its value. A seed of all words of a structure is that structure undamaged.
 */
#ifndef _FUZZ_H
#define _FUZZ_H

#include "sim.h"

/* What a fuzzer remembers is not the simulated kernel's */
#pragma clang section bss = "" data = ""

void fuzz_init(void);
void fuzz_one(void);
void fuzz_seeds(void);

/* The input: what is left of it, and numbers from it, 0 after its end */
const u8 *fuzz_rest(size_t *size);
u64 fuzz_take(unsigned int bytes);

/* The structure that is damaged in place */
void fuzz_add_page(phys_addr_t phys);
void fuzz_damage_pages(void);

/* A seed: as fuzz_one() takes it apart */
void fuzz_put(u64 value, unsigned int bytes);
void fuzz_put_bytes(const void *from, size_t size);
void fuzz_put_pages(void);
void fuzz_end_seed(const char *name);

/* All pages add up, and nothing has warned; no object is left, either */
void fuzz_check_pages(void);
void fuzz_check_machine(void);

/* Restore everything that is still there, then check the same */
void fuzz_restore_pages(void);
void fuzz_restore_all(void);

/* What libFuzzer calls */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

#endif /* _FUZZ_H */
