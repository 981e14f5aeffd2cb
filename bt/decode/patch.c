/* SPDX-License-Identifier: GPL-3.0-or-later
 * Patches: guest code changed in the translation only. The translator reads a patch's bytes; the guest's
 * memory, and what the guest reads from it, stay unchanged. */
#include "bt/decode/patch.h"
#include "bt/cache/cache.h"

#include "mm/mmu.h"
#include "x86/disas.h"

#include <stdio.h>
#include <string.h>

static bool remove_patch(struct vcpu *v, unsigned number)
{
	struct bt_vcpu *b = bt_of(v);

	for (unsigned i = 0; i < b->patches.n; i++)
		if (b->patches.patch[i].number == number) {
			cache_drop_at(b, b->patches.patch[i].pc, b->patches.patch[i].len, DROP_PATCH);
			memmove(&b->patches.patch[i], &b->patches.patch[i + 1],
				(--b->patches.n - i) * sizeof(b->patches.patch[0]));
			return true;
		}
	return false;
}

/* Return the number of a patch with the same bytes at that address; 0: none. A script of patches may run
 * twice. */
static unsigned same_patch(const struct bt_vcpu *b, const struct engine_patch *is)
{
	for (unsigned i = 0; i < b->patches.n; i++) {
		const struct code_patch *p = &b->patches.patch[i];

		if (p->pc == is->pc && p->len == is->len && !memcmp(p->bytes, is->bytes, is->len))
			return p->number;
	}
	return 0;
}

static const char *add_patch(struct vcpu *v, const struct engine_patch *is, unsigned *number)
{
	struct bt_vcpu *b = bt_of(v);
	struct code_patch *p;

	if (!is->len || is->len > sizeof(p->bytes) || is->nover > sizeof(p->over))
		return "a patch must have 1 to 240 bytes";
	*number = same_patch(b, is);
	if (*number)
		remove_patch(v, *number);
	else if (b->patches.n == MAX_PATCHES)
		return "no room for another patch";
	else
		*number = ++b->patches.last_number;
	p = &b->patches.patch[b->patches.n++];
	*p = (struct code_patch){ .pc = is->pc,
				  .len = (uint8_t)is->len,
				  .bits = (uint8_t)is->bits,
				  .number = *number,
				  .nover = (uint8_t)is->nover };
	memcpy(p->bytes, is->bytes, is->len);
	if (is->nover)
		memcpy(p->over, is->over, is->nover);
	cache_drop_at(b, p->pc, p->len, DROP_PATCH);
	return NULL;
}

/* Does P apply where LIN is on PAGE? Of the guest bytes it requires, those on this page are compared. */
static bool applies(const struct bt_vcpu *b, const struct code_patch *p, gva lin, ppn page)
{
	const uint8_t *guest = mm_page_bytes(b->vm, page);

	for (unsigned k = 0; k < p->nover; k++)
		if (!((p->pc + k) >> PAGE_SHIFT ^ lin >> PAGE_SHIFT) &&
		    guest[(p->pc + k) & PAGE_MASK] != p->over[k])
			return false;
	return true;
}

/* Later patches take precedence. */
void patch_overlay(const struct bt_vcpu *b, gva lin, uint8_t *bytes, unsigned n, ppn page)
{
	for (unsigned i = 0; i < b->patches.n; i++) {
		const struct code_patch *p = &b->patches.patch[i];

		if ((p->pc - lin >= n && lin - p->pc >= p->len) || !applies(b, p, lin, page))
			continue;
		for (unsigned k = 0; k < p->len; k++)
			if (p->pc + k - lin < n)
				bytes[p->pc + k - lin] = p->bytes[k];
	}
}

void patch_source(const struct bt_vcpu *b, gva lin, uint8_t *bytes, unsigned n, ppn page, ppn page2)
{
	unsigned here = PAGE_SIZE - (lin & PAGE_MASK);

	here = here < n ? here : n;
	memcpy(bytes, mm_page_bytes(b->vm, page) + (lin & PAGE_MASK), here);
	patch_overlay(b, lin, bytes, here, page);
	if (here == n || page2 == UINT32_MAX)
		return;
	memcpy(bytes + here, mm_page_bytes(b->vm, page2), n - here);
	patch_overlay(b, lin + here, bytes + here, n - here, page2);
}

unsigned patch_at(const struct bt_vcpu *b, gva lin, unsigned n, ppn page, ppn page2)
{
	unsigned here = PAGE_SIZE - (lin & PAGE_MASK);

	for (unsigned i = b->patches.n; i--;) {
		const struct code_patch *p = &b->patches.patch[i];

		if (p->pc - lin >= n && lin - p->pc >= p->len)
			continue;
		if (applies(b, p, lin, page) &&
		    (n <= here || page2 == UINT32_MAX || applies(b, p, lin + here, page2)))
			return p->number;
	}
	return 0;
}

