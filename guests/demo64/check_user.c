/* SPDX-License-Identifier: GPL-3.0-or-later
 * User mode: entered by IRETQ and SYSRETQ, left by INT, SYSCALL, faults and interrupts; SWAPGS; segment
 * bases; 32-bit programs. */
#include "guests/demo64/kernel.h"

#define USER (PTE_P | PTE_W | PTE_U)
#define STACK32 0x7f0000
#define GREETING 0x1122334455667788

extern u8 user_image[], user_image_end[], user_rogues[][16];
void user_exit_int(void), user_exit(void), user_calls(void), user_calls_int(void), user_spin(void),
    user_memory(void), user_bases(void), user_fsgsbase(void), user_int(void), user_32(void),
    user_32_to_64(void);
static u64 *data; /* the page at USER_DATA */

static u64 run(void (*entry)(void), u64 arg)
{
	return run_user((u64)entry, USER_STACK_TOP - 64, arg, SEL_UCODE);
}

static u64 run32(void (*entry)(void), u64 arg)
{
	return run_user((u64)entry, STACK32 + 0xff0, arg, SEL_UCODE32);
}

static void set_up(void)
{
	u64 size = (u64)(user_image_end - user_image), frame;

	if (data)
		return;
	for (u64 at = 0; at < size; at += 4096)
		map(kernel_pml4, USER_TEXT + at, (phys_of(user_image) + at) | USER);
	for (u64 i = 1; i <= 4; i++)
		map(kernel_pml4, USER_STACK_TOP - i * 4096, frame_alloc() | USER);
	map(kernel_pml4, STACK32, frame_alloc() | USER);
	frame = frame_alloc();
	map(kernel_pml4, USER_DATA, frame | USER);
	data = phys(frame);
	data[0] = GREETING;
	data[1] = 5;
	if (HAS_SYSCALL) {
		wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
		wrmsr(MSR_STAR, (u64)SEL_UCODE32 << 48 | (u64)SEL_KCODE << 32);
		wrmsr(MSR_LSTAR, (u64)syscall_entry);
		wrmsr(MSR_FMASK, FLAG_TF | FLAG_IF | FLAG_DF | FLAG_AC);
	}
}

static const char *check_iretq(void)
{
	u64 before = bp_traps;

	set_up();
	if (run(user_exit_int, 40) != 41)
		return "left by INT";
	return bp_traps == before + 1 && bp_frame.cs == SEL_UCODE && bp_frame.ss == SEL_UDATA ? NULL : "INT3";
}

static const char *check_syscall(void)
{
	set_up();
	if (run(user_exit, 40) != 42)
		return "SYSCALL";
	return run(user_calls, 5) == 12 * 1000 ? NULL : "a thousand SYSCALL and SYSRET";
}

static const char *check_int(void)
{
	set_up();
	return run(user_calls_int, 5) == 12 * 1000 ? NULL : "a thousand INT and IRETQ";
}

static const char *check_memory(void)
{
	set_up();
	return run(user_memory, GREETING) == 0 ? NULL : "result";
}

static const char *check_preemption(void)
{
	u64 before = ticks;

	set_up();
	return run(user_spin, 5) == 16 && ticks - before >= 5 ? NULL : "registers";
}

static const char *check_swapgs(void)
{
	u64 gs, got;

	set_up();
	wrmsr(MSR_FS_BASE, USER_DATA);
	wrmsr(MSR_KERNEL_GS_BASE, USER_DATA);
	got = run(user_bases, 0);
	gs = rdmsr(MSR_KERNEL_GS_BASE);
	wrmsr(MSR_FS_BASE, 0);
	wrmsr(MSR_KERNEL_GS_BASE, 0);
	if (gs != USER_DATA || rdmsr(MSR_GS_BASE) != (u64)&percpu)
		return "MSRs";
	if (got != GREETING + 5)
		return "user mode's bases";
	asm volatile("swapgs; swapgs; movq %%gs:16, %0" : "=r"(got));
	return got == percpu.magic ? NULL : "twice in the kernel";
}

static const char *check_fsgsbase(void)
{
	u64 got, gs;

	if (!HAS_FSGSBASE)
		return NULL;
	set_up();
	wrmsr(MSR_FS_BASE, USER_DATA + 64);
	wrmsr(MSR_KERNEL_GS_BASE, 0);
	if (run(user_fsgsbase, USER_DATA + 64) != ~0ul || caught.vec != 6)
		return "not enabled";
	write_cr4(read_cr4() | CR4_FSGSBASE);
	got = run(user_fsgsbase, USER_DATA + 64);
	asm volatile("rdgsbase %0" : "=r"(gs));
	write_cr4(read_cr4() & ~(u64)CR4_FSGSBASE);
	if (gs != (u64)&percpu)
		return "RDGSBASE in the kernel";
	return got == GREETING + 5 && rdmsr(MSR_FS_BASE) == USER_DATA + 8 ? NULL : "bases";
}

static const char *check_rogues(void)
{
	static const struct {
		u64 vec, err, cr2;
	} want[] = {
		{ 14, 5, KERNEL_BASE + 0x100000 },
		{ 14, 7, KERNEL_BASE + 0x100000 },
		{ 13, 0, 0 },
		{ 13, 0, 0 },
		{ 13, 0, 0 },
		{ 13, 0, 0 },
		{ 13, 0, 0 },
		{ 13, 0, 0 },
		{ 13, 0, 0 },
		{ 13, 0, 0 },
		{ 14, 0x15, KERNEL_BASE + 0x101000 },
		{ 0, 0, 0 },
		{ 14, 7, USER_TEXT },
		{ 13, 0, 0 },
	};

	set_up();
	map(kernel_pml4, USER_TEXT, phys_of(user_image) | PTE_P | PTE_U);
	invlpg(USER_TEXT);
	for (unsigned i = 0; i < LEN(want); i++) {
		u64 err;

		if (run((void (*)(void))user_rogues[i], KERNEL_BASE + 0x101000) != ~0ul)
			return "not stopped";
		err = want[i].err & ~(HAS_NX ? 0 : 0x10ul);
		if (caught_is(want[i].vec, err) && (want[i].vec != 14 || caught_cr2 == want[i].cr2) &&
		    (caught.cs & 3) == 3)
			continue;
		print("[program %u: vector %u error %x cr2 %x] ", (u64)i, caught.vec, caught.err, caught_cr2);
		return "not stopped as it should";
	}
	return NULL;
}

const char *check_user_vector(void)
{
	set_up();
	return run(user_int, 0) == ~0ul && caught_is(13, 0x20 * 8 + 2) ? NULL : "error code";
}

static const char *check_compat(void)
{
	set_up();
	if (run32(user_32, 40) != 43)
		return "result";
	return run32(user_32, 50) == 53 ? NULL : "again";
}

static const char *check_far_jumps(void)
{
	set_up();
	return run32(user_32_to_64, 7) == 107 ? NULL : "result";
}

const struct check user_checks[] = {
	{ "IRETQ to user mode", check_iretq },
	{ "SYSCALL", check_syscall },
	{ "INT from user mode", check_int },
	{ "user memory", check_memory },
	{ "SWAPGS", check_swapgs },
	{ "FSGSBASE", check_fsgsbase },
	{ "preemption", check_preemption },
	{ "programs kept in bounds", check_rogues },
	{ "32-bit program", check_compat },
	{ "32-bit and 64-bit code", check_far_jumps },
};
const unsigned user_check_count = LEN(user_checks);
