/* SPDX-License-Identifier: GPL-3.0-or-later
 * #VMEXIT codes and the values of VMCB fields as text (APM vol. 2 15.7 to 15.14, 15.25, App. B, App. C). */
#include "svm/bits.h"
#include "svm/exits.h"
#include "svm/intercept.h"
#include "svm/view/view_int.h"
#include "x86/exceptions.h"
#include "x86/paging.h"
#include "x86/state_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- codes ---- */

#define EACH16(first, before, after)                                                                         \
	[first] = before "0" after, before "1" after, before "2" after, before "3" after, before "4" after,  \
	before "5" after, before "6" after, before "7" after, before "8" after, before "9" after,            \
	before "10" after, before "11" after, before "12" after, before "13" after, before "14" after,       \
	before "15" after

/* Names of ranges: all codes below EXCEPTION, and CR_WRITTEN. */
static const char *const range_names[SVM_EXIT_CR_WRITTEN + 16] = {
	EACH16(SVM_EXIT_CR_READ, "CR", "_READ"),       EACH16(SVM_EXIT_CR_WRITE, "CR", "_WRITE"),
	EACH16(SVM_EXIT_DR_READ, "DR", "_READ"),       EACH16(SVM_EXIT_DR_WRITE, "DR", "_WRITE"),
	EACH16(SVM_EXIT_CR_WRITTEN, "CR", "_WRITTEN"),
#define EXC(vector, id, name, err, class, dbl, title) [SVM_EXIT_EXCEPTION + vector] = "EXCP_" #id,
#include "x86/exceptions.def"
#undef EXC
};
static const char *const range_titles[SVM_EXIT_CR_WRITTEN + 16] = {
	EACH16(SVM_EXIT_CR_READ, "read of CR", ""),	   EACH16(SVM_EXIT_CR_WRITE, "write of CR", ""),
	EACH16(SVM_EXIT_DR_READ, "read of DR", ""),	   EACH16(SVM_EXIT_DR_WRITE, "write of DR", ""),
	EACH16(SVM_EXIT_CR_WRITTEN, "CR", " was written"),
#define EXC(vector, id, name, err, class, dbl, title) [SVM_EXIT_EXCEPTION + vector] = name ": " title,
#include "x86/exceptions.def"
#undef EXC
};

static const char *of_slot(unsigned slot, const char *const *ranges, const char *invalid, bool title)
{
	uint64_t code = svm_slot_code(slot);
	const struct svm_exit_row *row = svm_exit_row(code);

	if (slot == SVM_SLOT_INVALID)
		return invalid;
	if (code < ARRAY_LEN(range_names) && ranges[code])
		return ranges[code];
	if (!row || row->first != row->last) /* exceptions without a name */
		return NULL;
	return title ? row->name : row->id;
}

const char *svm_slot_name(unsigned slot)
{
	return of_slot(slot, range_names, "INVALID", false);
}

const char *svm_slot_title(unsigned slot)
{
	return of_slot(slot, range_titles, "VMRUN failed a check", true);
}

unsigned svm_slot_named(const char *name)
{
	uint64_t code;

	if (text_number(name, UINT64_MAX, &code))
		return svm_exit_slot(code);
	if (!strncasecmp(name, "VMEXIT_", 7) || !strncasecmp(name, "VMEXIT-", 7))
		name += 7;
	for (unsigned i = 0; i < SVM_SLOTS; i++)
		if (svm_slot_name(i) && text_same_name(name, svm_slot_name(i)))
			return i;
	return SVM_SLOTS;
}

/* ---- events ---- */

void svm_event_text(uint64_t info, char *buf, size_t len)
{
	static const char *const types[] = { "interrupt", "reserved type", "NMI",	    "exception",
					     "INT n",	  "reserved type", "reserved type", "reserved type" };
	struct words w = words_in(buf, len);
	unsigned type = svm_event_type(info), vector = svm_event_vector(info);

	if (!(info & SVM_EVENT_VALID))
		return;
	if (type == SVM_EVENT_EXCEPTION && exc_name(vector))
		words_put(&w, "%s", exc_name(vector));
	else if (type == SVM_EVENT_NMI)
		words_put(&w, "NMI");
	else
		words_put(&w, "%s 0x%x", types[type], vector);
	if (info & SVM_EVENT_ERROR)
		words_put(&w, "with error code 0x%x", (unsigned)(info >> 32));
}

