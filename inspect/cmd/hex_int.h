/* SPDX-License-Identifier: GPL-3.0-or-later
 * Memory as text (hex.c). */
#ifndef INSPECT_CMD_HEX_INT_H
#define INSPECT_CMD_HEX_INT_H
#include "inspect/tables_int.h"

#include <stdio.h>

/* Write N bytes for addresses from ADDR on, below 4 GiB, as Intel HEX. *BASE: the upper half of the addresses
 * of the last record, 0 at first. */
void hex_put(FILE *f, uint64_t addr, const uint8_t *bytes, size_t n, uint64_t *base);
void hex_end(FILE *f);
/* Call PUT for the data of each record of F. False with the reason in ERR. */
bool hex_read(FILE *f, bool (*put)(void *ctx, uint64_t addr, const uint8_t *bytes, size_t n), void *ctx,
	      char *err, size_t errlen);
int cmd_hexdump(struct inspect *s, const struct cmd_args *a, struct result *r);
int cmd_store(struct inspect *s, const struct cmd_args *a, struct result *r);
#endif
