/* SPDX-License-Identifier: GPL-3.0-or-later
 * Kernels by PVH, by Multiboot 2, and of 64 bits: placed and entered as each protocol demands, or refused
 * with one line of text. */
#include "tests/suite.h"
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hv/boot/acpi.h"
#include "hv/boot/image.h"
#include "hv/machine_int.h"
#include "tests/hv/fake_engine.h"
#include "x86/model.h"
#include "x86/paging.h"

enum { LEN = 0x3000, TEXT_AT = 0x1000, NOTE_AT = 0x2000, BZ_SETUP = 5 * 512, MEMORY = 4 << 20 };

static char dir[] = "/tmp/vitrine-kernels-XXXXXX", err[256];
static uint8_t file[LEN];
static const char *cpu_model;

static void setup(void)
{
	strcpy(dir + sizeof(dir) - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	memset(file, 0x5a, sizeof(file));
	cpu_model = "max,+lm";
	err[0] = 0;
}

static void teardown(void)
{
	char cmd[300];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

static const char *put_file(const char *name, const void *data, size_t n)
{
	static char path[2][256];
	static int k;
	char *p = path[k ^= 1];
	FILE *f;

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	f = fopen(p, "wb");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(data, 1, n, f), n);
	fclose(f);
	return p;
}

static struct machine *boot(struct image_config image)
{
	struct machine_config cfg = {
		.memory = MEMORY, .clock = CLOCK_ICOUNT, .cpu_model = cpu_model, .image = image
	};

	return machine_new(&cfg, fake_new, NULL, err, sizeof(err));
}

static struct cpu *start(struct image_config image, struct machine **m)
{
	*m = boot(image);
	ck_assert_msg(*m, "%s", err);
	return &machine_vcpu(*m)->cpu;
}

static void refuse(struct image_config image, const char *text)
{
	ck_assert_ptr_null(boot(image));
	ck_assert_msg(strstr(err, text), "\"%s\" does not mention \"%s\"", err, text);
	ck_assert_ptr_null(strchr(err, '\n'));
}

static void *whole_memory(struct machine *m)
{
	static uint8_t all[MEMORY];

	ck_assert(mm_phys_read(machine_vm(m), 0, all, 0xa0000));
	ck_assert(mm_phys_read(machine_vm(m), 0x100000, all + 0x100000, MEMORY - 0x100000));
	return all;
}

static uint32_t word(const void *p, size_t at)
{
	uint32_t v;

	memcpy(&v, (const uint8_t *)p + at, 4);
	return v;
}

static uint64_t quad(const void *p, size_t at)
{
	return word(p, at) | (uint64_t)word(p, at + 4) << 32;
}

static void put32(size_t at, uint32_t v)
{
	memcpy(file + at, &v, 4);
}

/* ---- images ---- */

static void make_elf64(uint64_t entry)
{
	Elf64_Ehdr eh = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1 },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_entry = entry,
		.e_phoff = sizeof(eh),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 2,
	};
	Elf64_Phdr ph[2] = { {
				 .p_type = PT_LOAD,
				 .p_offset = TEXT_AT,
				 .p_vaddr = 0xffffffff81000000,
				 .p_paddr = 0x200000,
				 .p_filesz = 0x800,
				 .p_memsz = 0x3000,
			     },
			     { .p_type = PT_NOTE, .p_offset = NOTE_AT, .p_filesz = 36, .p_align = 4 } };
	const uint32_t note[9] = { 4, 3, 17, 'X' | 'e' << 8 | 'n' << 16, 0, 0, 0, 0, 0 };

	memcpy(file, &eh, sizeof(eh));
	memcpy(file + sizeof(eh), ph, sizeof(ph));
	memcpy(file + NOTE_AT, note, sizeof(note));
}

/* PVH's note behind another, with an entry of DESCSZ bytes. */
static void make_pvh(uint32_t entry, uint32_t descsz)
{
	const uint32_t note[] = { 4, 2,	     7,	 'X' | 'e' << 8 | 'n' << 16, 0x6261,
				  4, descsz, 18, 'X' | 'e' << 8 | 'n' << 16, entry,
				  0 };
	Elf64_Phdr *ph = (Elf64_Phdr *)(file + sizeof(Elf64_Ehdr)) + 1;

	make_elf64(0xffffffff81000000);
	memcpy(file + NOTE_AT, note, sizeof(note));
	ph->p_filesz = 36 + descsz;
}

