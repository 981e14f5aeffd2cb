/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/mm/world.h"

#include "mm/window/region.h"
#include "tests/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

static bool pae_of(const struct world *w)
{
	return w->cpu.cr4 & CR4_PAE;
}

static unsigned per_table(const struct world *w)
{
	return pae_of(w) ? 512 : 1024;
}

unsigned world_pages(const struct world *w)
{
	return (NTABLES + 1) * per_table(w);
}

uint32_t world_lin(const struct world *w, unsigned k)
{
	(void)w;
	return LIN_BASE + (k << PAGE_SHIFT);
}

gpa world_entry_at(const struct world *w, unsigned k)
{
	unsigned size = pae_of(w) ? 8 : 4, dir = world_lin(w, k) >> (pae_of(w) ? 21 : 22);

	if (k / per_table(w) == NTABLES)
		return PA_ROOT + dir * size;
	return PA_TABLES + k / per_table(w) * PAGE_SIZE + k % per_table(w) * size;
}

uint64_t world_entry(struct world *w, unsigned k)
{
	uint64_t e = 0;

	ck_assert(mm_phys_read(w->vm, world_pa(w, world_entry_at(w, k)), &e, pae_of(w) ? 8 : 4));
	return e;
}

void world_set_entry(struct world *w, unsigned k, uint64_t e)
{
	ck_assert(mm_phys_write(w->vm, world_pa(w, world_entry_at(w, k)), &e, pae_of(w) ? 8 : 4));
}

gpa world_pa(const struct world *w, gpa a)
{
	return w->second ? (gpa)w->second->page[a >> PAGE_SHIFT] << PAGE_SHIFT | (a & PAGE_MASK) : a;
}

static bool allows(const struct second *s, gpa a, unsigned how)
{
	unsigned rights = a >> PAGE_SHIFT < GUEST_PAGES ? s->rights[a >> PAGE_SHIFT] : 0, need = NESTED_R;

	if (how & MM_PROBE)
		return rights;
	if (how & MM_EXEC)
		need = how & MM_USER ? NESTED_XU : NESTED_X;
	if (how & MM_WRITE)
		need |= NESTED_W;
	return (rights & need) == need;
}

static bool read_entry(void *ctx, uint64_t at, unsigned size, uint64_t *e)
{
	struct world *w = ctx;

	*e = 0;
	if (w->second && !allows(w->second, at, MM_READ)) {
		w->second->hit = true;
		return false;
	}
	return mm_phys_read(w->vm, world_pa(w, at), e, size);
}

/* May the accessed and dirty bits be set that an access to LIN needs? */
static bool tables_take(struct world *w, uint32_t lin, unsigned how)
{
	gpa last = world_entry_at(w, (lin - LIN_BASE) >> PAGE_SHIFT);
	unsigned size = pae_of(w) ? 8 : 4;
	gpa dir = PA_ROOT + (gpa)(lin >> (pae_of(w) ? 21 : 22)) * size;
	uint64_t e, d;

	if ((how & MM_PROBE) || !(w->cpu.cr0 & CR0_PG))
		return true;
	read_entry(w, last, size, &e);
	read_entry(w, dir, size, &d);
	return ((d & PTE_A) || allows(w->second, dir, MM_WRITE)) &&
	       ((e & PTE_A && (e & PTE_D || !(how & MM_WRITE))) || allows(w->second, last, MM_WRITE));
}

/* Go on from where the guest's tables lead. A probe: as far as a mapping may be. */
static void walk_second(struct world *w, uint32_t lin, unsigned how, struct oracle *o)
{
	struct second *s = w->second;
	unsigned p = (unsigned)(o->pa >> PAGE_SHIFT);

	if (o->ok && !tables_take(w, lin, how))
		s->hit = true;
	if (s->hit || (o->ok && !allows(s, o->pa, how | (o->user ? MM_USER : 0)))) {
		o->ok = false;
		o->exits = true;
		return;
	}
	if (!o->ok)
		return;
	o->pa = world_pa(w, o->pa);
	o->readable = s->rights[p] & NESTED_R;
	o->nx |= !(s->rights[p] & (o->user ? NESTED_XU : NESTED_X));
	if (s->flags)
		o->accessed &= s->accessed[p];
	o->dirty &= (s->rights[p] & NESTED_W) && (!s->flags || s->dirty[p]);
}

