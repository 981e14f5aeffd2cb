/* SPDX-License-Identifier: GPL-3.0-or-later
 * Processes: each has an address space, a kernel stack and lazily switched floating-point state. The
 * boot thread is the idle task, which runs any process that can run. */
#include "guests/demo/kernel.h"

extern u8 user_image[], user_image_end[];

enum task_state { UNUSED, READY, ENDED };

struct task {
	u8 fpu[512] __attribute__((aligned(16)));
	bool fpu_used;
	enum task_state state;
	u32 esp, dir, id;
	u32 preempted, status, killed_vec, killed_err;
	u8 *stack;
};

static struct task tasks[2], *current, *fpu_owner;
static u32 idle_esp, idle_cr3;
static u32 fast_entry = SEL_KCODE << 16 | 1; /* target of SYSENTER: CS, and which entry */
static u8 stacks[2][STACK_SIZE] __attribute__((aligned(16)));

static bool fxsr(void)
{
	return features_edx & 1 << 24;
}

/* The first switch to a task returns to trap_return with this frame. */
static void start_frame(struct task *t, u32 flags)
{
	struct frame *f = (struct frame *)(t->stack + STACK_SIZE - __builtin_offsetof(struct frame, v86_es));
	u32 *sp = (u32 *)f;

	memset(f, 0, __builtin_offsetof(struct frame, v86_es));
	f->gs = f->fs = f->es = f->ds = SEL_UDATA;
	f->eax = t->id;
	f->ebx = flags;
	f->eip = USER_TEXT;
	f->cs = SEL_UCODE;
	f->eflags = 0x202;
	f->esp = USER_STACK_TOP - 16;
	f->ss = SEL_UDATA;
	*--sp = (u32)trap_return;
	sp -= 4; /* ebp ebx esi edi */
	t->esp = (u32)sp;
}

/* Text is shared and read-only; the rest of the image is copied. */
static void task_new(struct task *t, u32 id)
{
	u8 *stack = stacks[t - tasks];

	memset(t, 0, sizeof(*t));
	t->stack = stack;
	t->id = id;
	t->dir = space_new();
	for (u32 at = 0; at < (u32)(user_image_end - user_image); at += 4096) {
		u32 f = frame_alloc();

		memcpy(phys(f), user_image + at, 4096);
		space_map(t->dir, USER_TEXT + at, f, PTE_P | PTE_U | (id < 3 ? PTE_W : 0));
	}
	start_frame(t, have_sysenter | (features_edx >> 26 & 1) << 1);
	t->state = READY;
}

static void free_tables(u32 dir)
{
	u32 *pd = phys(dir);

	for (unsigned i = 0; i < 768; i++) {
		u32 *pt = phys(pd[i] & ~0xfffu);

		if (!(pd[i] & PTE_P))
			continue;
		for (unsigned j = 0; j < 1024; j++)
			if (pt[j] & PTE_P)
				frame_free(pt[j] & ~0xfffu);
		frame_free(pd[i] & ~0xfffu);
	}
	frame_free(dir);
}

static void fpu_switch(struct task *to)
{
	if (fpu_owner == to)
		asm volatile("clts");
	else
		write_cr0(read_cr0() | 8);
}

static void switch_to(struct task *to)
{
	struct task *from = current;

	if (to == from)
		return;
	current = to;
	tss.esp0 = to ? (u32)to->stack + STACK_SIZE : tss.esp0;
	write_cr3(to ? to->dir : idle_cr3);
	fpu_switch(to);
	switch_context(from ? &from->esp : &idle_esp, to ? to->esp : idle_esp);
}

void task_fpu(void)
{
	asm volatile("clts");
	if (fpu_owner == current)
		return;
	if (fpu_owner && fxsr())
		asm volatile("fxsave %0" : "=m"(fpu_owner->fpu));
	else if (fpu_owner)
		asm volatile("fnsave %0" : "=m"(fpu_owner->fpu));
	fpu_owner = current;
	if (current && current->fpu_used && fxsr())
		asm volatile("fxrstor %0" : : "m"(current->fpu));
	else if (current && current->fpu_used)
		asm volatile("frstor %0" : : "m"(current->fpu));
	else
		asm volatile("fninit");
	if (current)
		current->fpu_used = true;
}

