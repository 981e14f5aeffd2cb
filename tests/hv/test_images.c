/* SPDX-License-Identifier: GPL-3.0-or-later
 * Image loaders: a good image is placed as its format demands, a bad one gives one line of text.
 * Mutated images must never crash a loader. */
#include "tests/suite.h"
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hv/boot/acpi.h"
#include "hv/machine_int.h"
#include "tests/hv/fake_engine.h"

enum { BZ_SETUP = 5 * 512, BZ_BODY = 8192, ELF_LEN = 0x2000 };

static char dir[] = "/tmp/vitrine-images-XXXXXX";
static char err[256];
static uint8_t bz[BZ_SETUP + BZ_BODY], elf[ELF_LEN];

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

static void le32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, 4);
}

static void make_bz(void)
{
	memset(bz, 0, sizeof(bz));
	bz[0x1f1] = 4;
	bz[0x1fe] = 0x55, bz[0x1ff] = 0xaa;
	bz[0x200] = 0xeb, bz[0x201] = 0x6a;
	memcpy(bz + 0x202, "HdrS", 4);
	bz[0x206] = 0x0f, bz[0x207] = 0x02;
	bz[0x211] = 1;
	le32(bz + 0x214, 0x100000);
	le32(bz + 0x22c, 0x37ffffff);
	le32(bz + 0x238, 2047);
	le32(bz + 0x258, 0x100000);
	le32(bz + 0x260, 0x80000);
	memset(bz + BZ_SETUP, 0x90, BZ_BODY);
}

static void make_elf(void)
{
	Elf32_Ehdr eh = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, 1 },
		.e_type = ET_EXEC,
		.e_machine = EM_386,
		.e_entry = 0xc0101010,
		.e_phoff = sizeof(eh),
		.e_phentsize = sizeof(Elf32_Phdr),
		.e_phnum = 1,
	};
	Elf32_Phdr ph = {
		.p_type = PT_LOAD,
		.p_offset = 0x1000,
		.p_vaddr = 0xc0101000,
		.p_paddr = 0x101000,
		.p_filesz = 0x800,
		.p_memsz = 0x3000,
	};
	const uint32_t mb[3] = { 0x1badb002, 3, -(0x1badb002u + 3) };

	memset(elf, 0x5a, sizeof(elf));
	memcpy(elf, &eh, sizeof(eh));
	memcpy(elf + sizeof(eh), &ph, sizeof(ph));
	memcpy(elf + 0x1000, mb, sizeof(mb));
}

