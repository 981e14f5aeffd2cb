/* SPDX-License-Identifier: GPL-3.0-or-later
 * Access to guest-linear memory for the semantics of instructions (interrupt delivery,
 * descriptor loads) and for the debugger. GPR-only code (base/gpr.h). */
#include "mm/window/fill.h"

#include "base/gpr.h"

/* Linear addresses have 32 bits outside IA-32e mode. */
static gva wrap(const struct mmu *m, gva lin)
{
	return __builtin_expect(cpu_long(m->cpu), 0) ? lin : (gva32)lin;
}

/* Most copies are a few words: a stack frame, a descriptor. */
static void copy(uint8_t *d, const uint8_t *s, unsigned n)
{
	if (n > 64) {
		gpr_copy(d, s, n);
		return;
	}
	for (; n >= 8; n -= 8, d += 8, s += 8)
		*(any64 *)d = *(const any64 *)s;
	if (n & 4) {
		*(any32 *)d = *(const any32 *)s;
		d += 4, s += 4;
	}
	if (n & 2) {
		*(any16 *)d = *(const any16 *)s;
		d += 2, s += 2;
	}
	if (n & 1)
		*d = *s;
}

/* The byte at LIN in its window, or in its home slot if the page is soft, and its physical address in *PA,
 * when the window knows it with enough rights: the window is a TLB, and no walk is needed. The access goes to
 * the address that guest code uses too: the processor forwards stores to loads of the same address, not of
 * another mapping. */
static uint8_t *cached(struct mmu *m, gva lin, unsigned how, gpa *pa)
{
	struct window *w = window_for(m, lin, how);
	uint64_t s;

	if (!w || win_behind(w) || (how & (MM_PROBE | MM_EXEC)))
		return NULL;
	s = sh_get(w, (gva32)lin >> PAGE_SHIFT);
	*pa = (gpa)(s >> 12) << PAGE_SHIFT | (lin & PAGE_MASK);
	if (s & (how & MM_WRITE ? SH_W : SH_P))
		return w->base + (gva32)lin;
	return s & (how & MM_WRITE ? SH_SW : SH_SR) ? m->vm->home + *pa : NULL;
}

/* The part of an access that lies in one page, translated. */
struct piece {
	uint8_t *host; /* as cached() found it; NULL: at PA */
	gpa pa;
	unsigned n;
	bool ram; /* at PA there is memory: resolved when it is read or written, not before */
};

/* Does the second dimension let an access be made of what it keeps for itself? */
static int ask_device(struct mmu *m, gpa a, unsigned n, unsigned how)
{
	return m->sp->n.device(m->sp->n.ctx, a, NULL, n, how & MM_WRITE) ? 0 : cpu_raise(m->cpu, EXC_EXIT);
}

static int translate(struct mmu *m, gva lin, unsigned n, unsigned how, struct piece *p)
{
	struct walk w;

	p->n = n;
	p->ram = false;
	p->host = cached(m, lin, how, &p->pa);
	if (p->host)
		return 0;
	if (m->device_key == DEVICE_KEY(lin, how) && !(how & (MM_PROBE | MM_EXEC))) {
		p->pa = m->device_pa | (lin & PAGE_MASK);
		return 0;
	}
	if (!(how & MM_PROBE))
		note_access(m->vm, WRITER_PROCESSOR, lin, cpu_pc(m->cpu));
	mmu_walk(m, lin, how, &w);
	if (!w.ok)
		return how & MM_PROBE ? -1 : walk_raise(m, lin, &w);
	p->pa = w.pa;
	if (!ppn_ram(m->vm, w.pa >> PAGE_SHIFT)) {
		if (how & (MM_PROBE | MM_EXEC))
			return how & MM_PROBE ? -1 : 0;
		if (w.pa >= NESTED_DEVICE)
			return ask_device(m, w.pa, n, how);
		m->device_key = DEVICE_KEY(lin, how);
		m->device_pa = w.pa & ~(gpa)PAGE_MASK;
		return 0;
	}
	p->ram = true;
	if (!(how & MM_PROBE))
		page_touched(m->vm, (ppn)(w.pa >> PAGE_SHIFT));
	return 0;
}

