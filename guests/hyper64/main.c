/* SPDX-License-Identifier: GPL-3.0-or-later
 * Words of the command line:
 *   time           measure round trips instead of running the cases
 *   fuzz=N         N rounds with random state instead; seed=N (1)
 *   verbose        name each case that holds
 *   only=CASE      this case alone
 * Writes 0 to port 0xf4 at the end, 1 when something failed, 2 on a processor without VMX and SVM. */
#include "guests/hyper64/hyper.h"

enum { ROUNDS = 401, TRIPS = 32 };

static const char *const mode_names[] = { "long", "shadow64", "compat", "flat" };
static u64 seed = 1, passed, failed, skipped;

u64 random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x9e3779b97f4a7c15;
}

static const char *after(const char *key)
{
	for (const char *p = cmdline; *p; p++) {
		const char *l = p, *k = key;

		if (p != cmdline && p[-1] != ' ')
			continue;
		while (*k && *l == *k)
			l++, k++;
		if (!*k)
			return l;
	}
	return NULL;
}

static u64 number(const char *key, u64 otherwise)
{
	const char *p = after(key);
	u64 n = 0;

	for (; p && *p >= '0' && *p <= '9'; p++)
		n = n * 10 + (u64)(*p - '0');
	return p ? n : otherwise;
}

void finish(unsigned failures)
{
	asm volatile("cli");
	outb(0xf4, (u8)failures);
	for (;;)
		asm volatile("hlt");
}

/* ---- cases ---- */

static bool wanted(const char *name)
{
	const char *only = after("only=");

	for (; only && *name; only++, name++)
		if (*only != *name)
			return false;
	return !only || !*only || *only == ' ';
}

static void run_one(const struct program *p, enum mode m)
{
	const char *wrong;

	vm_reset(m);
	wrong = p->run(m);
	if (wrong == not_here) {
		skipped++;
	} else if (wrong) {
		print("FAIL %s %s %s: %s\n", be->name, mode_names[m], p->name, wrong);
		failed++;
	} else {
		if (has_word(cmdline, "verbose"))
			print("ok %s %s %s\n", be->name, mode_names[m], p->name);
		passed++;
	}
}

static void run(const struct program *p, u32 n)
{
	u32 modes = be->modes();

	for (; n; n--, p++)
		for (enum mode m = 0; m < MODES && p->on & be->on && wanted(p->name); m++)
			if (modes & p->modes & IN(m))
				run_one(p, m);
}

/* ---- round trips ---- */

PROGRAM(t_cpuid, "1: cpuid\njmp 1b");
PROGRAM(t_vmcall, "1: vmcall\njmp 1b");
PROGRAM(t_vmmcall, "1: vmmcall\njmp 1b");
PROGRAM(t_hlt, "1: hlt\njmp 1b");
PROGRAM(t_out, "1: outb %al, $0x80\njmp 1b");
PROGRAM(t_rdmsr, "movl $0x174, %ecx\n1: rdmsr\njmp 1b");
PROGRAM(t_read, "movabsq $0xffff90000000f000, %rbx\n1: movl (%rbx), %eax\njmp 1b");

static void measure(const char *name, enum mode m, u32 skip)
{
	static u64 v[ROUNDS];

	be->set(S_EIP, vm_at(m, G_CODE));
	be->round_trips(TRIPS, skip);
	for (u32 i = 0; i < ROUNDS; i++) {
		u64 t = be->round_trips(TRIPS, skip) / TRIPS;
		u32 at = i;

		for (; at && v[at - 1] > t; at--)
			v[at] = v[at - 1];
		v[at] = t;
	}
	print("trip %s %s %s %u %u\n", be->name, mode_names[m], name, v[0], v[ROUNDS / 2]);
}

static void measure_mode(enum mode m)
{
	vm_reset(m);
	if (be->on == ON_VMX) {
		vm_or(VM_PROC, PROC_HLT | PROC_IO);
	} else {
		svm_intercept(0x72);
		svm_intercept(0x78);
		svm_intercept(0x7b);
		svm_intercept(0x7c);
	}
	memset(iopm, 0xff, sizeof(iopm));
	memset(msrpm, 0xff, sizeof(msrpm));
	memset(msr_bitmap, 0xff, sizeof(msr_bitmap));
	LOAD(t_cpuid);
	measure("cpuid", m, 2);
	if (be->on == ON_VMX)
		LOAD(t_vmcall);
	else
		LOAD(t_vmmcall);
	measure("hypercall", m, 3);
	LOAD(t_hlt);
	measure("hlt", m, 1);
	LOAD(t_out);
	measure("out", m, 2);
	LOAD(t_rdmsr);
	measure("rdmsr", m, 2);
	if (m == SHADOW)
		return;
	LOAD(t_read);
	measure("nested-read", m, 2);
}

/* ---- all ---- */

static const struct backend *choose(void)
{
	static const struct backend *const all[] = { &vmx_backend, &svm_backend };

	for (u32 i = 0; i < LEN(all); i++) {
		const char *why = all[i]->enable();

		if (!why)
			return all[i];
		print("hyper64: %s: %s\n", all[i]->name, why);
	}
	return NULL;
}

void __attribute__((used)) kernel_main(u32 magic, u32 info)
{
	console_init();
	keep_info(magic, info);
	tables_init();
	paging_init();
	devices_init();
	if (!after("fuzz="))
		outb(0x21, 0xff);
	seed = number("seed=", 1);
	be = choose();
	if (!be)
		finish(2);
	if (has_word(cmdline, "time")) {
		for (enum mode m = LONG; m <= SHADOW; m++)
			if (be->modes() & IN(m))
				measure_mode(m);
	} else if (after("fuzz=")) {
		fuzz_run(number("fuzz=", 0));
		print("hyper64: %s: %u rounds\n", be->name, number("fuzz=", 0));
	} else {
		run(cases, case_count);
		run(entry_cases, entry_case_count);
		print("hyper64: %s: ok %u / failed %u / not offered %u\n", be->name, passed, failed, skipped);
	}
	print(failed ? "hyper64: FAILED\n" : "hyper64: done\n");
	finish(failed != 0);
}
