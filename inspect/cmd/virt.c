/* SPDX-License-Identifier: GPL-3.0-or-later
 * Guests of the guest: the VMCS or VMCB of a processor with VMX or SVM, exits and events by hand
 * (x86/engine_virt.h). */
#include "inspect/tables_int.h"

#include <stdio.h>
#include <string.h>

static const struct view_col changed_cols[] = {
	{ "what", "What", VAL_STR, "", "field, control, exit reason or event" },
	{ "value", "Value", VAL_HEX, "", "of a field" },
	{ "state", "State", VAL_STR, "", "what it is now: on, off, forced, suppressed, default" },
};
RECORD_DOC(virt_record, "vmwrite vmcb-write vmx svm", changed_cols);

/* Say what was changed, or why not: ERROR. */
static int done(struct inspect *s, const struct cmd_args *a, const char *error, const char *what,
		struct value value, const char *state, struct result *r)
{
	struct table *t;

	if (error)
		return result_fail(r, "%s: %s: %s", a->name, what, error);
	session_changed(s);
	t = result_table(r, changed_cols, ARRAY_LEN(changed_cols), TABLE_PLAIN,
			 value.type != VAL_NONE ? "{what} is {value}" : "{what}: {state}");
	table_row(t, (struct value[]){ V_STR(what), value, state ? V_STR(state) : V_NONE });
	return 0;
}

/* Commands are called as the extension calls its things; the other one's are refused, and say what they are
 * called here. */
static int refuse_other(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	static const struct {
		const char *vmx, *svm;
	} names[] = { { "vmx", "svm" }, { "vmwrite", "vmcb-write" }, { "vmcs-check", "vmcb-check" } };
	bool svm = !strcmp(session_virt(s)->name, "SVM");

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(a->name, svm ? names[i].vmx : names[i].svm))
			return result_fail(r, "%s: this processor has %s: %s", a->name, session_virt(s)->name,
					   svm ? names[i].svm : names[i].vmx);
	return 0;
}

static int cmd_vmwrite(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	const struct engine_virt *v = session_virt(s);
	const char *text = a->rest + strcspn(a->rest, " \t");
	int64_t value;

	if (refuse_other(s, a, r) || session_eval(s, text + strspn(text, " \t"), &value, r))
		return -1;
	return done(s, a, v->ops->write(v->ctx, a->argv[0], (uint64_t)value), a->argv[0],
		    V_HEX((uint64_t)value), NULL, r);
}

static int cmd_vmcs_check(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	return refuse_other(s, a, r) ? -1 : view_show(s, a->name, a, 0, r);
}

/* ---- vmx, svm ---- */

static int eval_to(struct inspect *s, const struct cmd_args *a, const char *text, uint64_t most,
		   const char *what, uint64_t *n, struct result *r)
{
	int64_t v;

	if (session_eval(s, text, &v, r))
		return -1;
	*n = (uint64_t)v;
	return *n <= most
		   ? 0
		   : result_fail(r, "%s: %s is at most 0x%llx", a->name, what, (unsigned long long)most);
}

/* An exception by number or name: 14, PF, #PF. */
static int exception(struct inspect *s, const struct cmd_args *a, const char *text, uint64_t *vector,
		     struct result *r)
{
	const char *name;

	for (unsigned i = 0; i < EXC_VECTORS; i++)
		if ((name = exc_name(i)) &&
		    (!strcasecmp(text, name) || !strcasecmp(text, name + (*name == '#')))) {
			*vector = i;
			return 0;
		}
	return eval_to(s, a, text, EXC_VECTORS - 1, "an exception", vector, r);
}