/* A Multiboot 2 header at TEXT_AT with these words as tags, behind which the last tag is added. */
static void make_mb2(const uint32_t *tags, unsigned n)
{
	uint32_t len = 16 + n * 4 + 8;

	put32(TEXT_AT, 0xe85250d6);
	put32(TEXT_AT + 4, 0);
	put32(TEXT_AT + 8, len);
	put32(TEXT_AT + 12, -(0xe85250d6 + len));
	memcpy(file + TEXT_AT + 16, tags, n * 4);
	put32(TEXT_AT + 16 + n * 4, 0);
	put32(TEXT_AT + 20 + n * 4, 8);
}

static void make_bz64(void)
{
	memset(file, 0, sizeof(file));
	file[0x1f1] = 4;
	file[0x1fe] = 0x55, file[0x1ff] = 0xaa;
	file[0x200] = 0xeb, file[0x201] = 0x6a;
	memcpy(file + 0x202, "HdrS", 4);
	file[0x206] = 0x0f, file[0x207] = 0x02;
	file[0x211] = 1;
	put32(0x214, 0x100000);
	put32(0x22c, 0x37ffffff);
	put32(0x238, 2047);
	put32(0x258, 0x100000);
	put32(0x260, 0x80000);
	file[0x236] = 1; /* XLF_KERNEL_64 */
	memset(file + BZ_SETUP, 0x90, sizeof(file) - BZ_SETUP);
}

static bool is_flat(const struct cpu *c, uint64_t entry)
{
	return c->rip == entry && !cpu_long(c) && (c->cr0 & (CR0_PE | CR0_PG)) == CR0_PE &&
	       (c->seg[SEG_CS].attr & (SA_DB | SA_L)) == SA_DB && !c->cr4;
}

/* ---- PVH ---- */

START_TEST(pvh_good)
{
	char kernel[256], text[64], mod[300];
	struct image_config ic = { .kernel = kernel, .initrd = mod, .append = "quiet" };
	struct machine *m;
	struct cpu *c;
	const uint8_t *all;
	uint32_t info;
	uint64_t list;

	make_pvh(0x200010, _i ? 8 : 4);
	snprintf(kernel, sizeof(kernel), "%s", put_file("kernel", file, sizeof(file)));
	snprintf(mod, sizeof(mod), "%s rest", put_file("mod", "module", 6));
	c = start(ic, &m);
	ck_assert(is_flat(c, 0x200010));
	all = whole_memory(m);
	info = (uint32_t)c->gpr[R_EBX];
	ck_assert_uint_eq(word(all, info), 0x336ec578);
	ck_assert_uint_eq(word(all, info + 4), 1);
	ck_assert_uint_eq(word(all, info + 12), 1);
	list = quad(all, info + 16);
	ck_assert_uint_eq(quad(all, list), 0x203000);
	ck_assert_uint_eq(quad(all, list + 8), 6);
	ck_assert(!memcmp(all + quad(all, list), "module", 6));
	snprintf(text, sizeof(text), "%s", (const char *)all + quad(all, list + 16));
	ck_assert_str_eq(text + strlen(text) - 5, " rest");
	ck_assert(strstr((const char *)all + quad(all, info + 24), "kernel quiet"));
	ck_assert_uint_eq(quad(all, info + 32), ACPI_AT);
	ck_assert_uint_eq(word(all, info + 48),
			  4); /* ranges of the map: the last is the memory above 1 MiB */
	list = quad(all, info + 40) + 3 * 24;
	ck_assert_uint_eq(quad(all, list), 0x100000);
	ck_assert_uint_eq(quad(all, list + 8), MEMORY - 0x100000);
	ck_assert_uint_eq(word(all, list + 16), E820_RAM);
	ck_assert_uint_eq(word(all, 0x200000), 0x5a5a5a5a);
	ck_assert_uint_eq(word(all, 0x200800), 0);
	machine_free(m);
}
END_TEST

