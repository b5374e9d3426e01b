// SPDX-License-Identifier: GPL-2.0-only
/*
 * The KHO note in the part of a bzImage that is not compressed. No code refers to
 * it: kexec_file_load() of another kernel reads it in the file.
 */
#include "../../../../kernel/liveupdate/kho_note.c"