static int inject(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	static const char *const types[] = { [ENGINE_INJECT_INTERRUPT] = "interrupt",
					     [ENGINE_INJECT_NMI] = "nmi",
					     [ENGINE_INJECT_EXCEPTION] = "exception",
					     [ENGINE_INJECT_INT] = "int" };
	const struct engine_virt *v = session_virt(s);
	const char *word = a->argc > 1 ? a->argv[1] : "";
	struct engine_injected e = { 0 };
	uint64_t vector = 0, error = 0;
	unsigned type = 0;
	char what[64];

	if (!strcmp(word, "off"))
		return done(s, a, v->ops->inject(v->ctx, NULL), "inject", V_NONE, "nothing", r);
	while (type < ARRAY_LEN(types) && strcmp(types[type], word))
		type++;
	if (type == ARRAY_LEN(types) ||
	    a->argc != (type == ENGINE_INJECT_NMI ? 2
			: a->argc == 4		  ? 4
						  : 3) ||
	    (a->argc == 4 && type != ENGINE_INJECT_EXCEPTION))
		return result_fail(
		    r, "%s: inject expects interrupt N, exception N [ERROR], nmi, int N or off", a->name);
	if (a->argc > 2 &&
	    (type == ENGINE_INJECT_EXCEPTION ? exception(s, a, a->argv[2], &vector, r)
					     : eval_to(s, a, a->argv[2], 255, "a vector", &vector, r)))
		return -1;
	if (a->argc > 3 && eval_to(s, a, a->argv[3], UINT32_MAX, "an error code", &error, r))
		return -1;
	e = (struct engine_injected){ (enum engine_injection)type, (uint8_t)vector, a->argc > 3,
				      (uint32_t)error };
	if (type == ENGINE_INJECT_NMI)
		snprintf(what, sizeof(what), "nmi");
	else
		snprintf(what, sizeof(what), "%s 0x%x", types[type], (unsigned)vector);
	return done(s, a, v->ops->inject(v->ctx, &e), what, V_NONE,
		    "at the next entry that injects nothing itself", r);
}

static int steer(struct inspect *s, const struct cmd_args *a, enum engine_steering how, struct result *r)
{
	static const char *const states[] = { "as the controls say", "exits are forced",
					      "exits are suppressed" };
	const struct engine_virt *v = session_virt(s);

	if (a->argc != 2)
		return result_fail(r, "%s: %s expects an exit reason (info exits, help %s)", a->name,
				   a->argv[0], a->name);
	return done(s, a, v->ops->steer(v->ctx, a->argv[1], how), a->argv[1], V_NONE, states[how], r);
}

static int control(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	const struct engine_virt *v = session_virt(s);
	const char *word = a->argc > 2 ? a->argv[2] : "flip", *error;
	int on = !strcmp(word, "on") ? 1 : !strcmp(word, "off") ? 0 : -1;
	bool now = false;

	if (a->argc < 2 || a->argc > 3 || (on < 0 && strcmp(word, "flip") != 0))
		return result_fail(r, "%s: control expects NAME [on|off|flip] (info %s-controls)", a->name,
				   a->name);
	error = v->ops->control(v->ctx, a->argv[1], on, &now);
	return done(s, a, error, a->argv[1], V_NONE, now ? "on" : "off", r);
}

static int step(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	const struct engine_virt *v = session_virt(s);
	bool off = a->argc == 2 && !strcmp(a->argv[1], "off");

	if (a->argc > 1 && !off)
		return result_fail(r, "%s: step expects nothing, or off", a->name);
	return done(s, a, v->ops->step(v->ctx, !off), "step", V_NONE,
		    off ? "off" : "an exit follows the guest's next instruction", r);
}

static int cmd_vmx(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	static const char *const ways[] = { "default", "force", "suppress" };
	const char *word = a->argv[0];

	if (refuse_other(s, a, r))
		return -1;
	for (unsigned i = 0; i < ARRAY_LEN(ways); i++)
		if (!strcmp(word, ways[i]))
			return steer(s, a, (enum engine_steering)i, r);
	if (!strcmp(word, "inject"))
		return inject(s, a, r);
	if (!strcmp(word, "control"))
		return control(s, a, r);
	if (!strcmp(word, "step"))
		return step(s, a, r);
	if (strcmp(word, "reset") || a->argc > 1)
		return result_fail(
		    r, "%s: expected force, suppress, default, control, inject, step or reset, not '%s'",
		    a->name, word);
	session_virt(s)->ops->reset(session_virt(s)->ctx);
	return done(s, a, NULL, "counters and log of exits", V_NONE, "empty", r);
}

