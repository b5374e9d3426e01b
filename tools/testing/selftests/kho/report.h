/* SPDX-License-Identifier: GPL-2.0-only */
/* Between main.c, report.c and the linker; scenarios have no use for it. */
#ifndef KHO_REPORT_H
#define KHO_REPORT_H

#include "scenario.h"

/* The linker's names for both ends of what SCENARIO() collects. */
extern const struct scenario *const __start_scenarios[];
extern const struct scenario *const __stop_scenarios[];

void report_line(const char *text);
void report_plan(void);

/* main.c: the last boot, or nothing more can be tested */
__noreturn void end_scenario(void);

#endif