struct oracle world_walk(struct world *w, uint32_t lin, unsigned how)
{
	struct paging pg = { .cr0 = w->cpu.cr0,
			     .cr3 = w->cpu.cr3,
			     .cr4 = w->cpu.cr4,
			     .efer = w->cpu.efer,
			     .pdptr = { w->m->pdptr[0], w->m->pdptr[1], w->m->pdptr[2], w->m->pdptr[3] },
			     .a20_mask = ~0ull,
			     .maxphyaddr = MAXPHYADDR };

	struct oracle o;

	if (w->second)
		w->second->hit = false;
	o = oracle_walk(&pg, read_entry, w, lin, how);
	if (w->second)
		walk_second(w, lin, how, &o);
	return o;
}

static bool translate(void *ctx, gpa a, unsigned how, struct nested_result *r)
{
	struct second *s = ctx;
	unsigned p = (unsigned)(a >> PAGE_SHIFT);
	uint64_t e;

	s->asks++;
	if (s->waits_for && !mmu_load_entry(s->m, (gpa)s->waits_for << PAGE_SHIFT, 8, how & MM_PROBE, &e))
		return false;
	if (!allows(s, a, how)) {
		if (how & MM_PROBE)
			return false;
		s->refusals++;
		s->refused = a;
		s->refused_how = how;
		s->refused_lin = r->lin;
		return false;
	}
	if (s->flags && !(how & MM_PROBE)) {
		s->accessed[p] = true;
		s->logs += (how & MM_WRITE) && !s->dirty[p];
		s->dirty[p] |= !!(how & MM_WRITE);
	}
	*r = (struct nested_result){ .lin = r->lin,
				     .pa = (gpa)s->page[p] << PAGE_SHIFT | (a & PAGE_MASK),
				     .shift = (uint8_t)s->shift,
				     .rights = s->rights[p],
				     .accessed = !s->flags || s->accessed[p],
				     .dirty = !s->flags || s->dirty[p] };
	return true;
}

void second_init(struct second *s)
{
	memset(s, 0, sizeof(*s));
	s->shift = PAGE_SHIFT;
	for (unsigned p = 0; p < GUEST_PAGES; p++) {
		s->page[p] = (uint16_t)p;
		s->rights[p] = NESTED_R | NESTED_W | NESTED_X | NESTED_XU;
	}
}

void world_enter(struct world *w, struct second *s, uint64_t tag, uint32_t asid)
{
	struct mmu_nested n = { .ctx = s, .tag = tag, .asid = asid, .translate = translate };

	w->second = s;
	if (s)
		s->m = w->m;
	mmu_nested(w->m, s ? &n : NULL);
}

uint32_t world_rnd(struct world *w, uint32_t below)
{
	w->seed = w->seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(w->seed >> 33) % below;
}

/* ---- making it ---- */

static void on_code_write(void *ctx, ppn p, unsigned off, unsigned len)
{
	struct world *w = ctx;

	(void)off, (void)len;
	w->code_writes++;
	mm_untrace_code(w->vm, p);
}

static void on_failed(void *ctx, const char *text)
{
	struct world *w = ctx;

	ck_assert(*text);
	w->failed++;
}

#define NAMED_PAGES ((NTABLES + 1) * 1024)

static uint32_t *named(struct world *w, unsigned win, unsigned k)
{
	return &w->named[win * NAMED_PAGES + k];
}

static void on_code_unmap(void *ctx, unsigned win, uint64_t vpn, bool supervisor)
{
	struct world *w = ctx;

	(void)supervisor;
	for (unsigned k = 0; k < world_pages(w); k++)
		if (vpn == UINT64_MAX || vpn == world_lin(w, k) >> PAGE_SHIFT)
			*named(w, win, k) = 0;
}

