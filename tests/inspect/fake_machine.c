/* SPDX-License-Identifier: GPL-3.0-or-later
 * See fake_machine.h. No thread: the processor runs inside machine_wait(). */
#include "tests/inspect/fake_machine.h"
#include "hv/balloon.h"
#include "mm/nested.h"
#include "mm/pages.h"
#include "mm/host.h"
#include "mm/policy.h"
#include "mm/slot.h"
#include "mm/walk.h"
#include "x86/paging.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { SLICE = 1000, MAX_BREAKS = 16 };

struct machine {
	struct vcpu v;
	uint8_t mem[FAKE_MEMORY], image[FAKE_MEMORY];
	gva breaks[MAX_BREAKS];
	unsigned nbreaks;
	enum machine_state state;
	struct machine_stop stop;
	int exit_code, fd;
	bool stop_asked, held, refuses;
	uint64_t icount_goal;
	void (*out)(void *ctx, const uint8_t *buf, size_t n);
	void *out_ctx;
	char input[256];
	unsigned mouse_buttons;
};

static struct machine *of(struct vcpu *v)
{
	return (struct machine *)v;
}

/* ---- memory ---- */

bool mm_phys_read(struct mm_vm *vm, gpa a, void *buf, uint64_t n)
{
	struct machine *m = (struct machine *)vm;

	if (a > FAKE_MEMORY || n > FAKE_MEMORY - a)
		return false;
	memcpy(buf, m->mem + a, n);
	return true;
}

bool mm_is_ram(const struct mm_vm *vm, gpa a, uint64_t n)
{
	(void)vm;
	return a <= FAKE_MEMORY && n <= FAKE_MEMORY - a;
}

gpa mm_next_populated(const struct mm_vm *vm, gpa a)
{
	(void)vm;
	return a;
}

bool mm_phys_write(struct mm_vm *vm, gpa a, const void *buf, uint64_t n)
{
	struct machine *m = (struct machine *)vm;

	if (a > FAKE_MEMORY || n > FAKE_MEMORY - a)
		return false;
	memcpy(m->mem + a, buf, n);
	return true;
}

const uint8_t *mm_page_bytes(struct mm_vm *vm, ppn p)
{
	return ((const struct machine *)vm)->mem + ((uint64_t)p << PAGE_SHIFT);
}

/* All of it is private, and there is no swap file. */
bool mm_state_of(const struct mm_vm *vm, ppn p, enum page_state *s)
{
	(void)vm;
	*s = PAGE_PRIVATE;
	return p < FAKE_MEMORY >> PAGE_SHIFT;
}

struct mm_pool *mm_vm_pool(const struct mm_vm *vm)
{
	(void)vm;
	return NULL;
}

/* There is no pool, so none of these is called. */
struct mm_slot *mm_pool_slot(struct mm_pool *p, unsigned i)
{
	(void)p, (void)i;
	return NULL;
}

struct mm_common *mm_common(struct mm_pool *p)
{
	static struct mm_common common;

	(void)p;
	return &common;
}

struct mm_policy *mm_policy(struct mm_pool *p)
{
	(void)p;
	return NULL;
}

bool mm_policy_hosted(const struct mm_pool *p)
{
	(void)p;
	return false;
}

bool mm_policy_wanted(struct mm_pool *p, const struct mm_vm *vm)
{
	(void)p, (void)vm;
	return false;
}

void mm_policy_changed(struct mm_pool *p)
{
	(void)p;
}

const char *mm_pool_state_name(unsigned s)
{
	(void)s;
	return "high";
}

void machine_memory_changed(struct machine *m)
{
	(void)m;
}

bool mm_has_swap(const struct mm_vm *vm)
{
	(void)vm;
	return false;
}

bool mm_swap_out(struct mm_vm *vm, ppn p)
{
	(void)vm, (void)p;
	return false;
}

bool mm_swap_in(struct mm_vm *vm, ppn p)
{
	(void)vm, (void)p;
	return true;
}

uint32_t mm_swap_out_some(struct mm_vm *vm, uint32_t n)
{
	(void)vm, (void)n;
	return 0;
}

uint64_t mm_share_range(struct mm_vm *vm, ppn first, uint32_t n)
{
	(void)vm, (void)first, (void)n;
	return 0;
}

