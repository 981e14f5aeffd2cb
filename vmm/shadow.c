/* SPDX-License-Identifier: GPL-3.0-or-later
 * Shadow page tables: what the processor walks in the place of the guest's tables (Adams and Agesen, ASPLOS
 * 2006, sections 2.4 and 4). They have the format of PAE whatever the guest's has, and are filled on page
 * faults that are not the guest's own.
 *
 * No table of the guest is traced. A shadow keeps a copy of the part of the guest's table that it was made
 * from; at the guest's own flushes the two are compared and what has changed is dropped, as a TLB may lag
 * until then. Shadows of the roots used last are kept; those that have the same directory entry at the same
 * place, as kernels do, share the table under it. */
#include "vmm/vmm_int.h"

#include "base/gpr.h"
#include "mm/nested.h"
#include "mm/walk.h"
#include "x86/paging.h"

#include <stdlib.h>

#define ROOTS 16u
_Static_assert(ROOTS <= 16, "a bit each");
#define TABLES 1600u /* shadow page tables, of 2 MiB each */
#define ENTRIES 512u
#define DIRECTORIES 4u
#define REGIONS (ENTRIES * DIRECTORIES)
#define REGION_SHIFT 21
#define NO_TABLE UINT16_MAX
enum { INVVPID_ADDRESS, INVVPID_SINGLE }; /* types of INVVPID */

/* A shadow page table. */
struct table {
	gpa at;		 /* of its page */
	uint16_t roots;	 /* a bit for each root that has it; 0: free */
	uint16_t region; /* where they have it */
	bool large;	 /* the guest has a large page there, or part of one */
	uint64_t pde;	 /* the guest's entry */
	gpa source;	 /* of the part of the guest's table that covers it */
	uint64_t entry[ENTRIES];
	uint64_t copy[ENTRIES]; /* of the guest's entries: half as many words for tables of 4-byte ones */
};

struct root {
	bool used;
	uint32_t cr3;
	uint64_t lru;
	gpa pointers; /* of the four PDPTEs */
	gpa directory[DIRECTORIES];
	uint16_t table[REGIONS]; /* NO_TABLE: none */
};

struct shadows {
	struct root root[ROOTS];
	struct table *table; /* TABLES of them */
	unsigned hand;	     /* of the clock that finds a table to be reused */
	uint64_t tick;
	struct root *current;
};

/* ---- the guest's tables ---- */

static bool load_entry(void *ctx, gpa at, unsigned size, uint64_t *e)
{
	struct vmm *m = ctx;

	*e = 0;
	return mm_is_ram(m->vm, at, size) && mm_phys_read(m->vm, at, e, size);
}

/* Tables in ROM stay as they are. */
static bool set_entry(void *ctx, gpa at, uint8_t bits)
{
	struct vmm *m = ctx;
	uint8_t low = 0;

	if (mm_is_rom(m->vm, at))
		return true;
	if (!mm_phys_read(m->vm, at, &low, 1))
		return false;
	low |= bits;
	return mm_phys_write(m->vm, at, &low, 1);
}

static struct walk_memory memory_of(struct vmm *m)
{
	return (struct walk_memory){ m, load_entry, set_entry };
}

static struct paging paging_of(struct vmm *m)
{
	return (struct paging){ .cr0 = vmm_cr0(m),
				.cr3 = m->cr3,
				.cr4 = vmm_cr4(m),
				.efer = m->v->cpu.efer,
				.pdptr = { m->pdptr[0], m->pdptr[1], m->pdptr[2], m->pdptr[3] },
				.a20_mask = m->v->cpu.a20_mask | ~(gpa)UINT32_MAX,
				.maxphyaddr = m->x->caps.model.address };
}

/* ---- shadows ---- */

static void flush_processor(struct vmm *m)
{
	if (m->x->ops->invvpid)
		m->x->ops->invvpid(m->x, INVVPID_SINGLE, VMM_VPID, 0);
}

static void put(struct vmm *m, struct table *t, unsigned i, uint64_t e)
{
	if (t->entry[i] == e)
		return;
	t->entry[i] = e;
	vmm_store64(m, t->at + i * 8, e);
}

