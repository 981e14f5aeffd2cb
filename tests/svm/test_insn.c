/* SPDX-License-Identifier: GPL-3.0-or-later
 * The instructions of SVM: modes and privilege, addresses, intercepts, what they do. */
#include "svm/exits.h"
#include "svm/insn.h"
#include "svm/interrupt.h"
#include "svm/npt.h"
#include "tests/suite.h"
#include "tests/svm/rig.h"
#include "x86/descriptor.h"

#include <stdlib.h>
#include <string.h>

static struct svm_walk walk;

static enum svm_result execute(struct rig *r, enum svm_insn_id id)
{
	struct svm_insn i = { .id = id, .length = 3, .address_size = svm_mode64(&r->x.s) ? 8 : 4 };

	return svm_execute(&r->x, &i, &walk);
}

static bool raises(struct rig *r, enum svm_insn_id id, unsigned vector)
{
	uint64_t rip = r->x.s.rip;

	return execute(r, id) == SVM_FAULT && r->x.exception.vector == vector &&
	       r->x.exception.has_error == (vector == EXC_GP) && !r->x.exception.error && r->x.s.rip == rip;
}

START_TEST(needs_svme)
{
	struct rig *r = malloc(sizeof(*r));

	rig_init(r, RIG_32);
	r->x.s.efer = 0;
	ck_assert_msg(raises(r, (enum svm_insn_id)_i, EXC_UD), "%s", svm_insn_name((enum svm_insn_id)_i));
	free(r);
}
END_TEST

/* Real and virtual-8086 mode: #UD; CPL 3: #GP. VMMCALL that is not intercepted is #UD anywhere. */
START_TEST(modes_and_privilege)
{
	enum svm_insn_id id = (enum svm_insn_id)_i;
	struct rig *r = malloc(sizeof(*r));

	rig_init(r, RIG_32);
	r->x.s.cr0 = 0;
	ck_assert(raises(r, id, EXC_UD));
	rig_init(r, RIG_32);
	r->x.s.rflags |= FL_VM;
	r->x.s.cpl = 3;
	ck_assert(raises(r, id, EXC_UD));
	r->x.s.rflags &= ~(uint64_t)FL_VM;
	ck_assert(raises(r, id, id == SVM_INSN_VMMCALL ? EXC_UD : EXC_GP));
	free(r);
}
END_TEST

/* Intercepted in a guest: the code, nRIP behind the instruction. */
static const struct {
	enum svm_insn_id id;
	const char *exit;
	unsigned code;
} intercepts[] = {
	{ SVM_INSN_VMRUN, "", 0x80 },	      { SVM_INSN_VMMCALL, "+VMMCALL", 0x81 },
	{ SVM_INSN_VMLOAD, "+VMLOAD", 0x82 }, { SVM_INSN_VMSAVE, "+VMSAVE", 0x83 },
	{ SVM_INSN_STGI, "+STGI", 0x84 },     { SVM_INSN_CLGI, "+CLGI", 0x85 },
	{ SVM_INSN_SKINIT, "+SKINIT", 0x86 }, { SVM_INSN_INVLPGA, "+INVLPGA", 0x7a },
};

START_TEST(intercepted)
{
	struct rig *r = rig_guest(RIG_32, intercepts[_i].exit);

	r->x.s.gpr[R_EAX] = AT_OTHER;
	ck_assert_int_eq(execute(r, intercepts[_i].id), SVM_EXITED);
	ck_assert_uint_eq(rig_field(r, VMCB_EXIT_CODE), intercepts[_i].code);
	ck_assert_uint_eq(rig_field(r, VMCB_RIP), 0x1000);
	ck_assert_uint_eq(rig_field(r, VMCB_NEXT_RIP), 0x1003);
	ck_assert_uint_eq(rig_field(r, VMCB_EXIT_INFO_1),
			  intercepts[_i].id == SVM_INSN_INVLPGA ? AT_OTHER : 0);
	ck_assert_uint_eq(r->x.s.rip, HOST_RIP + 3);
	free(r);
}
END_TEST

