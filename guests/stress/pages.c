/* SPDX-License-Identifier: GPL-3.0-or-later
 * Changes to the pages: they become directories and tables of address spaces and return
 * to being data, are mapped at random addresses with random rights, lose and regain their
 * accessed and dirty bits; and changes are flushed in one of the possible ways.
 *
 * Every change is made in the model and added to the script's actions. The driver carries
 * these out at once; a handler, when the run reaches it.
 *
 * One kernel zone (KA) has the same table in all spaces, so its pages may be global. */
#include "guests/stress/stress.h"

u8 *ustack_page;
extern char user_image[];
static u64 pdpt[NSPACES][4] __attribute__((aligned(32)));
static u64 pae_kernel[512] __attribute__((aligned(4096)));
static u32 user_table; /* physical: the stack and the fixed instructions in user mode */

/* ---- changes ---- */

void driver_begin(void)
{
	model_begin();
	script.nactions = 0;
}

void driver_end(void)
{
	for (u32 i = 0; i < script.nactions; i++)
		act(&script.act[i]);
	script.nactions = 0;
}

void do_store(u32 frame, u32 off, u32 v)
{
	u32 old = get32(frame, off), open = open32(frame, off);

	put32(frame, off, v);
	add_action(A_STORE, frame_pa(frame) + off, v);
	if (frame < NPOOL && (role[frame] == R_TABLE || role[frame] == R_DIR) &&
	    !entry_changed(frame, off, old, open, v))
		st.all_stale = STALE_GLOBAL;
}

static void do_fill(u32 frame, u32 v)
{
	for (u32 i = 0; i < 4096; i += 4)
		put32(frame, i, v);
	add_action(A_FILL, frame_pa(frame), v);
}

static void do_copy(u32 to, u32 from)
{
	copy_frame(to, from);
	add_action(A_COPY, to, from);
}

void do_space(u32 space)
{
	st.space = (u8)space;
	flush_local();
	add_action(A_CR3, space_root(space), 0);
}

static void do_reload(void)
{
	flush_local();
	add_action(A_CR3, space_root(st.space), 0);
}

static void do_pge(bool keep)
{
	if (noglobal) {
		do_reload();
		return;
	}
	st.pge ^= !keep;
	flush_all();
	add_action(A_PGE, !keep, 0);
}

static void do_invlpg(u32 va)
{
	flush_page(va);
	add_action(A_INVLPG, va, 0);
}

void do_flush(u32 va)
{
	u32 how = below(100);

	if (how < 60 && !st.all_stale)
		do_invlpg(va);
	else if (how < 85)
		do_reload();
	else
		do_pge(how < 95);
	if (!anything_stale())
		return;
	for (u32 n = NSTALE; st.nstale && !st.all_stale && n; n--)
		do_invlpg(st.stale[0] >> 1 << 12);
	if (st.all_stale == STALE_LOCAL)
		do_reload();
	if (anything_stale())
		do_pge(true);
}

/* ---- frames ---- */

static u32 count_role(enum role r)
{
	u32 n = 0;

	for (u32 f = 0; f < NPOOL; f++)
		n += role[f] == r;
	return n;
}

static u32 random_data(void)
{
	for (;;) {
		u32 f = below(NPOOL);

		if (role[f] == R_DATA)
			return f;
	}
}

static u32 new_frame(enum role r)
{
	u32 f = random_data();

	do_fill(f, 0);
	role[f] = (u8)r;
	return f;
}

static u32 random_target(void)
{
	u32 k = below(100);

	if (k < 60)
		return random_data();
	if (k < 90)
		return below(NPOOL);
	return k < 96 ? F_VGA + below(NVGA) : F_HOLE;
}

static bool table_in_use(u32 frame)
{
	for (u32 s = 0; s < NSPACES; s++)
		for (u32 z = 0; z < NZONES; z++) {
			struct place p = pde_place(s, page_va(z, 0));
			u32 e = get32(p.frame, p.off);

			if ((e & (PTE_P | PTE_PS)) == PTE_P && pa_frame(e & ~0xfffu) == (int)frame)
				return true;
		}
	return false;
}

static void give_back_tables(void)
{
	for (u32 f = 0; f < NPOOL; f++)
		if (role[f] == R_TABLE && !table_in_use(f)) {
			check_frame(f); /* its accessed and dirty bits are plain data from now on */
			role[f] = R_DATA;
		}
}

/* ---- address spaces ---- */

