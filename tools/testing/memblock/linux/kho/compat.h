/* SPDX-License-Identifier: GPL-2.0-only */
/* memblock's part of a handover is not built for these tests */
