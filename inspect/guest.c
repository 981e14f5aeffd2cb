/* SPDX-License-Identifier: GPL-3.0-or-later
 * Access to the guest's processor and memory, and the environment in which expressions about
 * the guest are evaluated. */
#include "inspect/session_int.h"
#include "base/alloc.h"
#include "mm/nested.h"
#include "x86/descriptor.h"
#include "x86/model.h"
#include "x86/regs.h"

#include <stdlib.h>
#include <string.h>

#define PHYSICAL_END (1ull << 52) /* no processor has more */

struct cpu *session_cpu(struct inspect *s)
{
	return &machine_vcpu(s->m)->cpu;
}

gva session_pc(struct inspect *s)
{
	return cpu_pc(session_cpu(s));
}

unsigned session_code_bits(struct inspect *s)
{
	const struct cpu *c = session_cpu(s);

	return cpu_64(c) ? 64 : c->seg[SEG_CS].attr & SA_DB ? 32 : 16;
}

gva session_linear(struct inspect *s, uint64_t addr)
{
	return cpu_long(session_cpu(s)) ? addr : (uint32_t)addr;
}

bool session_is_linear(struct inspect *s, int64_t addr)
{
	return (addr >= 0 && addr <= UINT32_MAX) ||
	       (cpu_long(session_cpu(s)) && cpu_canonical((uint64_t)addr));
}

bool session_may_be_linear(struct inspect *s, int64_t addr)
{
	const struct vcpu *v = machine_vcpu(s->m);

	return session_is_linear(s, addr) ||
	       (v->plat.cpuid && cpu_has_long_mode(&v->plat, &v->cpu) && cpu_canonical((uint64_t)addr));
}

bool session_is_range(struct inspect *s, bool physical, bool may, int64_t addr, int64_t len)
{
	uint64_t last = (uint64_t)addr + (uint64_t)len - 1;

	if (len < 1 || last < (uint64_t)addr)
		return false;
	if (physical)
		return last < PHYSICAL_END;
	return may ? session_may_be_linear(s, addr) && session_may_be_linear(s, (int64_t)last)
		   : session_is_linear(s, addr) && session_is_linear(s, (int64_t)last);
}

uint64_t session_sp(struct inspect *s)
{
	const struct cpu *c = session_cpu(s);

	return cpu_64(c) ? c->gpr[R_ESP] : (uint32_t)c->gpr[R_ESP];
}

gva session_segment(struct inspect *s, enum seg seg)
{
	const struct cpu *c = session_cpu(s);

	return cpu_64(c) && seg != SEG_FS && seg != SEG_GS ? 0 : c->seg[seg].base;
}

/* Without an mmu linear addresses are known only while paging is off: they are physical then. */
static bool is_flat(struct inspect *s)
{
	return !(session_cpu(s)->cr0 & CR0_PG);
}

bool session_walk(struct inspect *s, gva lin, struct walk *w)
{
	struct mmu *mmu = machine_vcpu(s->m)->mmu;

	lin = session_linear(s, lin);
	if (mmu && !cpu_canonical(lin)) {
		*w = (struct walk){ 0 };
		return true;
	}
	if (mmu) {
		mmu_walk(mmu, lin, MM_READ | MM_PROBE, w);
		return true;
	}
	*w = (struct walk){ .ok = is_flat(s), .pa = lin, .page_shift = 32, .user = true, .writable = true };
	return w->ok;
}

uint64_t session_walk_span(struct inspect *s, const struct walk *w)
{
	/* columns: level at which the walk ended; log2 of the bytes that an entry there maps */
	static const uint8_t shifts[3][4] = { { 22, 12 }, { 30, 21, 12 }, { 39, 30, 21, 12 } };
	const struct cpu *c = session_cpu(s);
	unsigned mode = cpu_long(c) ? 2 : c->cr4 & CR4_PAE ? 1 : 0;

	if (w->second.exits)
		return PAGE_SIZE;
	if (w->ok && w->second.on && w->second.shift < w->page_shift)
		return 1ull << w->second.shift;
	if (w->ok)
		return 1ull << w->page_shift;
	return w->nlevels ? 1ull << shifts[mode][w->nlevels - 1] : PAGE_SIZE;
}

