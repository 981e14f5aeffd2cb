/* SPDX-License-Identifier: GPL-3.0-or-later
 * The passages between C and translated code. State crosses in struct bt_vcpu;
 * rsp holds the guest's ESP (in 64-bit code RSP + D) while in the TC, so a callout changes stacks before
 * anything else. gs base is set by dispatch_select().
 *
 *   stub_enter   C -> TC: x87/SSE of the guest in, registers in, jump
 *   stub_callout TC -> C function of a site -> TC (x87/SSE stay live)
 *   stub_callout_fpu  the same with x87/SSE saved around the function
 *                (both have a timed version: runtime/timing.h)
 *   stub_enter_kernel, stub_leave_kernel  SYSENTER and SYSEXIT from fragment to fragment, replayed from
 *                struct syscall_cache while it is valid; otherwise stub_callout
 *   stub_long_enter, stub_long_leave  SYSCALL and SYSRET between 64-bit code, likewise
 *   leave_tc     TC -> back to stub_enter's caller
 *   stub_resume  where the fault handler sends a thread whose state it has
 *                stored: dispatch_after_fault() decides where execution continues */
#include "bt/runtime/stubs.h"
#include "bt/runtime/dispatch.h"

#define XS(x) #x
#define O(name, field) [name] "i"(offsetof(struct bt_vcpu, field))
#define OFFSETS                                                                                              \
	O(gpr, v.cpu.gpr), O(rip, v.cpu.rip), O(flags, v.cpu.flags), O(hrsp, stubs.host_rsp),                \
	    O(ret, stubs.ret_addr), O(jt, jt_live), O(gs, gs_live), O(tc, tc_base), O(fpu, v.cpu.fpu),       \
	    O(mx, stubs.host_mxcsr), O(fcw, stubs.host_fcw), O(xmask, stubs.xsave_mask),                     \
	    O(mask, stubs.ea_mask), O(is_long, stubs.is_long), O(d, space.d), O(neg_d, space.neg_d),         \
	    O(v, space.v), O(callout, stubs.callout), O(callout_fpu, stubs.callout_fpu),                     \
	    O(wide, stubs.wide), O(avx512, v.cpu.avx512), O(wide_bv, v.cpu.avx512.xstate_bv),                \
	    O(exit, stubs.exit), [fn] "i"(offsetof(struct site, fn)), [comp] "i"(AVX512_COMPONENTS),         \
	    [hostfl] "i"(FL_HOST)

#define SAVE_GPRS                                                                                             \
	"movq %%rax, %c[gpr](%%r15)\n\tmovq %%rcx, %c[gpr]+8(%%r15)\n\tmovq %%rdx, %c[gpr]+16(%%r15)\n\t"     \
	"movq %%rbx, %c[gpr]+24(%%r15)\n\tmovq %%rsp, %c[gpr]+32(%%r15)\n\tmovq %%rbp, %c[gpr]+40(%%r15)\n\t" \
	"movq %%rsi, %c[gpr]+48(%%r15)\n\tmovq %%rdi, %c[gpr]+56(%%r15)\n\t"                                  \
	"movq %c[hrsp](%%r15), %%rsp\n\tpushfq\n\tpopq %%rax\n\tcld\n\t"                                      \
	"andl %[hostfl], %%eax\n\torl $2, %%eax\n\tmovl %%eax, %c[flags](%%r15)\n\t"

/* The effective address of a callout, in r8. */
#define EA "movq %c[mask](%%r15), %%rdx\n\tandq %%r8, %%rdx\n\t"

/* AVX-512 has an image of its own, for guests that have enabled it, and is moved only while some component is
 * in use: that is asked for by XGETBV. */