static gpa directory_entry(const struct root *r, unsigned region)
{
	return r->directory[region / ENTRIES] + region % ENTRIES * 8;
}

static uint16_t root_bit(const struct vmm *m, const struct root *r)
{
	return (uint16_t)(1u << (r - m->shadows->root));
}

/* R takes T, of its region. */
static void attach(struct vmm *m, struct root *r, struct table *t)
{
	t->roots |= root_bit(m, r);
	r->table[t->region] = (uint16_t)(t - m->shadows->table);
	vmm_store64(m, directory_entry(r, t->region), t->at | PTE_P | PTE_W | PTE_U | PTE_A);
}

/* R gives its table of REGION up; without a root, its entries go. */
static void detach(struct vmm *m, struct root *r, unsigned region)
{
	struct table *t;

	if (r->table[region] == NO_TABLE)
		return;
	t = &m->shadows->table[r->table[region]];
	vmm_store64(m, directory_entry(r, region), 0);
	r->table[region] = NO_TABLE;
	t->roots &= (uint16_t)~root_bit(m, r);
	for (unsigned i = 0; i < ENTRIES && !t->roots; i++)
		put(m, t, i, 0);
}

static void drop_table(struct vmm *m, struct table *t)
{
	for (unsigned i = 0; i < ROOTS; i++)
		if (t->roots >> i & 1)
			detach(m, &m->shadows->root[i], t->region);
}

static void drop_root(struct vmm *m, struct root *r)
{
	for (unsigned i = 0; i < REGIONS; i++)
		detach(m, r, i);
	r->used = false;
}

void shadow_drop_all(struct vmm *m)
{
	m->flushes++;
	for (unsigned i = 0; i < ROOTS; i++)
		if (m->shadows->root[i].used)
			drop_root(m, &m->shadows->root[i]);
	m->shadows->current = NULL;
	flush_processor(m);
}

/* Which of the guest's entries covers entry I of T, and where. */
static bool narrow(const struct vmm *m)
{
	return !(vmm_cr4(m) & CR4_PAE);
}

static uint64_t copy_entry(const struct vmm *m, const uint64_t *words, unsigned i)
{
	return narrow(m) ? words[i / 2] >> 32 * (i & 1) & 0xffffffff : words[i];
}

static unsigned copy_words(const struct vmm *m)
{
	return narrow(m) ? ENTRIES / 2 : ENTRIES;
}

static bool keeps(uint64_t old, uint64_t now)
{
	if ((old ^ now) & ~(uint64_t)(PTE_A | PTE_D | PTE_AVAIL))
		return false;
	return (now & PTE_A) && (!(old & PTE_D) || (now & PTE_D));
}

/* Compare the guest's table with the copy, and drop what has changed. */
static void sync_table(struct vmm *m, struct table *t)
{
	uint64_t now[ENTRIES];
	unsigned n = copy_words(m), each = ENTRIES / n;

	if (t->large)
		return;
	if (!mm_phys_read(m->vm, t->source, now, n * 8)) {
		drop_table(m, t);
		return;
	}
	for (unsigned w = 0; w < n; w++) {
		if (now[w] == t->copy[w])
			continue;
		for (unsigned i = w * each; i < (w + 1) * each; i++)
			if (t->entry[i] && !keeps(copy_entry(m, t->copy, i), copy_entry(m, now, i)))
				put(m, t, i, 0);
		t->copy[w] = now[w];
	}
}

static void sync_root(struct vmm *m, struct root *r)
{
	struct paging pg = paging_of(m);
	struct walk_memory mem = memory_of(m);

	for (unsigned i = 0; i < REGIONS; i++) {
		struct table *t;
		uint64_t pde;
		gpa at;

		if (r->table[i] == NO_TABLE)
			continue;
		t = &m->shadows->table[r->table[i]];
		if (!walk_directory(&pg, &mem, (gva)i << REGION_SHIFT, &pde, &at) || !keeps(t->pde, pde))
			detach(m, r, i);
		else
			sync_table(m, t);
	}
}

/* Can a root with directory entry PDE have T, too? A large page's dirty bit is in the entry, of which each
 * root has its own: where it is clear, the first write has to fault in each. */
