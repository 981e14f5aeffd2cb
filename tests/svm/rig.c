/* SPDX-License-Identifier: GPL-3.0-or-later
 * See tests/svm/rig.h. */
#include "tests/svm/rig.h"
#include "tests/suite.h"

#include <stdlib.h>
#include <string.h>

static void memory_read(void *ctx, gpa at, void *buf, unsigned n)
{
	struct rig *r = ctx;

	memset(buf, 0xff, n);
	if (at < RIG_MEMORY && n <= RIG_MEMORY - at)
		memcpy(buf, r->memory + at, n);
}

static void memory_write(void *ctx, gpa at, const void *buf, unsigned n)
{
	struct rig *r = ctx;

	r->writes++;
	if (at < RIG_MEMORY && n <= RIG_MEMORY - at)
		memcpy(r->memory + at, buf, n);
}

static void note_flush(struct svm *x, enum svm_flush what, uint32_t asid)
{
	struct rig *r = x->owner;

	r->flushes++;
	r->flush = what;
	r->asid = asid;
}

static void note_page(struct svm *x, uint64_t address, uint32_t asid)
{
	struct rig *r = x->owner;

	r->flushes++;
	r->address = address;
	r->asid = asid;
}

static const struct svm_ops ops = { .flush = note_flush, .flush_page = note_page };

struct svm_model rig_model(enum svm_generation g, bool long_mode)
{
	return (struct svm_model){
		.generation = g,
		.long_mode = long_mode,
		.pages_1g = long_mode,
		.address = 40,
		.linear = 48,
		.asids = 16,
		.cr4 = 0x003107ff,
		.efer = EFER_NXE | (long_mode ? EFER_SCE | EFER_LME | EFER_LMA : 0),
	};
}

/* ---- the VMCB ---- */

static uint64_t get(const struct rig *r, unsigned at, unsigned width)
{
	uint64_t v = 0;

	memcpy(&v, r->memory + AT_VMCB + at, width);
	return v;
}

static void put(struct rig *r, unsigned at, unsigned width, uint64_t v)
{
	memcpy(r->memory + AT_VMCB + at, &v, width);
}

uint64_t rig_field(const struct rig *r, enum vmcb_field f)
{
	return get(r, vmcb_fields[f].at, vmcb_fields[f].width);
}

static bool same(const char *id, const char *text, size_t len)
{
	return strlen(id) == len && memcmp(id, text, len) == 0;
}

static const char *set_intercept(struct rig *r, const char *text)
{
	size_t len = strcspn(text + 1, ". ");
	bool on = *text == '+';
	unsigned i = 0, code;
	uint64_t w;

	while (i < SVM_EXIT_ROWS && !same(svm_exit_rows[i].id, text + 1, len))
		i++;
	ck_assert_msg(i < SVM_EXIT_ROWS && svm_exit_rows[i].first < SVM_INTERCEPTS, "no exit %s", text);
	code = svm_exit_rows[i].first;
	text += 1 + len;
	if (*text == '.')
		code += (unsigned)strtoul(text + 1, (char **)&text, 16);
	w = get(r, code / 32 * 4, 4);
	w = on ? w | 1u << (code & 31) : w & ~(1u << (code & 31));
	put(r, code / 32 * 4, 4, w);
	return text;
}

static const char *set_control(struct rig *r, const char *text)
{
	size_t len = strcspn(text + 1, "=");
	const struct vmcb_control_row *c = vmcb_controls;
	uint64_t v, mask;

	while (c < vmcb_controls + VMCB_CONTROLS && !same(c->id, text + 1, len))
		c++;
	ck_assert_msg(c < vmcb_controls + VMCB_CONTROLS, "no control %s", text);
	mask = vmcb_bits(c->first, c->last - c->first + 1);
	v = strtoull(text + 1 + len + 1, (char **)&text, 16);
	put(r, vmcb_fields[c->field].at, 8, (rig_field(r, c->field) & ~mask) | (v << c->first & mask));
	return text;
}

