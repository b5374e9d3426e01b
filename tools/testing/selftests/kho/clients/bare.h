/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BARE_H
#define BARE_H

#include <stdint.h>

/* In entry.S */
void timer(void);

/* For entry.S, which counts */
void run(void);
extern uint32_t interrupts;

#endif