static void make_tables(struct world *w)
{
	unsigned dir = LIN_BASE >> (pae_of(w) ? 21 : 22), size = pae_of(w) ? 8 : 4;

	for (unsigned i = 0; i < NTABLES; i++) {
		uint64_t e = (PA_TABLES + i * PAGE_SIZE) | PTE_P | PTE_W | PTE_U;

		mm_phys_write(w->vm, PA_ROOT + (dir + i) * size, &e, size);
	}
	if (pae_of(w)) {
		w->cpu.cr3 = PA_ROOT - 0x20; /* the PDPTEs, at the end of the page below */
		for (uint64_t i = 0, e = PA_ROOT | PTE_P; i < 4; i++, e = 0)
			mm_phys_write(w->vm, w->cpu.cr3 + i * 8, &e, 8);
		ck_assert_int_eq(mmu_load_pdptrs(w->m, w->cpu.cr3), 0);
	}
}

static void no_device(void *ctx, gpa a, void *buf, unsigned size)
{
	(void)ctx, (void)a;
	memset(buf, 0xff, size);
}

static struct world *make(struct mm_pool *pool, unsigned extra, bool pae, uint64_t seed, bool swap)
{
	struct world *w = calloc(1, sizeof(*w));
	struct mm_hooks hooks = {
		.ctx = w, .code_write = on_code_write, .code_unmap = on_code_unmap, .failed = on_failed
	};

	w->named = calloc(MAX_WINDOWS * NAMED_PAGES, sizeof(*w->named));
	w->own_pool = !pool;
	w->pool = pool ? pool : mm_pool_new((uint64_t)(RAM_PAGES + extra) << PAGE_SHIFT);
	w->vm = mm_vm_new(w->pool);
	ck_assert(!swap || (w->vm && !mm_vm_set_swap(w->vm, memfd_create("swap", MFD_CLOEXEC), 0)));
	ck_assert(w->vm && !mm_vm_add_ram(w->vm, 0, (uint64_t)ROM_FIRST << PAGE_SHIFT, false) &&
		  !mm_vm_add_ram(w->vm, (uint64_t)ROM_FIRST << PAGE_SHIFT,
				 (uint64_t)(RAM_PAGES - ROM_FIRST) << PAGE_SHIFT, true));
	cpu_reset(&w->cpu);
	w->cpu.a20_mask = UINT32_MAX;
	w->cpu.cr0 |= CR0_PE | CR0_PG | CR0_WP;
	w->cpu.cr4 = pae ? CR4_PAE : CR4_PSE;
	w->cpu.cr3 = PA_ROOT;
	w->cpu.cpl = 0;
	w->seed = seed;
	w->plat.mmio_read = no_device;
	w->m = mmu_new(w->vm, &w->cpu, &w->plat);
	ck_assert(w->m != NULL);
	mm_set_hooks(w->vm, &hooks);
	make_tables(w);
	for (unsigned p = DATA_FIRST; p < RAM_PAGES; p++) {
		uint8_t page[PAGE_SIZE];

		w->model[p] = (uint8_t)(p * 7 + seed);
		memset(page, w->model[p], sizeof(page));
		ck_assert(mm_phys_write(w->vm, (gpa)p << PAGE_SHIFT, page, sizeof(page)));
	}
	return w;
}

struct world *world_new(struct mm_pool *pool, unsigned extra, bool pae, uint64_t seed)
{
	return make(pool, extra, pae, seed, false);
}

struct world *world_new_swapped(struct mm_pool *pool, unsigned extra, bool pae, uint64_t seed)
{
	return make(pool, extra, pae, seed, true);
}

void world_free(struct world *w)
{
	mmu_free(w->m);
	mm_vm_free(w->vm);
	if (w->own_pool)
		mm_pool_free(w->pool);
	free(w->named);
	free(w);
}

void world_no_lines(struct world *w)
{
	if (w->m->uffd >= 0)
		close(w->m->uffd);
	w->m->uffd = -1;
}

/* ---- the guest's accesses ---- */

