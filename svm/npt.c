/* SPDX-License-Identifier: GPL-3.0-or-later
 * See svm/npt.h. A mode is a row for each level. */
#include "svm/npt.h"
#include "x86/paging.h"

enum { NPF_FINAL_BIT = 32, NPF_TABLE_BIT = 33 };
enum { PTE_PAT_4K = 1 << 7, PTE_PAT_LARGE = 1 << 12 };

struct level {
	uint8_t shift; /* of the address' bits that index it: also a page's, mapped here */
	uint8_t bits;  /* how many index it */
	bool large;    /* PTE_PS may map a page here */
	bool bare;     /* a PDPTE of legacy PAE paging: no rights, no accessed bit */
};
struct mode {
	uint8_t size;	 /* bytes of an entry */
	uint8_t address; /* bits of an address that it translates */
	struct level level[SVM_NPT_LEVELS];
};
static const struct mode mode_32 = { 4, 32, { { 22, 10, false, false }, { 12, 10, false, false } } };
static const struct mode mode_pse = { 4, 32, { { 22, 10, true, false }, { 12, 10, false, false } } };
static const struct mode mode_pae = {
	8, 32, { { 30, 2, false, true }, { 21, 9, true, false }, { 12, 9, false, false } }
};
static const struct mode mode_long = {
	8,
	48,
	{ { 39, 9, false, false }, { 30, 9, true, false }, { 21, 9, true, false }, { 12, 9, false, false } }
};
static const struct mode mode_la57 = { 8,
				       57,
				       { { 48, 9, false, false },
					 { 39, 9, false, false },
					 { 30, 9, true, false },
					 { 21, 9, true, false },
					 { 12, 9, false, false } } };

static const struct mode *mode_of(const struct svm *x)
{
	if (x->host.efer & EFER_LMA)
		return x->host.cr4 & SVM_CR4_LA57 ? &mode_la57 : &mode_long;
	if (x->host.cr4 & CR4_PAE)
		return &mode_pae;
	return x->host.cr4 & CR4_PSE ? &mode_pse : &mode_32;
}

static bool no_execute(const struct svm *x, const struct mode *m)
{
	return m->size == 8 && x->host.efer & EFER_NXE;
}

static bool maps_page(const struct svm *x, const struct level *l, uint64_t entry)
{
	if (l->shift == PAGE_SHIFT)
		return true;
	return l->large && entry & PTE_PS && (l->shift != 30 || x->caps.model.pages_1g);
}

/* Bits of a present ENTRY that have to be 0 (APM vol. 2 5.3, 5.4). */
static uint64_t reserved_bits(const struct svm *x, const struct mode *m, const struct level *l,
			      uint64_t entry)
{
	uint64_t beyond = PTE_ADDR64 & ~((1ull << x->caps.model.address) - 1), reserved = 0;
	bool page = maps_page(x, l, entry);

	if (m->size == 4)
		return page && l->large ? PTE_RESERVED_4M : 0;
	if (l->bare)
		return beyond | PDPTE_RESERVED | ~(PTE_ADDR64 | PAGE_MASK);
	reserved = beyond | (no_execute(x, m) ? 0 : PTE_NX);
	if (m == &mode_pae)
		reserved |= ~(PTE_ADDR64 | PAGE_MASK | PTE_NX);
	if (!page && l->shift >= 30)
		reserved |= PTE_PS;
	if (page && l->shift > PAGE_SHIFT)
		reserved |= ((1ull << l->shift) - 1) & ~(uint64_t)(PAGE_MASK | PTE_PAT_LARGE);
	return reserved;
}

static uint64_t load_entry(const struct svm *x, const struct mode *m, gpa at)
{
	uint64_t entry = 0;

	x->mem.read(x->mem.ctx, at, &entry, m->size);
	return entry;
}

static enum svm_npt_result fault(const struct svm *x, const struct mode *m, unsigned access, uint64_t error,
				 struct svm_walk *w)
{
	bool table = access & SVM_NPT_TABLE;

	w->error = error | PF_ERR_U | 1ull << (table ? NPF_TABLE_BIT : NPF_FINAL_BIT);
	if (access & SVM_NPT_WRITE || table)
		w->error |= PF_ERR_W;
	if (access & SVM_NPT_FETCH && !table && no_execute(x, m))
		w->error |= PF_ERR_ID;
	return SVM_NPT_FAULT;
}