#define IN_USE "movl $1, %%ecx\n\txgetbv\n\tandl %[comp], %%eax\n\t"
#define SAVE_WIDE                                                                                            \
	"cmpb $0, %c[wide](%%r15)\n\tje 7f\n\t" IN_USE                                                       \
	"movl %%eax, %c[wide_bv](%%r15)\n\tjz 7f\n\tmovl %[comp], %%eax\n\txorl %%edx, %%edx\n\t"            \
	"xsavec %c[avx512](%%r15)\n\t7:\n\t"
#define LOAD_WIDE                                                                                            \
	"cmpb $0, %c[wide](%%r15)\n\tje 7f\n\t" IN_USE                                                       \
	"orl %c[wide_bv](%%r15), %%eax\n\tjz 7f\n\tmovl %[comp], %%eax\n\txorl %%edx, %%edx\n\t"             \
	"xrstor %c[avx512](%%r15)\n\t7:\n\t"
#define XSAVE "movl %c[xmask](%%r15), %%eax\n\txorl %%edx, %%edx\n\txsave %c[fpu](%%r15)\n\t" SAVE_WIDE
#define XRSTOR "movl %c[xmask](%%r15), %%eax\n\txorl %%edx, %%edx\n\txrstor %c[fpu](%%r15)\n\t" LOAD_WIDE
#define HOST_FPU "fninit\n\tfldcw %c[fcw](%%r15)\n\tldmxcsr %c[mx](%%r15)\n\tvzeroupper\n\t"

/* r10: the host address to jump to. Everything else is loaded from the vCPU; r8 = EIP, for the jump table's
 * miss. */
__attribute__((naked, used)) static void reload(void)
{
	__asm__ volatile(
	    ".globl stub_reload\nstub_reload:\n\t"
	    "cmpb $0, %c[is_long](%%r15)\n\tjne stub_reload_long\n\t"
	    "movq %c[jt](%%r15), %%r12\n\tmovq %c[gs](%%r15), %%r13\n\tmovq %c[tc](%%r15), %%r14\n\t"
	    "movl %c[rip](%%r15), %%r8d\n\t"
	    "movl %c[flags](%%r15), %%eax\n\tpushq %%rax\n\tpopfq\n\t"
	    "movq %c[gpr](%%r15), %%rax\n\tmovq %c[gpr]+8(%%r15), %%rcx\n\t"
	    "movq %c[gpr]+16(%%r15), %%rdx\n\tmovq %c[gpr]+24(%%r15), %%rbx\n\t"
	    "movq %c[gpr]+40(%%r15), %%rbp\n\tmovq %c[gpr]+48(%%r15), %%rsi\n\t"
	    "movq %c[gpr]+56(%%r15), %%rdi\n\tmovq %c[gpr]+32(%%r15), %%rsp\n\t"
	    "jmpq *%%r10\n\t"
	    ".globl stub_reload_end\nstub_reload_end:\n\t"
	    :
	    : OFFSETS);
}

/* The same for 64-bit code: r11 has the address to jump to, and r15 is loaded last. Nothing here needs the
 * poison of a stop: such code loads the pointer to its tables anew. */
__attribute__((naked, used)) static void reload_long(void)
{
	__asm__ volatile("stub_reload_long:\n\t"
			 "movq %%r10, %%r11\n\tmovq %c[d](%%r15), %%r10\n\tmovq %c[v](%%r15), %%r9\n\t"
			 "movq %c[rip](%%r15), %%r8\n\t"
			 "movl %c[flags](%%r15), %%eax\n\tpushq %%rax\n\tpopfq\n\t"
			 "movq %c[gpr](%%r15), %%rax\n\tmovq %c[gpr]+8(%%r15), %%rcx\n\t"
			 "movq %c[gpr]+16(%%r15), %%rdx\n\tmovq %c[gpr]+24(%%r15), %%rbx\n\t"
			 "movq %c[gpr]+40(%%r15), %%rbp\n\tmovq %c[gpr]+48(%%r15), %%rsi\n\t"
			 "movq %c[gpr]+56(%%r15), %%rdi\n\tmovq %c[gpr]+32(%%r15), %%rsp\n\t"
			 "leaq (%%rsp,%%r10), %%rsp\n\t"
			 "movq %c[gpr]+96(%%r15), %%r12\n\tmovq %c[gpr]+104(%%r15), %%r13\n\t"
			 "movq %c[gpr]+112(%%r15), %%r14\n\tmovq %c[gpr]+120(%%r15), %%r15\n\t"
			 "jmpq *%%r11\n\t"
			 :
			 : OFFSETS);
}