bool mm_unshare_page(struct mm_vm *vm, ppn p)
{
	(void)vm, (void)p;
	return false;
}

struct mm_slot *mm_slot(const struct mm_vm *vm)
{
	(void)vm;
	return NULL;
}

bool mm_check(const struct mm_vm *vm, bool alone, struct mm_books *b)
{
	(void)vm, (void)alone;
	*b = (struct mm_books){ .pages[PAGE_PRIVATE] = FAKE_MEMORY >> PAGE_SHIFT,
				.charged = FAKE_MEMORY >> PAGE_SHIFT,
				.at = UINT32_MAX };
	return true;
}

/* In IA-32e mode the tables in memory count. */
static bool load_entry(void *ctx, gpa at, unsigned size, uint64_t *entry)
{
	return mm_phys_read(ctx, at, entry, size);
}

static void walk_tables(struct machine *m, gva lin, struct walk *w)
{
	const struct cpu *c = &m->v.cpu;
	struct paging pg = { .cr0 = c->cr0,
			     .cr3 = c->cr3,
			     .cr4 = c->cr4,
			     .efer = c->efer,
			     .a20_mask = ~0ull,
			     .maxphyaddr = 36 };
	struct walk_memory mem = { .ctx = m, .load = load_entry };

	walk_linear(&pg, &mem, lin, MM_READ | MM_PROBE, w);
}

static gpa physical(struct machine *m, gva lin)
{
	struct walk w;

	if (!cpu_long(&m->v.cpu))
		return lin;
	walk_tables(m, lin, &w);
	return w.ok ? w.pa : FAKE_MEMORY + 1;
}

int mmu_read(struct mmu *u, gva lin, void *buf, unsigned n, unsigned how)
{
	(void)how;
	return mm_phys_read((struct mm_vm *)u, physical((struct machine *)u, lin), buf, n) ? 0 : -1;
}

int mmu_write(struct mmu *u, gva lin, const void *buf, unsigned n, unsigned how)
{
	(void)how;
	return mm_phys_write((struct mm_vm *)u, physical((struct machine *)u, lin), buf, n) ? 0 : -1;
}

void mmu_flush(struct mmu *u, bool global)
{
	(void)u;
	(void)global;
}

int mmu_load_pdptrs(struct mmu *u, uint32_t cr3)
{
	(void)u;
	return cr3 & 0x1f ? -1 : 0;
}

void mmu_nested_invalidate(struct mmu *u, unsigned what, uint64_t tag, uint32_t asid, gva lin)
{
	(void)u, (void)what, (void)tag, (void)asid, (void)lin;
}

void mmu_walk(struct mmu *u, gva lin, unsigned how, struct walk *w)
{
	(void)how;
	if (cpu_long(&((struct machine *)u)->v.cpu)) {
		*w = (struct walk){ 0 };
		walk_tables((struct machine *)u, lin, w);
		return;
	}
	*w = (struct walk){ .nlevels = 1,
			    .level[0] = { "PDE", 0x2000 + (lin >> 22) * 4, 0 },
			    .page_shift = 22 };
	w->ok = lin < 1 << 22;
	if (lin >> 22 == 2 &&
	    (lin & PAGE_MASK) == 0x234) { /* under nested paging, the second half in a hole */
		w->second = (struct walk_second){ .on = true,
						  .exits = lin & 1 << 21,
						  .rights = NESTED_R | NESTED_X | NESTED_XU,
						  .shift = 21,
						  .guest = lin & 0x3fffff };
		w->ok = !w->second.exits;
	}
	if (w->ok) {
		w->pa = lin;
		w->user = w->writable = true;
		w->level[0].entry = 0xe7;
	}
}

const struct view *const mm_views[] = { NULL };
const struct view *const mm_vm_views[] = { NULL };
const struct view *const mm_pool_views[] = { NULL };
const struct view *const mm_host_views[] = { NULL };
const struct view *const machine_views[] = { NULL };

/* ---- processor ---- */

static unsigned word(const struct machine *m)
{
	return cpu_64(&m->v.cpu) ? 8 : 4;
}

static void push(struct machine *m, uint64_t val)
{
	m->v.cpu.gpr[R_ESP] -= word(m);
	memcpy(m->mem + (m->v.cpu.gpr[R_ESP] & 0xfffc), &val, word(m));
}

