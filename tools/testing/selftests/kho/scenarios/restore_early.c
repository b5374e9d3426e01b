// SPDX-License-Identifier: GPL-2.0-only
/*
 * Folios that are restored by early and by late init functions, and by a thread
 * in between, while struct pages are initialized on several processors; see
 * kernel/liveupdate/tests/kho_early.c.
 *
 * needs memory: 1536M
 * needs smp: 4
 * needs cmdline: test_kho.max_mem=0 kho_early.nr=300
 */
#include <stdio.h>
#include <string.h>

#include "scenario.h"

static unsigned int nr_preserved;

static void read_preserved(const char *message)
{
	const char *text = strstr(message, "preserved ");

	if (text)
		sscanf(text, "preserved %u folios", &nr_preserved);
}

static void first(void)
{
	kmsg_each("KHO: early: preserved", read_preserved);
	check(nr_preserved >= 20, "%u folios are preserved, at least 20",
	      nr_preserved);
	check(!kmsg_has("KHO: early: restored"), "nothing is restored at a cold boot");
}

static unsigned int early, thread, late, missing, bad;

static void read_restored(const char *message)
{
	const char *text = strstr(message, "restored ");

	if (text)
		sscanf(text, "restored %u early, %u threaded, %u late, %u incomplete, %u bad",
		       &early, &thread, &late, &missing, &bad);
}

static void second(void)
{
	kmsg_each("KHO: early: restored", read_restored);
	check(early && thread && late, "%u are restored early, %u in a thread, %u late",
	      early, thread, late);
	check(missing, "%u of them had struct pages that were to come later", missing);
	check(!bad, "%u are bad", bad);
	check(!kmsg_has("were not initialized"), "no struct page was forgotten");
	check(!kmsg_has("KHO: early: folio"), "all came through");
}

SCENARIO(restore_early, { first }, { second });