/* The ways out of 64-bit code, which has stored its r15 and loaded the vCPU's address: what it keeps in host
 * registers that 32-bit code does not is stored, rsp becomes RSP, then as for 32-bit code. */
#define LEAVE_LONG(name, to)                                                                                 \
	".globl " name "\n" name ":\n\t"                                                                     \
	"movq %%r12, %c[gpr]+96(%%r15)\n\tmovq %%r13, %c[gpr]+104(%%r15)\n\t"                                \
	"movq %%r14, %c[gpr]+112(%%r15)\n\tmovq %c[neg_d](%%r15), %%r12\n\t"                                 \
	"leaq (%%rsp,%%r12), %%rsp\n\tjmpq *%c[" to "](%%r15)\n\t"
__attribute__((naked, used)) static void leave_long(void)
{
	__asm__ volatile(LEAVE_LONG("stub_long_callout", "callout")
			     LEAVE_LONG("stub_long_callout_fpu", "callout_fpu")
				 LEAVE_LONG("stub_long_exit", "exit")
			 :
			 : OFFSETS);
}

/* After a C function: rax is 0 (continue behind the call), 1 (leave) or an address. */
#define AFTER_CALL(leave)                                                                                    \
	"movq %%rax, %%r10\n\tcmpq $1, %%rax\n\tje " leave "\n\t"                                            \
	"testq %%rax, %%rax\n\tcmoveq %c[ret](%%r15), %%r10\n\t"

__attribute__((naked, used)) static void leave_fpu_live(void)
{
	__asm__ volatile(
	    ".globl stub_leave\nstub_leave:\n\t" XSAVE
	    ".globl stub_leave_saved\nstub_leave_saved:\n\t" HOST_FPU
	    "addq $8, %%rsp\n\tpopq %%r15\n\tpopq %%r14\n\tpopq %%r13\n\tpopq %%r12\n\tpopq %%rbp\n\t"
	    "popq %%rbx\n\tret\n\t"
	    :
	    : OFFSETS);
}

__attribute__((naked, used)) void stub_callout(void)
{
	__asm__ volatile(SAVE_GPRS "movq %%r11, %c[ret](%%r15)\n\t"
				   "movq %%r15, %%rdi\n\tmovq %%r9, %%rsi\n\t" EA
				   "callq *%c[fn](%%r9)\n\t" AFTER_CALL("stub_leave") "jmp stub_reload\n\t"
			 :
			 : OFFSETS);
}

__attribute__((naked, used)) void stub_callout_fpu(void)
{
	__asm__ volatile(SAVE_GPRS "movq %%r11, %c[ret](%%r15)\n\t" XSAVE HOST_FPU
				   "movq %%r15, %%rdi\n\tmovq %%r9, %%rsi\n\t" EA
				   "callq *%c[fn](%%r9)\n\t" AFTER_CALL("stub_leave_saved") XRSTOR
			 "jmp stub_reload\n\t"
			 :
			 : OFFSETS);
}

/* The same two, measured from where the registers are saved to where they are loaded. */
#define START_CLOCK                                                                                          \
	"rdtsc\n\tshlq $32, %%rdx\n\torq %%rdx, %%rax\n\tmovq %%rax, %c[start](%%r15)\n\t"                   \
	"movq %%r9, %c[site](%%r15)\n\t"
