/* SPDX-License-Identifier: GPL-3.0-or-later
 * The values of VMCS fields as text (SDM vol. 3C 25.4 to 25.9, 28.2). */
#include "vtx/bits.h"
#include "vtx/view/view_int.h"
#include "x86/exceptions.h"
#include "x86/state_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- names ---- */

enum vmcs_field vmx_field_named(const char *name)
{
	char *end;
	unsigned long encoding = strtoul(name, &end, 0);

	if (end != name && !*end)
		return vmcs_find(encoding);
	for (unsigned f = 0; f < VMCS_FIELDS; f++)
		if (text_same_name(name, vmcs_fields[f].id))
			return (enum vmcs_field)f;
	return VMCS_NO_FIELD;
}

unsigned vmx_reason_named(const char *name)
{
	char *end;
	unsigned long n = strtoul(name, &end, 0);

	if (end != name && !*end)
		return n < VMX_REASONS && vmx_reasons[n].name ? (unsigned)n : VMX_REASONS;
	for (unsigned i = 0; i < VMX_REASONS; i++)
		if (vmx_reasons[i].name && text_same_name(name, vmx_reasons[i].id))
			return i;
	return VMX_REASONS;
}

const char *vmx_reason_text(uint32_t reason, char *buf, size_t len)
{
	unsigned n = reason & 0xffff;

	if (n < VMX_REASONS && vmx_reasons[n].name)
		snprintf(buf, len, "%s", vmx_reasons[n].name);
	else
		snprintf(buf, len, "reason %u", n);
	return buf;
}

/* ---- events ---- */

static const char *const event_types[] = { "external interrupt", "reserved type", "NMI",
					   "exception",		 "INT n",	  "INT1",
					   "INT3/INTO",		 "MTF exit" };

void vmx_event_text(uint32_t info, char *buf, size_t len)
{
	unsigned vector = vmx_event_vector(info);
	enum vmx_event_type type = vmx_event_type(info);
	bool named = type == VMX_EVENT_EXCEPTION || type == VMX_EVENT_INT1 || type == VMX_EVENT_INT3_INTO;

	buf[0] = 0;
	if (!(info & EVENT_VALID))
		return;
	if (named && exc_name(vector))
		snprintf(buf, len, "%s%s", exc_name(vector),
			 info & EVENT_ERROR_CODE ? " with error code" : "");
	else if (type == VMX_EVENT_NMI || type == VMX_EVENT_OTHER)
		snprintf(buf, len, "%s", event_types[type]);
	else
		snprintf(buf, len, "%s 0x%x", event_types[type], vector);
}

/* ---- qualifications, by exit reason ---- */

static void cr_access(struct words *t, uint64_t q)
{
	static const char *const access[] = { "write", "read", "CLTS", "LMSW" };
	unsigned how = q >> 4 & 3;

	if (how == 2)
		words_put(t, "CLTS");
	else if (how == 3)
		words_put(t, "LMSW 0x%x", (unsigned)(q >> 16 & 0xffff));
	else
		words_put(t, "%s CR%u %s %s", access[how], (unsigned)(q & 15), how ? "to" : "from",
			  text_gpr(q >> 8 & 15));
}

static void dr_access(struct words *t, uint64_t q)
{
	words_put(t, "%s DR%u %s %s", q & 0x10 ? "read" : "write", (unsigned)(q & 7),
		  q & 0x10 ? "to" : "from", text_gpr(q >> 8 & 15));
}

static void io_access(struct words *t, uint64_t q)
{
	words_put(t, "%s%s%s port 0x%x, %u byte%s", q & 0x20 ? "REP " : "", q & 8 ? "IN" : "OUT",
		  q & 0x10 ? "S" : "", (unsigned)(q >> 16 & 0xffff), (unsigned)(q & 7) + 1, q & 7 ? "s" : "");
}

static void task_switch(struct words *t, uint64_t q)
{
	static const char *const source[] = { "CALL", "IRET", "JMP", "task gate" };

	words_put(t, "by %s to TSS 0x%x", source[q >> 30 & 3], (unsigned)(q & 0xffff));
}

static void ept_violation(struct words *t, uint64_t q)
{
	static const char *const access[] = { "read", "write", "fetch" };
	static const char *const rights[] = { "r", "w", "x" };

	words_bits(t, q, access, ARRAY_LEN(access));
	words_put(t, "of");
	if (!(q >> 3 & 7))
		words_put(t, "an unmapped page");
	else
		words_put(t, "a page %s%s%s", q & 8 ? rights[0] : "-", q & 16 ? rights[1] : "-",
			  q & 32 ? rights[2] : "-");
	if (q & 0x80)
		words_put(t, q & 0x100 ? "at a linear address" : "of a paging structure");
}