static bool reach(struct world *w, uint32_t lin, unsigned how)
{
	unsigned win;

	mmu_select(w->m, &win);
	for (int tries = 0; tries < 8; tries++) {
		struct oracle o = world_walk(w, lin, (how & MM_WRITE) | (w->cpu.cpl == 3 ? MM_USER : 0));
		struct mmu_fault f;

		switch (mmu_fill(w->m, lin, how, &f)) {
		case FILL_OK:
			ck_assert(o.ok);
			return true;
		case FILL_FAULT:
			ck_assert(!o.ok);
			ck_assert_uint_eq(f.vector, o.exits ? EXC_EXIT : EXC_PF);
			if (!o.exits)
				ck_assert_uint_eq(f.err, o.err);
			return false;
		case FILL_MMIO:
			ck_assert(o.ok && (o.pa >> PAGE_SHIFT >= RAM_PAGES ||
					   ((how & MM_WRITE) && o.pa >> PAGE_SHIFT >= ROM_FIRST)));
			return false;
		case FILL_CODE:
			ck_assert(how & MM_WRITE);
			mm_untrace_code(w->vm, (ppn)(f.pa >> PAGE_SHIFT));
			break;
		case FILL_WAIT:
			ck_assert(w->vm->swap.fd >= 0);
			if (!mm_wait(w->vm))
				return false;
			mmu_select(w->m, &win);
			break;
		case FILL_ERROR:
			ck_assert_uint_gt(w->failed, 0);
			return false;
		}
	}
	ck_abort_msg("%08x: never filled", lin);
	return false;
}

static bool is_data(uint64_t pa)
{
	return pa >> PAGE_SHIFT >= DATA_FIRST && pa >> PAGE_SHIFT < RAM_PAGES;
}

/* Where the byte at LIN is accessed; an entry that is there is used as it is, like a TLB's. NULL: a true
 * fault, or not memory. */
static uint8_t *place(struct world *w, uint32_t lin, unsigned how)
{
	uint32_t hard = how & MM_WRITE ? SH_W : SH_P, soft = how & MM_WRITE ? SH_SW : SH_SR, s;
	bool prechecked = w->soft && ++w->turn % w->soft == 0;
	unsigned win;

	mmu_select(w->m, &win);
	s = w->m->cur->shadow[lin >> PAGE_SHIFT];
	if (!(s & hard) && !(prechecked && (s & soft)) && !reach(w, lin, how | (prechecked ? MMU_SOFT : 0)))
		return NULL;
	s = w->m->cur->shadow[lin >> PAGE_SHIFT];
	if (s & hard)
		return w->m->cur->base + lin;
	ck_assert(prechecked && (s & soft));
	return w->vm->home + ((uint64_t)(s >> 12) << PAGE_SHIFT) + (lin & PAGE_MASK);
}

bool world_read(struct world *w, uint32_t lin)
{
	const uint8_t *at = place(w, lin, MM_READ);
	ppn p;

	if (!at)
		return false;
	p = w->m->cur->shadow[lin >> PAGE_SHIFT] >> 12;
	ck_assert_uint_eq(*at,
			  is_data((gpa)p << PAGE_SHIFT) ? w->model[p] : page_read(w->vm, p)[lin & PAGE_MASK]);
	return true;
}

/* Whole pages, as the model has it. */
bool world_write(struct world *w, uint32_t lin, uint8_t v)
{
	uint8_t *at = place(w, lin, MM_WRITE);
	ppn p;

	if (!at)
		return false;
	p = w->m->cur->shadow[lin >> PAGE_SHIFT] >> 12;
	if (!is_data((gpa)p << PAGE_SHIFT)) /* the tables themselves, through the large page */
		return false;
	memset(at - (lin & PAGE_MASK), v, PAGE_SIZE);
	w->model[p] = v;
	return true;
}

bool world_fetch(struct world *w, uint32_t lin)
{
	unsigned win, how = MM_EXEC | (w->cpu.cpl == 3 ? MM_USER : 0);
	bool was;
	struct oracle o;
	ppn p;
	int r;

	mmu_select(w->m, &win);
	was = w->m->cur->shadow[lin >> PAGE_SHIFT] & SH_IN; /* used as it is, like a TLB entry */
	o = world_walk(w, lin, how);
	r = mmu_code_page(w->m, lin, &p);
	if (!was)
		ck_assert_int_eq(r, !o.ok ? -1 : o.pa >> PAGE_SHIFT < RAM_PAGES ? 0 : 1);
	if (r < 0)
		ck_assert_uint_eq(w->cpu.exc.vector, o.exits ? EXC_EXIT : EXC_PF);
	if (r)
		return false;
	if (!was)
		ck_assert_uint_eq(p, o.pa >> PAGE_SHIFT);
	ck_assert_uint_eq(mmu_code_page_fast(w->m, lin), p);
	*named(w, win, (lin - LIN_BASE) >> PAGE_SHIFT) = p + 1;
	return true;
}