#define STOP_CLOCK "movq %%r15, %%rdi\n\tmovq %%rbx, %%rsi\n\tcall timing_call_done\n\t"

__attribute__((naked, used)) void stub_callout_timed(void)
{
	__asm__ volatile(SAVE_GPRS
			 "movq %%r11, %c[ret](%%r15)\n\t" START_CLOCK
			 "movq %%r15, %%rdi\n\tmovq %%r9, %%rsi\n\t" EA "callq *%c[fn](%%r9)\n\t"
			 "movq %%rax, %%rbx\n\t" STOP_CLOCK AFTER_CALL("stub_leave") "jmp stub_reload\n\t"
			 :
			 : OFFSETS, O(start, account.call_start), O(site, account.call_site));
}

__attribute__((naked, used)) void stub_callout_fpu_timed(void)
{
	__asm__ volatile(SAVE_GPRS
			 "movq %%r11, %c[ret](%%r15)\n\t" START_CLOCK XSAVE HOST_FPU
			 "movq %%r15, %%rdi\n\tmovq %%r9, %%rsi\n\t" EA "callq *%c[fn](%%r9)\n\t"
			 "movq %%rax, %%rbx\n\tcmpq $1, %%rbx\n\tje 1f\n\t" XRSTOR STOP_CLOCK AFTER_CALL(
			     "stub_leave") "jmp stub_reload\n\t"
					   "1:\n\t" STOP_CLOCK "jmp stub_leave_saved\n\t"
			 :
			 : OFFSETS, O(start, account.call_start), O(site, account.call_site));
}

/* SYSENTER and SYSEXIT, replayed from the syscall cache. Flags are the guest's: nothing here changes them. A
 * signal that asks for a stop invalidates the cache and poisons the table to be loaded into r12; between
 * stub_syscall and stub_syscall_end it poisons r12 as well. What the jump finds is looked up in the table
 * itself. */
#define SYSCALL_IF_KNOWN                                                                                     \
	"movq %%rcx, %%r8\n\tmovq %c[x](%%r15), %%rcx\n\tmovl %c[from](%%r9), %%r10d\n\t"                    \
	"leaq (%%rcx,%%r10), %%rcx\n\tmovzbl %c[wait](%%r15), %%r10d\n\trorxq $32, %%r10, %%r10\n\t"         \
	"leaq (%%rcx,%%r10), %%rcx\n\tjrcxz 1f\n\t"                                                          \
	"movq %%r8, %%rcx\n\tjmpq *%c[callout](%%r15)\n\t1:\n\tmovq %%r8, %%rcx\n\t"
#define SYSCALL_WORD(from, to) "movq " from "(%%r15), %%r10\n\tmovq %%r10, " to "(%%r15)\n\t"
#define SYSCALL_STATE                                                                                        \
	SYSCALL_WORD("%c[x]+8", "%c[seg]")                                                                   \
	SYSCALL_WORD("%c[x]+16", "%c[seg]+8")                                                                \
	SYSCALL_WORD("%c[x]+24", "%c[seg]+16")                                                               \
	SYSCALL_WORD("%c[x]+32", "%c[seg]+24")                                                               \
	SYSCALL_WORD("%c[x]+48", "%c[shadow]")                                                               \
	SYSCALL_WORD("%c[x]+80", "%c[ctx]")                                                                  \
	"movl %c[x]+88(%%r15), %%r10d\n\tmovl %%r10d, %c[mode](%%r15)\n\t"                                   \
	"movq %c[x]+72(%%r15), %%r10\n\tmovq %c[selected](%%r15), %%r11\n\tmovq %%r10, (%%r11)\n\t"          \
	"movq %c[x]+40(%%r15), %%r13\n\tmovq %%r13, %c[gs](%%r15)\n\twrgsbase %%r13\n\t"                     \
	"movq %c[x]+56(%%r15), %%r12\n\tmovq %%r12, %c[jt](%%r15)\n\t"