START_TEST(every_instruction_is_intercepted)
{
	ck_assert_uint_eq(ARRAY_LEN(intercepts), SVM_INSNS);
	for (unsigned i = 0; i < SVM_INSNS; i++)
		ck_assert_int_eq((int)intercepts[i].id, (int)i);
}
END_TEST

/* VMMCALL exits at any privilege; privilege comes before the other intercepts. */
START_TEST(privilege_and_intercepts)
{
	struct rig *r = rig_guest(RIG_32, "+VMMCALL +CLGI CPL=3");

	ck_assert(raises(r, SVM_INSN_CLGI, EXC_GP));
	ck_assert_int_eq(execute(r, SVM_INSN_VMMCALL), SVM_EXITED);
	free(r);
}
END_TEST

/* The address of a VMCB: aligned, within the width; before the intercept, but with the feature behind it. */
START_TEST(addresses)
{
	static const enum svm_insn_id id[] = { SVM_INSN_VMRUN, SVM_INSN_VMLOAD, SVM_INSN_VMSAVE };
	static const uint64_t bad[] = { AT_VMCB + 8, 1ull << 40 };

	for (unsigned i = 0; i < ARRAY_LEN(id); i++)
		for (unsigned k = 0; k < ARRAY_LEN(bad); k++) {
			struct rig *r = malloc(sizeof(*r));
			struct svm_model m = rig_model(SVM_GEN_ZEN, true);

			rig_init(r, RIG_64);
			r->x.s.gpr[R_EAX] = bad[k];
			ck_assert(raises(r, id[i], EXC_GP));
			rig_set(r, "+VMLOAD +VMSAVE");
			rig_enter(r);
			r->x.s.gpr[R_EAX] = bad[k];
			ck_assert_int_eq(execute(r, id[i]), SVM_EXITED);
			svm_caps_init(&r->x.caps, &m);
			rig_enter(r);
			r->x.s.gpr[R_EAX] = bad[k];
			ck_assert(raises(r, id[i], EXC_GP));
			free(r);
		}
}
END_TEST

/* 32 bits of rAX count with an address size of 32 bits. */
START_TEST(address_size)
{
	struct rig *r = malloc(sizeof(*r));
	struct svm_insn i = { .id = SVM_INSN_VMRUN, .length = 3, .address_size = 4 };

	rig_init(r, RIG_64);
	r->x.s.gpr[R_EAX] |= 1ull << 45;
	ck_assert_int_eq(svm_execute(&r->x, &i, &walk), SVM_ENTERED);
	ck_assert_uint_eq(r->x.vmcb.at, AT_VMCB);
	free(r);
}
END_TEST

START_TEST(vmrun_and_back)
{
	struct rig *r = malloc(sizeof(*r));

	rig_init(r, RIG_32);
	ck_assert_int_eq(execute(r, SVM_INSN_VMRUN), SVM_ENTERED);
	ck_assert_uint_eq(r->x.s.rip, 0x1000);
	r->x.s.gpr[R_EAX] = AT_OTHER;
	ck_assert_int_eq(execute(r, SVM_INSN_VMRUN), SVM_EXITED);
	ck_assert_uint_eq(r->x.s.rip, HOST_RIP + 3);
	rig_set(r, "ASID=0");
	ck_assert_int_eq(execute(r, SVM_INSN_VMRUN), SVM_ENTRY_FAILED);
	ck_assert_uint_eq(r->x.s.rip, HOST_RIP + 6);
	free(r);
}
END_TEST

