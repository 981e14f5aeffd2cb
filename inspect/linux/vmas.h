/* SPDX-License-Identifier: GPL-3.0-or-later
 * The memory areas of a process of a Linux guest. */
#ifndef INSPECT_LINUX_VMAS_H
#define INSPECT_LINUX_VMAS_H
#include "inspect/linux/tasks.h"

struct lx_vma {
	uint64_t addr; /* of its structure */
	uint64_t start, end, offset;
	char rights[5];	  /* "r-xp", s: shared */
	const char *name; /* path in its file system; "[heap]", "[stack]"; "": neither */
};

/* Call FOUND for each area of T in order of addresses. Return NULL, or why the list is missing or not
 * complete. */
const char *lx_vmas_each(struct lx *k, const struct lx_task *t,
			 void (*found)(void *ctx, const struct lx_vma *v), void *ctx);
/* Find the file that T has mapped at linear address ADDR: its path in its file system, and the byte of it.
 * False: none. */
bool lx_file_at(struct lx *k, const struct lx_task *t, uint64_t addr, char *path, size_t size,
		uint64_t *offset);
/* Write the place of linear address ADDR in the file that T has mapped there: "busybox+0x1234". False: in
 * none. */
bool lx_file_place(struct lx *k, const struct lx_task *t, uint64_t addr, char *buf, size_t size);
#endif