static bool shareable(const struct table *t, uint64_t pde)
{
	return keeps(t->pde, pde) && (!t->large || t->pde & PTE_D);
}

/* R is new: it takes the tables of FROM under directory entries that are the same in both. */
static void adopt_tables(struct vmm *m, struct root *r, const struct root *from)
{
	struct paging pg = paging_of(m);
	struct walk_memory mem = memory_of(m);

	for (unsigned i = 0; i < REGIONS; i++) {
		struct table *t = &m->shadows->table[from->table[i] % TABLES];
		uint64_t pde;
		gpa at;

		if (from->table[i] != NO_TABLE &&
		    walk_directory(&pg, &mem, (gva)i << REGION_SHIFT, &pde, &at) && shareable(t, pde))
			attach(m, r, t);
	}
}

static struct root *find_root(struct vmm *m, uint32_t cr3)
{
	struct shadows *s = m->shadows;
	struct root *old = NULL;

	for (unsigned i = 0; i < ROOTS; i++) {
		struct root *r = &s->root[i];

		if (r->used && r->cr3 == cr3)
			return r;
		if (!old || !r->used || (old->used && r->lru < old->lru))
			old = r;
	}
	drop_root(m, old);
	old->used = true;
	old->cr3 = cr3;
	if (s->current && s->current != old)
		adopt_tables(m, old, s->current);
	return old;
}

void shadow_enter(struct vmm *m, uint32_t cr3)
{
	struct root *r;

	m->cr3 = cr3;
	m->flushes++;
	r = find_root(m, cr3);
	r->lru = ++m->shadows->tick;
	m->shadows->current = r;
	sync_root(m, r);
	vm_write(m, VMCS_GUEST_CR3, r->pointers);
	flush_processor(m);
}

bool shadow_pdptes(struct vmm *m, uint32_t cr3)
{
	struct paging pg = paging_of(m);
	struct walk_memory mem = memory_of(m);

	return !(pg.cr4 & CR4_PAE) || walk_load_pdptrs(&pg, &mem, cr3, m->pdptr);
}

void shadow_invlpg(struct vmm *m, gva lin)
{
	struct root *r = m->shadows->current;
	unsigned region = (unsigned)((gva32)lin >> REGION_SHIFT);
	struct table *t;

	m->flushes++;
	if (r->table[region] != NO_TABLE) {
		t = &m->shadows->table[r->table[region]];
		if (t->large)
			drop_table(m, t);
		else
			put(m, t, (unsigned)(lin >> PAGE_SHIFT) % ENTRIES, 0);
	}
	if (m->x->ops->invvpid)
		m->x->ops->invvpid(m->x, INVVPID_ADDRESS, VMM_VPID, lin);
}

/* ---- page faults ---- */

static struct table *take_table(struct vmm *m, struct root *r, unsigned region)
{
	struct shadows *s = m->shadows;
	struct table *t;

	for (unsigned i = 0; i < TABLES; i++) {
		t = &s->table[s->hand];
		s->hand = (s->hand + 1) % TABLES;
		if (!t->roots || i + 1 == TABLES)
			break;
	}
	if (t->roots) {
		drop_table(m, t);
		flush_processor(m);
	}
	t->region = (uint16_t)region;
	attach(m, r, t);
	return t;
}

/* What another root has in its place under the same directory entry. */
static struct table *shared_table(struct vmm *m, unsigned region, bool large, uint64_t pde)
{
	for (unsigned i = 0; i < ROOTS; i++) {
		uint16_t n = m->shadows->root[i].table[region];
		struct table *t = &m->shadows->table[n % TABLES];

		if (n != NO_TABLE && t->large == large && shareable(t, pde))
			return t;
	}
	return NULL;
}

/* The table of LIN under the guest's directory entry PDE. */
static struct table *table_for(struct vmm *m, gva lin, const struct walk *w, uint64_t pde)
{
	struct root *r = m->shadows->current;
	unsigned region = (unsigned)((gva32)lin >> REGION_SHIFT);
	bool large = w->page_shift != PAGE_SHIFT;
	struct table *t;

