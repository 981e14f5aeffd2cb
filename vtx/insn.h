/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the VMX instructions do, on the state of a processor and whoever executes them (SDM vol. 3C ch. 31).
 * Failures come in the order of the manual's pseudo-code. */
#ifndef VTX_INSN_H
#define VTX_INSN_H
#include "vtx/transition.h"

enum vmx_insn_id {
#define VMX_INSN(id, reason, operand, rules, handler) VMX_INSN_##id,
#include "vtx/insns.def"
#undef VMX_INSN
	VMX_INSNS
};

/* A decoded instruction. In VMREAD and VMWRITE OPERAND is the value's, REG the register with the field's
 * encoding; in INVEPT and INVVPID REG has the type. */
struct vmx_insn {
	enum vmx_insn_id id;
	uint8_t length;
	uint8_t reg;
	struct vmx_operand operand;
	uint32_t info;	       /* of an exit: operands, as 28.2.5 codes them */
	uint64_t displacement; /* of an exit: its qualification */
};

/* Execute I at X's RIP. After VMX_NEXT RIP is behind it. */
enum vmx_result vmx_execute(struct vmx *x, const struct vmx_insn *i);
/* VMREAD and VMWRITE in root operation, at CPL 0 in a mode that has them, as far as they succeed. False:
 * nothing is done, and vmx_execute() has to say why. The caller clears the arithmetic flags. */
bool vmx_field_read(const struct vmx *x, uint64_t encoding, bool mode64, uint64_t *val);
bool vmx_field_write(struct vmx *x, uint64_t encoding, bool mode64, uint64_t val);
const char *vmx_insn_name(enum vmx_insn_id id);
#endif
