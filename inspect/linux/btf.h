/* SPDX-License-Identifier: GPL-3.0-or-later
 * Offsets of structure members from BTF (Documentation/bpf/btf.rst of the kernel). */
#ifndef INSPECT_LINUX_BTF_H
#define INSPECT_LINUX_BTF_H
#include "base/types.h"

struct btf;

/* Take a copy of the LEN bytes at DATA. NULL: they are not BTF. */
struct btf *btf_new(const void *data, size_t len);
void btf_free(struct btf *b);
/* The offset in bytes of PATH ("name" or "name.name") in the structure or union TYPE; members without a name
 * are looked into. -1: there is no such member. */
long btf_member(const struct btf *b, const char *type, const char *path);
/* The size of TYPE in bytes, -1: there is none. */
long btf_size(const struct btf *b, const char *type);
unsigned btf_types(const struct btf *b); /* how many */
#endif