/* To EIP in r8d. */
#define SYSCALL_GO                                                                                           \
	"movq %c[x]+64(%%r15), %%r11\n\t"                                                                    \
	"movl (%%r11,%%r8,4), %%r9d\n\tleaq (%%r9,%%r14), %%r9\n\tjmpq *%%r9\n\t"
#define SYSCALL_OFFSETS(n)                                                                                   \
	O(x, memo.syscall[n]), O(wait, intr_wait), O(callout, stubs.callout), O(seg, v.cpu.seg[SEG_CS]),     \
	    O(shadow, win.shadow), O(ctx, jt.cur), O(mode, mode), O(selected, win.selected), O(gs, gs_live), \
	    O(jt, jt_live), O(intf, v.cpu.intf), O(cpl, v.cpu.cpl), O(sysesp, v.cpu.sysenter_esp),           \
	    O(syseip, v.cpu.sysenter_eip), [from] "i"(offsetof(struct site, syscall.mode))
#define SYSCALL_AT(field, at) _Static_assert(offsetof(struct syscall_cache, field) == (at), "a number above")
SYSCALL_AT(from_neg, 0);
SYSCALL_AT(seg, 8);
SYSCALL_AT(gs, 40);
SYSCALL_AT(shadow, 48);
SYSCALL_AT(jt, 56);
SYSCALL_AT(table, 64);
SYSCALL_AT(window, 72);
SYSCALL_AT(ctx, 80);
SYSCALL_AT(mode, 88);
_Static_assert(SEG_SS == SEG_CS + 1 && sizeof(struct seg_cache) == 16, "CS and SS are moved together");

__attribute__((naked, used)) static void syscall_stubs(void)
{
	__asm__ volatile(
	    ".globl stub_enter_kernel, stub_syscall\nstub_syscall:\nstub_enter_kernel:\n\t" SYSCALL_IF_KNOWN
		SYSCALL_STATE "movb $0, %c[intf](%%r15)\n\tmovb $0, %c[cpl](%%r15)\n\t"
	    "movl %c[sysesp](%%r15), %%esp\n\tmovl %c[syseip](%%r15), %%r8d\n\t" SYSCALL_GO
	    :
	    : SYSCALL_OFFSETS(SYSCALL_ENTER));
	__asm__ volatile(".globl stub_leave_kernel, stub_syscall_end\nstub_leave_kernel:\n\t" SYSCALL_IF_KNOWN
			     SYSCALL_STATE
			 "movb $3, %c[cpl](%%r15)\n\tmovl %%ecx, %%esp\n\tmovl %%edx, %%r8d\n\t" SYSCALL_GO
			 "stub_syscall_end:\n\t"
			 :
			 : SYSCALL_OFFSETS(SYSCALL_LEAVE));
}

/* SYSCALL and SYSRET between 64-bit code, replayed from their cache. r9: the site; rsp: RSP + D. RFLAGS is
 * taken from the host's and put back at the end, so that what is between may change it. A stop that is asked
 * for meanwhile poisons the table pointer that is stored here, before or after: then KICK says so. */
#define LONG_IF_KNOWN                                                                                        \
	"movq %%rcx, %%r8\n\tmovq %c[x](%%r15), %%rcx\n\tmovl %c[from](%%r9), %%r10d\n\t"                    \
	"leaq (%%rcx,%%r10), %%rcx\n\tmovzbl %c[wait](%%r15), %%r10d\n\trorxq $32, %%r10, %%r10\n\t"         \
	"leaq (%%rcx,%%r10), %%rcx\n\tjrcxz 1f\n\t"                                                          \
	"movq %%r8, %%rcx\n\tjmpq *%c[callout](%%r15)\n\t1:\n\t"
