/* SPDX-License-Identifier: GPL-3.0-or-later
 * Kernels: Multiboot 1 as ELF of 32 or 64 bits, and bzImage by its 32-bit entry point. Either is entered in
 * protected mode with flat segments and without paging. */
#include "guests/kvm/client.h"

enum {
	INFO_AT = 0x9000, /* Multiboot information or Linux' boot parameters */
	CMDLINE_AT = 0xa000,
	GDT_AT = 0xb000,
	LOW_END = 0x9f000,
	KERNEL_AT = 0x100000,
	MULTIBOOT_FLAGS = 0x1badb002,
	MULTIBOOT_MAGIC = 0x2badb002,
	SETUP_HEADER = 0x1f1,
};

struct elf_program {
	u32 type, offset, physical, in_file, in_memory;
};

static u32 get32(const u8 *p)
{
	u32 v;

	copy(&v, p, 4);
	return v;
}

static u32 get16(const u8 *p)
{
	return p[0] | (u32)p[1] << 8;
}

static void put32(u8 *p, u32 v)
{
	copy(p, &v, 4);
}

static void put_string(u8 *to, const char *s)
{
	do
		*to++ = (u8)*s;
	while (*s++);
}

static const char *set_registers(struct client *c, u32 eip, u32 eax, u32 ebx, u32 esi)
{
	struct kvm_segment code = {
		.limit = ~0u, .selector = 0x10, .type = 11, .present = 1, .db = 1, .s = 1, .g = 1
	};
	struct kvm_regs regs = {
		.rip = eip, .rax = eax, .rbx = ebx, .rsi = esi, .rsp = LOW_END, .rflags = 2
	};
	struct kvm_segment data = code;
	struct kvm_sregs sregs;

	data.type = 3;
	data.selector = 0x18;
	if (kvm_call(c->cpu, KVM_GET_SREGS, &sregs) < 0)
		return "cannot read the segments";
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
	sregs.cr0 = 0x11; /* PE, ET */
	/* A kernel may load the segments before it has descriptors of its own. */
	put32(c->memory + GDT_AT + 0x10, 0xffff);
	put32(c->memory + GDT_AT + 0x14, 0xcf9b00);
	put32(c->memory + GDT_AT + 0x18, 0xffff);
	put32(c->memory + GDT_AT + 0x1c, 0xcf9300);
	sregs.gdt.base = GDT_AT;
	sregs.gdt.limit = 0x1f;
	if (kvm_call(c->cpu, KVM_SET_SREGS, &sregs) < 0 || kvm_call(c->cpu, KVM_SET_REGS, &regs) < 0)
		return "cannot set the registers";
	return NULL;
}

static bool within(u32 at, u32 bytes, u32 limit)
{
	return at <= limit && bytes <= limit - at;
}

/* ---- Multiboot ---- */

static bool is_multiboot(const u8 *f, u32 bytes)
{
	if (bytes < 52 || get32(f) != 0x464c457f)
		return false;
	for (u32 at = 0; at + 12 <= bytes && at < 8192; at += 4)
		if (get32(f + at) == MULTIBOOT_FLAGS)
			return true;
	return false;
}

/* Entry N of the program headers. Of 64-bit files, the lower halves: all is below 4 GiB. False: it is beyond
 * the end. */
static bool program(const u8 *f, u32 bytes, u32 n, struct elf_program *p)
{
	bool wide = f[4] == 2;
	u32 size = wide ? 56 : 32, at = get32(f + (wide ? 32 : 28)) + n * size;

	if (!within(at, size, bytes))
		return false;
	f += at;
	*p = (struct elf_program){ .type = get32(f),
				   .offset = get32(f + (wide ? 8 : 4)),
				   .physical = get32(f + (wide ? 24 : 12)),
				   .in_file = get32(f + (wide ? 32 : 16)),
				   .in_memory = get32(f + (wide ? 40 : 20)) };
	return true;
}