static void debug_exception(struct words *t, uint64_t q)
{
	static const char *const bits[] = {
		"B0", "B1", "B2", "B3", [11] = "BLD", [13] = "BD", [14] = "BS", [15] = "BT", [16] = "RTM"
	};

	words_bits(t, q, bits, ARRAY_LEN(bits));
}

static void apic_access(struct words *t, uint64_t q)
{
	words_put(t, "offset 0x%x, type %u", (unsigned)(q & 0xfff), (unsigned)(q >> 12 & 15));
}

static void of_address(struct words *t, uint64_t q)
{
	words_put(t, "address 0x%llx", (unsigned long long)q);
}

static void of_vector(struct words *t, uint64_t q)
{
	words_put(t, "vector 0x%x", (unsigned)(q & 0xff));
}

static void entry_failure(struct words *t, uint64_t q)
{
	static const char *const why[] = { [2] = "PDPTEs", [3] = "NMI injection", [4] = "VMCS link pointer" };

	if (q < ARRAY_LEN(why) && why[q])
		words_put(t, "%s", why[q]);
}

static void msr_failure(struct words *t, uint64_t q)
{
	words_put(t, "entry %llu of the list", (unsigned long long)q);
}

static void (*const qualifications[VMX_REASONS])(struct words *t, uint64_t q) = {
	[VMX_REASON_CR_ACCESS] = cr_access,
	[VMX_REASON_MOV_DR] = dr_access,
	[VMX_REASON_IO] = io_access,
	[VMX_REASON_TASK_SWITCH] = task_switch,
	[VMX_REASON_EPT_VIOLATION] = ept_violation,
	[VMX_REASON_APIC_ACCESS] = apic_access,
	[VMX_REASON_APIC_WRITE] = apic_access,
	[VMX_REASON_INVLPG] = of_address,
	[VMX_REASON_SIPI] = of_vector,
	[VMX_REASON_VIRTUAL_EOI] = of_vector,
	[VMX_REASON_ENTRY_GUEST_STATE] = entry_failure,
	[VMX_REASON_ENTRY_MSR_LOADING] = msr_failure,
};

static void put_qualification(struct words *t, uint32_t reason, uint32_t event, uint64_t q)
{
	unsigned basic = reason & 0xffff;

	if (basic == VMX_REASON_EXCEPTION_NMI && event & EVENT_VALID) {
		if (vmx_event_vector(event) == EXC_PF)
			of_address(t, q);
		else if (vmx_event_vector(event) == EXC_DB)
			debug_exception(t, q);
	} else if (basic < VMX_REASONS && qualifications[basic]) {
		qualifications[basic](t, q);
	}
}

void vmx_exit_text(const struct exit_log_exit *e, char *buf, size_t len)
{
	struct words t = words_in(buf, len);
	char event[80];

	vmx_event_text(e->event, event, sizeof(event));
	if (event[0])
		words_put(&t, "%s", event);
	if (e->event & EVENT_ERROR_CODE && e->event & EVENT_VALID)
		words_put(&t, "0x%x", e->event_error);
	put_qualification(&t, e->code, e->event, e->info[0]);
	if ((e->code & 0xffff) == VMX_REASON_EPT_VIOLATION ||
	    (e->code & 0xffff) == VMX_REASON_EPT_MISCONFIGURATION)
		words_put(&t, "physical 0x%llx", (unsigned long long)e->info[2]);
	vmx_event_text(e->vectoring, event, sizeof(event));
	if (event[0])
		words_put(&t, "while delivering %s", event);
}

void vmx_failure_text(const struct vmx_log_failure *f, char *buf, size_t len)
{
	buf[0] = 0;
	if (!f->count)
		return;
	if (f->check < VMX_CHECKS)
		snprintf(buf, len, VMX_FAILED_CHECK, VMX_FAILED_CHECK_ARGS(f));
	else if (f->msr.number)
		snprintf(buf, len, VMX_FAILED_MSR, VMX_FAILED_MSR_ARGS(f));
	else
		snprintf(buf, len, "%s", vmx_error_text(f->error));
}

/* ---- fields ---- */