/* Flags in ecx: of them, the system's and IF are stored. Uses r10. */
#define LONG_SYSTEM_FLAGS                                                                                    \
	"movl %%ecx, %%r10d\n\tandl %[sysmask], %%r10d\n\tmovl %%r10d, %c[gpr]+140(%%r15)\n\t"               \
	"andl %[compared], %%r10d\n\tnegl %%r10d\n\tmovl %%r10d, %c[sysneg](%%r15)\n\t"                      \
	"movl %%ecx, %%r10d\n\tshrl $9, %%r10d\n\tandl $1, %%r10d\n\tmovb %%r10b, %c[gpr]+144(%%r15)\n\t"    \
	"andl %[hostfl], %%ecx\n\torl $2, %%ecx\n\tpushq %%rcx\n\t"
#define LONG_SEGMENTS                                                                                        \
	SYSCALL_WORD("%c[x]+8", "%c[seg]")                                                                   \
	SYSCALL_WORD("%c[x]+16", "%c[seg]+8")                                                                \
	SYSCALL_WORD("%c[x]+24", "%c[seg]+16")                                                               \
	SYSCALL_WORD("%c[x]+32", "%c[seg]+24")
#define LONG_RSP "addq %c[d]+16(%%r15), %%r8\n\taddq %c[x]+40(%%r15), %%r8\n\t"
#define LONG_SPACE                                                                                           \
	SYSCALL_WORD("%c[x]+40", "%c[d]")                                                                    \
	SYSCALL_WORD("%c[x]+40", "%c[gs]")                                                                   \
	"wrgsbase %%r10\n\t" SYSCALL_WORD("%c[x]+48", "%c[d]+8") SYSCALL_WORD("%c[x]+56", "%c[d]+16")        \
	    SYSCALL_WORD("%c[x]+64", "%c[d]+24")
#define LONG_CONTEXT                                                                                         \
	SYSCALL_WORD("%c[x]+104", "%c[ctx]")                                                                 \
	"movl %c[x]+112(%%r15), %%r10d\n\tmovl %%r10d, %c[mode](%%r15)\n\t"                                  \
	"movb %c[x]+116(%%r15), %%r10b\n\tmovb %%r10b, %c[nolinks](%%r15)\n\t"                               \
	"movq %c[selected](%%r15), %%r11\n\tmovq %c[x]+96(%%r15), %%r10\n\tmovq %%r10, (%%r11)\n\t"
#define LONG_TABLE                                                                                           \
	SYSCALL_WORD("%c[x]+72", "%c[jt]")                                                                   \
	"cmpb $0, %c[kick](%%r15)\n\tje 2f\n\t" SYSCALL_WORD("%c[poison]", "%c[jt]") "2:\n\t"
#define LONG_STATE LONG_RSP LONG_SEGMENTS LONG_SPACE LONG_CONTEXT LONG_TABLE
#define LONG_PARTS(v)                                                                                        \
	SYSCALL_WORD(v, "%c[parts]")                                                                         \
	SYSCALL_WORD(v "+8", "%c[parts]+8")
/* To RIP in rcx; rsp in r8. LOAD_RCX sets the guest's. */
#define LONG_GO(load_rcx)                                                                                    \
	"movq %%rcx, %c[gpr]+128(%%r15)\n\tmovl %%ecx, %%r11d\n\tmovq %c[x]+80(%%r15), %%r10\n\t"            \
	"movl (%%r10,%%r11,4), %%r11d\n\tmovl %c[start](%%r15), %%r10d\n\taddq %c[tc](%%r15), %%r10\n\t"     \
	"addq %%r10, %%r11\n\t" load_rcx "popfq\n\tmovq %%r8, %%rsp\n\tmovq %c[gpr]+128(%%r15), %%r8\n\t"    \
	"movq %c[d]+8(%%r15), %%r9\n\tmovq %c[d](%%r15), %%r10\n\tmovq %c[gpr]+120(%%r15), %%r15\n\t"        \
	"jmpq *%%r11\n\t"
