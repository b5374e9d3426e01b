// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel of a distribution, as its package has it, which has no KHO. With live
 * update on it is refused, with nothing preserved yet, in words that say what it
 * lacks and how to load it all the same, and then it is loaded.
 *
 * needs memory: 2G
 * needs cmdline: initcall_blacklist=test_kho_init kho_scratch=512M,16M,16M
 * needs kernels: ours debian
 */
#include "scenario.h"

static void first(void)
{
	check_kho("components/radix/users", "0");
	check_result(load_kernel("debian", ""), -EPROTONOSUPPORT, "load it");
	check(kmsg_has("could not take over what this one can preserve"),
	      "what could not be taken over");
	check(kmsg_has("it has no note and may have no KHO"),
	      "what it lacks");
	check(kmsg_has("to give up what it cannot read: echo warn > /sys/kernel/kho/check"),
	      "how to load it all the same");
	check_kho("next/status", "none");

	set_kho_check("warn");
	check_result(load_kernel("debian", ""), 0, "warn: load it");
	check(kmsg_has("the next kernel may be unable to take over from this one"),
	      "the log warns");
	check_kho("next/status", "compatible");
	check_kho("next/potential", "unknown");
}

SCENARIO(image_debian, { first });
