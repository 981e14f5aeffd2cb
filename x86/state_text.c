/* SPDX-License-Identifier: GPL-3.0-or-later
 * See x86/state_text.h. */
#include "x86/state_text.h"
#include "x86/cpu.h"
#include "x86/exceptions.h"
#include "x86/regs.h"

#include <ctype.h>
#include <stdlib.h>

void text_register(struct words *w, const char *name, uint64_t value)
{
	const struct reg_info *r = reg_find(name);
	char flags[300];

	if (!r)
		return;
	reg_flags_text(r, value, flags, sizeof(flags));
	if (flags[0])
		words_put(w, "%s", flags);
}

void text_rights(struct words *w, uint32_t rights)
{
	if (rights & AR_UNUSABLE) {
		words_put(w, "unusable");
		return;
	}
	if (!(rights & SA_S))
		words_put(w, "system type %u", rights & 15);
	else if (rights & SA_CODE)
		words_put(w, "code%s%s", rights & SA_RW ? " readable" : "",
			  rights & SA_EC ? " conforming" : "");
	else
		words_put(w, "data%s%s", rights & SA_RW ? " writable" : "",
			  rights & SA_EC ? " expand-down" : "");
	words_put(w, "DPL=%u", rights >> SA_DPL_SHIFT & 3);
	words_put(w, "%s%s%s%s", rights & SA_P ? "P" : "absent", rights & SA_DB ? " 32-bit" : "",
		  rights & SA_L ? " 64-bit" : "", rights & SA_G ? " G" : "");
}

void text_selector(struct words *w, uint64_t selector)
{
	if (selector)
		words_put(w, "%s[%u] RPL=%u", selector & 4 ? "LDT" : "GDT", (unsigned)(selector >> 3),
			  (unsigned)(selector & 3));
}

void text_exceptions(struct words *w, uint32_t bitmap)
{
	for (unsigned i = 0; i < 32; i++)
		if (bitmap >> i & 1) {
			if (exc_name(i))
				words_put(w, "%s", exc_name(i));
			else
				words_put(w, "%u", i);
		}
}

const char *text_memory_type(unsigned type)
{
	static const char *const types[] = { "UC", "WC", "?", "?", "WT", "WP", "WB", "UC-" };

	return types[type & 7];
}

const char *text_gpr(unsigned n)
{
	static const char *const gprs[] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
					    "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15" };

	return gprs[n & 15];
}

static char plain(char c)
{
	return c == '-' || c == ' ' ? '_' : (char)toupper((unsigned char)c);
}

bool text_same_name(const char *a, const char *b)
{
	for (; plain(*a) == plain(*b); a++, b++)
		if (!*a)
			return true;
	return false;
}

bool text_number(const char *text, uint64_t most, uint64_t *n)
{
	char *end;

	*n = strtoull(text, &end, 0);
	return *text && *text != '-' && !*end && *n <= most;
}
