/* SPDX-License-Identifier: GPL-3.0-or-later
 * Code and memory in the form that commands show (examine.c). */
#ifndef INSPECT_EXAMINE_INT_H
#define INSPECT_EXAMINE_INT_H
#include "inspect/session_int.h"

/* Add N instructions from ADDR on; return the address after the last. */
uint64_t examine_code(struct inspect *s, struct result *r, bool physical, uint64_t addr, unsigned n,
		      unsigned bits);
struct disas_insn;
/* Does the code before ADDR look like a call that would return there? */
bool examine_follows_call(struct inspect *s, gva addr);
/* Decode the instruction at linear ADDR in the current mode, patches applied (the text names the patch). */
bool examine_insn(struct inspect *s, uint64_t addr, struct disas_insn *in);
int examine_memory(struct inspect *s, struct result *r, bool physical, uint64_t addr, unsigned n, char format,
		   unsigned unit);
unsigned examine_unit(char unit); /* bytes */
/* Format V as "print/F" does; F 0: decimal and hexadecimal. */
void print_number(char format, int64_t v, char *buf, size_t len);
bool print_format_is(char format);
/* Parse "8xw". False: not a format. */
bool examine_format(const char *fmt, unsigned *n, char *format, char *unit);
bool examine_too_many(unsigned n); /* more than one command shows */
void examine_insn_text(struct inspect *s, const struct disas_insn *in, char *buf, size_t len);
#endif