#define LONG_OFFSETS(n)                                                                                      \
	O(x, memo.long_syscall[n]), O(wait, intr_wait), O(callout, stubs.long_callout),                      \
	    O(seg, v.cpu.seg[SEG_CS]), O(ctx, jt.cur), O(mode, mode), O(nolinks, win.no_links),              \
	    O(selected, win.selected), O(gs, gs_live), O(jt, jt_live), O(kick, kick), O(poison, jt.poison),  \
	    O(sysneg, sysflags_neg), O(gpr, v.cpu.gpr), O(hrsp, stubs.host_rsp), O(tc, tc_base),             \
	    O(start, tc.long_start), O(d, space.d), [from] "i"(offsetof(struct site, syscall.mode)),         \
	    [hostfl] "i"(FL_HOST), [sysmask] "i"(FL_SYS), [compared] "i"(SYSFLAGS_COMPARED)
#define CPU_AT(field, at) _Static_assert(offsetof(struct cpu, field) == (at), "a number above")
CPU_AT(gpr, 0);
CPU_AT(rip, 128);
CPU_AT(sysflags, 140);
CPU_AT(intf, 144);
CPU_AT(cpl, 146);
#define LONG_AT(field, at)                                                                                   \
	_Static_assert(offsetof(struct long_syscall_cache, field) == (at), "a number above")
LONG_AT(from_neg, 0);
LONG_AT(seg, 8);
LONG_AT(space, 40);
LONG_AT(live, 72);
LONG_AT(table, 80);
LONG_AT(upper, 88);
LONG_AT(window, 96);
LONG_AT(ctx, 104);
LONG_AT(mode, 112);
LONG_AT(no_links, 116);
_Static_assert(offsetof(struct cpu, fmask) == offsetof(struct cpu, lstar) + 16 &&
		   offsetof(struct long_smap, closed) == offsetof(struct long_smap, open) + 16,
	       "found from the other");
_Static_assert(offsetof(struct long_space, v) == 8 && offsetof(struct long_space, neg_d) == 16 &&
		   offsetof(struct long_space, vt) == 24 && PART_HIGH == 1,
	       "moved as four words");

__attribute__((naked, used)) static void long_syscall_stubs(void)
{
	__asm__ volatile(
	    ".globl stub_long_enter\nstub_long_enter:\n\t" LONG_IF_KNOWN
	    "movq %%rsp, %%r8\n\tmovq %c[hrsp](%%r15), %%rsp\n\tpushfq\n\tpopq %%rcx\n\tcld\n\t"
	    "andl %[hostfl], %%ecx\n\tmovzbl %c[gpr]+144(%%r15), %%r10d\n\tshll $9, %%r10d\n\t"
	    "orl %%r10d, %%ecx\n\tmovl %c[gpr]+140(%%r15), %%r10d\n\tandl %[notrf], %%r10d\n\t"
	    "orl %%r10d, %%ecx\n\torl $2, %%ecx\n\tmovq %%rcx, %c[gpr]+88(%%r15)\n\t"
	    "movl %c[lstar]+16(%%r15), %%r10d\n\tnotl %%r10d\n\tandl %%r10d, %%ecx\n\t" LONG_SYSTEM_FLAGS
		LONG_STATE
	    "testl %[ac], %c[gpr]+140(%%r15)\n\tjne 3f\n\t" LONG_PARTS("%c[open]+16") "jmp 4f\n\t3:\n\t" LONG_PARTS(
		"%c[open]") "4:\n\tmovb $0, %c[gpr]+146(%%r15)\n\tmovq %c[lstar](%%r15), %%rcx\n\t" LONG_GO("movq %c[next](%%r9), %%rcx\n\t")
	    :
	    : LONG_OFFSETS(SYSCALL_ENTER), O(lstar, v.cpu.lstar), O(parts, parts[0].v), O(open, smap.open),
	      [next] "i"(offsetof(struct site, next)), [notrf] "i"(~FL_RF), [ac] "i"(FL_AC));
	__asm__ volatile(".globl stub_long_leave\nstub_long_leave:\n\t" LONG_IF_KNOWN
			 "movq %%r8, %%rcx\n\tmovq %%rsp, %%r8\n\tmovq %c[hrsp](%%r15), %%rsp\n\tpushfq\n\t"
			 "movq %%rcx, %%r10\n\tshrq $32, %%r10\n\tcmpq %c[x]+88(%%r15), %%r10\n\tjne 9f\n\t"
			 "movl %c[gpr]+88(%%r15), %%r10d\n\ttestl %[tf], %%r10d\n\tjne 9f\n\t"
			 "addq $8, %%rsp\n\tcld\n\tmovq %%rcx, %c[gpr]+128(%%r15)\n\t"
			 "movl %%r10d, %%ecx\n\tandl %[retfl], %%ecx\n\t" LONG_SYSTEM_FLAGS LONG_STATE
			 "movb $3, %c[gpr]+146(%%r15)\n\tmovq %c[gpr]+128(%%r15), %%rcx\n\t" LONG_GO(
			     "") "9:\n\tpopfq\n\tmovq %%r8, %%rsp\n\tjmpq *%c[callout](%%r15)\n\t"
			 :
			 : LONG_OFFSETS(SYSCALL_LEAVE), [tf] "i"(FL_TF), [retfl] "i"(0x3c7fd7));
}