static struct task *other(void)
{
	struct task *t = current == &tasks[0] ? &tasks[1] : &tasks[0];

	return t->state == READY ? t : current;
}

void task_tick(struct frame *f)
{
	if (!current || !(f->cs & 3))
		return;
	current->preempted++;
	switch_to(other());
}

static void task_end(u32 status)
{
	current->status = status;
	current->state = ENDED;
	if (fpu_owner == current)
		fpu_owner = NULL;
	switch_to(other()->state == READY ? other() : NULL);
}

bool task_trap(struct frame *f)
{
	if (!current)
		return false;
	current->killed_vec = f->vec;
	current->killed_err = f->err;
	task_end(0);
	return true;
}

static void sys_write(const char *s, u32 n)
{
	for (; n && (u32)s < KERNEL_BASE; n--, s++)
		putch(*s);
}

/* SYSENTER alternates between two entries and two code segments; the frame's error code tells which. */
static void fast_turn(void)
{
	fast_entry ^= fast_entry & 1 ? 3 : 3 | (SEL_KCODE ^ SEL_TWIN) << 16;
	wrmsr(0x174, fast_entry >> 16);
	wrmsr(0x176, (u32)(fast_entry & 1 ? sysenter_entry : sysenter_twin));
}

static u32 get_id(const struct frame *f)
{
	static u32 calls;

	if (f->err && f->err != fast_entry)
		return 0;
	if (!f->err && have_sysenter && ++calls % 16 == 0)
		fast_turn();
	return current->id;
}

void task_syscall(struct frame *f)
{
	if (!current) { /* the kernel's own checks also use the gate */
		f->eax = 0;
		return;
	}
	switch (f->eax) {
	case SYS_GETPID:
		f->eax = get_id(f);
		break;
	case SYS_WRITE:
		sys_write((const char *)f->ebx, f->esi);
		break;
	case SYS_PREEMPTED:
		f->eax = current->preempted;
		break;
	case SYS_EXIT:
		task_end(f->ebx);
		break;
	case SYS_YIELD:
		switch_to(other());
		break;
	default:
		f->eax = ~0u;
	}
}

/* Run both tasks until they end. */
static void run_tasks(void)
{
	u32 esp0 = tss.esp0;

	idle_cr3 = read_cr3();
	while (tasks[0].state == READY || tasks[1].state == READY)
		switch_to(tasks[0].state == READY ? &tasks[0] : &tasks[1]);
	tss.esp0 = esp0;
	asm volatile("clts");
	for (unsigned i = 0; i < 2; i++)
		if (tasks[i].state != UNUSED)
			free_tables(tasks[i].dir);
}

static const char *check_processes(void)
{
	u32 fills = demand_fills;

	task_new(&tasks[0], 1);
	task_new(&tasks[1], 2);
	run_tasks();
	for (unsigned i = 0; i < 2; i++) {
		if (tasks[i].killed_vec || tasks[i].status) {
			print("[process %u: status %x, vector %u error %x] ", i + 1, tasks[i].status,
			      tasks[i].killed_vec, tasks[i].killed_err);
			return "process failed";
		}
		if (tasks[i].preempted < 5)
			return "no preemption";
	}
	return demand_fills - fills >= 64 ? NULL : "pages on demand";
}

static const char *check_rogues(void)
{
	static const struct {
		u32 vec, err;
	} want[] = {
		{ 14, 5 }, { 14, 7 }, { 13, 0 }, { 13, 0 },	    { 13, 0x20 * 8 + 2 },
		{ 14, 5 }, { 13, 0 }, { 14, 7 }, { 13, SEL_KDATA },
	};

	tasks[1].state = UNUSED;
	for (unsigned i = 0; i < LEN(want); i++) {
		task_new(&tasks[0], 3 + i);
		run_tasks();
		if (tasks[0].killed_vec != want[i].vec || tasks[0].killed_err != want[i].err) {
			print("[program %u: status %x, vector %u error %x] ", 3 + i, tasks[0].status,
			      tasks[0].killed_vec, tasks[0].killed_err);
			return "not stopped as it should";
		}
	}
	tasks[0].state = UNUSED;
	return NULL;
}

const struct check task_checks[] = {
	{ "two processes", check_processes },
	{ "processes kept in bounds", check_rogues },
};
const unsigned task_check_count = LEN(task_checks);