	if (r->table[region] != NO_TABLE) {
		t = &m->shadows->table[r->table[region]];
		if (t->large == large && keeps(t->pde, pde)) {
			t->pde = pde; /* dirty by now, maybe */
			return t;
		}
		detach(m, r, region);
		flush_processor(m);
	}
	t = shared_table(m, region, large, pde);
	if (t) {
		attach(m, r, t);
		sync_table(m, t);
		return t;
	}
	t = take_table(m, r, region);
	t->large = large;
	t->pde = pde;
	if (!large) {
		t->source = w->level[w->nlevels - 1].at & ~(gpa)(copy_words(m) * 8 - 1);
		mm_phys_read(m->vm, t->source, t->copy, copy_words(m) * 8);
	}
	return t;
}

/* The guest's kernel writes a page that is read-only, with CR0.WP clear: as the processor's WP is set, the
 * page becomes the kernel's until user code faults on it; with SMEP it stays one that the kernel cannot
 * execute. */
static uint64_t supervisor_write(const struct vmm *m, uint64_t e)
{
	if (e & PTE_U && vmm_cr4(m) & CR4_SMEP && m->v->cpu.efer & EFER_NXE)
		e |= PTE_NX;
	return (e & ~(uint64_t)PTE_U) | PTE_W;
}

enum shadow_fault shadow_fault(struct vmm *m, gva lin, uint32_t *err)
{
	unsigned how = (*err & PF_ERR_W ? MM_WRITE : 0) | (*err & PF_ERR_U ? MM_USER : 0) |
		       (*err & PF_ERR_ID ? MM_EXEC : 0);
	struct paging pg = paging_of(m);
	struct walk_memory mem = memory_of(m);
	unsigned i = (unsigned)(lin >> PAGE_SHIFT) % ENTRIES;
	uint64_t pde, e;
	struct table *t;
	struct walk w;
	gpa at, page;

	walk_linear(&pg, &mem, lin, how, &w);
	if (!w.ok) {
		*err = w.err;
		return SHADOW_GUEST_FAULT;
	}
	page = w.pa & ~(gpa)PAGE_MASK;
	if (vmm_owns(page))
		page = m->ones;
	else if (!mm_is_ram(m->vm, page, PAGE_SIZE) && (how & MM_EXEC || !vmm_device(m, page)))
		return SHADOW_DEVICE;
	if (page == m->ones && how & MM_WRITE)
		return SHADOW_DEVICE;
	walk_directory(&pg, &mem, lin, &pde, &at);
	t = table_for(m, lin, &w, pde);
	if (!t->large) { /* the walk has set bits */
		unsigned word = narrow(m) ? i / 2 : i;

		mm_phys_read(m->vm, t->source + word * 8, &t->copy[word], 8);
	}
	e = page | PTE_P | PTE_A | PTE_D | (w.user ? PTE_U : 0) | (w.nx ? PTE_NX : 0) |
	    (w.global ? PTE_G : 0);
	if (w.writable && w.dirty && page != m->ones)
		e |= PTE_W;
	else if (how & MM_WRITE)
		e = supervisor_write(m, e);
	put(m, t, i, e);
	return SHADOW_MAPPED;
}

/* ---- making them ---- */

bool shadow_init(struct vmm *m)
{
	struct shadows *s = calloc(1, sizeof(*s));

	m->shadows = s;
	if (!s)
		return false;
	s->table = calloc(TABLES, sizeof(*s->table));
	if (!s->table)
		return false;
	for (unsigned i = 0; i < ROOTS; i++) {
		struct root *r = &s->root[i];

		r->pointers = vmm_page(m);
		for (unsigned k = 0; k < REGIONS; k++)
			r->table[k] = NO_TABLE;
		for (unsigned k = 0; k < DIRECTORIES; k++) {
			r->directory[k] = vmm_page(m);
			vmm_store64(m, r->pointers + k * 8, r->directory[k] | PTE_P);
		}
	}
	for (unsigned i = 0; i < TABLES; i++) {
		s->table[i].at = vmm_page(m);
	}
	return s->table[TABLES - 1].at;
}

void shadow_free(struct vmm *m)
{
	if (m->shadows)
		free(m->shadows->table);
	free(m->shadows);
	m->shadows = NULL;
}