__attribute__((naked, used)) static void leave_tc(void)
{
	__asm__ volatile(SAVE_GPRS "jmp stub_leave\n\t" : : OFFSETS);
}

__attribute__((naked)) void stub_resume(void)
{
	__asm__ volatile("cld\n\tmovq %%r15, %%rdi\n\tcall dispatch_after_fault\n\t" AFTER_CALL(
			     "stub_leave") "jmp stub_reload\n\t"
			 :
			 : OFFSETS);
}

__attribute__((naked)) void stub_enter(__attribute__((unused)) struct bt_vcpu *b,
				       __attribute__((unused)) uint64_t host)
{
	__asm__ volatile(
	    "pushq %%rbx\n\tpushq %%rbp\n\tpushq %%r12\n\tpushq %%r13\n\tpushq %%r14\n\tpushq %%r15\n\t"
	    "subq $8, %%rsp\n\tmovq %%rdi, %%r15\n\tmovq %%rsp, %c[hrsp](%%r15)\n\t"
	    "movq %%rsi, %%r10\n\tstmxcsr %c[mx](%%r15)\n\tfnstcw %c[fcw](%%r15)\n\t" XRSTOR
	    "jmp stub_reload\n\t"
	    :
	    : OFFSETS);
}

void stub_init(struct bt_vcpu *b)
{
	b->stubs.callout = (uint64_t)stub_callout;
	b->stubs.callout_fpu = (uint64_t)stub_callout_fpu;
	b->stubs.exit = (uint64_t)leave_tc;
	b->stubs.long_callout = (uint64_t)stub_long_callout;
	b->stubs.long_callout_fpu = (uint64_t)stub_long_callout_fpu;
	b->stubs.long_exit = (uint64_t)stub_long_exit;
	b->stubs.ea_mask = UINT32_MAX;
	b->stubs.syscall[SYSCALL_ENTER] = (uint64_t)stub_enter_kernel;
	b->stubs.syscall[SYSCALL_LEAVE] = (uint64_t)stub_leave_kernel;
	b->stubs.long_syscall[SYSCALL_ENTER] = (uint64_t)stub_long_enter;
	b->stubs.long_syscall[SYSCALL_LEAVE] = (uint64_t)stub_long_leave;
	b->miss.fn = dispatch_miss;
	b->miss_site = &b->miss;
	syscall_cache_forget(b);
}
