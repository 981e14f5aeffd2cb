/* SPDX-License-Identifier: GPL-3.0-or-later
 * The values of VMCS fields as text (SDM vol. 3C 25.4 to 25.9, 28.2). */
#include "vtx/bits.h"
#include "vtx/view/view_int.h"
#include "x86/exceptions.h"
#include "x86/regs.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- building a line of words ---- */

struct text {
	char *buf;
	size_t len, n;
};

static void put(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (t->n + 2 >= t->len)
		return;
	if (t->n)
		t->buf[t->n++] = ' ';
	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->n, t->len - t->n, fmt, ap);
	va_end(ap);
	t->n = n < 0 || t->n + (size_t)n >= t->len ? t->len - 1 : t->n + (size_t)n;
}

/* NAMES: words for bits 0, 1...; NULL: none. */
static void put_bits(struct text *t, uint64_t value, const char *const *names, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (value >> i & 1 && names[i])
			put(t, "%s", names[i]);
}

/* ---- names ---- */

static char plain(char c)
{
	return c == '-' || c == ' ' ? '_' : (char)toupper((unsigned char)c);
}

bool vmx_same_name(const char *a, const char *b)
{
	for (; plain(*a) == plain(*b); a++, b++)
		if (!*a)
			return true;
	return false;
}

enum vmcs_field vmx_field_named(const char *name)
{
	char *end;
	unsigned long encoding = strtoul(name, &end, 0);

	if (end != name && !*end)
		return vmcs_find(encoding);
	for (unsigned f = 0; f < VMCS_FIELDS; f++)
		if (vmx_same_name(name, vmcs_fields[f].id))
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
		if (vmx_reasons[i].name && vmx_same_name(name, vmx_reasons[i].id))
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

static const char *const gprs[] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
				    "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15" };

static void cr_access(struct text *t, uint64_t q)
{
	static const char *const access[] = { "write", "read", "CLTS", "LMSW" };
	unsigned how = q >> 4 & 3;

	if (how == 2)
		put(t, "CLTS");
	else if (how == 3)
		put(t, "LMSW 0x%x", (unsigned)(q >> 16 & 0xffff));
	else
		put(t, "%s CR%u %s %s", access[how], (unsigned)(q & 15), how ? "to" : "from",
		    gprs[q >> 8 & 15]);
}

static void dr_access(struct text *t, uint64_t q)
{
	put(t, "%s DR%u %s %s", q & 0x10 ? "read" : "write", (unsigned)(q & 7), q & 0x10 ? "to" : "from",
	    gprs[q >> 8 & 15]);
}

static void io_access(struct text *t, uint64_t q)
{
	put(t, "%s%s%s port 0x%x, %u byte%s", q & 0x20 ? "REP " : "", q & 8 ? "IN" : "OUT",
	    q & 0x10 ? "S" : "", (unsigned)(q >> 16 & 0xffff), (unsigned)(q & 7) + 1, q & 7 ? "s" : "");
}

static void task_switch(struct text *t, uint64_t q)
{
	static const char *const source[] = { "CALL", "IRET", "JMP", "task gate" };

	put(t, "by %s to TSS 0x%x", source[q >> 30 & 3], (unsigned)(q & 0xffff));
}

static void ept_violation(struct text *t, uint64_t q)
{
	static const char *const access[] = { "read", "write", "fetch" };
	static const char *const rights[] = { "r", "w", "x" };

	put_bits(t, q, access, ARRAY_LEN(access));
	put(t, "of");
	if (!(q >> 3 & 7))
		put(t, "an unmapped page");
	else
		put(t, "a page %s%s%s", q & 8 ? rights[0] : "-", q & 16 ? rights[1] : "-",
		    q & 32 ? rights[2] : "-");
	if (q & 0x80)
		put(t, q & 0x100 ? "at a linear address" : "of a paging structure");
}

static void debug_exception(struct text *t, uint64_t q)
{
	static const char *const bits[] = {
		"B0", "B1", "B2", "B3", [11] = "BLD", [13] = "BD", [14] = "BS", [15] = "BT", [16] = "RTM"
	};

	put_bits(t, q, bits, ARRAY_LEN(bits));
}

static void apic_access(struct text *t, uint64_t q)
{
	put(t, "offset 0x%x, type %u", (unsigned)(q & 0xfff), (unsigned)(q >> 12 & 15));
}

static void of_address(struct text *t, uint64_t q)
{
	put(t, "address 0x%llx", (unsigned long long)q);
}

static void of_vector(struct text *t, uint64_t q)
{
	put(t, "vector 0x%x", (unsigned)(q & 0xff));
}

static void entry_failure(struct text *t, uint64_t q)
{
	static const char *const why[] = { [2] = "PDPTEs", [3] = "NMI injection", [4] = "VMCS link pointer" };

	if (q < ARRAY_LEN(why) && why[q])
		put(t, "%s", why[q]);
}

static void msr_failure(struct text *t, uint64_t q)
{
	put(t, "entry %llu of the list", (unsigned long long)q);
}

