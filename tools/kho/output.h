/* SPDX-License-Identifier: GPL-2.0-only */
/* What the commands print in common */
#ifndef KHO_COMPAT_OUTPUT_H
#define KHO_COMPAT_OUTPUT_H

#include <stdio.h>

#include "compare.h"
#include "image.h"

/* --json, --sysfs= */
extern bool json;
extern const char *sysfs;

/* The word for a running kernel instead of a file */
#define RUNNING	"running"

/* In the words of the kernel; its next/status may be "none" as well */
extern const char *const verdict_names[];
enum verdict verdict_of(const char *name);

/* The one that matters more when both are part of an answer */
enum verdict worse(enum verdict a, enum verdict b);

/* With what a terminal might act upon as \xNN; a backslash is two then */
void print_text(FILE *file, const char *text);

/* One line on standard error */
void complain(const char *path, const struct reason *why);

/* "bzImage, Linux 7.3.4 for x86_64, ..." */
void print_kernel(const struct kernel *kernel);

/* The members of the object of one kernel */
void json_kernel(const char *path, const struct kernel *kernel);

/* What the next kernel reads of a component; 0 and 0 if it does not have it */
void json_next_range(unsigned int min_version, unsigned int version);
void print_next_range(unsigned int min_version, unsigned int version);

/* The commands */
enum verdict show(char **paths);
enum verdict check(const char *from, const char *to);
enum verdict status(void);
enum verdict assume(const char *path);
enum verdict matrix(char **paths);
enum verdict find_path(const char *from, const char *to, char **paths);

#endif