static const char *boot_multiboot(struct client *c, const u8 *f, u32 bytes, const char *cmdline)
{
	u32 count = get16(f + (f[4] == 2 ? 56 : 44));
	u8 *info = c->memory + INFO_AT;

	for (u32 i = 0; i < count; i++) {
		struct elf_program p;

		if (!program(f, bytes, i, &p))
			return "the kernel's program headers are beyond its end";
		if (p.type != 1 || !p.in_memory)
			continue;
		if (!within(p.offset, p.in_file, bytes) || !within(p.physical, p.in_memory, c->bytes) ||
		    p.in_file > p.in_memory)
			return "a segment does not fit";
		copy(c->memory + p.physical, f + p.offset, p.in_file);
	}
	put_string(c->memory + CMDLINE_AT, cmdline);
	put32(info, 1 | 4); /* memory, command line */
	put32(info + 4, 636);
	put32(info + 8, c->bytes / 1024 - 1024);
	put32(info + 16, CMDLINE_AT);
	return set_registers(c, get32(f + 24), MULTIBOOT_MAGIC, INFO_AT, 0);
}

/* ---- Linux ---- */

static void e820(u8 *params, u32 n, u32 from, u32 bytes)
{
	u8 *e = params + 0x2d0 + 20 * n;

	put32(e, from);
	put32(e + 8, bytes);
	put32(e + 16, 1);
	params[0x1e8] = (u8)(n + 1);
}

static const char *load_initrd(struct client *c, const char *path, u8 *params)
{
	u32 bytes, at;
	u8 *f = read_file(path, &bytes);

	if (!f)
		return "cannot read the initrd";
	if (bytes > c->bytes / 2)
		return "the initrd does not fit";
	at = (c->bytes - bytes) & ~0xfffu;
	copy(c->memory + at, f, bytes);
	sys3(SYS_munmap, (long)f, (long)bytes, 0);
	put32(params + 0x218, at);
	put32(params + 0x21c, bytes);
	return NULL;
}

static const char *boot_linux(struct client *c, const u8 *f, u32 bytes, const char *initrd,
			      const char *cmdline)
{
	u32 sectors = f[SETUP_HEADER] ? f[SETUP_HEADER] : 4, setup = (sectors + 1) * 512;
	u8 *params = c->memory + INFO_AT;

	if (get16(f + 0x206) < 0x205 || !(f[0x211] & 1) || setup >= bytes)
		return "not a bzImage of protocol 2.05 or later";
	if (!within(KERNEL_AT, bytes - setup, c->bytes))
		return "the kernel does not fit";
	copy(c->memory + KERNEL_AT, f + setup, bytes - setup);
	copy(params + SETUP_HEADER, f + SETUP_HEADER, 0x202 + f[0x201] - SETUP_HEADER);
	put_string(c->memory + CMDLINE_AT, cmdline);
	params[0x210] = 0xff; /* a loader without a number */
	put32(params + 0x228, CMDLINE_AT);
	e820(params, 0, 0, LOW_END);
	e820(params, 1, KERNEL_AT, c->bytes - KERNEL_AT);
	if (initrd) {
		const char *wrong = load_initrd(c, initrd, params);

		if (wrong)
			return wrong;
	}
	return set_registers(c, KERNEL_AT, 0, 0, INFO_AT);
}

const char *boot(struct client *c, const char *kernel, const char *initrd, const char *cmdline)
{
	const char *wrong;
	u32 bytes;
	u8 *f = read_file(kernel, &bytes);

	if (!f)
		return "cannot read the kernel";
	if (is_multiboot(f, bytes))
		wrong = boot_multiboot(c, f, bytes, cmdline);
	else if (bytes > 4096 && get32(f + 0x202) == 0x53726448) /* "HdrS" */
		wrong = boot_linux(c, f, bytes, initrd, cmdline);
	else
		wrong = "neither Multiboot nor Linux";
	sys3(SYS_munmap, (long)f, (long)bytes, 0);
	return wrong;
}
