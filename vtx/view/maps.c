/* SPDX-License-Identifier: GPL-3.0-or-later
 * Views of what a VMCS points to: the guest's page tables and the EPT under them, the MSR bitmaps, the I/O
 * bitmaps. Memory is read, never written. */
#include "vtx/ept.h"
#include "vtx/intercept.h"
#include "vtx/view/view_int.h"
#include "x86/state_text.h"

#include <stdio.h>
#include <string.h>

/* ---- info ept ---- */

static void ept_bits(uint64_t entry, bool leaf, char *buf, size_t len)
{
	snprintf(buf, len, "%s%s%s%s%s%s%s", entry & EPT_R ? "r" : "-", entry & EPT_W ? "w" : "-",
		 entry & EPT_X ? "x" : "-", entry & EPT_A ? " A" : "", leaf && entry & EPT_D ? " D" : "",
		 leaf ? " " : "", leaf ? text_memory_type((entry & EPT_TYPE) >> 3 & 7) : "");
}

/* exit_walk.nested. */
static bool through_ept(struct exit_walk *t, const char *what, gpa address, gpa *to)
{
	static const char *const names[] = { ". PML4E", ". PDPTE", ". PDE", ". PTE" };
	static const char *const failures[] = {
		[VMX_EPT_VIOLATION] = "EPT violation (exit reason 48)",
		[VMX_EPT_MISCONFIGURATION] = "EPT misconfiguration (exit reason 49)",
		[VMX_EPT_LOG_FULL] = "",
	};
	const struct vmx *x = t->ctx;
	struct vmx_ept_walk w;
	enum vmx_ept_result r;
	char bits[40];

	*to = address;
	if (!vmx_on(&x->vmcs.r, VMX_PROC2_EPT))
		return true;
	r = vmx_ept_look(x, address, VMX_EPT_READ, &w);
	for (unsigned i = 0; i < w.levels; i++) {
		bool leaf = i + 1 == w.levels && r == VMX_EPT_OK;

		ept_bits(w.entry[i], leaf, bits, sizeof(bits));
		exit_walk_row(t, what, names[i], w.at[i], w.entry[i], bits, leaf || w.entry[i] & 7,
			      leaf ? w.result : w.entry[i] & 0x000ffffffffff000ull);
	}
	if (r != VMX_EPT_OK && !t->failed)
		t->failed = failures[r];
	*to = w.result;
	return r == VMX_EPT_OK;
}

static void read_memory(struct exit_walk *t, gpa at, void *buf, unsigned n)
{
	const struct vmx *x = t->ctx;

	x->mem.read(x->mem.ctx, at, buf, n);
}

/* IA-32e mode of a guest that does not run is a control of the next entry. */
static uint64_t guest_efer(const struct vmx *x)
{
	uint64_t efer = vmx_efer(&x->s), wide = EFER_LMA | EFER_LME;

	if (x->guest)
		return efer;
	return vmx_on(&x->vmcs.r, VMX_ENTRY_IA32E_GUEST) ? efer | wide : efer & ~wide;
}

/* Of the guest under the current VMCS: its control registers are the processor's while it runs. */
static struct paging guest_paging(const struct vmx *x)
{
	const uint64_t *v = x->vmcs.r.value;
	struct paging p = {
		.cr0 = x->guest ? x->s.cr0 : v[VMCS_GUEST_CR0],
		.cr3 = x->guest ? x->s.cr3 : v[VMCS_GUEST_CR3],
		.cr4 = x->guest ? x->s.cr4 : v[VMCS_GUEST_CR4],
		.efer = guest_efer(x),
		.a20_mask = ~0ull,
		.maxphyaddr = x->caps.model.address,
	};

	for (unsigned i = 0; i < 4; i++)
		p.pdptr[i] = x->guest ? x->s.pdpte[i] : v[VMCS_GUEST_PDPTE0 + i];
	return p;
}

static const char *ept_rows(void *owner, const char *arg, struct row_sink *k)
{
	const struct vmx *x = owner;
	struct exit_walk t = { .k = k, .nested = through_ept, .read = read_memory, .ctx = x };
	bool physical = !strncmp(arg, "physical ", 9);
	uint64_t address;
	bool ept;

	if (!text_number(physical ? arg + 9 : arg, UINT64_MAX, &address))
		return "expected [physical] ADDRESS: a linear address of the guest, or a physical one";
	if (x->vmcs.at == VMCS_NONE)
		return NO_VMCS;
	vmx_refresh(owner);
	ept = vmx_on(&x->vmcs.r, VMX_PROC2_EPT);
	if (!ept && physical)
		return "the current VMCS does not enable EPT: guest-physical addresses are the hypervisor's";
	t.guest = guest_paging(x);
	t.load_pdptes = !ept;
	exit_walk_rows(&t, address, physical);
	return NULL;
}

const struct view view_ept = {
	.name = "ept",
	.help =
	    "how the guest's ADDRESS is translated, by its page tables and by the EPT: [physical] ADDRESS",
	VIEW_COLS(exit_walk_cols),
	.rows = ept_rows,
	.words = "physical",
};

/* ---- bitmaps ---- */

static bool msr_exits(const void *ctx, uint32_t msr, bool write)
{
	return vmx_msr_exits(ctx, msr, write);
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
		exit_msr_rows(x, msr_exits, (uint32_t)m, (uint32_t)m, k);
		return NULL;
	}
	exit_msr_rows(x, msr_exits, 0, 0x1fff, k);
	exit_msr_rows(x, msr_exits, 0xc0000000, 0xc0001fff, k);
	return NULL;
}

const struct view view_msr_bitmap = {
	.name = "msr-bitmap",
	.help =
	    "which MSRs exit when the guest reads or writes them, by bitmaps, controls and hand (others always do); [MSR]",
	VIEW_COLS(exit_msr_cols),
	.rows = msr_rows,
};

static bool io_exits(const void *ctx, uint16_t port)
{
	return vmx_io_exits(ctx, port, 1);
}

static const char *io_rows(void *owner, const char *arg, struct row_sink *k)
{
	const struct vmx *x = owner;

	return x->vmcs.at == VMCS_NONE ? NO_VMCS : exit_io_rows(x, io_exits, arg, k);
}

const struct view view_io_bitmap = {
	.name = "io-bitmap",
	.help = "which ports exit when the guest accesses them, by bitmaps, controls and hand; [PORT]",
	VIEW_COLS(exit_io_cols),
	.rows = io_rows,
};