static bool read_piece(struct inspect *s, bool physical, uint64_t addr, void *buf, size_t n)
{
	struct mmu *mmu = machine_vcpu(s->m)->mmu;

	if (physical)
		return mm_phys_read(machine_vm(s->m), addr, buf, n);
	addr = session_linear(s, addr);
	if (!mmu)
		return is_flat(s) && mm_phys_read(machine_vm(s->m), addr, buf, n);
	return cpu_canonical(addr) && mmu_read(mmu, addr, buf, (unsigned)n, MM_READ | MM_PROBE) == 0;
}

bool session_write(struct inspect *s, bool physical, uint64_t addr, const void *buf, size_t n)
{
	struct mmu *mmu = machine_vcpu(s->m)->mmu;

	if (physical)
		return mm_phys_write(machine_vm(s->m), addr, buf, n);
	addr = session_linear(s, addr);
	if (!mmu)
		return is_flat(s) && mm_phys_write(machine_vm(s->m), addr, buf, n);
	return cpu_canonical(addr) && mmu_write(mmu, addr, buf, (unsigned)n, MM_WRITE | MM_PROBE) == 0;
}

void session_flush(struct inspect *s)
{
	struct mmu *mmu = machine_vcpu(s->m)->mmu;

	if (!mmu)
		return;
	mmu_flush(mmu, true);
	mmu_nested_invalidate(mmu, NESTED_SECOND, 0, 0, 0);
}

size_t session_read(struct inspect *s, bool physical, uint64_t addr, void *buf, size_t n)
{
	size_t done = 0;

	while (done < n) {
		size_t piece = PAGE_SIZE - ((addr + done) & PAGE_MASK);

		if (piece > n - done)
			piece = n - done;
		if (!read_piece(s, physical, addr + done, (char *)buf + done, piece))
			break;
		done += piece;
	}
	return done;
}

void session_changed(struct inspect *s)
{
	struct vcpu *v = machine_vcpu(s->m);

	v->ops->state_changed(v);
	run_publish(s);
}

/* ---- the environment of expressions ---- */

struct variable *session_variable(struct inspect *s, const char *name, bool make)
{
	struct variable *v;

	for (size_t i = 0; i < s->nvars; i++)
		if (!strcmp(s->vars[i].name, name))
			return &s->vars[i];
	if (!make)
		return NULL;
	s->vars = xreallocarray(s->vars, s->nvars + 1, sizeof(*s->vars));
	v = &s->vars[s->nvars++];
	*v = (struct variable){ 0 };
	snprintf(v->name, sizeof(v->name), "%s", name);
	return v;
}

/* $task, $pid, $tgid, $kaslr of a Linux guest. */
static bool env_task(struct inspect *s, const char *name, uint64_t *val)
{
	struct lx_task t;

	if (!strcmp(name, "kaslr") && s->kernel.k) {
		*val = lx_offset(s->kernel.k);
		return true;
	}
	if ((strcmp(name, "task") && strcmp(name, "pid") && strcmp(name, "tgid")) || !kernel_task(s, &t))
		return false;
	*val = !strcmp(name, "task") ? t.addr : !strcmp(name, "pid") ? t.pid : t.tgid;
	return true;
}

static bool env_reg(void *ctx, const char *name, uint64_t *val)
{
	const struct reg_info *r = reg_find(name);
	struct inspect *s = ctx;
	struct variable *v;

	if (r && s->m)
		*val = reg_get(session_cpu(s), r);
	else if (!strcmp(name, "cr8") && s->m)
		*val = machine_cr8(s->m);
	else if (!strcmp(name, "icount") && s->m)
		*val = machine_vcpu(s->m)->icount;
	else if (!strcmp(name, "event") && s->m)
		*val = machine_vcpu(s->m)->event.number;
	else if (!strcmp(name, "value") && s->m)
		*val = machine_vcpu(s->m)->event.val;
	else if (!strcmp(name, "exit") && s->m)
		*val = (uint64_t)(int64_t)inspect_exit_status(s, NULL, 0);
	else if (env_task(s, name, val))
		return true;
	else if ((v = session_variable(s, name, false)))
		*val = v->val;
	else
		return false;
	return true;
}