START_TEST(pvh_bad)
{
	struct image_config ic = { 0 };
	Elf64_Phdr *ph = (Elf64_Phdr *)(file + sizeof(Elf64_Ehdr));

	make_elf64(0x200000); /* a note of another type */
	ic.kernel = put_file("kernel", file, sizeof(file));
	refuse(ic, "a 64-bit ELF file without");
	ic.entry = "pvh";
	refuse(ic, "not an ELF file with PVH's note");
	ic.entry = "65";
	refuse(ic, "no entry \"65\"");
	ic.entry = NULL;
	make_pvh(0x200010, 4);
	cpu_model = "max,-lm";
	ic.kernel = put_file("kernel", file, sizeof(file));
	refuse(ic, "needs a 64-bit processor");
	cpu_model = "max,+lm";
	ph[0].p_paddr = 0xffffffffffffff00;
	ic.kernel = put_file("kernel", file, sizeof(file));
	refuse(ic, "does not fit");
	ph[0].p_paddr = 0;
	ph[0].p_memsz = 1ull << 63;
	ic.kernel = put_file("kernel", file, sizeof(file));
	refuse(ic, "overlaps");
	make_pvh(0x200010, 4);
	ph[0].p_offset = UINT64_MAX - 8;
	ic.kernel = put_file("kernel", file, sizeof(file));
	refuse(ic, "truncated");
	make_pvh(0x200010, 4);
	((Elf64_Ehdr *)file)->e_machine = EM_AARCH64;
	ic.kernel = put_file("kernel", file, sizeof(file));
	refuse(ic, "ELF");
	make_pvh(0x200010, 4);
	((Elf64_Ehdr *)file)->e_phoff = UINT64_MAX - 4;
	ic.kernel = put_file("kernel", file, sizeof(file));
	refuse(ic, "ELF");
	make_pvh(0x200010, 8);
	put32(NOTE_AT + 40, 1); /* an entry above 4 GiB */
	ic.kernel = put_file("kernel", file, sizeof(file));
	refuse(ic, "above 4 GiB");
	make_pvh(0x200010, 4);
	ph[1].p_filesz = 39; /* cut off */
	ic.kernel = put_file("kernel", file, sizeof(file));
	refuse(ic, "a 64-bit ELF file without");
}
END_TEST

/* ---- Multiboot ---- */

/* Version 1 enters a 64-bit ELF file as it enters others. */
START_TEST(multiboot_elf64)
{
	const uint32_t mb[3] = { 0x1badb002, 3, -(0x1badb002u + 3) };
	struct image_config ic = { 0 };
	struct machine *m;
	struct cpu *c;

	make_elf64(0xffffffff81000020);
	memcpy(file + TEXT_AT, mb, sizeof(mb));
	ic.kernel = put_file("kernel", file, sizeof(file));
	c = start(ic, &m);
	ck_assert(is_flat(c, 0x200020));
	ck_assert_uint_eq(c->gpr[R_EAX], 0x2badb002);
	machine_free(m);
	cpu_model = "max,-lm";
	refuse(ic, "needs a 64-bit processor");
	cpu_model = "max,+lm";
	make_elf64(0xffffffff00000000);
	memcpy(file + TEXT_AT, mb, sizeof(mb));
	ic.kernel = put_file("kernel", file, sizeof(file));
	refuse(ic, "above 4 GiB");
}
END_TEST

/* Offset of the first tag of TYPE in the information at INFO; 0: there is none. */
static uint32_t find_tag(const uint8_t *all, uint32_t info, uint32_t type)
{
	for (uint32_t at = info + 8; at < info + word(all, info); at += (word(all, at + 4) + 7) & ~7u)
		if (word(all, at) == type)
			return at;
	return 0;
}

START_TEST(multiboot2_good)
{
	/* Requests of information, one optional and unknown; consoles; EFI's entry; text; relocatable. */
	static const uint32_t tags[] = { 1, 24, 1, 6, 14, 0,  1 | 1 << 16, 12,	99,   0,
					 4, 12, 3, 0, 9,  12, 0x1234,	   0,	5,    20,
					 0, 0,	0, 0, 10, 24, 0,	   ~0u, 4096, 0 };
	char kernel[256], mod[300];
	struct image_config ic = { .kernel = kernel, .initrd = mod, .append = "a b" };
	const uint8_t *all;
	struct machine *m;
	struct cpu *c;
	uint32_t info, at;

	make_elf64(0xffffffff81000020);
	make_mb2(tags, ARRAY_LEN(tags));
	snprintf(kernel, sizeof(kernel), "%s", put_file("kernel", file, sizeof(file)));
	snprintf(mod, sizeof(mod), "%s one,%s", put_file("mod1", "first", 5), put_file("mod2", "second", 6));
	c = start(ic, &m);
	ck_assert(is_flat(c, 0x200020));
	ck_assert_uint_eq(c->gpr[R_EAX], 0x36d76289);
	all = whole_memory(m);
	info = (uint32_t)c->gpr[R_EBX];
	ck_assert(strstr((const char *)all + find_tag(all, info, 1) + 8, "kernel a b"));
	ck_assert_str_eq((const char *)all + find_tag(all, info, 2) + 8, "vitrine");
	at = find_tag(all, info, 3);
	ck_assert_uint_eq(word(all, at + 8), 0x203000);
	ck_assert_uint_eq(word(all, at + 12), 0x203005);
	ck_assert(strstr((const char *)all + at + 16, "mod1 one"));
	at += (word(all, at + 4) + 7) & ~7u;
	ck_assert_uint_eq(word(all, at), 3);
	ck_assert_uint_eq(word(all, at + 8), 0x204000);
	at = find_tag(all, info, 4);
	ck_assert_uint_eq(word(all, at + 8), 639);
	ck_assert_uint_eq(word(all, at + 12), 3072);
	at = find_tag(all, info, 6);
	ck_assert_uint_eq(word(all, at + 4), 16 + 4 * 24);
	ck_assert_uint_eq(word(all, at + 8), 24);
	ck_assert_uint_eq(quad(all, at + 16 + 3 * 24), 0x100000);
	ck_assert_uint_eq(quad(all, find_tag(all, info, 8) + 8), 0xb8000);
	ck_assert(!memcmp(all + find_tag(all, info, 14) + 8, "RSD PTR ", 8));
	ck_assert_uint_eq(word(all, find_tag(all, info, 21) + 8), 0x200000);
	ck_assert_uint_eq(find_tag(all, info, 0) + 8, info + word(all, info));
	machine_free(m);
}
END_TEST

