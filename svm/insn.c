/* SPDX-License-Identifier: GPL-3.0-or-later
 * See svm/insn.h. A handler is called when mode and privilege allow the instruction; those with an operand in
 * memory ask for the intercept themselves, as the address is checked before it (or, with the feature
 * ADDRESS_CHECK, behind it). */
#include "svm/insn.h"
#include "svm/intercept.h"
#include "svm/interrupt.h"
#include "svm/npt.h"

typedef enum svm_result handler(struct svm *x, const struct svm_insn *i, struct svm_walk *walk);

/* ---- outcomes ---- */

static enum svm_result raise_exc(struct svm *x, unsigned vector)
{
	x->exception = (struct svm_exception){ .vector = (uint8_t)vector, .has_error = vector == EXC_GP };
	return SVM_FAULT;
}

static uint64_t next_rip(const struct svm *x, const struct svm_insn *i)
{
	uint64_t next = x->s.rip + i->length;

	return svm_mode64(&x->s) ? next : (uint32_t)next;
}

static enum svm_result intercept(struct svm *x, const struct svm_insn *i, unsigned code, uint64_t info1)
{
	struct svm_exit e = { .code = code, .info1 = info1, .next_rip = next_rip(x, i) };

	return svm_leave(x, &e);
}

/* ---- operands ---- */

static uint64_t operand(const struct svm *x, const struct svm_insn *i)
{
	uint64_t rax = x->s.gpr[R_EAX];

	return i->address_size == 8 ? rax : i->address_size == 4 ? (uint32_t)rax : (uint16_t)rax;
}

static bool vmcb_ok(const struct svm *x, uint64_t at)
{
	return !(at & PAGE_MASK) && svm_address_ok(&x->caps, at);
}

enum { GO_ON = -1 };

/* Address and intercept of an instruction that accesses a VMCB, in the processor's order. GO_ON: execute. */
static int vmcb_rules(struct svm *x, const struct svm_insn *i, unsigned code)
{
	bool ok = vmcb_ok(x, operand(x, i)), exits = svm_exits(x, code);

	if (exits && (ok || SVM_HAS(&x->caps, ADDRESS_CHECK)))
		return (int)intercept(x, i, code, 0);
	return ok ? GO_ON : (int)raise_exc(x, EXC_GP);
}

/* ---- VMRUN, VMLOAD, VMSAVE ---- */

static enum svm_result vmrun(struct svm *x, const struct svm_insn *i, struct svm_walk *walk)
{
	int r = vmcb_rules(x, i, SVM_EXIT_VMRUN);

	(void)walk;
	return r == GO_ON ? svm_enter(x, operand(x, i), next_rip(x, i)) : (enum svm_result)r;
}

/* Where the VMCB is. A guest's address is one of nested paging where VMLOAD and VMSAVE are virtual (15.33.1);
 * where they are not, it is the host's. False: a nested page fault. */
static bool find_vmcb(struct svm *x, const struct svm_insn *i, bool write, struct svm_walk *walk, gpa *at)
{
	*at = operand(x, i);
	if (!svm_nested(x) || !VMCB_ON(&x->caps, &x->vmcb, VIRTUAL_VMLOAD_ENABLE))
		return true;
	if (svm_npt_access(x, *at, write ? SVM_NPT_WRITE : 0, walk) != SVM_NPT_OK)
		return false;
	*at = walk->result;
	return true;
}

static enum svm_result vmload(struct svm *x, const struct svm_insn *i, struct svm_walk *walk)
{
	int r = vmcb_rules(x, i, SVM_EXIT_VMLOAD);
	gpa at;

	if (r != GO_ON)
		return (enum svm_result)r;
	if (!find_vmcb(x, i, false, walk, &at))
		return SVM_NESTED_FAULT;
	svm_load_swapped(x, at);
	return SVM_NEXT;
}

static enum svm_result vmsave(struct svm *x, const struct svm_insn *i, struct svm_walk *walk)
{
	int r = vmcb_rules(x, i, SVM_EXIT_VMSAVE);
	gpa at;

	if (r != GO_ON)
		return (enum svm_result)r;
	if (!find_vmcb(x, i, true, walk, &at))
		return SVM_NESTED_FAULT;
	svm_save_swapped(x, at);
	return SVM_NEXT;
}

/* ---- the others ---- */

/* Not intercepted, it is #UD (15.18). */
static enum svm_result vmmcall(struct svm *x, const struct svm_insn *i, struct svm_walk *walk)
{
	(void)walk;
	if (svm_exits(x, SVM_EXIT_VMMCALL))
		return intercept(x, i, SVM_EXIT_VMMCALL, 0);
	return raise_exc(x, EXC_UD);
}

static enum svm_result stgi(struct svm *x, const struct svm_insn *i, struct svm_walk *walk)
{
	(void)walk;
	if (svm_exits(x, SVM_EXIT_STGI))
		return intercept(x, i, SVM_EXIT_STGI, 0);
	svm_set_gif(x, true);
	return SVM_NEXT;
}

static enum svm_result clgi(struct svm *x, const struct svm_insn *i, struct svm_walk *walk)
{
	(void)walk;
	if (svm_exits(x, SVM_EXIT_CLGI))
		return intercept(x, i, SVM_EXIT_CLGI, 0);
	svm_set_gif(x, false);
	return SVM_NEXT;
}

/* No processor here has secure startup. */
static enum svm_result skinit(struct svm *x, const struct svm_insn *i, struct svm_walk *walk)
{
	(void)walk;
	if (svm_exits(x, SVM_EXIT_SKINIT))
		return intercept(x, i, SVM_EXIT_SKINIT, 0);
	return raise_exc(x, EXC_UD);
}

static enum svm_result invlpga(struct svm *x, const struct svm_insn *i, struct svm_walk *walk)
{
	uint64_t address = operand(x, i);

	(void)walk;
	if (svm_exits(x, SVM_EXIT_INVLPGA))
		return intercept(x, i, SVM_EXIT_INVLPGA, svm_address_info(x, address));
	if (x->ops->flush_page)
		x->ops->flush_page(x, address, (uint32_t)x->s.gpr[R_ECX]);
	return SVM_NEXT;
}

/* ---- all of them ---- */

enum rules { COMMON, ANYWHERE };

static const struct {
	const char *name;
	enum rules rules;
	handler *handle;
} insns[SVM_INSNS] = {
#define SVM_INSN(id, exit, rules, handler) { #id, rules, handler },
#include "svm/insns.def"
#undef SVM_INSN
};

const char *svm_insn_name(enum svm_insn_id id)
{
	return insns[id].name;
}

static enum svm_result execute(struct svm *x, const struct svm_insn *i, struct svm_walk *walk)
{
	if (!(x->s.efer & EFER_SVME))
		return raise_exc(x, EXC_UD);
	if (insns[i->id].rules == COMMON) {
		if (!(x->s.cr0 & CR0_PE) || x->s.rflags & FL_VM)
			return raise_exc(x, EXC_UD);
		if (x->s.cpl)
			return raise_exc(x, EXC_GP);
	}
	return insns[i->id].handle(x, i, walk);
}

enum svm_result svm_execute(struct svm *x, const struct svm_insn *i, struct svm_walk *walk)
{
	enum svm_result r = execute(x, i, walk);

	if (r == SVM_NEXT)
		x->s.rip = next_rip(x, i);
	return r;
}