u32 space_root(u32 space)
{
	return pae ? phys_of(pdpt[space]) : frame_pa(st.dir[space][0]);
}

static u32 random_entry(u32 zone)
{
	u32 e = frame_pa(random_target()) | (chance(85) ? PTE_P : 0);

	e |= (chance(75) ? PTE_W : 0) | (chance(zone >= Z_KA ? 20 : 80) ? PTE_U : 0);
	e |= chance(30) ? PTE_A | (chance(50) ? PTE_D : 0) : 0;
	return e | (zone == Z_KA && chance(50) ? PTE_G : 0);
}

static u32 random_table(u32 zone)
{
	u32 f = new_frame(R_TABLE);

	for (u32 i = 0; i < ZPAGES; i++) {
		u32 off = (((page_va(zone, i) >> 12) & (4096 / entry_bytes() - 1))) * entry_bytes();

		do_store(f, off, random_entry(zone));
	}
	return f;
}

static u32 pde_flags(u32 zone)
{
	return PTE_P | (chance(90) ? PTE_W : 0) | (zone < Z_KA || chance(10) ? PTE_U : 0);
}

static void set_pde(u32 space, u32 zone, u32 e)
{
	struct place p = pde_place(space, page_va(zone, 0));

	do_store(p.frame, p.off, e);
}

/* The kernel's half, and user mode's fixed pages. */
static void fill_directory(u32 space)
{
	u32 top = st.dir[space][1], low = st.dir[space][0];
	u32 text = USER_TEXT >> large_shift();

	for (u32 i = 0; i < 64u >> (large_shift() - 20); i++)
		do_store(top, ((KERNEL_BASE >> large_shift()) + i) * entry_bytes() & 4095,
			 i << large_shift() | PTE_P | PTE_W | PTE_PS | PTE_G);
	do_store(low, text * entry_bytes(), user_table | PTE_P | PTE_W | PTE_U);
}

static void build_space(u32 space)
{
	u32 other = (space + 1) % NSPACES;
	struct place ka;

	st.dir[space][0] = st.dir[space][1] = (u8)new_frame(R_DIR);
	if (pae)
		st.dir[space][1] = (u8)new_frame(R_DIR);
	fill_directory(space);
	for (u32 z = 0; z < NZONES; z++)
		if (z != Z_KA)
			set_pde(space, z, frame_pa(random_table(z)) | pde_flags(z));
	ka = pde_place(other, page_va(Z_KA, 0));
	set_pde(space, Z_KA, get32(ka.frame, ka.off));
	driver_end();
	if (pae) {
		pdpt[space][0] = frame_pa(st.dir[space][0]) | PTE_P;
		pdpt[space][3] = frame_pa(st.dir[space][1]) | PTE_P;
	}
	mark_dir(st.dir[space][0]);
	mark_dir(st.dir[space][1]);
}

/* Another space's directory and tables become data, other pages a new space. */
static void replace_space(void)
{
	u32 space = (st.space + 1 + below(NSPACES - 1)) % NSPACES;

	if (count_role(R_DATA) < 20)
		return;
	check_all();
	for (u32 z = 0; z < NZONES; z++)
		if (z != Z_KA)
			set_pde(space, z, 0);
	driver_end();
	role[st.dir[space][0]] = role[st.dir[space][1]] = R_DATA;
	for (u32 i = 0; i < 2; i++)
		do_fill(st.dir[space][i], rnd());
	driver_end();
	build_space(space);
	give_back_tables();
}

/* ---- single changes ---- */

static u32 random_zone(void)
{
	return below(NZONES);
}

static void remap_page(void)
{
	u32 z = random_zone(), va = page_va(z, below(ZPAGES));
	u32 space = chance(75) ? st.space : below(NSPACES);
	struct place p = pte_place(space, va);

	if (p.frame == 0xffff || role[p.frame] != R_TABLE)
		return;
	do_store(p.frame, p.off, random_entry(z));
	if (z == Z_KA || anything_stale())
		if (chance(85))
			do_flush(va);
}

/* Clear accessed and dirty bits, or change rights, of a run of pages. */
static void age_pages(void)
{
	u32 z = random_zone(), first = below(ZPAGES), n = 1 + below(ZPAGES - first), how = below(3);

	for (u32 i = first; i < first + n; i++) {
		struct place p = pte_place(st.space, page_va(z, i));
		u32 e;

		if (p.frame == 0xffff || role[p.frame] != R_TABLE)
			return;
		e = get32(p.frame, p.off);
		do_store(p.frame, p.off, how == 0 ? e & ~(PTE_A | PTE_D) : how == 1 ? e & ~PTE_W : e | PTE_W);
	}
	do_flush(page_va(z, first));
}