#define SETTLES 64 /* walks that cost about what a mapping does */

/* An access to the page of LIN, which is memory, was made by a walk. Where many are made, as of descriptor
 * tables, and guest code never touches the page itself, map it as guest code would. */
static void settle(struct mmu *m, gva lin, unsigned how)
{
	struct window *w = window_for(m, lin, how), *cur = m->cur;
	uint64_t key = DEVICE_KEY(lin, how);
	struct walked *s = &m->walked[(key >> 4 ^ key >> 7 ^ (how & MM_WRITE)) % ARRAY_LEN(m->walked)];
	struct mmu_fault f = { .pc = cpu_pc(m->cpu) };

	if (s->key != key)
		*s = (struct walked){ .key = key };
	if (++s->n < SETTLES)
		return;
	s->n = 0;
	if (!w || win_behind(w) || m->nwatch || churns(m, w, (gva32)lin >> PAGE_SHIFT))
		return;
	m->cur = w;
	lin = w->of ? lin : (gva32)lin;
	fill_begin(m, lin, &f);
	fill_page(m, w, lin, how & MM_WRITE, &f);
	fill_end(m);
	m->cur = cur;
}

static void check_watches(struct mmu *m, gva lin, unsigned n, bool write, const struct piece p[2])
{
	watch_check(m, lin, n, write, 0);
	for (int i = 0; i < 2 && p[i].n; i++)
		watch_check(m, p[i].pa, p[i].n, write, WATCH_PHYSICAL);
}

static int split(struct mmu *m, gva lin, unsigned n, unsigned how, struct piece p[2])
{
	unsigned first = PAGE_SIZE - (lin & PAGE_MASK);

	p[1].n = 0;
	if (n <= first) {
		if (translate(m, lin, n, how, &p[0]))
			return -1;
	} else if (translate(m, lin, first, how, &p[0]) ||
		   translate(m, wrap(m, lin + first), n - first, how, &p[1])) {
		return -1;
	}
	if (m->nwatch && !(how & MM_PROBE))
		check_watches(m, lin, n, how & MM_WRITE, p);
	return 0;
}

gva mmu_device_lin(const struct mmu *m)
{
	return m->device_lin;
}

/* A device takes at most 64 bytes at a time. */
static void device(struct mmu *m, gva lin, gpa a, void *buf, unsigned n, bool write)
{
	m->device_lin = lin;
	for (unsigned at = 0, k; at < n; at += k) {
		k = n - at < 64 ? n - at : 64;
		if (a >= NESTED_DEVICE)
			m->sp->n.device(m->sp->n.ctx, a + at, (uint8_t *)buf + at, k, write ? MM_WRITE : 0);
		else if (write)
			m->plat->mmio_write(m->plat->ctx, a + at, (uint8_t *)buf + at, k);
		else
			m->plat->mmio_read(m->plat->ctx, a + at, (uint8_t *)buf + at, k);
	}
}

/* Ignored where there is ROM, but for the debugger. */
static void write_ram(struct mmu *m, gva lin, gpa pa, const uint8_t *in, unsigned n, unsigned how)
{
	enum page_writer by = how & MM_PROBE ? WRITE_BY_OPERATOR : WRITE_BY_GUEST;
	unsigned off = pa & PAGE_MASK;
	uint8_t *page;

	if (how & MM_PROBE)
		note_access(m->vm, WRITER_OPERATOR, lin, MM_ANYWHERE);
	else
		note_access(m->vm, WRITER_PROCESSOR, lin, cpu_pc(m->cpu));
	page = page_write(m->vm, (ppn)(pa >> PAGE_SHIFT), off, n, by);
	if (page)
		copy(page + off, in, n);
}

/* Where piece P was found in a window, unless pages were swapped out since (there were GONE then): it may be
 * one of them, and is resolved anew. */
static uint8_t *still_there(const struct mmu *m, struct piece *p, uint64_t gone)
{
	if (p->host && m->vm->swap.gone != gone) {
		p->host = NULL;
		p->ram = true;
	}
	return p->host;
}

