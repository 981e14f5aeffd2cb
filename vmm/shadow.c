/* SPDX-License-Identifier: GPL-3.0-or-later
 * Shadow page tables: what the processor walks in the place of the guest's tables (Adams and Agesen, ASPLOS
 * 2006, sections 2.4 and 4). They have four levels for a guest in IA-32e mode, and the format of PAE for any
 * other; they are filled on page faults that are not the guest's own.
 *
 * No table of the guest is traced. A shadow keeps a copy of the part of the guest's table that it was made
 * from; at the guest's own flushes the two are compared and what has changed is dropped, as a TLB may lag
 * until then. Shadows of the roots used last are kept; those that have the same directory entry at the same
 * place, as kernels do, share the table under it. A table of global pages alone is not compared at MOV CR3.
 * Entries above the tables allow everything: what the guest's say is in the tables. A large page of the
 * guest's that is all memory is a large page here. */
#include "vmm/vmm_int.h"

#include "base/gpr.h"
#include "mm/nested.h"
#include "mm/walk.h"
#include "x86/paging.h"

#include <stdlib.h>

#define ROOTS 16u
_Static_assert(ROOTS <= 16, "a bit each");
#define TABLES 2400u /* shadow page tables, of 2 MiB each */
#define ENTRIES 512u
#define PAE_DIRECTORIES 4u
#define DIRECTORIES 32u /* of a root, of 1 GiB each */
#define POINTERS 10u	/* of a root: tables of 512 GiB */
#define REGION_SHIFT 21
#define DIRECTORY_SHIFT 30
#define POINTER_SHIFT 39
#define LARGE_MASK ((1ull << REGION_SHIFT) - 1)
#define NO_TABLE UINT16_MAX
enum { INVVPID_ADDRESS, INVVPID_SINGLE }; /* types of INVVPID */

/* A shadow page table. */
struct table {
	gpa at;		/* of its page */
	uint16_t roots; /* a bit for each root that has it; 0: free */
	bool large;	/* the guest has a large page there, or part of one */
	bool local;	/* it had an entry that is not global */
	bool direct;	/* a large page of ours: the directory's entry is LEAF, and ENTRY is not used */
	uint64_t leaf;
	gva lin;      /* where they have it */
	uint64_t pde; /* the guest's entry, with the rights of those above */
	gpa source;   /* of the part of the guest's table that covers it */
	uint64_t entry[ENTRIES];
	uint64_t copy[ENTRIES]; /* of the guest's entries: half as many words for tables of 4-byte ones */
};

struct directory {
	gpa at, above; /* of its page, of the entry that leads there */
	gva lin;
	unsigned used; /* how many tables it has */
	uint16_t table[ENTRIES];
};

/* A table of four levels that leads to directories. */
struct pointers {
	gpa at;
	unsigned slot; /* in the PML4 */
};

struct root {
	bool used, wide; /* four levels */
	uint64_t cr3;
	uint64_t lru;
	uint64_t globals; /* flushes of global pages that it has seen */
	gpa top;	  /* of the PML4, or of the four PDPTEs */
	unsigned ndirectories, npointers;
	struct directory directory[DIRECTORIES];
	struct pointers pointers[POINTERS];
};