/* ---- the audit ---- */

bool can_read(const void *p)
{
	uint8_t b;
	struct iovec to = { &b, 1 }, from = { (void *)(uintptr_t)p, 1 };

	return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == 1;
}

/* By writing what is there already. */
bool can_write(void *p)
{
	uint8_t b;
	struct iovec local = { &b, 1 }, remote = { p, 1 };

	return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == 1 &&
	       process_vm_writev(getpid(), &local, 1, &remote, 1, 0) == 1;
}

unsigned kernel_maps(const struct window *w)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned n = 0;
	char line[512];

	while (fgets(line, sizeof(line), f)) {
		uint64_t from = strtoull(line, NULL, 16), to = strtoull(strchr(line, '-') + 1, NULL, 16);

		n += to > (uint64_t)w->base && from < (uint64_t)w->base + WIN_BYTES;
	}
	fclose(f);
	return n;
}

/* What the kernel allows in the audited pages of a window, from /proc/self/maps. */
struct rights {
	uint64_t base;			    /* of the first page */
	uint8_t prot[(NTABLES + 1) * 1024]; /* bit 0: read, bit 1: write */
};

static void read_rights(struct rights *r, unsigned n, unsigned pages)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[512];

	ck_assert(f != NULL);
	while (fgets(line, sizeof(line), f)) {
		uint64_t from, to;
		char perm[5];

		if (sscanf(line, "%lx-%lx %4s", &from, &to, perm) != 3 || (perm[0] != 'r' && perm[1] != 'w'))
			continue;
		for (unsigned i = 0; i < n; i++) {
			uint64_t end = r[i].base + ((uint64_t)pages << PAGE_SHIFT);
			uint64_t a = from > r[i].base ? from : r[i].base, b = to < end ? to : end;

			for (; a < b; a += PAGE_SIZE)
				r[i].prot[(a - r[i].base) >> PAGE_SHIFT] =
				    (uint8_t)((perm[0] == 'r') | (perm[1] == 'w') << 1);
		}
	}
	fclose(f);
}

static bool in_rmap(const struct mm_vm *vm, ppn p, unsigned win, uint32_t vpn)
{
	for (uint32_t n = vm->pmap[p].rmap; n; n = vm->rmap[n].next)
		if (vm->rmap[n].win == win && vm->rmap[n].vpn == vpn)
			return true;
	return false;
}

