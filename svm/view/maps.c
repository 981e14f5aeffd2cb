/* SPDX-License-Identifier: GPL-3.0-or-later
 * Views of what a VMCB points to: the guest's page tables and the nested ones under them, the MSR and the I/O
 * permissions map. Memory is read, never written. */
#include "svm/intercept.h"
#include "svm/npt.h"
#include "svm/view/view_int.h"
#include "x86/paging.h"
#include "x86/state_text.h"

#include <stdio.h>
#include <string.h>

/* Questions about permissions and nested tables are about a guest that runs. While it does not, ask a copy of
 * X that entered it: by the VMCB as it is in memory, in the paging mode of the host. */
static bool as_entered(struct svm *x, struct svm *as)
{
	struct vmcb now;

	if (!svm_vmcb_now(x, &now))
		return false;
	if (x->ops && x->ops->refresh)
		x->ops->refresh(x);
	*as = *x;
	as->vmcb = now;
	if (x->guest)
		return true;
	as->guest = true;
	as->host.cr0 = x->s.cr0;
	as->host.cr3 = x->s.cr3;
	as->host.cr4 = x->s.cr4;
	as->host.efer = x->s.efer;
	return true;
}

/* ---- info npt ---- */

static void nested_bits(uint64_t e, bool leaf, char *buf, size_t len)
{
	snprintf(buf, len, "%s%s%s%s%s%s%s", e & PTE_P ? "P" : "-", e & PTE_W ? " W" : "",
		 e & PTE_U ? " U" : "", e & PTE_A ? " A" : "", leaf && e & PTE_D ? " D" : "",
		 e & PTE_PS ? " large" : "", e & PTE_NX ? " NX" : "");
}

/* exit_walk.nested. The names of the levels, from the last one up. */
static bool through_npt(struct exit_walk *t, const char *what, gpa address, gpa *to)
{
	static const char *const names[] = { ". PTE", ". PDE", ". PDPTE", ". PML4E", ". PML5E" };
	const struct svm *x = t->ctx;
	unsigned levels = x->host.efer & EFER_LMA ? (x->host.cr4 & SVM_CR4_LA57 ? 5 : 4)
			  : x->host.cr4 & CR4_PAE ? 3
						  : 2;
	enum svm_npt_result r;
	struct svm_walk w;
	char bits[40];

	*to = address;
	if (!svm_nested(x))
		return true;
	r = svm_npt_look(x, address, 0, &w);
	for (unsigned i = 0; i < w.levels && i < levels; i++) {
		bool leaf = i + 1 == w.levels && r == SVM_NPT_OK;

		nested_bits(w.entry[i], leaf, bits, sizeof(bits));
		exit_walk_row(t, what, names[levels - 1 - i], w.at[i], w.entry[i], bits,
			      leaf || w.entry[i] & PTE_P, leaf ? w.result : w.entry[i] & PTE_ADDR64);
	}
	if (r != SVM_NPT_OK && !t->failed)
		t->failed = "nested page fault (#VMEXIT NPF)";
	*to = w.result;
	return r == SVM_NPT_OK;
}

static void read_memory(struct exit_walk *t, gpa at, void *buf, unsigned n)
{
	const struct svm *x = t->ctx;

	x->mem.read(x->mem.ctx, at, buf, n);
}

/* LMA is VMRUN's to compute. */
static uint64_t guest_efer(const struct vmcb *v)
{
	uint64_t efer = VMCB_GET(v, EFER) & ~(uint64_t)EFER_LMA;

	return efer & EFER_LME && VMCB_GET(v, CR0) & CR0_PG ? efer | EFER_LMA : efer;
}

static const char *npt_rows(void *owner, const char *arg, struct row_sink *k)
{
	struct svm as;
	struct exit_walk t = { .k = k, .nested = through_npt, .read = read_memory, .ctx = &as };
	bool physical = !strncmp(arg, "physical ", 9);
	uint64_t address;

	if (!text_number(physical ? arg + 9 : arg, UINT64_MAX, &address))
		return "expected [physical] ADDRESS: a linear address of the guest, or a physical one";
	if (!as_entered(owner, &as))
		return NO_VMCB;
	if (!svm_nested(&as) && physical)
		return "the current VMCB has no nested paging: guest-physical addresses are the hypervisor's";
	t.guest = (struct paging){
		.cr0 = VMCB_GET(&as.vmcb, CR0),
		.cr3 = VMCB_GET(&as.vmcb, CR3),
		.cr4 = VMCB_GET(&as.vmcb, CR4),
		.efer = guest_efer(&as.vmcb),
		.a20_mask = ~0ull,
		.maxphyaddr = as.caps.model.address,
	};
	t.load_pdptes = true;
	exit_walk_rows(&t, address, physical);
	return NULL;
}

const struct view view_npt = {
	.name = "npt",
	.help =
	    "how the guest's ADDRESS is translated, by its page tables and by the nested ones: [physical] ADDRESS",
	VIEW_COLS(exit_walk_cols),
	.rows = npt_rows,
	.words = "physical",
};

/* ---- permission maps ---- */

static bool msr_exits(const void *ctx, uint32_t msr, bool write)
{
	return svm_msr_exits(ctx, msr, write);
}

static const char *msr_rows(void *owner, const char *arg, struct row_sink *k)
{
	static const uint32_t first[] = { 0, 0xc0000000, 0xc0010000 };
	struct svm as;
	uint64_t m;

	if (*arg && !text_number(arg, UINT32_MAX, &m))
		return "expected the number of an MSR, or nothing";
	if (!as_entered(owner, &as))
		return NO_VMCB;
	if (*arg)
		exit_msr_rows(&as, msr_exits, (uint32_t)m, (uint32_t)m, k);
	for (unsigned i = 0; !*arg && i < ARRAY_LEN(first); i++)
		exit_msr_rows(&as, msr_exits, first[i], first[i] + 0x1fff, k);
	return NULL;
}

const struct view view_msrpm = {
	.name = "msr-bitmap",
	.help =
	    "which MSRs exit when the guest reads or writes them, by the MSR permissions map, intercepts and hand; [MSR]",
	VIEW_COLS(exit_msr_cols),
	.rows = msr_rows,
};

static bool io_exits(const void *ctx, uint16_t port)
{
	return svm_io_exits(ctx, port, 1);
}

static const char *io_rows(void *owner, const char *arg, struct row_sink *k)
{
	struct svm as;

	return as_entered(owner, &as) ? exit_io_rows(&as, io_exits, arg, k) : NO_VMCB;
}

const struct view view_iopm = {
	.name = "io-bitmap",
	.help =
	    "which ports exit when the guest accesses them, by the I/O permissions map, intercepts and hand; [PORT]",
	VIEW_COLS(exit_io_cols),
	.rows = io_rows,
};