static u32 large_entry(u32 zone)
{
	u32 pa = zone & 1 ? POOL_PA + NPOOL / 2 * 4096 : POOL_PA + NPOOL / 2 * 4096 - (1u << large_shift());

	return pa | PTE_PS | pde_flags(zone) | (zone == Z_KA && chance(50) ? PTE_G : 0);
}

static void change_pde(void)
{
	u32 z = random_zone(), how = below(100), e, space = chance(80) ? st.space : below(NSPACES);
	struct place from = pde_place(below(NSPACES), page_va(z, 0));

	if (how < 25 && count_role(R_DATA) > 16)
		e = frame_pa(random_table(z)) | pde_flags(z);
	else if (how < 50)
		e = large_entry(z);
	else if (how < 60 && z != Z_KA)
		e = frame_pa(st.dir[space][z >= Z_KA]) | PTE_P | PTE_W | (z < Z_KA && chance(20) ? PTE_U : 0);
	else if (how < 65)
		e = 0;
	else if (z != Z_KA && role[from.frame] == R_DIR)
		e = get32(from.frame, from.off);
	else
		return;
	/* a directory is used as a table in its own space only */
	if ((e & (PTE_P | PTE_PS)) == PTE_P && role[pa_frame(e & ~0xfffu)] == R_DIR &&
	    pa_frame(e & ~0xfffu) != st.dir[space][z >= Z_KA])
		return;
	for (u32 s = 0; s < NSPACES; s++)
		if (s == space || z == Z_KA)
			set_pde(s, z, e);
	if (z == Z_KA)
		do_pge(true);
	else if (anything_stale())
		do_flush(page_va(z, 0));
	driver_end();
	give_back_tables();
}

static void change_data(void)
{
	u32 f = below(NPOOL), n = below(16);

	if (role[f] == R_CODE && chance(20)) {
		role[f] = R_DATA;
		do_fill(f, rnd());
	}
	if (role[f] != R_DATA)
		return;
	if (chance(10))
		do_fill(f, rnd());
	for (; n; n--)
		do_store(f, below(1024) * 4, rnd());
}

static void change_control(void)
{
	if (chance(40)) {
		st.wp ^= 1;
		add_action(A_WP, st.wp, 0);
	} else {
		do_pge(chance(70));
	}
}

void pages_step(void)
{
	u32 k = below(1000);

	driver_begin();
	counts.changes++;
	if (k < 600)
		remap_page();
	else if (k < 700)
		age_pages();
	else if (k < 760)
		change_pde();
	else if (k < 860)
		change_data();
	else if (k < 960)
		do_space(below(NSPACES));
	else if (k < 990)
		change_control();
	else
		replace_space();
	driver_end();
}

/* ---- changes made in handlers (in the model first) ---- */

/* Another frame with the same contents for the page at VA. */
static bool move_page(u32 va, u32 rights)
{
	struct place p = pte_place(st.space, va), at;
	int from = peek(va, &at);
	u32 to;

	if (p.frame == 0xffff || role[p.frame] != R_TABLE || from < 0 || from >= NPOOL ||
	    count_role(R_DATA) < 12 || role[from] > R_CODE)
		return false;
	to = random_data();
	do_copy(to, (u32)from);
	role[to] = role[from];
	do_store(p.frame, p.off, frame_pa(to) | (get32(p.frame, p.off) & 0xfff) | rights);
	do_flush(va);
	return true;
}

bool fix_fault(bool write, bool user)
{
	u32 va = fault.cr2 & ~0xfffu, rights = PTE_P | (write ? PTE_W : 0) | (user ? PTE_U : 0);
	struct place pd = pde_place(st.space, va), p = pte_place(st.space, va);
	u32 e;

	if (p.frame == 0xffff || role[p.frame] != R_TABLE || (get32(pd.frame, pd.off) & rights) != rights)
		return false;
	e = get32(p.frame, p.off);
	if ((e & PTE_P) && write && chance(50))
		return move_page(va, rights);
	if (!(e & PTE_P))
		e = frame_pa(random_target()) | (e & PTE_W);
	do_store(p.frame, p.off, e | rights);
	if (anything_stale() || chance(10))
		do_flush(va);
	return true;
}