static uint64_t pop(struct machine *m)
{
	uint64_t val = 0;

	memcpy(&val, m->mem + (m->v.cpu.gpr[R_ESP] & 0xfffc), word(m));
	m->v.cpu.gpr[R_ESP] += word(m);
	return val;
}

static void out_port(struct machine *m, uint8_t port)
{
	uint8_t al = (uint8_t)m->v.cpu.gpr[R_EAX];

	if (port == 0xe9 && m->out)
		m->out(m->out_ctx, &al, 1);
	if (port == 0xf4) {
		m->state = MACHINE_EXITED;
		m->exit_code = al << 1 | 1;
	}
}

static void step(struct machine *m)
{
	struct cpu *c = &m->v.cpu;
	uint64_t pc = cpu_64(c) ? c->rip : c->rip % (FAKE_MEMORY - 16);
	uint8_t op = m->mem[pc % FAKE_MEMORY];
	uint32_t imm;

	memcpy(&imm, m->mem + pc % FAKE_MEMORY + 1, 4);
	c->rip = pc + 1;
	m->v.icount++;
	if (op >= 0x40 && op <= 0x47) {
		c->gpr[op & 7] = (uint32_t)(c->gpr[op & 7] + 1);
	} else if (op >= 0xb8 && op <= 0xbf) {
		c->gpr[op & 7] = imm;
		c->rip += 4;
	} else if (op == 0xeb) {
		c->rip = pc + 2 + (uint64_t)(int8_t)imm;
	} else if (op == 0xe8) {
		push(m, pc + 5);
		c->rip = pc + 5 + (uint64_t)(int32_t)imm;
	} else if (op == 0xc3) {
		c->rip = pop(m);
	} else if (op == 0xe6) {
		c->rip++;
		out_port(m, (uint8_t)imm);
	} else if (op == 0xf4) {
		m->state = MACHINE_OFF;
	} else if (op == 0x0f) {
		m->state = MACHINE_FAILED;
	}
}

static bool at_break(const struct machine *m)
{
	for (unsigned i = 0; i < m->nbreaks; i++)
		if (m->breaks[i] == m->v.cpu.rip)
			return true;
	return false;
}

static void bp_insert(struct vcpu *v, gva lin)
{
	of(v)->breaks[of(v)->nbreaks++] = lin;
}

static void bp_remove(struct vcpu *v, gva lin)
{
	struct machine *m = of(v);

	for (unsigned i = 0; i < m->nbreaks; i++)
		if (m->breaks[i] == lin) {
			m->breaks[i] = m->breaks[--m->nbreaks];
			return;
		}
}

static void state_changed(struct vcpu *v)
{
	(void)v;
}

static const struct engine_ops fake_ops = {
	.name = "fake",
	.bp_insert = bp_insert,
	.bp_remove = bp_remove,
	.state_changed = state_changed,
};

/* ---- machine ---- */

static void power_on(struct machine *m)
{
	struct cpu *c = &m->v.cpu;

	memcpy(m->mem, m->image, sizeof(m->mem));
	cpu_reset(c);
	c->cr0 = CR0_PE | CR0_ET | CR0_PG;
	c->seg[SEG_CS] = (struct seg_cache){ .limit = ~0u,
					     .attr = SA_P | SA_S | SA_CODE | SA_RW | SA_DB | SA_G,
					     .sel = 8 };
	c->rip = FAKE_START;
	c->gpr[R_ESP] = FAKE_STACK;
	c->gpr[R_EDX] = 0;
	m->v.icount = 0;
	m->state = MACHINE_STOPPED;
}

struct machine *fake_machine(const uint8_t *code, size_t len)
{
	struct machine *m = calloc(1, sizeof(*m));

	memcpy(m->image + FAKE_START, code, len);
	m->v.ops = &fake_ops;
	m->v.mmu = (struct mmu *)m;
	m->fd = eventfd(0, EFD_NONBLOCK);
	power_on(m);
	return m;
}

/* Write N entries of a table at AT, each STEP more than the one before. */
static void put_entries(struct machine *m, gpa at, unsigned n, uint64_t first, uint64_t step)
{
	for (unsigned i = 0; i < n; i++)
		memcpy(m->image + at + 8 * i, &(uint64_t){ first + i * step }, 8);
}

