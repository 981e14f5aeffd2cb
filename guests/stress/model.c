/* SPDX-License-Identifier: GPL-3.0-or-later
 * The model's memory: the expected content of each page, the page walk over it, accessed and dirty
 * bits, and the translations that a TLB may still hold. All changes between model_begin and model_undo
 * can be taken back. */
#include "guests/stress/stress.h"

u8 mem[NFRAMES][4096], may[NFRAMES][4096], role[NPOOL];
struct state st;
struct fault fault;
struct span fetching;

/* Entries used by the current instruction, and the bits it sets in them. */
static struct {
	u16 frame, off;
	u8 bits;
	bool open;
} used[48];
static u32 nused;
static bool looking_ahead;

/* ---- changes and undoing them ---- */

struct change {
	u32 at;
	u8 was, may;
};
enum { MAX_CHANGES = 1 << 17 };
static struct change changes[MAX_CHANGES];
static u32 nchanges;
static struct state st_was;
static u8 role_was[NPOOL];

void model_begin(void)
{
	nchanges = 0;
	st_was = st;
	memcpy(role_was, role, sizeof(role));
}

void model_undo(void)
{
	while (nchanges) {
		const struct change *c = &changes[--nchanges];

		mem[c->at >> 12][c->at & 4095] = c->was;
		may[c->at >> 12][c->at & 4095] = c->may;
	}
	nused = 0;
	st = st_was;
	memcpy(role, role_was, sizeof(role));
}

bool model_room(void)
{
	return nchanges < MAX_CHANGES - 20000;
}

static void set(u32 frame, u32 off, u8 v, u8 m)
{
	if (nchanges < MAX_CHANGES)
		changes[nchanges++] = (struct change){ frame << 12 | off, mem[frame][off], may[frame][off] };
	mem[frame][off] = v;
	may[frame][off] = m;
}

void put8(u32 frame, u32 off, u8 v)
{
	set(frame, off, v, 0);
}

void put32(u32 frame, u32 off, u32 v)
{
	for (unsigned i = 0; i < 4; i++)
		set(frame, off + i, (u8)(v >> 8 * i), 0);
}

u32 get32(u32 frame, u32 off)
{
	return *(u32 *)&mem[frame][off];
}

u32 open32(u32 frame, u32 off)
{
	return *(u32 *)&may[frame][off];
}

void copy_frame(u32 to, u32 from)
{
	for (u32 i = 0; i < 4096; i++)
		set(to, i, mem[from][i], may[from][i]);
}

u32 page_va(u32 zone, u32 page)
{
	u32 edge = zone >= Z_KA ? ZONE_K : ZONE_U;

	return zone & 1 ? edge + page * 4096 : edge - (ZPAGES - page) * 4096;
}

static bool zone_entry(u32 off)
{
	for (u32 z = 0; z < NZONES; z++)
		if (pde_place(0, page_va(z, 0)).off == (off & ~(entry_bytes() - 1)))
			return true;
	return false;
}

/* A directory's entries outside the zones: the kernel uses them all the time. */
void mark_dir(u32 frame)
{
	for (u32 i = 0; i < 4096; i += entry_bytes())
		if (!zone_entry(i))
			may[frame][i] = PTE_A | PTE_D;
}

/* Adopt the processor's choice of bits that were open. */
void may_settle(u32 frame, const u8 *real)
{
	for (u32 i = 0; i < 4096; i += 4)
		if (*(u32 *)&may[frame][i]) {
			u32 m = *(u32 *)&may[frame][i], v = *(u32 *)&mem[frame][i];

			*(u32 *)&mem[frame][i] = (v & ~m) | (*(const u32 *)&real[i] & m);
			*(u32 *)&may[frame][i] = 0;
		}
	if (frame < NPOOL && role[frame] == R_DIR)
		mark_dir(frame);
}

/* ---- frames ---- */

u32 frame_pa(u32 frame)
{
	if (frame < NPOOL)
		return POOL_PA + frame * 4096;
	return frame < F_HOLE ? VGA_PA + (frame - F_VGA) * 4096 : HOLE_PA;
}

int pa_frame(u32 pa)
{
	if (pa - POOL_PA < NPOOL * 4096)
		return (int)((pa - POOL_PA) >> 12);
	if (pa - VGA_PA < NVGA * 4096)
		return (int)(F_VGA + ((pa - VGA_PA) >> 12));
	return pa - HOLE_PA < 4096 ? F_HOLE : -1;
}

/* ---- page tables ---- */

u32 entry_bytes(void)
{
	return pae ? 8 : 4;
}

u32 large_shift(void)
{
	return pae ? 21 : 22;
}