/* ---- EXITINFO1 and 2, by code ---- */

static void put_io(struct words *w, uint64_t info)
{
	words_put(w, "%s%s%s port 0x%x, %u byte%s", info & 8 ? "REP " : "", info & 1 ? "IN" : "OUT",
		  info & 4 ? "S" : "", (unsigned)(info >> 16 & 0xffff), (unsigned)(info >> 4 & 7),
		  info & 0x10 ? "" : "s");
}

static void put_task(struct words *w, uint64_t info1, uint64_t info2)
{
	words_put(w, "to TSS 0x%x%s", (unsigned)(info1 & 0xffff),
		  info2 >> 36 & 1   ? " by IRET"
		  : info2 >> 38 & 1 ? " by JMP"
				    : "");
	if (info2 >> 44 & 1)
		words_put(w, "with error code 0x%x", (unsigned)info2);
}

static void put_npf(struct words *w, uint64_t info1, uint64_t info2)
{
	words_put(w, "%s of %s page at 0x%llx%s",
		  info1 & PF_ERR_ID  ? "fetch"
		  : info1 & PF_ERR_W ? "write"
				     : "read",
		  info1 & PF_ERR_P ? "a protected" : "an unmapped", (unsigned long long)info2,
		  info1 >> 33 & 1 ? ", a paging structure" : "");
	if (info1 & PF_ERR_RSVD)
		words_put(w, "reserved bits");
}

static void put_exception(struct words *w, unsigned vector, uint64_t info1, uint64_t info2)
{
	if (exc_in(EXC_SET_ERROR_CODE, vector))
		words_put(w, "error code 0x%x", (unsigned)info1);
	if (vector == EXC_PF)
		words_put(w, "address 0x%llx", (unsigned long long)info2);
}

static void put_info(struct words *w, uint64_t code, uint64_t info1, uint64_t info2)
{
	if (code < SVM_EXIT_DR_READ || code == SVM_EXIT_CR0_SELECTIVE) {
		if (info1 >> 63)
			words_put(w, "MOV, %s", text_gpr(info1 & 15));
	} else if (code >= SVM_EXIT_EXCEPTION && code < SVM_EXIT_EXCEPTION + EXC_VECTORS) {
		put_exception(w, (unsigned)(code - SVM_EXIT_EXCEPTION), info1, info2);
	} else if (code == SVM_EXIT_IOIO) {
		put_io(w, info1);
	} else if (code == SVM_EXIT_MSR) {
		words_put(w, info1 & 1 ? "WRMSR" : "RDMSR");
	} else if (code == SVM_EXIT_TASK_SWITCH) {
		put_task(w, info1, info2);
	} else if (code == SVM_EXIT_NPF) {
		put_npf(w, info1, info2);
	} else if (code == SVM_EXIT_INT_N) {
		words_put(w, "vector 0x%x", (unsigned)(info1 & 0xff));
	} else if ((code == SVM_EXIT_INVLPG || code == SVM_EXIT_INVLPGA) && info1) {
		words_put(w, "address 0x%llx", (unsigned long long)info1);
	}
}

void svm_exit_text(const struct exit_log_exit *e, char *buf, size_t len)
{
	struct words w = words_in(buf, len);
	char event[80];

	put_info(&w, svm_slot_code(e->slot), e->info[0], e->info[1]);
	svm_event_text(e->vectoring & ~(uint32_t)SVM_EVENT_ERROR, event, sizeof(event));
	if (event[0])
		words_put(&w, "while delivering %s", event);
}

void svm_failure_text(const struct svm_log_failure *f, char *buf, size_t len)
{
	buf[0] = 0;
	if (f->count && f->check < SVM_CHECKS)
		snprintf(buf, len, SVM_FAILED_CHECK, SVM_FAILED_CHECK_ARGS(f));
}

/* ---- fields ---- */

enum vmcb_field svm_field_named(const char *name)
{
	uint64_t at;
	bool number = text_number(name, VMCB_SIZE, &at);