START_TEST(multiboot2_by_address)
{
	static const uint32_t tags[] = { 2, 24, 0x301000, 0x300000, 0x302000, 0x308000, 3, 12, 0x301234, 0 };
	struct image_config ic = { 0 };
	const uint8_t *all;
	struct machine *m;
	struct cpu *c;

	make_mb2(tags, ARRAY_LEN(tags));
	cpu_model = "pentium3";
	ic.kernel = put_file("kernel", file, sizeof(file));
	c = start(ic, &m);
	ck_assert(is_flat(c, 0x301234));
	all = whole_memory(m);
	ck_assert_uint_eq(word(all, 0x301000), 0xe85250d6);
	ck_assert_uint_eq(word(all, 0x301ffc), 0x5a5a5a5a);
	ck_assert_uint_eq(word(all, 0x302000), 0);
	machine_free(m);
}
END_TEST

static const struct {
	const char *text;
	uint32_t tags[8];
	unsigned n;
} mb2_bad[] = {
	{ "asks for information of type 17", { 1, 12, 17, 0 }, 4 },
	{ "asks for information of type 9", { 1, 16, 6, 9 }, 4 },
	{ "asks for graphics of 32 bits", { 5, 20, 1024, 768, 32, 0 }, 6 },
	{ "header tag 42, which", { 42, 8 }, 2 },
	{ "header tag 2 is too short", { 2, 12, 0, 0 }, 4 },
	{ "header tag 3 of 4 bytes", { 3, 4 }, 2 },
	{ "header tag 3 of 4096 bytes", { 3, 4096 }, 2 },
	{ "addresses without an entry", { 2, 24, 0x301000, 0x300000, 0, 0 }, 6 },
	{ "not an x86 ELF file", { 0 }, 0 },
};

START_TEST(multiboot2_bad)
{
	struct image_config ic = { 0 };

	make_mb2(mb2_bad[_i].tags, mb2_bad[_i].n);
	ic.kernel = put_file("kernel", file, sizeof(file));
	refuse(ic, mb2_bad[_i].text);
}
END_TEST

/* ---- Linux ---- */

START_TEST(linux_64)
{
	struct image_config ic = { .append = "x" };
	const uint8_t *all;
	struct machine *m;
	struct cpu *c;
	uint64_t pd;

	make_bz64();
	ic.kernel = put_file("bz", file, sizeof(file));
	c = start(ic, &m); /* the 32-bit entry is the usual one */
	ck_assert(is_flat(c, 0x100000));
	machine_free(m);
	ic.entry = "64";
	c = start(ic, &m);
	ck_assert_ptr_null(cpu_refused(&machine_vcpu(m)->plat, c));
	ck_assert(cpu_64(c) && c->cr0 & CR0_PG && c->cr4 & CR4_PAE && !c->intf && !c->cpl);
	ck_assert_uint_eq(c->rip, 0x100200);
	ck_assert_uint_eq(c->seg[SEG_CS].sel, 0x10);
	ck_assert_uint_eq(c->seg[SEG_SS].sel, 0x18);
	all = whole_memory(m);
	ck_assert_uint_eq(word(all, c->gpr[R_ESI] + 0x202), 'H' | 'd' << 8 | 'r' << 16 | (uint32_t)'S' << 24);
	for (uint64_t a = 0; a < 1ull << 32; a += 0x3fe00000) { /* 4 GiB are mapped to themselves */
		pd = quad(all, (quad(all, c->cr3) & PTE_ADDR64) + (a >> 30) * 8) & PTE_ADDR64;
		ck_assert_uint_eq(quad(all, pd + (a >> 21 & 511) * 8), a | PTE_P | PTE_W | PTE_PS);
	}
	machine_free(m);
	cpu_model = "max,-lm";
	refuse(ic, "needs a 64-bit processor");
	ic.entry = NULL;
	refuse(ic, "needs a 64-bit processor");
	cpu_model = "max,+lm";
	ic.entry = "pvh";
	refuse(ic, "not an ELF file with PVH's note");
	file[0x236] = 0;
	ic.entry = "64";
	ic.kernel = put_file("bz", file, sizeof(file));
	refuse(ic, "has no 64-bit entry");
}
END_TEST