START_TEST(swapped_state)
{
	struct rig *r = malloc(sizeof(*r));
	struct svm_state *s = &r->x.s;

	rig_init(r, RIG_64);
	rig_set(
	    r,
	    "FS_SELECTOR=33 FS_ATTRIBUTES=cf3 FS_LIMIT=ffffffff FS_BASE=800000000000 GS_BASE=1234 GS_ATTRIBUTES=93 "
	    "LDTR_SELECTOR=28 LDTR_ATTRIBUTES=8f LDTR_LIMIT=17 LDTR_BASE=9999 TR_SELECTOR=40 TR_ATTRIBUTES=89 "
	    "TR_LIMIT=67 TR_BASE=8888 STAR=1 LSTAR=2 CSTAR=3 SFMASK=4 KERNEL_GS_BASE=800000000001 SYSENTER_CS=6 "
	    "SYSENTER_ESP=7 SYSENTER_EIP=8");
	ck_assert_int_eq(execute(r, SVM_INSN_VMLOAD), SVM_NEXT);
	ck_assert_uint_eq(s->rip, HOST_RIP + 3);
	ck_assert_uint_eq(s->seg[SEG_FS].selector, 0x33);
	ck_assert_uint_eq(s->seg[SEG_FS].rights, 0xc0f3);
	ck_assert_uint_eq(s->seg[SEG_FS].base, 0xffff800000000000ull);
	ck_assert_uint_eq(s->seg[SEG_GS].base, 0x1234);
	ck_assert_uint_eq(s->ldtr.rights, SA_P | DT_LDT);
	ck_assert_uint_eq(s->ldtr.limit, 0x17);
	ck_assert_uint_eq(s->tr.rights, SA_P | DT_TSS32_BUSY);
	ck_assert_uint_eq(s->tr.base, 0x8888);
	for (unsigned i = 0; i < SVM_SWAPPED; i++)
		ck_assert_uint_eq(s->msr[i], i == SVM_KERNEL_GS_BASE ? 0xffff800000000001ull : i + 1);
	/* And back, to another VMCB. */
	s->gpr[R_EAX] = AT_OTHER;
	ck_assert_int_eq(execute(r, SVM_INSN_VMSAVE), SVM_NEXT);
	rig_set(
	    r,
	    "LDTR_ATTRIBUTES=82 TR_ATTRIBUTES=8b FS_BASE=ffff800000000000 KERNEL_GS_BASE=ffff800000000001");
	for (unsigned f = 0; f < VMCB_FIELDS; f++)
		if (vmcb_fields[f].use == VMCB_SWAP)
			ck_assert_msg(memcmp(r->memory + AT_OTHER + vmcb_fields[f].at,
					     r->memory + AT_VMCB + vmcb_fields[f].at,
					     vmcb_fields[f].width) == 0,
				      "%s", vmcb_fields[f].id);
	/* A null LDTR. */
	s->gpr[R_EAX] = AT_ZERO;
	ck_assert_int_eq(execute(r, SVM_INSN_VMLOAD), SVM_NEXT);
	ck_assert(s->ldtr.rights & AR_UNUSABLE && s->seg[SEG_FS].rights & AR_UNUSABLE);
	ck_assert(s->tr.rights & SA_P && !(s->tr.rights & AR_UNUSABLE));
	free(r);
}
END_TEST

START_TEST(global_interrupt_flag)
{
	struct rig *r = malloc(sizeof(*r));

	rig_init(r, RIG_32);
	ck_assert_int_eq(execute(r, SVM_INSN_CLGI), SVM_NEXT);
	ck_assert(!r->x.gif && !svm_gif(&r->x));
	ck_assert_int_eq(execute(r, SVM_INSN_STGI), SVM_NEXT);
	ck_assert(r->x.gif && svm_gif(&r->x));
	free(r);
	/* Virtual GIF: the guest has its own. */
	r = rig_guest(RIG_32, "%V_GIF_ENABLE=1 %V_GIF=1");
	ck_assert_int_eq(execute(r, SVM_INSN_CLGI), SVM_NEXT);
	ck_assert(r->x.gif && !svm_gif(&r->x));
	ck_assert_uint_eq(VMCB_BITS(&r->x.vmcb, V_GIF), 0);
	ck_assert_int_eq(execute(r, SVM_INSN_STGI), SVM_NEXT);
	ck_assert_uint_eq(VMCB_BITS(&r->x.vmcb, V_GIF), 1);
	free(r);
	r = rig_guest(RIG_32, "");
	ck_assert_int_eq(execute(r, SVM_INSN_CLGI), SVM_NEXT);
	ck_assert(!r->x.gif);
	free(r);
}
END_TEST