void fake_machine_long(struct machine *m)
{
	struct cpu *c = &m->v.cpu;

	put_entries(m, 0xa000, 1, 0xb007, 0);		/* PML4E 0: user, from 0 on */
	put_entries(m, 0xa000 + 8 * 273, 1, 0xe003, 0); /* ... ffff888000000000 */
	put_entries(m, 0xa000 + 8 * 511, 1, 0xf003, 0); /* ... ffffff8000000000 */
	put_entries(m, 0xb000, 1, 0xc007, 0);		/* PDPTE */
	put_entries(m, 0xc000, 1, 0xd007, 0);		/* PDE */
	put_entries(m, 0xd000, 16, 0x67, PAGE_SIZE);	/* PTEs: all memory, and no more */
	put_entries(m, 0xe000, 1, 0x1e3 | PTE_NX, 0);	/* 1 GiB */
	put_entries(m, 0xf000 + 8 * 510, 1, 0x9003, 0); /* PDPTE of ffffffff80000000 */
	put_entries(m, 0x9000 + 8 * 8, 1, 0x1e3, 0);	/* 2 MiB at ffffffff81000000 */
	power_on(m);
	c->efer = EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE;
	c->cr4 = CR4_PAE | CR4_PGE;
	c->cr3 = 0xa000;
	c->seg[SEG_CS].attr = SA_P | SA_S | SA_CODE | SA_RW | SA_L | SA_G;
	c->rip = FAKE_LONG + FAKE_START;
	c->gpr[R_ESP] = FAKE_LONG + FAKE_STACK;
}

void fake_machine_output(struct machine *m, void (*out)(void *ctx, const uint8_t *buf, size_t n), void *ctx)
{
	m->out = out;
	m->out_ctx = ctx;
}

void fake_machine_refuses(struct machine *m)
{
	m->refuses = true;
}

unsigned fake_machine_breakpoints(const struct machine *m)
{
	return m->nbreaks;
}

const char *fake_machine_input(const struct machine *m)
{
	return m->input;
}

void machine_held(struct machine *m, bool held)
{
	m->held = held;
}

void machine_free(struct machine *m)
{
	close(m->fd);
	free(m);
}

static void halt(struct machine *m, enum stop_reason why)
{
	if (m->state == MACHINE_RUNNING)
		m->state = MACHINE_STOPPED;
	m->stop = (struct machine_stop){ m->state, why, m->v.icount };
}

static void run_slice(struct machine *m)
{
	if (m->refuses) {
		halt(m, STOP_REQUEST);
		return;
	}
	for (int i = 0; i < SLICE && m->state == MACHINE_RUNNING; i++) {
		if (m->icount_goal && m->v.icount >= m->icount_goal)
			halt(m, STOP_ICOUNT);
		else if (at_break(m))
			halt(m, STOP_BREAK);
		else
			step(m);
	}
	if (m->state == MACHINE_RUNNING && m->stop_asked)
		halt(m, STOP_REQUEST);
	if (m->state > MACHINE_RUNNING)
		halt(m, STOP_END);
}

/* It runs in machine_wait(): the descriptor asks for that. */
void machine_continue_to_icount(struct machine *m, uint64_t n)
{
	uint64_t one = 1;

	m->icount_goal = n;
	m->stop_asked = false;
	m->state = MACHINE_RUNNING;
	if (write(m->fd, &one, sizeof(one)) < 0)
		abort();
}

void machine_continue(struct machine *m)
{
	machine_continue_to_icount(m, 0);
}

void machine_request_stop(struct machine *m)
{
	m->stop_asked = true;
}

bool machine_wait(struct machine *m, int timeout_ms, struct machine_stop *out)
{
	uint64_t one = 1;

	(void)timeout_ms;
	if (m->state == MACHINE_RUNNING)
		run_slice(m);
	*out = m->stop;
	if (write(m->fd, &one, sizeof(one)) < 0)
		return false;
	return m->state != MACHINE_RUNNING;
}

struct machine_stop machine_step(struct machine *m, unsigned how)
{
	(void)how;
	step(m);
	halt(m, m->state > MACHINE_RUNNING ? STOP_END : STOP_STEP);
	return m->stop;
}

int machine_stop_fd(struct machine *m)
{
	return m->fd;
}