void service(void)
{
	u32 k = below(100), z = random_zone(), va = page_va(z, below(ZPAGES));
	struct place p = pte_place(st.space, va);

	if (k < 25) {
		move_page(cpu.eip & ~0xfffu, 0);
	} else if (k < 45 && gen_constant(&p)) {
		do_store(p.frame, p.off, rnd());
	} else if (k < 60) {
		do_space(below(NSPACES));
	} else if (k < 80 && p.frame != 0xffff && role[p.frame] == R_TABLE) {
		do_store(p.frame, p.off, random_entry(z));
		do_flush(va);
	} else if (k < 90) {
		do_flush(va);
	}
}

/* An address in a zone, mostly a mapped one, often close to the end of a page. */
u32 random_place(bool write, bool user)
{
	for (u32 n = 0;; n++) {
		u32 z = below(user && chance(95) ? Z_KA : NZONES);
		u32 va = page_va(z, below(ZPAGES)) + (chance(20) ? 4096 - 1 - below(20) : below(4096));
		struct place at;
		int f = peek(va, &at);

		if (chance(70))
			va &= ~3u;
		if (n > 12 || (f < 0 && chance(20)))
			return va;
		if (f < 0 || (write && f < NPOOL && role[f] != R_DATA && chance(98)))
			continue;
		return va;
	}
}

/* A linear address of a pool page's offset: in a zone if it is there, else at KERNEL_BASE. */
static u32 alias_of(u32 frame, u32 off)
{
	u32 start = below(NZONES * ZPAGES);
	struct place at;

	for (u32 i = 0; i < NZONES * ZPAGES; i++) {
		u32 n = (start + i) % (NZONES * ZPAGES), va = page_va(n / ZPAGES, n % ZPAGES);

		if (peek(va, &at) == (int)frame)
			return va + off;
	}
	return frame_pa(frame) + KERNEL_BASE + off;
}

/* A page-table entry for tested code to store: its address, value, and page. */
bool random_pte(u32 *at, u32 *value, u32 *va)
{
	u32 z = random_zone();
	struct place p;

	*va = page_va(z, below(ZPAGES));
	p = pte_place(st.space, *va);
	if (p.frame == 0xffff)
		return false;
	*at = chance(60) ? alias_of(p.frame, p.off) : frame_pa(p.frame) + KERNEL_BASE + p.off;
	*value = random_entry(z) & ~PTE_G;
	return true;
}

/* ---- initialization ---- */

static u8 hole_byte(void)
{
	u32 v;

	test_map(0, HOLE_PA | PTE_P | PTE_W | 0x18);
	v = *(volatile u32 *)TEST_BASE;
	test_map(0, 0);
	return (u8)v;
}

static void build_user_table(void)
{
	u32 stack = frame_alloc();
	u32 *t;

	user_table = frame_alloc();
	t = phys(user_table);
	ustack_page = phys(stack);
	t[((USER_TEXT >> 12) & (4096 / entry_bytes() - 1)) * entry_bytes() / 4] =
	    phys_of(user_image) | PTE_P | PTE_U;
	t[((USTACK >> 12) & (4096 / entry_bytes() - 1)) * entry_bytes() / 4] = stack | PTE_P | PTE_W | PTE_U;
}

/* Tables for the change to PAE paging: physical memory at 0 and at KERNEL_BASE. */
static void go_pae(void)
{
	for (u32 i = 0; i < 32; i++)
		pae_kernel[i] = i << 21 | PTE_P | PTE_W | PTE_PS;
	pdpt[0][0] = pdpt[0][3] = phys_of(pae_kernel) | PTE_P;
	kernel_dir[0] = PTE_P | PTE_W | PTE_PS;
	write_cr3(read_cr3());
	enter_pae(phys_of(pdpt[0]));
}

void pages_init(void)
{
	u8 hole = hole_byte();
	u32 ka;

	memset(mem[F_HOLE], hole, 4096);
	build_user_table();
	if (pae)
		go_pae();
	driver_begin();
	for (u32 f = 0; f < F_HOLE; f++) {
		do_fill(f, rnd());
		driver_end();
	}
	st.wp = true;
	for (u32 s = NSPACES; s--;) {
		model_begin();
		st.dir[s][0] = st.dir[s][1] = 0;
		build_space(s);
	}
	model_begin();
	ka = random_table(Z_KA);
	for (u32 s = 0; s < NSPACES; s++)
		set_pde(s, Z_KA, frame_pa(ka) | pde_flags(Z_KA));
	do_space(0);
	do_pge(false);
	driver_end();
}
