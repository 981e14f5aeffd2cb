/* SPDX-License-Identifier: GPL-3.0-or-later
 * Parts of a processor's state as words: what control blocks of guests hold, for views. */
#ifndef X86_STATE_TEXT_H
#define X86_STATE_TEXT_H
#include "base/words.h"

/* The bits of register NAME that have names. */
void text_register(struct words *w, const char *name, uint64_t value);
/* Access rights, SA_* (x86/cpu.h): "code readable DPL=0 P 32-bit G". */
void text_rights(struct words *w, uint32_t rights);
void text_selector(struct words *w, uint64_t selector);
/* The exceptions of a bitmap, by vector. */
void text_exceptions(struct words *w, uint32_t bitmap);
/* Memory type of a PAT or an EPT entry: "WB". */
const char *text_memory_type(unsigned type);

/* A general register by its number in an instruction: "rax". */
const char *text_gpr(unsigned n);

/* Are A and B the same, but for case and '-' or ' ' for '_'? */
bool text_same_name(const char *a, const char *b);
/* All of TEXT as a number of at most MOST. */
bool text_number(const char *text, uint64_t most, uint64_t *n);
#endif