/* Does P apply in the current address space? */
static bool applies_now(struct bt_vcpu *b, const struct code_patch *p)
{
	uint8_t now[sizeof(p->over)];

	return !p->nover || (!mmu_read(b->v.mmu, p->pc, now, p->nover, MM_READ | MM_PROBE) &&
			     !memcmp(now, p->over, p->nover));
}

static unsigned peek(struct vcpu *v, gva lin, uint8_t *bytes, unsigned n)
{
	struct bt_vcpu *b = bt_of(v);
	unsigned number = 0;

	for (unsigned i = 0; i < b->patches.n; i++) {
		const struct code_patch *p = &b->patches.patch[i];

		if ((p->pc - lin >= n && lin - p->pc >= p->len) || !applies_now(b, p))
			continue;
		for (unsigned k = 0; k < p->len; k++)
			if (p->pc + k - lin < n)
				bytes[p->pc + k - lin] = p->bytes[k];
		number = p->number;
	}
	return number;
}

const struct engine_patches bt_patches = { .add = add_patch, .remove = remove_patch, .peek = peek };

/* ---- info patches ---- */

static const struct view_col patch_cols[] = {
	{ "number", "Num", VAL_UINT, "", "number, as unpatch takes it" },
	{ "pc", "Address", VAL_ADDR, "", "guest-linear address" },
	{ "length", "Length", VAL_UINT, "bytes", "length of the patch" },
	{ "bytes", "Bytes", VAL_STR, "", "bytes the translator reads" },
	{ "code", "Code", VAL_STR, "", "the bytes as instructions" },
	{ "guest", "Guest has", VAL_STR, "", "bytes the guest reads" },
	{ "over", "Over", VAL_STR, "", "applies only where the guest has these bytes" },
	{ "fragments", "Fragments", VAL_UINT, "", "fragments translated with it" },
};

static void hex(const uint8_t *p, unsigned n, char *buf)
{
	for (unsigned i = 0; i < n; i++)
		snprintf(buf + 2 * i, 3, "%02x", p[i]);
}

/* Disassemble P, as far as BUF has room; consecutive nops become one item. */
static void code_text(const struct code_patch *p, char *buf, size_t len)
{
	size_t n = 0;

	buf[0] = 0;
	for (unsigned at = 0; at < p->len && n < len;) {
		struct disas_insn in;
		unsigned nops = 0;

		while (at + nops < p->len && p->bytes[at + nops] == 0x90)
			nops++;
		disas_decode(p->bytes + at, p->len - at, p->pc + at, p->bits, &in);
		if (nops > 1)
			snprintf(in.text, sizeof(in.text), "%u nops", nops);
		n += (size_t)snprintf(buf + n, len - n, "%s%s", n ? "; " : "", in.text);
		at += nops > 1 ? nops : in.len;
	}
}

static uint64_t made_with(const struct bt_vcpu *b, const struct code_patch *p)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < b->tc.norder; i++) {
		const struct ccf *f = b->tc.order[i];

		n += !f->dead && (p->pc - f->pc < f->glen || f->pc - p->pc < p->len) &&
		     applies(b, p, f->pc, f->page);
	}
	return n;
}

static const char *patch_rows(void *owner, const char *arg, struct row_sink *k)
{
	struct bt_vcpu *b = owner;

	(void)arg;
	for (unsigned i = 0; i < b->patches.n; i++) {
		const struct code_patch *p = &b->patches.patch[i];
		char bytes[2 * sizeof(p->bytes) + 1], guest[2 * sizeof(p->bytes) + 1] = "", code[300];
		char over[2 * sizeof(p->over) + 1];
		uint8_t now[sizeof(p->bytes)];
		bool readable = !mmu_read(b->v.mmu, p->pc, now, p->len, MM_READ | MM_PROBE);

		hex(p->bytes, p->len, bytes);
		hex(p->over, p->nover, over);
		if (readable)
			hex(now, p->len, guest);
		code_text(p, code, sizeof(code));
		k->row(k, (struct value[]){ V_UINT(p->number), V_ADDR(p->pc), V_UINT(p->len), V_STR(bytes),
					    V_STR(code), readable ? V_STR(guest) : V_NONE,
					    p->nover ? V_STR(over) : V_NONE, V_UINT(made_with(b, p)) });
	}
	return NULL;
}

const struct view view_patches = {
	.name = "patches",
	.help = "guest code changed in the translation only",
	VIEW_COLS(patch_cols),
	.rows = patch_rows,
};