struct shadows {
	struct root root[ROOTS];
	struct table *table; /* TABLES of them */
	unsigned hand;	     /* of the clock that finds a table to be reused */
	uint64_t tick, globals;
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

/* Does the guest's SMAP refuse the supervisor's accesses that the exit is about? Those that instructions make
 * at CPL 3 implicitly are refused whatever AC is. */
static bool smap(const struct vmm *m)
{
	unsigned cpl = vm_read(m, VMCS_GUEST_SS_ACCESS_RIGHTS) >> SA_DPL_SHIFT & 3;

	return vmm_cr4(m) & CR4_SMAP && (cpl == 3 || !(vm_read(m, VMCS_GUEST_RFLAGS) & FL_AC));
}

static struct paging paging_of(struct vmm *m)
{
	return (struct paging){ .cr0 = vmm_cr0(m),
				.cr3 = m->cr3,
				.cr4 = vmm_cr4(m),
				.efer = vm_read(m, VMCS_GUEST_IA32_EFER),
				.pdptr = { m->pdptr[0], m->pdptr[1], m->pdptr[2], m->pdptr[3] },
				.a20_mask = m->v->cpu.a20_mask | ~(gpa)UINT32_MAX,
				.smap = smap(m),
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

static unsigned index_in(gva lin, unsigned shift)
{
	return (unsigned)(lin >> shift) % ENTRIES;
}

static struct directory *find_directory(struct root *r, gva lin)
{
	for (unsigned i = 0; i < r->ndirectories; i++)
		if (r->directory[i].lin >> DIRECTORY_SHIFT == lin >> DIRECTORY_SHIFT)
			return &r->directory[i];
	return NULL;
}

/* Number of R's table of LIN, or NO_TABLE. */
static uint16_t table_at(struct root *r, gva lin)
{
	const struct directory *d = find_directory(r, lin);

	return d ? d->table[index_in(lin, REGION_SHIFT)] : NO_TABLE;
}

static uint16_t root_bit(const struct vmm *m, const struct root *r)
{
	return (uint16_t)(1u << (r - m->shadows->root));
}

/* R gives its table number I of D up; without a root, its entries go. */
static void detach(struct vmm *m, struct root *r, struct directory *d, unsigned i)
{
	struct table *t;

	if (d->table[i] == NO_TABLE)
		return;
	t = &m->shadows->table[d->table[i]];
	vmm_store64(m, d->at + i * 8, 0);
	d->table[i] = NO_TABLE;
	d->used--;
	t->roots &= (uint16_t)~root_bit(m, r);
	for (unsigned k = 0; k < ENTRIES && !t->roots; k++)
		put(m, t, k, 0);
}

static void drop_table(struct vmm *m, struct table *t)
{
	for (unsigned i = 0; i < ROOTS; i++) {
		struct root *r = &m->shadows->root[i];

		if (t->roots >> i & 1)
			detach(m, r, find_directory(r, t->lin), index_in(t->lin, REGION_SHIFT));
	}
}

/* R has no table and no directory any more. */
static void empty_root(struct vmm *m, struct root *r)
{
	for (unsigned k = 0; k < r->ndirectories; k++) {
		struct directory *d = &r->directory[k];

		for (unsigned i = 0; i < ENTRIES && d->used; i++)
			detach(m, r, d, i);
		vmm_store64(m, d->above, 0);
	}
	for (unsigned k = 0; k < r->npointers; k++)
		vmm_store64(m, r->top + r->pointers[k].slot * 8, 0);
	r->ndirectories = r->npointers = 0;
}

static void drop_root(struct vmm *m, struct root *r)
{
	empty_root(m, r);
	r->used = false;
}

#define TO_TABLE (PTE_P | PTE_W | PTE_U | PTE_A)

/* The table of four levels above the directory of LIN. 0: R has as many as it can. */
static gpa pointers_of(struct vmm *m, struct root *r, gva lin)
{
	struct pointers *p;

	for (unsigned i = 0; i < r->npointers; i++)
		if (r->pointers[i].slot == index_in(lin, POINTER_SHIFT))
			return r->pointers[i].at;
	if (r->npointers == POINTERS)
		return 0;
	p = &r->pointers[r->npointers++];
	p->slot = index_in(lin, POINTER_SHIFT);
	vmm_store64(m, r->top + p->slot * 8, p->at | TO_TABLE);
	return p->at;
}

/* Give R a directory for LIN. NULL: it has as many as it can. */
static struct directory *new_directory(struct vmm *m, struct root *r, gva lin)
{
	gpa above = r->wide ? pointers_of(m, r, lin) : r->top;
	struct directory *d = &r->directory[r->ndirectories];

	if (!above || r->ndirectories == DIRECTORIES)
		return NULL;
	r->ndirectories++;
	d->lin = lin >> DIRECTORY_SHIFT << DIRECTORY_SHIFT;
	d->above = above + index_in(lin, DIRECTORY_SHIFT) * 8;
	vmm_store64(m, d->above, d->at | (r->wide ? TO_TABLE : PTE_P));
	return d;
}

static struct directory *directory_of(struct vmm *m, struct root *r, gva lin)
{
	struct directory *d = find_directory(r, lin);

	if (!d)
		d = new_directory(m, r, lin);
	if (!d) {
		empty_root(m, r);
		flush_processor(m);
		d = new_directory(m, r, lin);
	}
	return d;
}

/* The PDPTEs of PAE are read with CR3, so all four directories are there from the beginning. */
static void begin_root(struct vmm *m, struct root *r, uint64_t cr3, bool wide)
{
	r->used = true;
	r->wide = wide;
	r->cr3 = cr3;
	for (unsigned i = 0; i < PAE_DIRECTORIES && !wide; i++)
		new_directory(m, r, (gva)i << DIRECTORY_SHIFT);
}

/* R takes T, of its place. */
static void attach(struct vmm *m, struct root *r, struct table *t)
{
	struct directory *d = directory_of(m, r, t->lin);
	unsigned i = index_in(t->lin, REGION_SHIFT);

	t->roots |= root_bit(m, r);
	d->table[i] = (uint16_t)(t - m->shadows->table);
	d->used++;
	vmm_store64(m, d->at + i * 8, t->direct ? t->leaf : t->at | TO_TABLE);
}

/* E maps all of T. */
static void put_leaf(struct vmm *m, struct table *t, uint64_t e)
{
	t->leaf = e;
	for (unsigned i = 0; i < ROOTS; i++)
		if (t->roots >> i & 1)
			vmm_store64(m,
				    find_directory(&m->shadows->root[i], t->lin)->at +
					index_in(t->lin, REGION_SHIFT) * 8,
				    e);
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

static void sync_directory(struct vmm *m, struct root *r, struct directory *d, bool global)
{
	struct paging pg = paging_of(m);
	struct walk_memory mem = memory_of(m);

	for (unsigned i = 0; i < ENTRIES && d->used; i++) {
		struct table *t;
		uint64_t pde;
		gpa at;

		if (d->table[i] == NO_TABLE)
			continue;
		t = &m->shadows->table[d->table[i]];
		if (!t->local && !global)
			continue;
		if (!walk_directory(&pg, &mem, t->lin, &pde, &at) || !keeps(t->pde, pde))
			detach(m, r, d, i);
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

	for (unsigned k = 0; k < from->ndirectories; k++) {
		const struct directory *d = &from->directory[k];

		for (unsigned i = 0; i < ENTRIES && d->used; i++) {
			struct table *t = &m->shadows->table[d->table[i] % TABLES];
			uint64_t pde;
			gpa at;

			if (d->table[i] != NO_TABLE && walk_directory(&pg, &mem, t->lin, &pde, &at) &&
			    shareable(t, pde))
				attach(m, r, t);
		}
	}
}

static struct root *find_root(struct vmm *m, uint64_t cr3, bool wide)
{
	struct shadows *s = m->shadows;
	struct root *old = NULL;

	for (unsigned i = 0; i < ROOTS; i++) {
		struct root *r = &s->root[i];

		if (r->used && r->cr3 == cr3 && r->wide == wide)
			return r;
		if (!old || !r->used || (old->used && r->lru < old->lru))
			old = r;
	}
	drop_root(m, old);
	begin_root(m, old, cr3, wide);
	if (s->current && s->current != old && s->current->wide == wide)
		adopt_tables(m, old, s->current);
	return old;
}

void shadow_enter(struct vmm *m, uint64_t cr3, bool global)
{
	struct shadows *s = m->shadows;
	struct root *r;

	m->cr3 = cr3;
	m->flushes++;
	s->globals += global;
	r = find_root(m, cr3, vmm_long(m));
	r->lru = ++s->tick;
	s->current = r;
	for (unsigned i = 0; i < r->ndirectories; i++)
		sync_directory(m, r, &r->directory[i], r->globals != s->globals);
	r->globals = s->globals;
	vm_write(m, VMCS_GUEST_CR3, r->top);
	flush_processor(m);
}

bool shadow_pdptes(struct vmm *m, uint64_t cr3)
{
	struct paging pg = paging_of(m);
	struct walk_memory mem = memory_of(m);

	return !(pg.cr4 & CR4_PAE) || vmm_long(m) || walk_load_pdptrs(&pg, &mem, (uint32_t)cr3, m->pdptr);
}

/* LIN of a region as shadows have it. */
static gva place_of(const struct vmm *m, gva lin)
{
	return (vmm_long(m) ? lin : (gva32)lin) >> REGION_SHIFT << REGION_SHIFT;
}

/* Global pages go in all roots. */
void shadow_invlpg(struct vmm *m, gva lin)
{
	bool large = false;

	m->flushes++;
	for (unsigned i = 0; i < ROOTS; i++) {
		struct root *r = &m->shadows->root[i];
		uint16_t n = table_at(r, place_of(m, lin));
		struct table *t = &m->shadows->table[n % TABLES];

		if (n == NO_TABLE || (r != m->shadows->current && t->local))
			continue;
		large |= t->large;
		if (t->large)
			drop_table(m, t);
		else
			put(m, t, index_in(lin, PAGE_SHIFT), 0);
	}
	if (large) /* all of the large page, of which the processor knows nothing */
		flush_processor(m);
	else if (m->x->ops->invvpid)
		m->x->ops->invvpid(m->x, INVVPID_ADDRESS, VMM_VPID, lin);
}

/* ---- page faults ---- */

static struct table *take_table(struct vmm *m, struct root *r, gva lin, bool direct)
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
	t->lin = lin;
	t->local = false;
	t->direct = direct;
	t->leaf = 0;
	attach(m, r, t);
	return t;
}

/* What another root has in its place under the same directory entry. */
static struct table *shared_table(struct vmm *m, gva lin, bool large, bool direct, uint64_t pde)
{
	for (unsigned i = 0; i < ROOTS; i++) {
		struct root *r = &m->shadows->root[i];
		uint16_t n = r->wide == m->shadows->current->wide ? table_at(r, lin) : NO_TABLE;
		struct table *t = &m->shadows->table[n % TABLES];

		if (n != NO_TABLE && t->large == large && t->direct == direct && shareable(t, pde))
			return t;
	}
	return NULL;
}

/* The table of LIN under the guest's directory entry PDE. */
static struct table *table_for(struct vmm *m, gva lin, const struct walk *w, uint64_t pde, bool direct)
{
	struct root *r = m->shadows->current;
	bool large = w->page_shift != PAGE_SHIFT;
	uint16_t n;
	struct table *t;

	lin = place_of(m, lin);
	n = table_at(r, lin);
	if (n != NO_TABLE) {
		t = &m->shadows->table[n];
		if (t->large == large && t->direct == direct && keeps(t->pde, pde)) {
			t->pde = pde; /* dirty by now, maybe */
			return t;
		}
		detach(m, r, find_directory(r, lin), index_in(lin, REGION_SHIFT));
		flush_processor(m);
	}
	t = shared_table(m, lin, large, direct, pde);
	if (t) {
		attach(m, r, t);
		sync_table(m, t);
		return t;
	}
	t = take_table(m, r, lin, direct);
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
	if (e & PTE_U && vmm_cr4(m) & CR4_SMEP && vm_read(m, VMCS_GUEST_IA32_EFER) & EFER_NXE)
		e |= PTE_NX;
	return (e & ~(uint64_t)PTE_U) | PTE_W;
}

/* Can one of our large pages do for the guest's, which W found? */
static bool whole(const struct vmm *m, const struct walk *w)
{
	gpa at = w->pa >> REGION_SHIFT << REGION_SHIFT;

	return w->page_shift >= REGION_SHIFT && m->v->cpu.a20_mask == UINT32_MAX && !vmm_owns(at) &&
	       mm_is_ram(m->vm, at, 1ull << REGION_SHIFT);
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
	bool direct;
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
		return SHADOW_EMULATE;
	if (page == m->ones && how & MM_WRITE)
		return SHADOW_EMULATE;
	walk_directory(&pg, &mem, lin, &pde, &at);
	direct = whole(m, &w);
	t = table_for(m, lin, &w, pde, direct);
	if (!t->large) { /* the walk has set bits */
		unsigned word = narrow(m) ? i / 2 : i;

		mm_phys_read(m->vm, t->source + word * 8, &t->copy[word], 8);
	}
	e = page | PTE_P | PTE_A | PTE_D | (w.user ? PTE_U : 0) | (w.nx ? PTE_NX : 0) |
	    (w.global ? PTE_G : 0);
	if (w.writable && w.dirty && page != m->ones)
		e |= PTE_W;
	else if (how & MM_WRITE && w.user && vmm_cr4(m) & CR4_SMAP)
		return SHADOW_EMULATE; /* SMAP would not know a page of the supervisor's */
	else if (how & MM_WRITE)
		e = supervisor_write(m, e);
	t->local |= !w.global;
	if (direct)
		put_leaf(m, t, (e & ~(uint64_t)(LARGE_MASK & PTE_ADDR64)) | PTE_PS);
	else
		put(m, t, i, e);
	return SHADOW_MAPPED;
}

/* ---- making them ---- */

static void init_root(struct vmm *m, struct root *r)
{
	r->top = vmm_page(m);
	for (unsigned i = 0; i < POINTERS; i++)
		r->pointers[i].at = vmm_page(m);
	for (unsigned i = 0; i < DIRECTORIES; i++) {
		r->directory[i].at = vmm_page(m);
		for (unsigned k = 0; k < ENTRIES; k++)
			r->directory[i].table[k] = NO_TABLE;
	}
}

bool shadow_init(struct vmm *m)
{
	struct shadows *s = calloc(1, sizeof(*s));

	m->shadows = s;
	if (!s)
		return false;
	s->table = calloc(TABLES, sizeof(*s->table));
	if (!s->table)
		return false;
	for (unsigned i = 0; i < ROOTS; i++)
		init_root(m, &s->root[i]);
	for (unsigned i = 0; i < TABLES; i++)
		s->table[i].at = vmm_page(m);
	return s->table[TABLES - 1].at;
}

void shadow_free(struct vmm *m)
{
	if (m->shadows)
		free(m->shadows->table);
	free(m->shadows);
	m->shadows = NULL;
}