/* What is beyond 3 GiB is at 4 GiB, and every kernel learns of it. */
START_TEST(high_memory)
{
	struct machine_config cfg = {
		.memory = 5ull << 30, .clock = CLOCK_ICOUNT, .cpu_model = "max", .swap = NULL
	};
	struct memory_range map[E820_MAX];
	uint64_t quads[6 * 3];
	uint32_t info;
	struct machine *m;
	unsigned n = image_memory_map(cfg.memory, map);

	ck_assert_uint_eq(n, 5);
	ck_assert(map[3].base == 1 << 20 && map[3].len == (3ull << 30) - (1 << 20) &&
		  map[3].type == E820_RAM);
	ck_assert(map[4].base == 4ull << 30 && map[4].len == 2ull << 30 && map[4].type == E820_RAM);
	ck_assert_uint_eq(image_memory_map(3ull << 30, map), 4);
	ck_assert_uint_eq(image_upper_kib(5ull << 30), (3u << 20) - 1024);
	make_pvh(0x200010, 8);
	cfg.image.kernel = put_file("kernel", file, sizeof(file));
	m = machine_new(&cfg, fake_new, NULL, err, sizeof(err));
	ck_assert_msg(m, "%s", err);
	ck_assert(mm_is_ram(machine_vm(m), (6ull << 30) - 8, 8) && !mm_is_ram(machine_vm(m), 6ull << 30, 1));
	ck_assert(!mm_is_ram(machine_vm(m), 3ull << 30, 1) && !mm_is_ram(machine_vm(m), (4ull << 30) - 1, 1));
	ck_assert(mm_phys_write(machine_vm(m), (6ull << 30) - 8, "highest", 8));
	ck_assert(mm_phys_read(machine_vm(m), 0x90000 + 40, quads, 8));
	info = (uint32_t)quads[0];
	ck_assert(mm_phys_read(machine_vm(m), info, quads, 5 * 24));
	ck_assert(quads[12] == 4ull << 30 && quads[13] == 2ull << 30 && (uint32_t)quads[14] == E820_RAM);
	machine_free(m);
	cfg.cpu_model = "pentium3";
	ck_assert_ptr_null(machine_new(&cfg, fake_new, NULL, err, sizeof(err)));
	ck_assert_str_eq(err, "guest memory: a 32-bit processor has 3 GiB at most");
}
END_TEST

/* Any byte of the headers, changed, gives a machine or one line. */
START_TEST(mutated)
{
	static const uint32_t tags[] = { 1, 16, 1, 6, 10, 24, 0, ~0u, 4096, 0 };
	unsigned x = 12345u + (unsigned)_i;

	for (unsigned i = 0; i < 300; i++) {
		struct image_config ic = { 0 };
		struct machine *m;
		size_t at;

		memset(file, 0x5a, sizeof(file));
		make_pvh(0x200010, 8);
		if (i & 1)
			make_mb2(tags, ARRAY_LEN(tags));
		for (unsigned k = 0; k <= i % 3; k++) {
			x = x * 1103515245 + 12345;
			at = (x >> 8) % 256;
			file[at < 176 ? at : (i & 1 ? TEXT_AT : NOTE_AT) + at - 176] = (uint8_t)(x >> 24);
		}
		ic.kernel = put_file("kernel", file, sizeof(file));
		m = boot(ic);
		ck_assert(m || (err[0] && !strchr(err, '\n')));
		machine_free(m);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hv-kernels");
	TCase *tc = tcase_create("kernels");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, pvh_good, 0, 2);
	tcase_add_test(tc, pvh_bad);
	tcase_add_test(tc, multiboot_elf64);
	tcase_add_test(tc, multiboot2_good);
	tcase_add_test(tc, multiboot2_by_address);
	tcase_add_loop_test(tc, multiboot2_bad, 0, (int)ARRAY_LEN(mb2_bad));
	tcase_add_test(tc, linux_64);
	tcase_add_test(tc, high_memory);
	tcase_add_loop_test(tc, mutated, 0, 3);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