static bool env_symbol(void *ctx, const char *name, uint64_t *val)
{
	struct inspect *s = ctx;
	const struct symbol *sym = symbols_find(&s->symbols, name);

	if (!sym)
		return false;
	*val = sym->addr;
	return true;
}

static bool env_read(void *ctx, uint64_t addr, unsigned size, uint64_t *val)
{
	struct inspect *s = ctx;

	*val = 0;
	return s->m && session_is_linear(s, (int64_t)addr) && session_read(s, false, addr, val, size) == size;
}

struct expr_env session_env(struct inspect *s)
{
	return (struct expr_env){ .ctx = s,
				  .reg = env_reg,
				  .symbol = env_symbol,
				  .read = env_read,
				  .wide = s->m && session_code_bits(s) == 64 };
}

/* Find the base of SELECTOR's segment. False: in protected mode, and no segment register holds SELECTOR. */
static bool segment_base(struct inspect *s, uint16_t selector, gva *base)
{
	const struct cpu *c = session_cpu(s);

	*base = (uint32_t)selector << 4;
	if (!cpu_pe(c) || cpu_v86(c))
		return true;
	for (unsigned i = 0; i < ARRAY_LEN(c->seg); i++)
		if (c->seg[i].sel == selector && !sel_null(selector)) {
			*base = session_segment(s, (enum seg)i);
			return true;
		}
	return false;
}

bool session_place(struct inspect *s, const char **text, int64_t *addr, struct expr_error *err)
{
	struct expr_env env = session_env(s);
	struct source_places p;
	int64_t selector;
	gva base;

	if (session_source_place(s, text, &p)) {
		*addr = p.count ? (int64_t)p.at[0] : 0;
		err->status = p.count ? EXPR_OK : EXPR_WRONG;
		snprintf(err->text, sizeof(err->text), "no code at line %d of %.100s or behind it", p.wanted,
			 p.file);
		return p.count;
	}
	if (!expr_eval_prefix(&env, text, addr, err))
		return false;
	if (**text != ':' || !s->m)
		return true;
	selector = *addr;
	++*text;
	if (!expr_eval_prefix(&env, text, addr, err))
		return false;
	if (selector < 0 || selector > 0xffff || !segment_base(s, (uint16_t)selector, &base)) {
		err->status = EXPR_WRONG;
		snprintf(err->text, sizeof(err->text), "0x%llx is not the selector of a loaded segment",
			 (unsigned long long)selector);
		return false;
	}
	*addr = (int64_t)session_linear(
	    s, base + (session_code_bits(s) == 64 ? (uint64_t)*addr : (uint32_t)*addr));
	return true;
}

int session_place_all(struct inspect *s, const char *text, int64_t *addr, struct result *r)
{
	struct expr_error err;

	if (!session_place(s, &text, addr, &err))
		return result_fail(r, "%s", err.text);
	return *text ? result_fail(r, "unexpected '%.20s'", text) : 0;
}

int session_eval(struct inspect *s, const char *text, int64_t *val, struct result *r)
{
	struct expr_env env = session_env(s);
	struct expr_error err;

	if (expr_eval(&env, text, val, &err))
		return 0;
	return result_fail(r, "%s", err.text);
}

int session_address(struct inspect *s, const struct cmd_args *a, int i, struct result *r, gva *out)
{
	int64_t v = (int64_t)session_pc(s);

	if (i < a->argc && session_eval(s, a->argv[i], &v, r))
		return -1;
	if (!session_is_linear(s, v))
		return result_fail(r, "%s: 0x%llx is not an address of this guest", a->name,
				   (unsigned long long)v);
	*out = (gva)v;
	return 0;
}
