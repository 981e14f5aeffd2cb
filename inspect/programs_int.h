/* SPDX-License-Identifier: GPL-3.0-or-later
 * Symbols of a Linux guest's programs and libraries, from a directory of the host that has their files. */
#ifndef INSPECT_PROGRAMS_INT_H
#define INSPECT_PROGRAMS_INT_H
#include "inspect/debuginfo/symbols.h"

struct programs;

/* Files are looked for below ROOT, by their path in the guest and then by their name alone. Replaces *P; ROOT
 * NULL: frees it. */
void programs_set(struct programs **p, const char *root);
/* The symbols, call frame information and source lines of the guest's file PATH, moved to where its byte
 * OFFSET is mapped at linear address ADDR. NULL: there is no such file, or it has none. Valid until the next
 * call. */
struct symbols *programs_symbols(struct programs *p, const char *path, uint64_t offset, uint64_t addr);
#endif