static void put_controls(struct words *t, enum vmcs_field f, uint64_t value)
{
	for (unsigned i = 0; i < VMX_CONTROLS; i++) {
		const char *id = vmx_controls[i].id;

		if (vmx_words[vmx_controls[i].word].field == f && value >> vmx_controls[i].bit & 1)
			words_put(t, "%s", strchr(id, '_') + 1);
	}
}

static void put_eptp(struct words *t, uint64_t value)
{
	words_put(t, "%s, %u levels%s, root 0x%llx", text_memory_type(value & 7),
		  (unsigned)(value >> 3 & 7) + 1, value & 0x40 ? ", A/D" : "",
		  (unsigned long long)(value & ~(uint64_t)PAGE_MASK));
}

static void put_event(struct words *t, uint64_t value)
{
	char event[80];

	vmx_event_text((uint32_t)value, event, sizeof(event));
	if (event[0])
		words_put(t, "%s", event);
}

static void put_state(struct words *t, enum vmcs_field f, uint64_t value)
{
	static const char *const blocked[] = { "STI", "MOV-SS", "SMI", "NMI", "enclave" };
	static const char *const activity[] = { "active", "HLT", "shutdown", "wait-for-SIPI" };
	static const char *const pending[] = {
		"B0", "B1", "B2", "B3", [11] = "bus-lock", [12] = "enabled", [14] = "BS"
	};

	if (f == VMCS_GUEST_INTERRUPTIBILITY)
		words_bits(t, value, blocked, ARRAY_LEN(blocked));
	else if (f == VMCS_GUEST_ACTIVITY)
		words_put(t, "%s", value < ARRAY_LEN(activity) ? activity[value] : "?");
	else
		words_bits(t, value, pending, ARRAY_LEN(pending));
}

/* Registers of x86/ whose named bits a field has; NULL: none. */
static const char *const registers[VMCS_FIELDS] = {
	[VMCS_GUEST_CR0] = "cr0",	[VMCS_HOST_CR0] = "cr0",	 [VMCS_CR0_MASK] = "cr0",
	[VMCS_CR0_READ_SHADOW] = "cr0", [VMCS_GUEST_CR4] = "cr4",	 [VMCS_HOST_CR4] = "cr4",
	[VMCS_CR4_MASK] = "cr4",	[VMCS_CR4_READ_SHADOW] = "cr4",	 [VMCS_GUEST_RFLAGS] = "eflags",
	[VMCS_GUEST_DR7] = "dr7",	[VMCS_GUEST_IA32_EFER] = "efer", [VMCS_HOST_IA32_EFER] = "efer",
};

static bool ends(const char *id, const char *with)
{
	size_t n = strlen(id), m = strlen(with);

	return n >= m && !strcmp(id + n - m, with);
}

void vmx_field_text(const struct vmcs_region *r, enum vmcs_field f, uint64_t value, char *buf, size_t len)
{
	struct words t = words_in(buf, len);
	const char *id = vmcs_fields[f].id;
	char reason[80];

	if (registers[f])
		text_register(&t, registers[f], value);
	else if (ends(id, "_CONTROLS"))
		put_controls(&t, f, value);
	else if (ends(id, "_ACCESS_RIGHTS"))
		text_rights(&t, (uint32_t)value);
	else if (ends(id, "_SELECTOR"))
		text_selector(&t, value);
	else if (ends(id, "INTERRUPTION_INFO") || f == VMCS_IDT_VECTORING_INFO)
		put_event(&t, value);
	else if (f == VMCS_EXCEPTION_BITMAP)
		text_exceptions(&t, (uint32_t)value);
	else if (f == VMCS_EPT_POINTER && value)
		put_eptp(&t, value);
	else if (f == VMCS_GUEST_INTERRUPTIBILITY || f == VMCS_GUEST_ACTIVITY ||
		 f == VMCS_GUEST_PENDING_DEBUG)
		put_state(&t, f, value);
	else if (f == VMCS_EXIT_REASON)
		words_put(&t, "%s", vmx_reason_text((uint32_t)value, reason, sizeof(reason)));
	else if (f == VMCS_EXIT_QUALIFICATION)
		put_qualification(&t, (uint32_t)r->value[VMCS_EXIT_REASON],
				  (uint32_t)r->value[VMCS_EXIT_INTERRUPTION_INFO], value);
	else if (f == VMCS_VM_INSTRUCTION_ERROR && value && vmx_error_text((unsigned)value))
		words_put(&t, "%s", vmx_error_text((unsigned)value));
	else if (f == VMCS_VMCS_LINK_POINTER && value == VMCS_NONE)
		words_put(&t, "none");
}