int mmu_check_write(struct mmu *m, gva lin, unsigned n, unsigned how)
{
	gva at[2] = { wrap(m, lin), wrap(m, lin + n - 1) };
	struct walk w;

	for (int i = 0; i < 2; i++) {
		if (i && !((at[0] ^ at[1]) >> PAGE_SHIFT))
			break;
		if (i)
			at[i] &= ~(gva)PAGE_MASK;
		note_access(m->vm, WRITER_PROCESSOR, at[i], cpu_pc(m->cpu));
		mmu_walk(m, at[i], how | MM_WRITE, &w);
		if (!w.ok)
			return walk_raise(m, at[i], &w);
		if (w.pa >= NESTED_DEVICE &&
		    ask_device(m, w.pa, i ? n - (unsigned)(at[1] - at[0]) : n, MM_WRITE))
			return -1;
	}
	return 0;
}

/* Where an access is made that lies in one page of the window. NULL: take the slow path. */
static uint8_t *fast_path(struct mmu *m, gva lin, unsigned n, unsigned how)
{
	gpa pa;

	return m->nwatch || (lin & PAGE_MASK) + n > PAGE_SIZE ? NULL : cached(m, lin, how, &pa);
}

int mmu_read(struct mmu *m, gva lin, void *buf, unsigned n, unsigned how)
{
	uint8_t *out = buf, *host;
	struct piece p[2];
	uint64_t gone;

	lin = wrap(m, lin);
	host = fast_path(m, lin, n, how & ~MM_WRITE);
	if (__builtin_expect(!!host, 1)) {
		copy(out, host, n);
		return 0;
	}
	while (n > PAGE_SIZE / 2) {
		if (mmu_read(m, lin, out, PAGE_SIZE / 2, how))
			return -1;
		lin += PAGE_SIZE / 2;
		out += PAGE_SIZE / 2;
		n -= PAGE_SIZE / 2;
	}
	gone = m->vm->swap.gone;
	if (split(m, lin, n, how & ~MM_WRITE, p))
		return -1;
	for (int i = 0; i < 2 && p[i].n; out += p[i].n, i++) {
		if (still_there(m, &p[i], gone))
			copy(out, p[i].host, p[i].n);
		else if (p[i].ram)
			copy(out, page_read(m->vm, (ppn)(p[i].pa >> PAGE_SHIFT)) + (p[i].pa & PAGE_MASK),
			     p[i].n);
		else
			device(m, wrap(m, lin + (i ? p[0].n : 0)), p[i].pa, out, p[i].n, false);
	}
	if (p[0].ram && !p[1].n && !(how & (MM_PROBE | MM_EXEC)))
		settle(m, lin, how & ~MM_WRITE);
	return 0;
}

int mmu_write(struct mmu *m, gva lin, const void *buf, unsigned n, unsigned how)
{
	const uint8_t *in = buf;
	uint8_t *host;
	struct piece p[2];
	uint64_t gone;

	lin = wrap(m, lin);
	host = fast_path(m, lin, n, how | MM_WRITE);
	if (__builtin_expect(!!host, 1)) {
		copy(host, in, n);
		return 0;
	}
	while (n > PAGE_SIZE / 2) {
		if (mmu_write(m, lin, in, PAGE_SIZE / 2, how))
			return -1;
		lin += PAGE_SIZE / 2;
		in += PAGE_SIZE / 2;
		n -= PAGE_SIZE / 2;
	}
	gone = m->vm->swap.gone;
	if (split(m, lin, n, how | MM_WRITE, p))
		return -1;
	for (int i = 0; i < 2 && p[i].n; in += p[i].n, i++) {
		if (still_there(m, &p[i], gone))
			copy(p[i].host, in, p[i].n);
		else if (p[i].ram)
			write_ram(m, wrap(m, lin + (i ? p[0].n : 0)), p[i].pa, in, p[i].n, how);
		else
			device(m, wrap(m, lin + (i ? p[0].n : 0)), p[i].pa, (void *)in, p[i].n, true);
	}
	if (p[0].ram && !p[1].n && !(how & (MM_PROBE | MM_EXEC)))
		settle(m, lin, how | MM_WRITE);
	return 0;
}