struct place pde_place(u32 space, u32 va)
{
	u32 n = (va >> large_shift()) & (4096 / entry_bytes() - 1);

	return (struct place){ st.dir[space][va >= KERNEL_BASE], (u16)(n * entry_bytes()) };
}

static u32 pte_off(u32 va)
{
	return ((va >> 12) & (4096 / entry_bytes() - 1)) * entry_bytes();
}

struct place pte_place(u32 space, u32 va)
{
	struct place p = pde_place(space, va);
	u32 pde = get32(p.frame, p.off);
	int f = pa_frame(pde & ~0xfffu);

	if ((pde & (PTE_P | PTE_PS)) != PTE_P || f < 0 || f >= NPOOL)
		return (struct place){ 0xffff, 0 };
	return (struct place){ (u16)f, (u16)pte_off(va) };
}

static u32 large_mask(void)
{
	return (1u << large_shift()) - 1;
}

static bool in_zone(u32 va)
{
	return va - (ZONE_U - ZPAGES * 4096) < 2 * ZPAGES * 4096 ||
	       va - (ZONE_K - ZPAGES * 4096) < 2 * ZPAGES * 4096;
}

int peek(u32 va, struct place *at)
{
	struct place p;
	u32 e, pa;
	int f;

	if (!in_zone(va))
		return -1;
	p = pde_place(st.space, va);
	e = get32(p.frame, p.off);
	if (!(e & PTE_P))
		return -1;
	pa = (e & ~large_mask()) | (va & large_mask());
	if (!(e & PTE_PS)) {
		p = pte_place(st.space, va);
		if (p.frame == 0xffff || !((e = get32(p.frame, p.off)) & PTE_P))
			return -1;
		pa = (e & ~0xfffu) | (va & 0xfff);
	}
	f = pa_frame(pa);
	*at = (struct place){ (u16)f, (u16)(va & 0xfff) };
	return f;
}

/* OPEN: a translation kept from another directory may be used instead. */
static void use(struct place p, u8 bits, bool open)
{
	open |= looking_ahead;
	for (u32 i = 0; i < nused; i++)
		if (used[i].frame == p.frame && used[i].off == p.off) {
			used[i].bits |= bits;
			used[i].open &= open;
			return;
		}
	if (nused < LEN(used)) {
		used[nused].frame = p.frame;
		used[nused].off = p.off;
		used[nused].open = open;
		used[nused++].bits = bits;
	}
}

/* Pool pages whose bytes the instruction read, and tables whose bits it changed: it is open
 * whether it reads the bits before or after. */
static u32 was_read[NPOOL / 32], was_marked[NPOOL / 32];

void instruction_begins(void)
{
	nused = 0;
	fetching.n[0] = fetching.n[1] = 0;
	for (u32 i = 0; i < LEN(was_read); i++)
		was_read[i] = was_marked[i] = 0;
}

bool read_what_it_marked(void)
{
	for (u32 i = 0; i < LEN(was_read); i++)
		if (was_read[i] & was_marked[i])
			return true;
	return false;
}

/* The page of VA may be marked as accessed, or not. */
void look_ahead(u32 va, unsigned how)
{
	struct fault f = fault;
	struct place at;

	looking_ahead = true;
	translate(va, how, &at);
	looking_ahead = false;
	fault = f;
}

void commit(bool done)
{
	for (u32 i = 0; i < nused; i++) {
		u32 f = used[i].frame, o = used[i].off;
		u8 v = mem[f][o], m = may[f][o], b = used[i].bits;

		if ((v & b) != b || (m & b))
			was_marked[f / 32] |= 1u << f % 32;
		if (done && !used[i].open && ((v & b) != b || (m & b)))
			set(f, o, v | b, m & ~b);
		else if ((!done || used[i].open) && ((~v & b) & ~m))
			set(f, o, v, m | (~v & b));
	}
	nused = 0;
}

static bool is_stale(u32 va)
{
	if (st.all_stale)
		return true;
	for (u32 i = 0; i < st.nstale; i++)
		if (st.stale[i] >> 1 == va >> 12)
			return true;
	return false;
}

static enum outcome denied(u32 va, u32 err, unsigned how)
{
	fault.err = err | (how & AC_WRITE ? PTE_W : 0) | (how & AC_USER ? PTE_U : 0);
	/* a read-modify-write reads first on some processors */
	fault.err_open = (how & AC_RMW) && !(err & PTE_P) ? PTE_W : 0;
	if ((how & AC_RMW) && (err & PTE_P) && (how & AC_USER))
		fault.err_open = PTE_W;
	fault.cr2 = va;
	return FAULT;
}

