/* SPDX-License-Identifier: GPL-3.0-or-later
 * Views of what a VMCS points to: the guest's page tables and the EPT under them, the MSR bitmaps, the I/O
 * bitmaps. Memory is read, never written. */
#include "mm/walk.h"
#include "vtx/ept.h"
#include "vtx/intercept.h"
#include "vtx/view/view_int.h"
#include "x86/state_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- info ept ---- */

static const struct view_col ept_cols[] = {
	{ "for", "for", VAL_STR, "", "what is translated: the guest's tables on the way, then the address" },
	{ "level", "level", VAL_STR, "", "entry; those of the EPT with a dot" },
	{ "at", "at", VAL_HEX, "",
	  "physical address of the entry: the guest's, in the EPT the hypervisor's" },
	{ "entry", "entry", VAL_HEX, "", "its value" },
	{ "bits", "bits", VAL_FLAGS, "", "rights, accessed, dirty, page size" },
	{ "to", "to", VAL_HEX, "", "where it leads" },
};

/* A walk through both dimensions; the EPT's walks are rows on the way. */
struct two {
	const struct vmx *x;
	struct row_sink *k;
	bool ept;
	const char *failed; /* why an EPT walk did not lead to memory; NULL: all did */
};

static void ept_bits(uint64_t entry, bool leaf, char *buf, size_t len)
{
	snprintf(buf, len, "%s%s%s%s%s%s%s", entry & EPT_R ? "r" : "-", entry & EPT_W ? "w" : "-",
		 entry & EPT_X ? "x" : "-", entry & EPT_A ? " A" : "", leaf && entry & EPT_D ? " D" : "",
		 leaf ? " " : "", leaf ? text_memory_type((entry & EPT_TYPE) >> 3 & 7) : "");
}

/* Translate ADDRESS, and show how. False: it leads nowhere. */
static bool through_ept(struct two *t, const char *what, gpa address, gpa *out)
{
	static const char *const names[] = { ". PML4E", ". PDPTE", ". PDE", ". PTE" };
	static const char *const failures[] = {
		[VMX_EPT_VIOLATION] = "EPT violation (exit reason 48)",
		[VMX_EPT_MISCONFIGURATION] = "EPT misconfiguration (exit reason 49)",
		[VMX_EPT_LOG_FULL] = "",
	};
	struct vmx_ept_walk w;
	enum vmx_ept_result r;
	char bits[40];

	*out = address;
	if (!t->ept)
		return true;
	r = vmx_ept_look(t->x, address, VMX_EPT_READ, &w);
	for (unsigned i = 0; i < w.levels; i++) {
		bool last = i + 1 == w.levels;
		uint64_t to = w.entry[i] & 0x000ffffffffff000ull;

		ept_bits(w.entry[i], last && r == VMX_EPT_OK, bits, sizeof(bits));
		t->k->row(t->k, (struct value[]){ V_STR(what), V_STR(names[i]), V_HEX(w.at[i]),
						  V_HEX(w.entry[i]), V_STR(bits),
						  last && r == VMX_EPT_OK ? V_HEX(w.result)
						  : w.entry[i] & 7	  ? V_HEX(to)
									  : V_NONE });
	}
	if (r != VMX_EPT_OK && !t->failed)
		t->failed = failures[r];
	*out = w.result;
	return r == VMX_EPT_OK;
}

static bool load(void *ctx, gpa at, unsigned size, uint64_t *entry)
{
	struct two *t = ctx;
	gpa to;

	*entry = 0;
	if (!through_ept(t, "table", at, &to))
		return false;
	t->x->mem.read(t->x->mem.ctx, to, entry, size);
	return true;
}

static bool no_set(void *ctx, gpa at, uint8_t bits)
{
	(void)ctx;
	(void)at;
	(void)bits;
	return true;
}

static void guest_bits(uint64_t e, char *buf, size_t len)
{
	snprintf(buf, len, "%s%s%s%s%s%s", e & 1 ? "P" : "-", e & 2 ? " W" : "", e & 4 ? " U" : "",
		 e & 0x20 ? " A" : "", e & 0x40 ? " D" : "", e & 0x80 ? " large" : "");
}

/* Of the guest under the current VMCS: its control registers are the processor's while it runs. */
static struct paging guest_paging(const struct vmx *x)
{
	const uint64_t *v = x->vmcs.r.value;
	struct paging p = {
		.cr0 = x->guest ? x->s.cr0 : v[VMCS_GUEST_CR0],
		.cr3 = x->guest ? x->s.cr3 : v[VMCS_GUEST_CR3],
		.cr4 = x->guest ? x->s.cr4 : v[VMCS_GUEST_CR4],
		.efer = vmx_efer(&x->s),
		.a20_mask = ~0ull,
		.maxphyaddr = x->caps.model.address,
	};

	for (unsigned i = 0; i < 4; i++)
		p.pdptr[i] = x->guest ? x->s.pdpte[i] : v[VMCS_GUEST_PDPTE0 + i];
	return p;
}

