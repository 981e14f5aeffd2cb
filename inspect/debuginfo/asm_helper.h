/* SPDX-License-Identifier: GPL-3.0-or-later
 * The process that runs as and ld for asm_bytes(). It is started before the others are restricted to the
 * system calls that they need, which starting programs is not among. */
#ifndef INSPECT_ASM_HELPER_H
#define INSPECT_ASM_HELPER_H
#include "inspect/debuginfo/asm.h"

struct asm_helper;

/* Start it; it ends when this process ends or stops it. RESTRICTED: it has no network, for one. Never NULL:
 * if it cannot be started, or has ended, assembling says so. Call before the first thread is made. */
struct asm_helper *asm_helper_start(bool restricted);
/* NULL is fine. */
void asm_helper_stop(struct asm_helper *h);
/* asm_bytes() in the helper. */
int asm_helper_bytes(struct asm_helper *h, const struct assembly *a, uint8_t *out, unsigned max, char *err,
		     size_t errlen);
#endif
