/* SPDX-License-Identifier: GPL-3.0-or-later
 * See svm/executor.h: address spaces (mm/nested.h). Windows of host and guests are kept apart by nCR3 and
 * ASID, so VMRUN and #VMEXIT flush nothing by themselves (APM vol. 2 15.16). */
#include "svm/executor.h"
#include "svm/npt.h"

#include "mm/nested.h"
#include "x86/paging.h"

#define F(id) VMCB_GET(&e->x.vmcb, id)

/* ---- memory ---- */

void svm_mem_read(void *ctx, gpa at, void *buf, unsigned n)
{
	struct svm_executor *e = ctx;
	uint64_t entry;

	if (!e->walking) {
		if (!mm_phys_read(e->vm, at, buf, n))
			gpr_fill(buf, 0xff, n);
		return;
	}
	if (!mmu_load_entry(e->v->mmu, at, n, e->probing, &entry))
		entry = ~0ull;
	gpr_copy(buf, &entry, n);
}

void svm_mem_write(void *ctx, gpa at, const void *buf, unsigned n)
{
	struct svm_executor *e = ctx;
	uint64_t bits = 0;

	if (!e->walking) {
		mm_phys_write(e->vm, at, buf, n);
		return;
	}
	gpr_copy(&bits, buf, n);
	mmu_set_entry(e->v->mmu, at, n, bits);
}

/* ---- the second dimension ---- */

static unsigned access_of(unsigned how)
{
	return (how & MM_WRITE ? SVM_NPT_WRITE : 0) | (how & MM_EXEC ? SVM_NPT_FETCH : 0) |
	       (how & NESTED_TABLE ? SVM_NPT_TABLE : 0);
}

static void answer(const struct svm_walk *w, struct nested_result *r)
{
	uint64_t leaf = w->entry[w->levels - 1];

	r->pa = w->result;
	r->shift = (uint8_t)__builtin_ctzll(w->size);
	r->rights = w->user ? NESTED_R : 0;
	if (w->user && w->writable)
		r->rights |= NESTED_W;
	if (w->user && w->executable)
		r->rights |= NESTED_X | NESTED_XU;
	r->accessed = w->accessed;
	r->dirty = w->accessed && leaf & PTE_D;
}

/* mmu_nested.translate. What is refused is noted as the exit. */
static bool translate(void *ctx, gpa a, unsigned how, struct nested_result *r)
{
	struct svm_executor *e = ctx;
	enum svm_npt_result result;
	struct svm_walk w;

	e->walking = true;
	e->probing = how & MM_PROBE;
	if (e->probing)
		result = svm_npt_look(&e->x, a, 0, &w);
	else
		result = svm_npt_access(&e->x, a, access_of(how), &w);
	e->walking = e->probing = false;
	if (result == SVM_NPT_OK) {
		answer(&w, r);
		return true;
	}
	if (!(how & MM_PROBE)) {
		svm_exit_npf(&e->exit, &w);
		e->data_access = !(how & MM_EXEC);
	}
	return false;
}

void svm_switch_space(struct svm_executor *e, bool guest)
{
	const struct cpu *c = &e->v->cpu;
	bool nested = guest && svm_nested(&e->x);
	struct mmu_nested n = {
		.ctx = e,
		.tag = nested ? F(NESTED_CR3) : 0,
		.asid = (uint32_t)F(ASID),
		.walks_pdptes = nested,
		.translate = nested ? translate : NULL,
	};

	mmu_nested(e->v->mmu, guest ? &n : NULL);
	if (!nested && (c->cr0 & CR0_PG) && (c->cr4 & CR4_PAE) && !cpu_long(c))
		mmu_set_pdptrs(e->v->mmu, e->x.s.pdpte);
}

/* ---- flushes ---- */

void svm_op_flush(struct svm *x, enum svm_flush what, uint32_t asid)
{
	struct svm_executor *e = x->owner;

	mmu_nested_invalidate(e->v->mmu, NESTED_SECOND | (what == SVM_FLUSH_ALL ? 0 : NESTED_ONE_ASID), 0,
			      asid, 0);
}

void svm_op_flush_page(struct svm *x, uint64_t address, uint32_t asid)
{
	struct svm_executor *e = x->owner;

	mmu_nested_invalidate(e->v->mmu, NESTED_ONE_ASID | NESTED_ONE_PAGE, 0, asid, address);
}