static const char *set_field(struct rig *r, const char *text)
{
	size_t len = strcspn(text, "=+-");
	char how = text[len];
	const char *id = text;
	uint64_t v = strtoull(text + len + 1, (char **)&text, 16), old;
	unsigned f = 0;

	if (same("PDPTE.0", id, len)) {
		memcpy(r->memory + AT_ZERO, &v, 8);
		return text;
	}
	while (f < VMCB_FIELDS && !same(vmcb_fields[f].id, id, len))
		f++;
	ck_assert_msg(f < VMCB_FIELDS, "no field %s", id);
	old = rig_field(r, (enum vmcb_field)f);
	put(r, vmcb_fields[f].at, vmcb_fields[f].width, how == '=' ? v : how == '+' ? old | v : old & ~v);
	return text;
}

void rig_set(struct rig *r, const char *text)
{
	while (*(text += strspn(text, " ")))
		text = *text == '+' || *text == '-' ? set_intercept(r, text)
		       : *text == '%'		    ? set_control(r, text)
						    : set_field(r, text);
}

static void valid(struct rig *r, enum rig_mode mode)
{
	rig_set(r, "+VMRUN ASID=1 IOPM_BASE=8000 MSRPM_BASE=b000 EFER=1000 CR0=80000031 CR3=6000 CR4=0 "
		   "DR6=ffff0ff0 DR7=400 RFLAGS=202 RIP=1000 RSP=2000 RAX=55 CR2=77 "
		   "CS_SELECTOR=8 CS_LIMIT=ffffffff CS_ATTRIBUTES=c9b SS_SELECTOR=10 SS_LIMIT=ffffffff "
		   "SS_ATTRIBUTES=c93 DS_SELECTOR=10 DS_LIMIT=ffffffff DS_ATTRIBUTES=c93 "
		   "ES_SELECTOR=10 ES_LIMIT=ffffffff ES_ATTRIBUTES=c93 "
		   "GDTR_LIMIT=ffff GDTR_BASE=5000 IDTR_LIMIT=7ff IDTR_BASE=5800 G_PAT=7040600070406");
	if (mode == RIG_64)
		rig_set(r, "EFER+500 CR4=20 CS_ATTRIBUTES=a9b");
}

void rig_init(struct rig *r, enum rig_mode mode)
{
	struct svm_model m = rig_model(mode == RIG_K8 ? SVM_GEN_K8 : SVM_GEN_ALL, mode != RIG_K8);
	struct svm_state *s = &r->x.s;

	memset(r, 0, sizeof(*r));
	svm_init(&r->x, &m);
	r->x.owner = r;
	r->x.ops = &ops;
	r->x.mem = (struct svm_memory){ r, memory_read, memory_write };
	s->cr0 = CR0_PE | CR0_PG | CR0_ET;
	s->cr3 = 0x7000;
	s->efer = EFER_SVME;
	s->rflags = FL_ONE | FL_IF;
	s->dr7 = DR7_INIT;
	s->rip = HOST_RIP;
	s->gpr[R_EAX] = AT_VMCB;
	s->gpr[R_ESP] = 0x3800;
	for (unsigned i = 0; i < SEG_COUNT; i++)
		s->seg[i] = (struct svm_segment){ 0, 0xffffffff, i == SEG_CS ? 0xc09b : 0xc093,
						  (uint16_t)(i == SEG_CS ? 0x18 : 0x20) };
	s->gdtr = (struct svm_table){ 0x1800, 0x7f };
	s->idtr = (struct svm_table){ 0x1900, 0xff };
	if (mode == RIG_64) {
		s->efer |= EFER_LME | EFER_LMA;
		s->cr4 = CR4_PAE;
		s->seg[SEG_CS].rights = 0xa09b;
	}
	valid(r, mode);
}

void rig_enter(struct rig *r)
{
	enum svm_result e = svm_enter(&r->x, AT_VMCB, HOST_RIP + 3);

	ck_assert_msg(e == SVM_ENTERED, "VMRUN: check %d failed", r->x.failed_check);
}

struct rig *rig_guest(enum rig_mode mode, const char *change)
{
	struct rig *r = malloc(sizeof(*r));

	rig_init(r, mode);
	rig_set(r, change);
	rig_enter(r);
	return r;
}