/* The guest's own walk; each entry is shown behind the rows of the EPT that led to it. */
static bool through_guest(struct two *t, gva address, gpa *out)
{
	const struct walk_memory mem = { t, load, no_set };
	struct paging p = guest_paging(t->x);
	struct walk w;
	char bits[40];

	*out = address;
	if (!(p.cr0 & 0x80000000))
		return true;
	if (p.cr4 & 0x20 && !t->ept)
		walk_load_pdptrs(&p, &mem, p.cr3, p.pdptr);
	walk_linear(&p, &mem, address, MM_PROBE, &w);
	for (unsigned i = 0; i < w.nlevels; i++) {
		guest_bits(w.level[i].entry, bits, sizeof(bits));
		t->k->row(t->k, (struct value[]){ V_STR("linear"), V_STR(w.level[i].name),
						  V_HEX(w.level[i].at), V_HEX(w.level[i].entry), V_STR(bits),
						  w.level[i].entry & 1
						      ? V_HEX(i + 1 == w.nlevels && w.ok
								  ? w.pa
								  : w.level[i].entry & 0x000ffffffffff000ull)
						      : V_NONE });
	}
	*out = w.pa;
	return w.ok;
}

static const char *ept_rows(void *owner, const char *arg, struct row_sink *k)
{
	const struct vmx *x = owner;
	struct two t = { .x = x, .k = k };
	bool physical = !strncmp(arg, "physical ", 9);
	uint64_t address, to;

	if (!text_number(physical ? arg + 9 : arg, UINT64_MAX, &address))
		return "expected [physical] ADDRESS: a linear address of the guest, or a physical one";
	if (x->vmcs.at == VMCS_NONE)
		return NO_VMCS;
	vmx_refresh(owner);
	t.ept = vmx_on(&x->vmcs.r, VMX_PROC2_EPT);
	if (!t.ept && physical)
		return "the current VMCS does not enable EPT: guest-physical addresses are the hypervisor's";
	to = address;
	if (!physical && !through_guest(&t, address, &to) && !t.failed)
		t.failed = "not mapped by the guest: its page fault";
	if (!t.failed)
		through_ept(&t, "address", to, &to);
	k->row(k, (struct value[]){ V_STR("result"), V_NONE, V_NONE, V_NONE,
				    t.failed ? V_STR(t.failed) : V_NONE, t.failed ? V_NONE : V_HEX(to) });
	return NULL;
}

const struct view view_ept = {
	.name = "ept",
	.help =
	    "how the guest's ADDRESS is translated, by its page tables and by the EPT: [physical] ADDRESS",
	VIEW_COLS(ept_cols),
	.rows = ept_rows,
	.words = "physical",
};

/* ---- bitmaps ---- */

static const struct view_col msr_cols[] = {
	{ "first", "first", VAL_HEX, "", "MSR" },
	{ "last", "last", VAL_HEX, "", "of a range alike" },
	{ "read", "RDMSR", VAL_STR, "", "exits or runs" },
	{ "write", "WRMSR", VAL_STR, "", "exits or runs" },
};

static const char *how(bool exits)
{
	return exits ? "exits" : "runs";
}

/* Rows for FIRST to LAST, one for each range that is alike. */
static void msr_ranges(const struct vmx *x, uint32_t first, uint32_t last, struct row_sink *k)
{
	uint32_t from = first;

	for (uint32_t m = first; m <= last; m++) {
		bool r = vmx_msr_exits(x, m, false), w = vmx_msr_exits(x, m, true);

		if (m < last && vmx_msr_exits(x, m + 1, false) == r && vmx_msr_exits(x, m + 1, true) == w)
			continue;
		k->row(k, (struct value[]){ V_HEX(from), V_HEX(m), V_STR(how(r)), V_STR(how(w)) });
		from = m + 1;
	}
}

static const char *msr_rows(void *owner, const char *arg, struct row_sink *k)
{
	const struct vmx *x = owner;
	uint64_t m;

	if (*arg && !text_number(arg, UINT32_MAX, &m))
		return "expected the number of an MSR, or nothing";
	if (x->vmcs.at == VMCS_NONE)
		return NO_VMCS;
	if (*arg) {
		msr_ranges(x, (uint32_t)m, (uint32_t)m, k);
		return NULL;
	}
	msr_ranges(x, 0, 0x1fff, k);
	msr_ranges(x, 0xc0000000, 0xc0001fff, k);
	return NULL;
}

const struct view view_msr_bitmap = {
	.name = "msr-bitmap",
	.help =
	    "which MSRs exit when the guest reads or writes them, by bitmaps, controls and hand (others always do); [MSR]",
	VIEW_COLS(msr_cols),
	.rows = msr_rows,
};

static const struct view_col io_cols[] = {
	{ "first", "first", VAL_HEX, "", "port" },
	{ "last", "last", VAL_HEX, "", "of a range alike" },
	{ "access", "access", VAL_STR, "", "exits or runs" },
};

static const char *io_rows(void *owner, const char *arg, struct row_sink *k)
{
	const struct vmx *x = owner;
	uint64_t port = 0, last = 0xffff, from;

	if (*arg && !text_number(arg, 0xffff, &port))
		return "expected a port, or nothing";
	if (x->vmcs.at == VMCS_NONE)
		return NO_VMCS;
	if (*arg)
		last = port;
	from = port;
	for (uint64_t p = port; p <= last; p++) {
		bool exits = vmx_io_exits(x, (uint16_t)p, 1);

		if (p < last && vmx_io_exits(x, (uint16_t)(p + 1), 1) == exits)
			continue;
		k->row(k, (struct value[]){ V_HEX(from), V_HEX(p), V_STR(how(exits)) });
		from = p + 1;
	}
	return NULL;
}

const struct view view_io_bitmap = {
	.name = "io-bitmap",
	.help = "which ports exit when the guest accesses them, by bitmaps, controls and hand; [PORT]",
	VIEW_COLS(io_cols),
	.rows = io_rows,
};