static bool allowed(const struct svm_walk *w, unsigned access)
{
	return w->user && (w->writable || !(access & (SVM_NPT_WRITE | SVM_NPT_TABLE))) &&
	       (w->executable || !(access & SVM_NPT_FETCH) || access & SVM_NPT_TABLE);
}

/* The last level was reached. */
static void finish(const struct mode *m, const struct level *l, uint64_t entry, struct svm_walk *w)
{
	uint64_t mask = (1ull << l->shift) - 1;

	w->size = mask + 1;
	w->result = (entry & (m->size == 8 ? PTE_ADDR64 : PTE_ADDR32) & ~mask) | (w->address & mask);
	if (m->size == 4 && l->large)
		w->result |= (entry & PTE_PSE36) << PTE_PSE36_SHIFT;
	w->pat = (entry & PTE_PWT ? 1 : 0) | (entry & PTE_PCD ? 2 : 0) |
		 (entry & (l->shift == PAGE_SHIFT ? PTE_PAT_4K : PTE_PAT_LARGE) ? 4 : 0);
}

static gpa root_of(const struct svm *x, const struct mode *m)
{
	uint64_t cr3 = VMCB_GET(&x->vmcb, NESTED_CR3);

	return m == &mode_pae ? cr3 & 0xffffffe0 : cr3 & (m->size == 8 ? PTE_ADDR64 : PTE_ADDR32);
}

enum svm_npt_result svm_npt_look(const struct svm *x, gpa address, unsigned access, struct svm_walk *w)
{
	const struct mode *m = mode_of(x);
	const struct level *l = m->level;
	gpa table = root_of(x, m);
	uint64_t entry;

	gpr_zero(w, sizeof(*w));
	w->address = address;
	w->user = w->writable = w->executable = w->accessed = true;
	/* Bits that the mode does not translate: no entry maps them. */
	if (address >> m->address)
		return fault(x, m, access, 0, w);
	for (;; l++) {
		unsigned i = w->levels++;

		w->at[i] = table + (address >> l->shift & ((1u << l->bits) - 1)) * m->size;
		w->entry[i] = entry = load_entry(x, m, w->at[i]);
		if (!(entry & PTE_P))
			return fault(x, m, access, 0, w);
		if (entry & reserved_bits(x, m, l, entry))
			return fault(x, m, access, PF_ERR_P | PF_ERR_RSVD, w);
		if (!l->bare) {
			w->user = w->user && entry & PTE_U;
			w->accessed = w->accessed && entry & PTE_A;
			w->writable = w->writable && entry & PTE_W;
			w->executable = w->executable && !(m->size == 8 && entry & PTE_NX);
		}
		if (maps_page(x, l, entry))
			break;
		table = entry & (m->size == 8 ? PTE_ADDR64 : PTE_ADDR32);
	}
	finish(m, l, entry, w);
	return allowed(w, access) ? SVM_NPT_OK : fault(x, m, access, PF_ERR_P, w);
}

static void set_bits(struct svm *x, struct svm_walk *w, unsigned i, uint8_t bits)
{
	uint8_t low = (uint8_t)(w->entry[i] | bits);

	if (low == (uint8_t)w->entry[i])
		return;
	w->entry[i] |= bits;
	x->mem.write(x->mem.ctx, w->at[i], &low, 1);
}

enum svm_npt_result svm_npt_access(struct svm *x, gpa address, unsigned access, struct svm_walk *w)
{
	enum svm_npt_result r = svm_npt_look(x, address, access, w);
	const struct mode *m = mode_of(x);
	unsigned leaf = w->levels - 1;

	if (r != SVM_NPT_OK)
		return r;
	for (unsigned i = 0; i < leaf; i++)
		if (!m->level[i].bare)
			set_bits(x, w, i, PTE_A);
	set_bits(x, w, leaf, PTE_A | (access & (SVM_NPT_WRITE | SVM_NPT_TABLE) ? PTE_D : 0));
	w->accessed = true;
	return SVM_NPT_OK;
}

void svm_exit_npf(struct svm_exit *exit, const struct svm_walk *w)
{
	*exit = (struct svm_exit){ .code = SVM_EXIT_NPF, .info1 = w->error, .info2 = w->address };
}