START_TEST(others)
{
	struct rig *r = malloc(sizeof(*r));

	rig_init(r, RIG_32);
	r->x.s.gpr[R_EAX] = 0x1234567;
	r->x.s.gpr[R_ECX] = 5;
	ck_assert_int_eq(execute(r, SVM_INSN_INVLPGA), SVM_NEXT);
	ck_assert_uint_eq(r->flushes, 1);
	ck_assert_uint_eq(r->address, 0x1234567);
	ck_assert_uint_eq(r->asid, 5);
	ck_assert(raises(r, SVM_INSN_SKINIT, EXC_UD));
	ck_assert(raises(r, SVM_INSN_VMMCALL, EXC_UD));
	free(r);
}
END_TEST

/* Virtual VMLOAD and VMSAVE: the address is the guest's. */
START_TEST(virtual_vmload)
{
	struct rig *r = malloc(sizeof(*r));
	uint32_t pte = AT_OTHER | 7;

	rig_init(r, RIG_32);
	memcpy(r->memory + AT_TABLES, &(uint32_t){ (AT_TABLES + 0x1000) | 7 }, 4);
	memcpy(r->memory + AT_TABLES + 0x1000 + 4 * 0x55, &pte, 4);
	rig_set(r, "%NP_ENABLE=1 NESTED_CR3=10000 %VIRTUAL_VMLOAD_ENABLE=1");
	rig_enter(r);
	r->x.s.msr[SVM_STAR] = 0x77;
	r->x.s.gpr[R_EAX] = 0x55000;
	ck_assert_int_eq(execute(r, SVM_INSN_VMSAVE), SVM_NEXT);
	ck_assert_uint_eq(r->memory[AT_OTHER + VMCB_AT_STAR], 0x77);
	r->x.s.msr[SVM_STAR] = 0;
	ck_assert_int_eq(execute(r, SVM_INSN_VMLOAD), SVM_NEXT);
	ck_assert_uint_eq(r->x.s.msr[SVM_STAR], 0x77);
	r->x.s.gpr[R_EAX] = 0x56000;
	ck_assert_int_eq(execute(r, SVM_INSN_VMSAVE), SVM_NESTED_FAULT);
	ck_assert_uint_eq(walk.error, 0x100000006ull);
	ck_assert_uint_eq(walk.address, 0x56000);
	/* Not virtual: the host's. */
	VMCB_SET_BITS(&r->x.vmcb, VIRTUAL_VMLOAD_ENABLE, 0);
	r->x.s.gpr[R_EAX] = AT_ZERO;
	ck_assert_int_eq(execute(r, SVM_INSN_VMSAVE), SVM_NEXT);
	ck_assert_uint_eq(r->memory[AT_ZERO + VMCB_AT_STAR], 0x77);
	free(r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("svm-insn");
	TCase *t = tcase_create("insn");

	tcase_add_loop_test(t, needs_svme, 0, SVM_INSNS);
	tcase_add_loop_test(t, modes_and_privilege, 0, SVM_INSNS);
	tcase_add_loop_test(t, intercepted, 0, ARRAY_LEN(intercepts));
	tcase_add_test(t, every_instruction_is_intercepted);
	tcase_add_test(t, privilege_and_intercepts);
	tcase_add_test(t, addresses);
	tcase_add_test(t, address_size);
	tcase_add_test(t, vmrun_and_back);
	tcase_add_test(t, swapped_state);
	tcase_add_test(t, global_interrupt_flag);
	tcase_add_test(t, others);
	tcase_add_test(t, virtual_vmload);
	suite_add_tcase(s, t);
	return suite_run(s);
}
