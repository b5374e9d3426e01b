/* SPDX-License-Identifier: GPL-2.0-only */
/* What would be headers in a real component; see kho_doc_examples.c. */
#ifndef _KHO_DOC_EXAMPLES_H
#define _KHO_DOC_EXAMPLES_H

#include <linux/kho/compat.h>
#include <linux/types.h>

/* example: ABI header */
/**
 * DOC: Greeting ABI
 *
 * The subtree "greeting" is one struct greeting_ser. Version 1 ended with the
 * text. Any change to the structure needs a new version; GREETING_MIN_VERSION
 * rises when greeting_size() no longer knows an old one.
 */

/*
 * Newest and oldest version that this kernel reads; the version that it writes by
 * default, and the oldest that it writes; the version of Linux 7.3, which does not
 * record versions and had no greetings.
 */
#define GREETING_VERSION		2
#define GREETING_MIN_VERSION		1
#define GREETING_WRITE_VERSION		2
#define GREETING_MIN_WRITE_VERSION	1
#define GREETING_BASELINE_VERSION	0

#define GREETING_SUBTREE		"greeting"

/**
 * struct greeting_ser - what a kernel has to say to the next one
 * @text: the words; they end in a zero byte.
 * @urgency: 0 can wait. Since version 2.
 */
struct greeting_ser {
	char text[56];
	u64 urgency;
};

/* end of ABI header */

/* example: declaration */
extern struct kho_component greeting_kho_component;
/* end of declaration */

#endif /* _KHO_DOC_EXAMPLES_H */
