/* SPDX-License-Identifier: GPL-3.0-or-later
 * The embedded guests: Multiboot ELF files with their symbol tables. */
#ifndef GUESTS_EMBEDDED_H
#define GUESTS_EMBEDDED_H
#include <stddef.h>

extern const unsigned char demo_kernel[], nano_kernel[], stress_kernel[], demo64_kernel[], nano64_kernel[];
extern const size_t demo_kernel_len, nano_kernel_len, stress_kernel_len, demo64_kernel_len, nano64_kernel_len;
#endif
