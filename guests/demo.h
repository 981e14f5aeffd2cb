/* SPDX-License-Identifier: GPL-3.0-or-later
 * The embedded guest: a Multiboot ELF file with its symbol table. */
#ifndef GUESTS_DEMO_H
#define GUESTS_DEMO_H
#include <stddef.h>

extern const unsigned char demo_kernel[];
extern const size_t demo_kernel_len;
#endif
