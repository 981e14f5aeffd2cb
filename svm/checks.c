/* SPDX-License-Identifier: GPL-3.0-or-later
 * See svm/checks.h. The rows are in checks.def; here is what their expressions use. */
#include "svm/checks.h"
#include "svm/exits.h"
#include "svm/intercept.h"

const char *const svm_check_group_names[SVM_GROUPS] = {
	[SVM_GROUP_GUEST] = "guest state",
	[SVM_GROUP_CONTROL] = "controls",
	[SVM_GROUP_EVENT] = "event injection",
	[SVM_GROUP_NESTED] = "nested paging",
};

/* ---- what the rows are written in ---- */

#define F(id) VMCB_GET(c->v, id)
#define ON(id) VMCB_ON(&c->x->caps, c->v, id)
#define MODEL (c->x->caps.model)
#define GUEST_LONG (MODEL.long_mode && F(EFER) & EFER_LME && F(CR0) & CR0_PG)
#define GUEST_64 (GUEST_LONG && svm_rights(F(CS_ATTRIBUTES)) & SA_L)
#define INFO F(EVENT_INJECTION)
#define TYPE svm_event_type(INFO)
#define VECTOR svm_event_vector(INFO)

/* Bits 11:0 of a map's address do not count. */
static inline bool map_ok(const struct svm_checking *c, uint64_t address, unsigned size)
{
	address &= ~(uint64_t)PAGE_MASK;
	return svm_address_ok(&c->x->caps, address) && svm_address_ok(&c->x->caps, address + size - 1);
}

static inline bool pdptes_ok(const struct svm_checking *c)
{
	bool ok = true;

	for (unsigned i = 0; i < 4; i++)
		ok = ok && svm_pdpte_ok(&c->x->caps, c->pdpte[i]);
	return ok;
}

static inline bool injecting(const struct svm_checking *c)
{
	return INFO & SVM_EVENT_VALID;
}

static inline bool type_ok(unsigned type)
{
	return type == SVM_EVENT_INTR || type == SVM_EVENT_NMI || type == SVM_EVENT_EXCEPTION ||
	       type == SVM_EVENT_INT_N;
}

/* nCR3 is a CR3 of the host's mode. */
static inline bool nested_cr3_ok(const struct svm_checking *c)
{
	return svm_long(&c->x->s) ? svm_address_ok(&c->x->caps, F(NESTED_CR3)) : !(F(NESTED_CR3) >> 32);
}

/* ---- the table ---- */

#define CHECK(id, group, section, field, text, when, holds)                                                  \
	static bool when_##id(const struct svm_checking *c)                                                  \
	{                                                                                                    \
		(void)c;                                                                                     \
		return when;                                                                                 \
	}                                                                                                    \
	static bool holds_##id(const struct svm_checking *c)                                                 \
	{                                                                                                    \
		return holds;                                                                                \
	}
#include "svm/checks.def"
#undef CHECK

const struct svm_check_row svm_check_rows[SVM_CHECKS] = {
#define CHECK(id, group, section, field, text, when, holds)                                                  \
	{ #id, section, text, SVM_GROUP_##group, VMCB_##field, when_##id, holds_##id },
#include "svm/checks.def"
#undef CHECK
};

/* ---- asking ---- */

void svm_checking_init(struct svm_checking *c, const struct svm *x, const struct vmcb *v)
{
	*c = (struct svm_checking){ .x = x, .v = v };
	c->pae = F(CR0) & CR0_PG && F(CR4) & CR4_PAE && !GUEST_LONG && !ON(NP_ENABLE);
	if (c->pae)
		x->mem.read(x->mem.ctx, F(CR3) & 0xffffffe0, c->pdpte, sizeof(c->pdpte));
}

enum svm_verdict svm_check_row(const struct svm_checking *c, enum svm_check row)
{
	const struct svm_check_row *r = &svm_check_rows[row];

	if (!r->when(c))
		return SVM_NOT_APPLICABLE;
	return r->holds(c) ? SVM_HOLDS : SVM_FAILS;
}

/* All rows in one function: no calls, and fields are loaded once. */
enum svm_check svm_check_all(const struct svm_checking *c)
{
#define CHECK(id, group, section, field, text, when, holds)                                                  \
	if ((when) && !(holds))                                                                              \
		return SVM_CHECK_##id;
#include "svm/checks.def"
#undef CHECK
	return SVM_CHECKS;
}