static void audit_page(struct world *w, struct window *win, unsigned k, unsigned prot, bool tables)
{
	uint32_t lin = world_lin(w, k), s = win->shadow[lin >> PAGE_SHIFT];
	ppn p = s >> 12, name = *named(w, win->id, k);
	struct oracle o;

	if (s & SH_LINE) { /* what its mapping allows is not what each page does */
		ck_assert_uint_eq(prot, 3);
		prot = can_read(win->base + lin) | (unsigned)can_write(win->base + lin) << 1;
	}
	ck_assert_msg(!name || ((s & (SH_IN | SH_CODE | SH_NX)) == (SH_IN | SH_CODE) && p == name - 1),
		      "%08x: jump tables have page %x, entry %x", lin, name - 1, s);
	if (!(s & SH_P)) {
		ck_assert_msg(!prot, "%08x is accessible but not in the books", lin);
		ck_assert(!(s & SH_W));
	}
	if (!(s & SH_IN)) {
		ck_assert(!s || (s & PAGE_MASK) == SH_LINE);
		return;
	}
	ck_assert(ppn_ram(w->vm, p));
	ck_assert_msg(in_rmap(w->vm, p, win->id, lin >> PAGE_SHIFT), "%08x is not in the reverse map", lin);
	ck_assert_msg(prot == (s & SH_W	  ? 3
			       : s & SH_P ? 1
					  : 0),
		      "%08x: noted as %x, but has rights %u", lin, s, prot);
	if (s & (SH_W | SH_SW))
		ck_assert_int_eq(page_write_check(w->vm, p, WRITE_BY_GUEST), PAGE_WRITE_OK);
	if (s & SH_SOFT)
		ck_assert_msg(w->vm->pmap[p].mpn == p, "%08x: soft, and not at home", lin);
	if ((s & SH_SOFT) && is_data((gpa)p << PAGE_SHIFT))
		ck_assert_uint_eq(w->vm->home[(uint64_t)p << PAGE_SHIFT], w->model[p]);
	if ((s & SH_P) && is_data((gpa)p << PAGE_SHIFT))
		ck_assert_msg(win->base[lin] == w->model[p], "%08x: not the bytes of %x", lin, p);
	if (!tables)
		return;
	o = world_walk(w, lin, MM_PROBE);
	ck_assert_msg(o.ok && o.accessed && o.pa >> PAGE_SHIFT == p, "%08x: mapped unlike the tables", lin);
	ck_assert_msg((s & SH_NX) || !o.nx || !w->second, "%08x: executable unlike the tables", lin);
	if (w->second && (s & (SH_P | SH_SR)))
		ck_assert_msg(o.readable, "%08x: readable unlike the tables", lin);
	if (win->view == WIN_USER)
		ck_assert(o.user);
	if (s & (SH_W | SH_SW))
		ck_assert_msg(o.dirty && (o.writable || (win->view == WIN_KERNEL && !(w->cpu.cr0 & CR0_WP))),
			      "%08x: writable unlike the tables", lin);
}

void world_audit_host(struct world *w)
{
	for (unsigned i = 0; i < MAX_WINDOWS; i++) {
		uint64_t at = (uint64_t)w->m->win[i].base - WIN_BYTES, end = at + 3 * WIN_BYTES;
		FILE *f = w->m->win[i].base ? fopen("/proc/self/maps", "r") : NULL;
		char line[512];

		while (f && fgets(line, sizeof(line), f)) {
			uint64_t from, to;
			char perm[5];

			ck_assert_int_eq(sscanf(line, "%lx-%lx %4s", &from, &to, perm), 3);
			if (to <= at || from >= end)
				continue;
			ck_assert_msg(from <= at, "a hole in a window: anything may be mapped there");
			ck_assert_msg(!strncmp(perm, "---", 3) || strstr(line, "vitrine-guest-memory") ||
					  strstr(line, "vitrine-shared-frames"),
				      "in a window: %s", line);
			at = to;
		}
		if (!f)
			continue;
		ck_assert_uint_ge(at, end);
		fclose(f);
	}
}

static uint32_t count_rmap(const struct mm_vm *vm)
{
	uint32_t n = 0;

	for (ppn p = 0; p < RAM_PAGES; p++)
		for (uint32_t i = vm->pmap[p].rmap; i; i = vm->rmap[i].next)
			n++;
	return n;
}

void world_audit(struct world *w, bool tables)
{
	struct rights *r = calloc(MAX_WINDOWS, sizeof(*r));
	uint64_t known = 0;
	unsigned n = 0;

	for (unsigned i = 0; i < MAX_WINDOWS; i++)
		r[i].base = (uint64_t)w->m->win[i].base + LIN_BASE;
	while (n < MAX_WINDOWS && w->m->win[n].used)
		n++;
	read_rights(r, n, world_pages(w));
	for (unsigned i = 0; i < n; i++) {
		struct window *win = &w->m->win[i];

		known += win->known;
		for (unsigned k = 0; k < world_pages(w); k++)
			audit_page(w, win, k, r[i].prot[k],
				   tables && (win == w->m->kwin || win == w->m->uwin));
	}
	free(r);
	ck_assert_uint_eq(count_rmap(w->vm), known);
	ck_assert_uint_eq(w->vm->rmap_used, known);
	for (ppn p = DATA_FIRST; p < RAM_PAGES; p++)
		ck_assert_msg(page_read(w->vm, p)[p & PAGE_MASK] == w->model[p], "page %x has other bytes",
			      p);
}
