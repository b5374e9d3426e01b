// SPDX-License-Identifier: GPL-2.0-only
/*
 * The note that says what this kernel can read of a kexec handover, where a
 * bzImage is not compressed. Nothing refers to it here: it is read in the file.
 */
#include "../../../../kernel/liveupdate/kho_note.c"