/* Addresses outside the test: stacks and the fixed instructions. */
static bool fixed_place(u32 va, unsigned how, struct place *at, enum outcome *o)
{
	bool user = how & AC_USER, write = how & AC_WRITE;
	u32 f;

	if (va - USTACK < 4096)
		f = F_USTACK;
	else if (va - USER_TEXT < 4096)
		f = F_UTEXT;
	else if (va - (u32)kstack < 4096)
		f = F_KSTACK;
	else if (va - (u32)kstubs < (u32)(kstubs_end - kstubs))
		f = F_KTEXT;
	else
		return false;
	*o = (user && (f == F_KSTACK || f == F_KTEXT)) || (write && f >= F_KTEXT) ||
		     ((how & AC_FETCH) && f < F_KTEXT)
		 ? OPEN
		 : OK;
	at->frame = (u16)f;
	at->off = f == F_KTEXT ? (u16)(va - (u32)kstubs) : (u16)(va & 0xfff);
	return true;
}

enum outcome translate(u32 va, unsigned how, struct place *at)
{
	bool user = how & AC_USER, write = how & AC_WRITE;
	u32 e, rights, pa;
	struct place p, leaf;
	enum outcome o;
	bool global;
	int f;

	if (fixed_place(va, how, at, &o))
		return o;
	if (va - KERNEL_BASE < 64u << 20) {
		f = pa_frame(va - KERNEL_BASE);
		*at = (struct place){ (u16)f, (u16)(va & 0xfff) };
		return user || f < 0 || (how & AC_FETCH) ? OPEN : OK;
	}
	if (!looking_ahead && (!in_zone(va) || is_stale(va)))
		return OPEN;
	p = pde_place(st.space, va);
	e = get32(p.frame, p.off);
	if (pae && get32(p.frame, p.off + 4))
		return OPEN;
	if (!(e & PTE_P))
		return denied(va, 0, how);
	rights = e;
	leaf = p;
	if (e & PTE_PS) {
		if (e & large_mask() & ~0x1fffu)
			return OPEN; /* reserved bits */
		pa = (e & ~large_mask()) | (va & large_mask());
	} else {
		f = pa_frame(e & ~0xfffu);
		if (f < 0 || f >= NPOOL)
			return OPEN;
		leaf = (struct place){ (u16)f, (u16)pte_off(va) };
		e = get32((u32)f, leaf.off);
		if (pae && get32((u32)f, leaf.off + 4u))
			return OPEN;
		if (!(e & PTE_P)) {
			use(p, PTE_A, false);
			return denied(va, 0, how);
		}
		rights &= e;
		pa = (e & ~0xfffu) | (va & 0xfff);
	}
	if ((user && !(rights & PTE_U)) || (write && !(rights & PTE_W) && (user || st.wp))) {
		use(p, PTE_A, false);
		use(leaf, PTE_A, false);
		return denied(va, PTE_P, how);
	}
	global = st.pge && (e & PTE_G);
	use(p, PTE_A, global);
	use(leaf, write ? PTE_A | PTE_D : PTE_A, global && leaf.frame == p.frame && leaf.off == p.off);
	if (e & 0x98 & ~(e & PTE_PS && leaf.frame == p.frame && leaf.off == p.off ? PTE_PS : 0u))
		return OPEN; /* memory types, PAT */
	f = pa_frame(pa);
	*at = (struct place){ (u16)f, (u16)(va & 0xfff) };
	return f < 0 ? OPEN : OK;
}

/* All of [VA, VA + N): both pages are checked before any access. */
enum outcome reach(u32 va, u32 n, unsigned how, struct span *s)
{
	u32 head = 4096 - (va & 0xfff);
	enum outcome first, second;
	struct fault f;

	s->n[0] = n < head ? n : head;
	s->n[1] = n - s->n[0];
	first = translate(va, how, &s->at[0]);
	if (!s->n[1] || first == OPEN)
		return first;
	f = fault;
	second = translate(va + s->n[0], how, &s->at[1]);
	if (second == OPEN || (first == FAULT && second == FAULT))
		return OPEN; /* which comes first? */
	if (first == FAULT)
		fault = f;
	return first == FAULT ? first : second;
}

/* Add to V; false: some of it is open. */
static bool load_part(struct place p, u32 n, u8 *v)
{
	extern u8 user_image[];

	if (p.frame < NPOOL && n)
		was_read[p.frame / 32] |= 1u << p.frame % 32;
	for (u32 i = 0; i < n; i++) {
		u32 off = p.off + i;

		if (p.frame < NFRAMES && may[p.frame][off])
			return false;
		v[i] = p.frame == F_KTEXT   ? kstubs[off]
		       : p.frame == F_UTEXT ? user_image[off]
					    : mem[p.frame][off];
	}
	return true;
}