static void setup(void)
{
	strcpy(dir + sizeof(dir) - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	make_bz();
	make_elf();
	err[0] = 0;
}

static void teardown(void)
{
	char cmd[300];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

static const char *cpu_model; /* of the machines to come; NULL: the default */

static struct machine *boot(struct image_config image, uint64_t memory)
{
	struct machine_config cfg = {
		.memory = memory, .clock = CLOCK_ICOUNT, .cpu_model = cpu_model, .image = image
	};

	return machine_new(&cfg, fake_new, NULL, err, sizeof(err));
}

static uint32_t mem32(struct machine *m, gpa a)
{
	uint32_t v = 0;

	ck_assert(mm_phys_read(machine_vm(m), a, &v, 4));
	return v;
}

/* Loading must fail with one line that contains TEXT. */
static void refuse(struct image_config image, uint64_t memory, const char *text)
{
	struct machine *m = boot(image, memory);

	ck_assert_ptr_null(m);
	ck_assert_msg(strstr(err, text), "\"%s\" does not mention \"%s\"", err, text);
	ck_assert_ptr_null(strchr(err, '\n'));
}

START_TEST(linux_good)
{
	uint8_t rd[5000];
	struct image_config ic = { .append = "console=ttyS0" };
	struct machine *m;
	char cmd[14];

	memset(rd, 0x77, sizeof(rd));
	ic.kernel = put_file("bz", bz, sizeof(bz));
	ic.initrd = put_file("rd", rd, sizeof(rd));
	m = boot(ic, 16 << 20);
	ck_assert_msg(m, "%s", err);
	struct cpu *c = &machine_vcpu(m)->cpu;
	ck_assert_uint_eq(c->rip, 0x100000);
	ck_assert_uint_eq(c->seg[SEG_CS].sel, 0x10);
	ck_assert_uint_eq(c->seg[SEG_DS].sel, 0x18);
	ck_assert_uint_eq(c->cr0 & (CR0_PE | CR0_PG), CR0_PE);
	ck_assert_uint_eq(c->intf, 0);
	uint32_t bp = (uint32_t)c->gpr[R_ESI];
	ck_assert_uint_eq(mem32(m, 0x100000), 0x90909090);
	ck_assert_uint_eq(mem32(m, bp + 0x218), ((16 << 20) - 5000) & ~0xfffu);
	ck_assert_uint_eq(mem32(m, bp + 0x21c), 5000);
	ck_assert_uint_eq(mem32(m, mem32(m, bp + 0x218)), 0x77777777);
	ck_assert_uint_eq(mem32(m, bp + 0x1e8) & 0xff, 4);
	ck_assert(mm_phys_read(machine_vm(m), mem32(m, bp + 0x228), cmd, sizeof(cmd)));
	ck_assert_str_eq(cmd, "console=ttyS0");
	machine_free(m);
}
END_TEST

START_TEST(linux_bad)
{
	struct image_config ic = { 0 };
	static uint8_t big[3 << 20];

	ic.kernel = put_file("bz", bz, BZ_SETUP);
	refuse(ic, 16 << 20, "truncated");
	ic.kernel = put_file("bz", bz, 0x208);
	refuse(ic, 16 << 20, "truncated");
	bz[0x206] = 5;
	ic.kernel = put_file("bz", bz, sizeof(bz));
	refuse(ic, 16 << 20, "too old");
	make_bz();
	ic.kernel = put_file("bz", bz, sizeof(bz));
	refuse(ic, 1 << 20, "needs memory");
	ic.initrd = put_file("rd", big, sizeof(big));
	refuse(ic, 3 << 20, "does not fit");
	ic.initrd = "/nonexistent/initrd";
	refuse(ic, 3 << 20, "/nonexistent/initrd");
	ic = (struct image_config){ .kernel = put_file("x", "MZ hello", 8) };
	refuse(ic, 3 << 20, "neither");
	ic.kernel = dir;
	refuse(ic, 3 << 20, "not a regular file");
	ic.kernel = put_file("empty", "", 0);
	refuse(ic, 3 << 20, "empty");
}
END_TEST

START_TEST(linux_cmdline_too_long)
{
	static char text[5000];
	struct image_config ic = { .append = text };

	memset(text, 'a', sizeof(text) - 1);
	ic.kernel = put_file("bz", bz, sizeof(bz));
	refuse(ic, 16 << 20, "command line");
}
END_TEST

START_TEST(multiboot_good)
{
	struct image_config ic = { .append = "arg" };
	char kernel[256], want[300], line[300];
	struct machine *m;

	snprintf(kernel, sizeof(kernel), "%s", put_file("elf", elf, sizeof(elf)));
	ic.kernel = kernel;
	ic.initrd = put_file("mod", "module", 6);
	m = boot(ic, 4 << 20);
	ck_assert_msg(m, "%s", err);
	struct cpu *c = &machine_vcpu(m)->cpu;
	ck_assert_uint_eq(c->rip, 0x101010);
	ck_assert_uint_eq(c->gpr[R_EAX], 0x2badb002);
	uint32_t info = (uint32_t)c->gpr[R_EBX];
	ck_assert_uint_eq(mem32(m, info), 0x24d);
	ck_assert_uint_eq(mem32(m, info + 8), 3072);
	ck_assert_uint_eq(mem32(m, info + 20), 1);
	uint32_t mod = mem32(m, info + 24);
	ck_assert_uint_eq(mem32(m, mod), 0x104000);
	ck_assert_uint_eq(mem32(m, mem32(m, mod)) & 0xffff, 'm' | 'o' << 8);
	ck_assert_uint_eq(mem32(m, 0x101400), 0x5a5a5a5a);
	ck_assert_uint_eq(mem32(m, 0x101800), 0);
	snprintf(want, sizeof(want), "%s arg", kernel);
	ck_assert(mm_phys_read(machine_vm(m), mem32(m, info + 16), line, strlen(want) + 1));
	ck_assert_str_eq(line, want);
	machine_free(m);
	ic.append = NULL;
	m = boot(ic, 4 << 20);
	ck_assert_msg(m, "%s", err);
	info = (uint32_t)machine_vcpu(m)->cpu.gpr[R_EBX];
	ck_assert(mm_phys_read(machine_vm(m), mem32(m, info + 16), line, strlen(kernel) + 1));
	ck_assert_str_eq(line, kernel);
	machine_free(m);
}
END_TEST

/* The first word of an embedded guest's command line is its name. */
START_TEST(multiboot_embedded)
{
	struct image_config ic = {
		.blob = elf, .blob_len = sizeof(elf), .blob_name = "guest", .append = "a b"
	};
	struct machine *m = boot(ic, 4 << 20);
	char line[10];

	ck_assert_msg(m, "%s", err);
	ck_assert(mm_phys_read(machine_vm(m), mem32(m, (uint32_t)machine_vcpu(m)->cpu.gpr[R_EBX] + 16), line,
			       sizeof(line)));
	ck_assert_str_eq(line, "guest a b");
	machine_free(m);
}
END_TEST

START_TEST(multiboot_modules)
{
	struct image_config ic = { 0 };
	struct machine *m;
	char kernel[256], list[600], big[32768], text[32] = "";

	snprintf(kernel, sizeof(kernel), "%s", put_file("elf", elf, sizeof(elf)));
	ic.kernel = kernel;
	snprintf(list, sizeof(list), "%s one two,", put_file("mod1", "first", 5));
	snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s", put_file("mod2", "second", 6));
	ic.initrd = list;
	m = boot(ic, 4 << 20);
	ck_assert_msg(m, "%s", err);
	uint32_t info = (uint32_t)machine_vcpu(m)->cpu.gpr[R_EBX], mod = mem32(m, info + 24);
	ck_assert_uint_eq(mem32(m, info + 20), 2);
	ck_assert_uint_eq(mem32(m, mod), 0x104000);
	ck_assert_uint_eq(mem32(m, mod + 4), 0x104005);
	ck_assert_uint_eq(mem32(m, mod + 16), 0x105000);
	ck_assert_uint_eq(mem32(m, 0x105000), 's' | 'e' << 8 | 'c' << 16 | 'o' << 24);
	mm_phys_read(machine_vm(m), mem32(m, mod + 8) + strcspn(list, " "), text, 9);
	ck_assert_str_eq(text, " one two");
	machine_free(m);

	ic.initrd = put_file("mod,3", "comma", 5); /* a file name may contain a comma */
	m = boot(ic, 4 << 20);
	ck_assert_msg(m, "%s", err);
	machine_free(m);
	snprintf(list, sizeof(list), "%s,/nonexistent/module", put_file("mod1", "first", 5));
	ic.initrd = list;
	refuse(ic, 4 << 20, "/nonexistent/module");
	memset(big, 0, sizeof(big));
	for (int i = 0; i < 65; i++)
		snprintf(big + strlen(big), sizeof(big) - strlen(big), "%s%s", i ? "," : "",
			 put_file("m", "x", 1));
	ic.initrd = big;
	refuse(ic, 4 << 20, "modules: at most");
	snprintf(big, sizeof(big), "%s ", put_file("m", "x", 1));
	memset(big + strlen(big), 'x', 5000);
	refuse(ic, 4 << 20, "modules: at most");
}
END_TEST

START_TEST(multiboot_bad)
{
	struct image_config ic = { 0 };
	Elf32_Phdr *ph = (Elf32_Phdr *)(elf + sizeof(Elf32_Ehdr));

	ic.kernel = put_file("elf", elf, 0x1400);
	refuse(ic, 4 << 20, "truncated");
	ph->p_memsz = 0xf0000000;
	ic.kernel = put_file("elf", elf, sizeof(elf));
	refuse(ic, 4 << 20, "does not fit");
	ph->p_memsz = 0x100;
	ic.kernel = put_file("elf", elf, sizeof(elf));
	refuse(ic, 4 << 20, "larger in the file");
	make_elf();
	ph->p_paddr = 0x90000;
	ic.kernel = put_file("elf", elf, sizeof(elf));
	refuse(ic, 4 << 20, "overlaps");
	make_elf();
	elf[EI_CLASS] = ELFCLASS64; /* with the rest of a 32-bit file */
	ic.kernel = put_file("elf", elf, sizeof(elf));
	refuse(ic, 4 << 20, "not for x86");
	make_elf();
	((Elf32_Ehdr *)elf)->e_phoff = 0xfffffff0;
	ic.kernel = put_file("elf", elf, sizeof(elf));
	refuse(ic, 4 << 20, "program headers");
}
END_TEST

START_TEST(flat)
{
	struct image_config ic = { .flat_addr = 0x8000 };
	struct machine *m;

	ic.flat = put_file("flat", "\xf4\xf4\xf4\xf4", 4);
	m = boot(ic, 1 << 20);
	ck_assert_msg(m, "%s", err);
	ck_assert_uint_eq(machine_vcpu(m)->cpu.rip, 0x8000);
	ck_assert_uint_eq(mem32(m, 0x8000), 0xf4f4f4f4);
	machine_free(m);
	ic.flat_addr = 0x100000;
	refuse(ic, 1 << 20, "do not fit");
	ic.flat_addr = 1ull << 40;
	refuse(ic, 1 << 20, "above 4 GiB");
}
END_TEST

START_TEST(bios)
{
	static uint8_t rom[0x20000], disk[512] = { 0xeb, 0xfe };
	struct image_config ic = { 0 };
	struct machine *m;

	rom[0x1fff0] = 0xea;
	ic.bios = put_file("bios", rom, sizeof(rom));
	ic.boot_sector = put_file("disk", disk, sizeof(disk));
	m = boot(ic, 4 << 20);
	ck_assert_msg(m, "%s", err);
	struct cpu *c = &machine_vcpu(m)->cpu;
	ck_assert_uint_eq(cpu_pc(c), 0xfffffff0);
	ck_assert_uint_eq(mem32(m, 0xfffffff0), 0xea);
	ck_assert_uint_eq(mem32(m, 0xffff0), 0xea);
	machine_free(m);
	ic.bios = put_file("bios", rom, 1000);
	refuse(ic, 4 << 20, "not a BIOS size");
	ic.bios = "/nonexistent";
	refuse(ic, 4 << 20, "cannot open");
}
END_TEST

static void pam(struct machine *m, unsigned reg, uint8_t val)
{
	bus_out(&m->board.bus, 0xcf8, 4, 0x80000000u | (reg & 0xfc));
	bus_out(&m->board.bus, (uint16_t)(0xcfc + (reg & 3)), 1, val);
}

/* Memory below 1 MiB as the PAM registers say: ROM, RAM, a read-only shadow, ROM again. */
START_TEST(shadow)
{
	static uint8_t rom[0x40000];
	struct image_config ic = { 0 };
	struct machine *m, *other;
	struct mm_vm *vm;
	char state[300];
	const uint32_t val = 0x12345678;

	memset(rom + 0x1f000, 0x11, 0x1000);
	memset(rom + 0x20000, 0xee, 0x10000); /* 0xe0000 */
	memset(rom + 0x30000, 0xff, 0x10000); /* 0xf0000 */
	ic.bios = put_file("bios", rom, sizeof(rom));
	m = boot(ic, 4 << 20);
	ck_assert_msg(m, "%s", err);
	vm = machine_vm(m);
	ck_assert(!mm_is_rom(vm, 0xb8000) && mm_is_rom(vm, 0xc0000) && mm_is_rom(vm, 0xe0000));
	ck_assert(mm_is_rom(vm, 0xff000) && !mm_is_rom(vm, 0x100000));
	ck_assert_uint_eq(mem32(m, 0xdf000), 0xffffffff); /* 128 KiB are copied, not more */
	ck_assert_uint_eq(mem32(m, 0xe0000), 0xeeeeeeee);
	pam(m, 0x59, 0x30);
	ck_assert(!mm_is_rom(vm, 0xf0000) && !mm_is_rom(vm, 0xff000) && mm_is_rom(vm, 0xec000));
	ck_assert_uint_eq(mem32(m, 0xf0000), 0xffffffff);
	mm_phys_write(vm, 0xf0000, &val, 4);
	pam(m, 0x59, 0x10);
	ck_assert(mm_is_rom(vm, 0xf0000));
	ck_assert_uint_eq(mem32(m, 0xf0000), val);
	pam(m, 0x5f, 0x30); /* 0xec000 */
	ck_assert(!mm_is_rom(vm, 0xec000) && mm_is_rom(vm, 0xe8000));
	snprintf(state, sizeof(state), "%s/state", dir);
	ck_assert_msg(machine_save_state(m, state, err, sizeof(err)), "%s", err);
	other = boot(ic, 4 << 20);
	ck_assert_msg(other && machine_load_state(other, state, err, sizeof(err)), "%s", err);
	ck_assert(!mm_is_rom(machine_vm(other), 0xec000) && mm_is_rom(machine_vm(other), 0xf0000));
	ck_assert_uint_eq(mem32(other, 0xf0000), val);
	machine_free(other);
	pam(m, 0x59, 0);
	ck_assert_uint_eq(mem32(m, 0xf0000), 0xffffffff);
	ck_assert_uint_eq(mem32(m, 0xfffffff0), 0xffffffff);
	machine_free(m);
	ic = (struct image_config){ .blob = elf, .blob_len = sizeof(elf) };
	m = boot(ic, 4 << 20);
	ck_assert_msg(m, "%s", err);
	for (uint32_t a = 0xc0000; a < 0x100000; a += PAGE_SIZE)
		ck_assert(!mm_is_rom(machine_vm(m), a));
	machine_free(m);
}
END_TEST

/* A ROM of the largest size, alone: entered at the reset vector, all of it below 4 GiB, and never written. */
START_TEST(bios_alone)
{
	static uint8_t rom[(16 << 20) + PAGE_SIZE];
	struct image_config ic = { 0 };
	struct machine *m;

	memcpy(rom, "head", 4);
	rom[(16 << 20) - 16] = 0xea;
	ic.bios = put_file("bios", rom, 16 << 20);
	m = boot(ic, 2 << 20);
	ck_assert_msg(m, "%s", err);
	ck_assert_uint_eq(cpu_pc(&machine_vcpu(m)->cpu), 0xfffffff0);
	ck_assert_uint_eq(mem32(m, 0xff000000), 'h' | 'e' << 8 | 'a' << 16 | 'd' << 24);
	ck_assert_uint_eq(mem32(m, 0xfffffff0), 0xea);
	ck_assert_uint_eq(mem32(m, 0xffff0), 0xea);
	ck_assert(mm_is_rom(machine_vm(m), 0xff000000) && mm_is_rom(machine_vm(m), 0xfffff000));
	machine_free(m);
	ic.bios = put_file("bios", rom, sizeof(rom));
	refuse(ic, 2 << 20, "too large");
}
END_TEST

/* A sparse file of LEN bytes, with a boot signature if SIGNED. */
static const char *put_disk(const char *name, off_t len, bool sign)
{
	static const uint8_t sector[512] = { [510] = 0x55, 0xaa };
	const char *p = put_file(name, sector, sign ? 512 : 1);

	ck_assert_int_eq(truncate(p, len), 0);
	return p;
}

/* Columns: drives by kind (sizes in KiB, 0: none), boot signatures of the hard disks; kind and unit of each
 * drive that results, the one to boot from; or what the message says. */
static const struct {
	unsigned image, floppy[2], disk[5], cdrom;
	bool sign[5];
	const char *drives;
	unsigned boot;
	const char *refused;
} drive_rows[] = {
	{ .image = 1440, .drives = "f0" },
	{ .image = 4000, .drives = "d0" },
	{ .image = 2880, .floppy = { 720 }, .disk = { 5000 }, .drives = "f0 f1 d0" },
	{ .image = 2880, .floppy = { 720, 160 }, .refused = "one floppy drive too many" },
	{ .floppy = { 1440, 360 }, .disk = { 9000 }, .sign = { true }, .drives = "f0 f1 d0" },
	{ .disk = { 100, 200 }, .sign = { true }, .drives = "d0 d1" },
	{ .disk = { 100, 200 }, .sign = { false, true }, .refused = "no boot signature" },
	{ .disk = { 1, 1, 1, 1 }, .sign = { true }, .drives = "d0 d1 d2 d3" },
	{ .disk = { 1, 1, 1, 1, 1 }, .sign = { true }, .refused = "one IDE drive too many" },
	{ .disk = { 1, 1, 1 }, .cdrom = 10, .sign = { true }, .drives = "c2 d0 d1 d3", .boot = 1 },
	{ .cdrom = 700, .refused = "not a CD that a PC boots from" },
	{ .floppy = { 2881 }, .refused = "at most 2880 KiB; use --disk" },
};

START_TEST(drives)
{
	static const char *const names[] = { "f0", "f1", "d0", "d1", "d2", "d3", "d4" };
	struct image_config ic = { 0 };
	char path[9][300], got[100] = "";

	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		unsigned kib = i < 2 ? drive_rows[_i].floppy[i] : drive_rows[_i].disk[i - 2];
		struct drive_config *c = i < 2 ? &ic.floppy[i] : &ic.disk[i - 2];

		if (!kib)
			continue;
		snprintf(path[i], sizeof(path[i]), "%s",
			 put_disk(names[i], (off_t)kib << 10, i >= 2 && drive_rows[_i].sign[i - 2]));
		c->file = path[i];
	}
	if (drive_rows[_i].image) {
		snprintf(path[7], sizeof(path[7]), "%s",
			 put_disk("image", (off_t)drive_rows[_i].image << 10, false));
		ic.boot_sector = path[7];
	}
	if (drive_rows[_i].cdrom) {
		snprintf(path[8], sizeof(path[8]), "%s",
			 put_disk("cd", (off_t)drive_rows[_i].cdrom << 10, false));
		ic.cdrom.file = path[8];
	}
	struct drives ds;
	bool ok = drives_open(&ds, &ic, true, err, sizeof(err));

	if (drive_rows[_i].refused) {
		ck_assert(!ok);
		ck_assert_msg(strstr(err, drive_rows[_i].refused), "%s", err);
		drives_close(&ds);
		return;
	}
	ck_assert_msg(ok, "%s", err);
	for (unsigned i = 0; i < ds.n; i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%c%u", i ? " " : "",
			 "fdc"[ds.d[i].kind], ds.d[i].unit);
	ck_assert_str_eq(got, drive_rows[_i].drives);
	ck_assert_ptr_eq(ds.boot, &ds.d[drive_rows[_i].boot]);
	drives_close(&ds);
}
END_TEST

/* The BIOS' MP table is hidden when it locks its segment, where there is no APIC. */
START_TEST(mp_table)
{
	static uint8_t rom[0x20000];
	struct image_config ic = { 0 };
	struct machine *m;

	memcpy(rom + 0x16920, "_MP_", 4); /* the last 128 KiB below 1 MiB */
	ic.bios = put_file("bios", rom, sizeof(rom));
	cpu_model = _i ? "host" : "host,-apic";
	m = boot(ic, 4 << 20);
	ck_assert_msg(m, "%s", err);
	pam(m, 0x59, 0x30);
	ck_assert_uint_eq(mem32(m, 0xf6920), 0x5f504d5f);
	pam(m, 0x59, 0x10);
	ck_assert_uint_eq(mem32(m, 0xf6920), _i ? 0x5f504d5f : 0);
	machine_free(m);
}
END_TEST

static uint8_t sum_of(struct machine *m, gpa a, uint32_t n)
{
	uint8_t sum = 0, b;

	while (n--) {
		mm_phys_read(machine_vm(m), a++, &b, 1);
		sum += b;
	}
	return sum;
}

/* The MP table: all entries, by their lengths, and checksums. */
static void check_mp(struct machine *m)
{
	static const uint8_t len[] = { 20, 8, 8, 8, 8 };
	uint32_t at = mem32(m, MP_AT + 4), end, n = 0, pins = 0;

	ck_assert_uint_eq(mem32(m, MP_AT), 0x5f504d5f);
	ck_assert_uint_eq(sum_of(m, MP_AT, 16), 0);
	ck_assert_uint_eq(mem32(m, at), 0x504d4350);
	end = at + (mem32(m, at + 4) & 0xffff);
	ck_assert_uint_eq(sum_of(m, at, end - at), 0);
	for (uint32_t e = at + 44; e < end; n++) {
		uint8_t type = (uint8_t)mem32(m, e);

		ck_assert_uint_lt(type, sizeof(len));
		if (type == 3 && !(mem32(m, e + 4) & 0xff)) /* of the PCI bus: level, active high */
			ck_assert_uint_eq(mem32(m, e) >> 16, 0xd);
		if (type == 3)
			pins |= 1u << (mem32(m, e + 4) >> 24);
		e += len[type];
	}
	ck_assert_uint_eq(n, mem32(m, at + 34) & 0xffff);
	ck_assert_uint_eq(pins, 0xffff);
}

START_TEST(acpi_tables)
{
	struct image_config ic = { .flat_addr = 0x8000 };
	struct machine *m;
	uint32_t rsdt, fadt, dsdt, scope, n = _i ? 3 : 2;

	ic.flat = put_file("flat", "\xf4", 1);
	cpu_model = _i ? "pentium2" : "pentium2,-apic";
	m = boot(ic, 2 << 20);
	if (_i)
		check_mp(m);
	else
		ck_assert_uint_eq(mem32(m, MP_AT), 0);
	ck_assert_uint_eq(sum_of(m, ACPI_AT, 20), 0);
	rsdt = mem32(m, ACPI_AT + 16);
	ck_assert_uint_eq(mem32(m, rsdt + 4), 36 + 4 * n);
	for (unsigned i = 0; i < n; i++)
		ck_assert_uint_eq(
		    sum_of(m, mem32(m, rsdt + 36 + 4 * i), mem32(m, mem32(m, rsdt + 36 + 4 * i) + 4)), 0);
	ck_assert_uint_eq(sum_of(m, rsdt, mem32(m, rsdt + 4)), 0);
	fadt = mem32(m, rsdt + 36);
	ck_assert_uint_eq(mem32(m, fadt), 0x50434146);
	ck_assert_uint_eq(sum_of(m, fadt, mem32(m, fadt + 4)), 0);
	dsdt = mem32(m, fadt + 40);
	ck_assert_uint_eq(mem32(m, dsdt), 0x54445344);
	ck_assert_uint_eq(sum_of(m, dsdt, mem32(m, dsdt + 4)), 0);
	/* Behind the header and \_S5: a scope that ends where the table does. Code that does not fit is cut
	 * off. */
	scope = mem32(m, dsdt + 36 + 17);
	ck_assert_uint_eq(scope & 0xf0ff, 0x8010);
	ck_assert_uint_eq(36 + 17 + 1 + ((scope >> 8 & 15) | scope >> 16 << 4), mem32(m, dsdt + 4));
	ck_assert_uint_lt(mem32(m, dsdt + 4), ACPI_IMAGE - ACPI_DSDT);
	machine_free(m);
}
END_TEST

/* One wrong byte in the headers: the image loads, or gives one line. */
START_TEST(mutated)
{
	struct image_config ic = { 0 };
	unsigned seed = (unsigned)_i * 2654435761u + 1;

	for (int i = 0; i < 40; i++) {
		uint8_t *img = i & 1 ? bz : elf;
		size_t n = i & 1 ? sizeof(bz) : sizeof(elf);

		make_bz();
		make_elf();
		for (int k = 0; k < 3; k++) {
			seed = seed * 1103515245 + 12345;
			img[i & 1 ? 0x1f0 + (seed >> 8) % 0x80 : (seed >> 8) % 0x60] = (uint8_t)(seed >> 20);
		}
		ic.kernel = put_file("mut", img, n);
		err[0] = 0;
		struct machine *m = boot(ic, 2 << 20);
		ck_assert(m || err[0]);
		machine_free(m);
	}
}
END_TEST

START_TEST(machine_limits)
{
	struct image_config ic = { .flat_addr = 0x8000 };
	struct machine_config cfg = { .memory = 4 << 20, .machine_memory = 1 << 20 };

	ic.flat = put_file("flat", "\xf4", 1);
	refuse(ic, 1000, "1 MiB");
	refuse(ic, 33ull << 30, "32 GiB");
	cfg.image = ic;
	ck_assert_ptr_null(machine_new(&cfg, fake_new, NULL, err, sizeof(err)));
	ck_assert(strstr(err, "too small"));
	cfg.machine_memory = 0;
	cfg.cpu_model = "z80";
	ck_assert_ptr_null(machine_new(&cfg, fake_new, NULL, err, sizeof(err)));
	ck_assert(strstr(err, "z80"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hv-images");
	TCase *tc = tcase_create("images");
	const TTest *const all[] = {
		linux_good,
		linux_bad,
		linux_cmdline_too_long,
		multiboot_good,
		multiboot_embedded,
		multiboot_modules,
		multiboot_bad,
		flat,
		bios,
		shadow,
		bios_alone,
		machine_limits,
	};

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 20);
	for (unsigned i = 0; i < ARRAY_LEN(all); i++)
		tcase_add_test(tc, all[i]);
	tcase_add_loop_test(tc, drives, 0, (int)ARRAY_LEN(drive_rows));
	tcase_add_loop_test(tc, mutated, 0, 5);
	tcase_add_loop_test(tc, mp_table, 0, 2);
	tcase_add_loop_test(tc, acpi_tables, 0, 2);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