static void (*const qualifications[VMX_REASONS])(struct text *t, uint64_t q) = {
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

static void put_qualification(struct text *t, uint32_t reason, uint32_t event, uint64_t q)
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

void vmx_exit_text(const struct vmx_log_exit *e, char *buf, size_t len)
{
	struct text t = { buf, len, 0 };
	char event[80];

	buf[0] = 0;
	vmx_event_text(e->event, event, sizeof(event));
	if (event[0])
		put(&t, "%s", event);
	if (e->event & EVENT_ERROR_CODE && e->event & EVENT_VALID)
		put(&t, "0x%x", e->event_error);
	put_qualification(&t, e->reason, e->event, e->qualification);
	if ((e->reason & 0xffff) == VMX_REASON_EPT_VIOLATION ||
	    (e->reason & 0xffff) == VMX_REASON_EPT_MISCONFIGURATION)
		put(&t, "physical 0x%llx", (unsigned long long)e->physical);
	vmx_event_text(e->vectoring, event, sizeof(event));
	if (event[0])
		put(&t, "while delivering %s", event);
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

static void put_register(struct text *t, const char *name, uint64_t value)
{
	const struct reg_info *r = reg_find(name);
	char flags[300];

	if (!r)
		return;
	reg_flags_text(r, value, flags, sizeof(flags));
	if (flags[0])
		put(t, "%s", flags);
}

static void put_controls(struct text *t, enum vmcs_field f, uint64_t value)
{
	for (unsigned i = 0; i < VMX_CONTROLS; i++) {
		const char *id = vmx_controls[i].id;

		if (vmx_words[vmx_controls[i].word].field == f && value >> vmx_controls[i].bit & 1)
			put(t, "%s", strchr(id, '_') + 1);
	}
}

static void put_rights(struct text *t, uint64_t value)
{
	if (value & SA_UNUSABLE) {
		put(t, "unusable");
		return;
	}
	if (!(value & SA_S))
		put(t, "system type %u", (unsigned)(value & 15));
	else if (value & SA_CODE)
		put(t, "code%s%s", value & SA_RW ? " readable" : "", value & SA_EC ? " conforming" : "");
	else
		put(t, "data%s%s", value & SA_RW ? " writable" : "", value & SA_EC ? " expand-down" : "");
	put(t, "DPL=%u", (unsigned)(value >> SA_DPL_SHIFT & 3));
	put(t, "%s%s%s%s", value & SA_P ? "P" : "absent", value & SA_DB ? " 32-bit" : "",
	    value & SA_L ? " 64-bit" : "", value & SA_G ? " G" : "");
}

static void put_selector(struct text *t, uint64_t value)
{
	if (value)
		put(t, "%s[%u] RPL=%u", value & 4 ? "LDT" : "GDT", (unsigned)(value >> 3),
		    (unsigned)(value & 3));
}

static void put_exceptions(struct text *t, uint64_t value)
{
	for (unsigned i = 0; i < 32; i++)
		if (value >> i & 1) {
			if (exc_name(i))
				put(t, "%s", exc_name(i));
			else
				put(t, "%u", i);
		}
}

static void put_eptp(struct text *t, uint64_t value)
{
	static const char *const types[] = { "UC", "WC", "?", "?", "WT", "WP", "WB", "UC-" };

	put(t, "%s, %u levels%s, root 0x%llx", types[value & 7], (unsigned)(value >> 3 & 7) + 1,
	    value & 0x40 ? ", A/D" : "", (unsigned long long)(value & ~(uint64_t)PAGE_MASK));
}

static void put_event(struct text *t, uint64_t value)
{
	char event[80];

	vmx_event_text((uint32_t)value, event, sizeof(event));
	if (event[0])
		put(t, "%s", event);
}

static void put_state(struct text *t, enum vmcs_field f, uint64_t value)
{
	static const char *const blocked[] = { "STI", "MOV-SS", "SMI", "NMI", "enclave" };
	static const char *const activity[] = { "active", "HLT", "shutdown", "wait-for-SIPI" };
	static const char *const pending[] = {
		"B0", "B1", "B2", "B3", [11] = "bus-lock", [12] = "enabled", [14] = "BS"
	};

	if (f == VMCS_GUEST_INTERRUPTIBILITY)
		put_bits(t, value, blocked, ARRAY_LEN(blocked));
	else if (f == VMCS_GUEST_ACTIVITY)
		put(t, "%s", value < ARRAY_LEN(activity) ? activity[value] : "?");
	else
		put_bits(t, value, pending, ARRAY_LEN(pending));
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
	struct text t = { buf, len, 0 };
	const char *id = vmcs_fields[f].id;
	char reason[80];

	buf[0] = 0;
	if (registers[f])
		put_register(&t, registers[f], value);
	else if (ends(id, "_CONTROLS"))
		put_controls(&t, f, value);
	else if (ends(id, "_ACCESS_RIGHTS"))
		put_rights(&t, value);
	else if (ends(id, "_SELECTOR"))
		put_selector(&t, value);
	else if (ends(id, "INTERRUPTION_INFO") || f == VMCS_IDT_VECTORING_INFO)
		put_event(&t, value);
	else if (f == VMCS_EXCEPTION_BITMAP)
		put_exceptions(&t, value);
	else if (f == VMCS_EPT_POINTER && value)
		put_eptp(&t, value);
	else if (f == VMCS_GUEST_INTERRUPTIBILITY || f == VMCS_GUEST_ACTIVITY ||
		 f == VMCS_GUEST_PENDING_DEBUG)
		put_state(&t, f, value);
	else if (f == VMCS_EXIT_REASON)
		put(&t, "%s", vmx_reason_text((uint32_t)value, reason, sizeof(reason)));
	else if (f == VMCS_EXIT_QUALIFICATION)
		put_qualification(&t, (uint32_t)r->value[VMCS_EXIT_REASON],
				  (uint32_t)r->value[VMCS_EXIT_INTERRUPTION_INFO], value);
	else if (f == VMCS_VM_INSTRUCTION_ERROR && value && vmx_error_text((unsigned)value))
		put(&t, "%s", vmx_error_text((unsigned)value));
	else if (f == VMCS_VMCS_LINK_POINTER && value == VMCS_NONE)
		put(&t, "none");
}