enum outcome load(const struct span *s, u8 *v)
{
	return load_part(s->at[0], s->n[0], v) && load_part(s->at[1], s->n[1], v + s->n[0]) ? OK : OPEN;
}

/* ---- stores, and translations that become stale ---- */

static bool add_stale(u32 va, bool global)
{
	u32 v = (va >> 12) << 1 | global;

	for (u32 i = 0; i < st.nstale; i++)
		if (st.stale[i] == v)
			return true;
	if (st.nstale == NSTALE)
		return false;
	st.stale[st.nstale++] = v;
	return true;
}

bool entry_changed(u32 frame, u32 off, u32 old, u32 open, u32 now)
{
	if (!(old & PTE_P) || (old == now && !open))
		return true;
	if (role[frame] == R_DIR) {
		u8 how = off == pde_place(st.space, page_va(Z_KA, 0)).off ? STALE_GLOBAL : STALE_LOCAL;

		st.all_stale = how > st.all_stale ? how : st.all_stale;
		return true;
	}
	for (u32 z = 0; z < NZONES; z++) {
		struct place p = pte_place(st.space, page_va(z, 0));
		u32 first = pte_off(page_va(z, 0)), n = (off - first) / entry_bytes();

		if (p.frame == frame && off >= first && n < ZPAGES && !add_stale(page_va(z, n), old & PTE_G))
			return false;
	}
	return true;
}

/* May a store of the tested code change this entry? Few are let through. */
static enum outcome store_entry_check(u32 frame, u32 off, u32 old, u32 open, u32 now)
{
	off &= ~(entry_bytes() - 1);
	if (role[frame] == R_DIR)
		return OPEN;
	if ((now & (PTE_P | PTE_G)) == (PTE_P | PTE_G) || ((old & PTE_P) && (old & PTE_G)))
		return OPEN;
	return entry_changed(frame, off, old, open, now) ? OK : OPEN;
}

/* Does it change the storing instruction itself? */
static bool onto_itself(struct place p, u32 n)
{
	for (unsigned i = 0; i < 2; i++)
		if (fetching.n[i] && fetching.at[i].frame == p.frame &&
		    p.off < fetching.at[i].off + fetching.n[i] && fetching.at[i].off < p.off + n)
			return true;
	return false;
}

static enum outcome store_part(struct place p, u32 n, u32 va, const u8 *v)
{
	u32 f = p.frame, old, open;

	if (f == F_HOLE || !n)
		return OK;
	old = get32(f, p.off & ~3u);
	open = open32(f, p.off & ~3u);
	for (u32 i = 0; i < n; i++)
		put8(f, p.off + i, v[i]);
	if (f >= NPOOL)
		return OK;
	if (onto_itself(p, n))
		return OPEN;
	if (role[f] == R_CODE && st.written[f] != ((va >> 12) << 2 | 2))
		st.written[f] = st.written[f] ? WRITTEN_ALIASES : (va >> 12) << 2 | 2;
	if (role[f] == R_TABLE || role[f] == R_DIR) {
		for (u32 i = 0; i < nused; i++) /* marked before the store, which overwrites that */
			if (used[i].frame == f && used[i].off == p.off)
				used[i].bits = 0;
		if ((p.off & 3) || n != 4 || (pae && (p.off & 4)))
			return OPEN;
		return store_entry_check(f, p.off, old, open, get32(f, p.off));
	}
	return OK;
}

enum outcome store(const struct span *s, u32 va, const u8 *v)
{
	enum outcome o = store_part(s->at[0], s->n[0], va, v);

	return o != OK ? o : store_part(s->at[1], s->n[1], va + s->n[0], v + s->n[0]);
}

/* ---- flushes ---- */

void serialize(void)
{
	for (u32 i = 0; i < NPOOL; i++)
		st.written[i] = 0;
}

void flush_page(u32 va)
{
	for (u32 i = 0; i < st.nstale; i++)
		if (st.stale[i] >> 1 == va >> 12)
			st.stale[i--] = st.stale[--st.nstale];
	serialize();
}

void flush_local(void)
{
	for (u32 i = 0; i < st.nstale; i++)
		if (!(st.stale[i] & 1) || !st.pge)
			st.stale[i--] = st.stale[--st.nstale];
	if (st.all_stale == STALE_LOCAL || !st.pge)
		st.all_stale = 0;
	serialize();
}

void flush_all(void)
{
	st.nstale = 0;
	st.all_stale = 0;
	serialize();
}

bool anything_stale(void)
{
	return st.nstale || st.all_stale;
}