static const struct command commands[] = {
	{ "vmwrite", NULL, "FIELD EXPR", "write a field of the current VMCS",
	  "FIELD is a name (info vmcs) or an encoding; read-only fields can be written too. What the processor makes of it shows at the next "
	  "VM entry: vmcs-check says before what would fail.",
	  cmd_vmwrite, CMD_MACHINE | CMD_PAUSE | CMD_NEEDS(PART_VIRT), 2, -1, "<vmcs.field> <expr> ..." },
	{ "vmcs-check", NULL, "[all]",
	  "say which checks a VM entry with the current VMCS would fail now, with section and value",
	  "all: every check, with what does not apply. The processor need not try: nothing changes.",
	  cmd_vmcs_check, CMD_MACHINE | CMD_PAUSE | CMD_NEEDS(PART_VIRT), 0, 1, "all" },
	{ "vmx", NULL,
	  "force|suppress|default REASON | control NAME [on|off|flip] | inject interrupt N|exception N [ERROR]|nmi|int "
	  "N|off | step [off] | reset",
	  "change exits, controls and events of the guest's guest by hand",
	  "force: it exits for REASON (a name as in info exits: HLT, IO, RDMSR, EXCEPTION_NMI ...) whatever the controls in the VMCS say; suppress: it "
	  "does not; default REASON or default all: as they say. The VMCS stays as its hypervisor wrote it. control: change a control in the VMCS (info vmx-controls). "
	  "inject: deliver an event at the next VM entry that injects nothing itself, unless off is said before. step: the guest "
	  "exits by the monitor trap flag after its next instruction, once; its hypervisor gets that exit. reset: counters and log of exits are emptied.",
	  cmd_vmx, CMD_MACHINE | CMD_PAUSE | CMD_NEEDS(PART_VIRT), 1, 4,
	  "force|suppress|default|control|inject|step|reset <exits.reason>|<vmx-controls.name>|interrupt|exception|nmi|int|off|all on|off|flip" },
	{ "vmcb-write", NULL, "FIELD EXPR", "write a field of the current VMCB",
	  "FIELD is a name (info vmcb) or an offset. It is written in memory, as its hypervisor does, with the clean bit of its group cleared; the next VMRUN "
	  "reads it. Of a guest that runs, controls and intercepts change at once; its state is the processor's (registers are). vmcb-check says before what would fail.",
	  cmd_vmwrite, CMD_MACHINE | CMD_PAUSE | CMD_NEEDS(PART_VIRT), 2, -1, "<vmcb.field> <expr> ..." },
	{ "vmcb-check", NULL, "[all]",
	  "say which checks VMRUN of the current VMCB would fail now, with section and value",
	  "all: every check, with what does not apply. The processor need not try: nothing changes.",
	  cmd_vmcs_check, CMD_MACHINE | CMD_PAUSE | CMD_NEEDS(PART_VIRT), 0, 1, "all" },
	{ "svm", NULL,
	  "force|suppress|default CODE | control NAME [on|off|flip] | inject interrupt N|exception N [ERROR]|nmi|int N|off | "
	  "reset",
	  "change exits, controls and events of the guest's guest by hand",
	  "force: it exits with CODE (a name as in info exits: CPUID, CR3_WRITE, EXCP_PF, INTR, IOIO, MSR ..., with or without VMEXIT_) whatever the intercepts "
	  "and maps in the VMCB say; suppress: it does not; default CODE or default all: as they say. The VMCB stays as its hypervisor wrote it. control: change a control or an "
	  "intercept in the VMCB (info svm-controls). inject: deliver an event at the next VMRUN that injects nothing itself, unless off is said before. reset: "
	  "counters and log of exits are emptied.",
	  cmd_vmx, CMD_MACHINE | CMD_PAUSE | CMD_NEEDS(PART_VIRT), 1, 4,
	  "force|suppress|default|control|inject|reset <exits.reason>|<svm-controls.name>|interrupt|exception|nmi|int|off|all on|off|flip" },
	{ 0 },
};

const struct command_group cmd_virt_group = { "virtualization", "Guests of the guest", commands };