	for (unsigned f = 0; f < VMCB_FIELDS; f++)
		if (number ? vmcb_fields[f].at == at : text_same_name(name, vmcb_fields[f].id))
			return (enum vmcb_field)f;
	return VMCB_FIELDS;
}

static void put_intercepts(struct words *w, unsigned word, uint32_t value)
{
	for (unsigned i = 0; i < 32; i++)
		if (value >> i & 1) {
			const char *name = svm_slot_name(word * 32 + i);

			if (name)
				words_put(w, "%s", name);
			else
				words_put(w, "0x%x", word * 32 + i);
		}
}

static void put_controls(struct words *w, enum vmcb_field f, uint64_t value)
{
	for (unsigned i = 0; i < VMCB_CONTROLS; i++) {
		const struct vmcb_control_row *c = &vmcb_controls[i];
		unsigned n = c->last - c->first + 1u;
		uint64_t bits = value >> c->first & vmcb_bits(0, n);

		if (c->field != f || !bits)
			continue;
		if (n == 1)
			words_put(w, "%s", c->id);
		else
			words_put(w, "%s=0x%llx", c->id, (unsigned long long)bits);
	}
}

static void put_clean(struct words *w, uint64_t value)
{
	for (unsigned i = 0; i < VMCB_CLEAN_BITS; i++)
		if (value >> i & 1 && vmcb_clean_names[i])
			words_put(w, "[%s]", vmcb_clean_names[i]);
}

static void put_flush(struct words *w, uint64_t value)
{
	static const char *const what[] = { "nothing", "all", NULL, "this ASID",
					    NULL,      NULL,  NULL, "this ASID but global pages" };

	words_put(w, "flush %s", value < ARRAY_LEN(what) && what[value] ? what[value] : "reserved");
}

static void put_pat(struct words *w, uint64_t value)
{
	for (unsigned i = 0; i < 8; i++)
		words_put(w, "%s", text_memory_type(value >> (8 * i) & 7));
}

static bool ends(const char *id, const char *with)
{
	size_t n = strlen(id), m = strlen(with);

	return n >= m && !strcmp(id + n - m, with);
}

/* Registers of x86/ whose named bits a field has; NULL: none. */
static const char *const registers[VMCB_FIELDS] = {
	[VMCB_CR0] = "cr0", [VMCB_CR4] = "cr4",	      [VMCB_EFER] = "efer",
	[VMCB_DR7] = "dr7", [VMCB_RFLAGS] = "eflags",
};

void svm_field_text(const struct vmcb *v, enum vmcb_field f, char *buf, size_t len)
{
	const struct vmcb_field_row *row = &vmcb_fields[f];
	uint64_t value = vmcb_get(v, f);
	struct words w = words_in(buf, len);
	char event[80];

	if (registers[f]) {
		text_register(&w, registers[f], value);
	} else if (row->at < SVM_INTERCEPTS / 8) {
		put_intercepts(&w, row->at / 4, (uint32_t)value);
	} else if (ends(row->id, "_ATTRIBUTES")) {
		if (value)
			text_rights(&w, svm_rights(value));
	} else if (ends(row->id, "_SELECTOR")) {
		text_selector(&w, value);
	} else if (f == VMCB_EXIT_CODE) {
		unsigned slot = svm_exit_slot(value);
		const char *title = slot < SVM_SLOTS ? svm_slot_title(slot) : NULL;

		words_put(&w, "%s", title ? title : "?");
	} else if (f == VMCB_EXIT_INFO_1 || f == VMCB_EXIT_INFO_2) {
		if (f == VMCB_EXIT_INFO_1)
			put_info(&w, VMCB_GET(v, EXIT_CODE), value, VMCB_GET(v, EXIT_INFO_2));
	} else if (f == VMCB_EXIT_INT_INFO || f == VMCB_EVENT_INJECTION) {
		svm_event_text(value, event, sizeof(event));
		words_put(&w, "%s", event);
	} else if (f == VMCB_CLEAN) {
		put_clean(&w, value);
	} else if (f == VMCB_TLB_CONTROL) {
		put_flush(&w, value);
	} else if (f == VMCB_G_PAT) {
		put_pat(&w, value);
	} else {
		put_controls(&w, f, value);
	}
}