bool machine_reset(struct machine *m, char *err, size_t errlen)
{
	(void)err;
	(void)errlen;
	power_on(m);
	return true;
}

enum machine_state machine_state(const struct machine *m)
{
	return m->state;
}

int machine_exit_code(const struct machine *m)
{
	return m->exit_code;
}

const char *machine_error(const struct machine *m)
{
	return m->state == MACHINE_FAILED ? "no such instruction" : "";
}

unsigned machine_image_bits(const struct machine *m)
{
	(void)m;
	return 0;
}

struct vcpu *machine_vcpu(struct machine *m)
{
	return &m->v;
}

uint64_t machine_unanswered(const struct machine *m, gpa *recent)
{
	(void)m;
	*recent = 0;
	return 0;
}

bool machine_event_set(struct machine *m, unsigned kind, uint32_t lo, uint32_t hi, bool on)
{
	(void)m, (void)kind, (void)lo, (void)hi, (void)on;
	return true;
}

const char *machine_switch_reason(unsigned n)
{
	return n ? NULL : "register";
}

const char *balloon_event_name(unsigned n)
{
	return n ? NULL : "inflate";
}

/* No balloon device. */
uint32_t machine_balloon_most(const struct machine *m)
{
	(void)m;
	return 0;
}

bool machine_hosted_io(struct machine *m, const char *name, bool on)
{
	(void)m, (void)on;
	return !strcmp(name, "vmm");
}

struct mm_vm *machine_vm(struct machine *m)
{
	return (struct mm_vm *)m;
}

void machine_serial_input(struct machine *m, const uint8_t *buf, size_t n)
{
	strncat(m->input, (const char *)buf, n);
}

unsigned machine_cr8(const struct machine *m)
{
	(void)m;
	return 5;
}

bool machine_nmi(struct machine *m)
{
	m->v.cpu.nmi_pending = 1;
	return true;
}

const char *machine_picture(struct machine *m, struct picture *p)
{
	(void)m;
	*p = (struct picture){ 0 };
	return "there is no screen";
}

uint32_t machine_port_in(struct machine *m, uint16_t port, unsigned size)
{
	(void)m;
	(void)port;
	return (uint32_t)(UINT64_MAX >> (64 - 8 * size));
}

void machine_port_out(struct machine *m, uint16_t port, unsigned size, uint32_t val)
{
	(void)m;
	(void)port;
	(void)size;
	(void)val;
}

void machine_key(struct machine *m, uint8_t scancode)
{
	char text[8];

	snprintf(text, sizeof(text), "%02x ", scancode);
	strcat(m->input, text);
}

bool machine_console_input(struct machine *m, const uint8_t *buf, size_t n)
{
	(void)m;
	(void)buf;
	(void)n;
	return false;
}

void machine_terminal_input(struct machine *m, const uint8_t *buf, size_t n)
{
	machine_serial_input(m, buf, n);
}

void machine_mouse(struct machine *m, int dx, int dy, int dz, unsigned buttons)
{
	char text[40];

	snprintf(text, sizeof(text), "mouse %d %d %d %u ", dx, dy, dz, buttons);
	strcat(m->input, text);
	m->mouse_buttons = buttons;
}

unsigned machine_mouse_buttons(const struct machine *m)
{
	return m->mouse_buttons;
}

/* A state is EAX alone. */
bool machine_save_state(struct machine *m, const char *path, char *err, size_t errlen)
{
	FILE *f = fopen(path, "we");
	bool ok = f && fprintf(f, "%llu", (unsigned long long)m->v.cpu.gpr[R_EAX]) > 0;

	if (f)
		fclose(f);
	if (!ok)
		snprintf(err, errlen, "cannot be written");
	return ok;
}

bool machine_load_state(struct machine *m, const char *path, char *err, size_t errlen)
{
	FILE *f = fopen(path, "re");
	unsigned long long eax;
	bool ok = f && fscanf(f, "%llu", &eax) == 1;

	if (f)
		fclose(f);
	if (ok)
		m->v.cpu.gpr[R_EAX] = eax;
	else
		snprintf(err, errlen, "not a saved state");
	return ok;
}

uint64_t machine_state_hash(struct machine *m)
{
	return 0xfeedface00000000ull + m->v.cpu.gpr[R_EAX];
}
