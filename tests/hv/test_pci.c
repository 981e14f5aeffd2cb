/* SPDX-License-Identifier: GPL-3.0-or-later
 * The PCI bus as a guest's drivers and firmware use it, with a function of this test's own: configuration
 * space, regions that move, enable bits, routes of interrupts, messages and their masks. */
#include "tests/suite.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hv/machine_int.h"
#include "hv/pci.h"
#include "tests/hv/fake_engine.h"

enum { REGION_MAX = 64 };
enum { BAR_PORTS = 0, BAR_MSIX = 1, BAR_MEMORY = 2, BAR_BIG = 4 };

struct probe {
	struct dev d;
	struct pci_function f;
	uint8_t byte[PCI_BARS][REGION_MAX];
	unsigned accesses, reads, writes; /* of regions; of configuration space */
};

static const struct pci_class probe_function = {
	.name = "probe",
	.vendor = 0x1234,
	.device = 0x5678,
	.subsystem_vendor = 0x9abc,
	.subsystem = 0xdef0,
	.class_code = 0x010802,
	.revision = 7,
	.pin = 1,
	.msi = 4,
	.msix = 3,
	.msix_bar = BAR_MSIX,
	.bar = { [BAR_PORTS] = { PCI_BAR_IO, false, 7, 32 },
		 [BAR_MSIX] = { PCI_BAR_MEMORY, false, 0, 4096 },
		 [BAR_MEMORY] = { PCI_BAR_MEMORY, false, 15, 4096 },
		 [BAR_BIG] = { PCI_BAR_MEMORY64, true, 15, 16 << 20 } },
};

static bool probe_open(struct dev *d, char *err, size_t errlen)
{
	return pci_add(&((struct probe *)d)->f, &probe_function, d, PCI_ANY, err, errlen);
}

static void probe_fini(struct dev *d)
{
	pci_remove(&((struct probe *)d)->f);
}

static uint64_t probe_read(struct dev *d, unsigned region, uint64_t off, unsigned size)
{
	struct probe *p = (struct probe *)d;
	uint64_t val = 0;

	p->accesses++;
	memcpy(&val, &p->byte[region][off % (REGION_MAX - 8)], size);
	return val;
}

static void probe_write(struct dev *d, unsigned region, uint64_t off, unsigned size, uint64_t val)
{
	struct probe *p = (struct probe *)d;

	p->accesses++;
	memcpy(&p->byte[region][off % (REGION_MAX - 8)], &val, size);
}

static const struct state_field probe_fields[] = { F_PCI(probe, f) };
static const struct dev_class probe_class = {
	.name = "probe",
	.size = sizeof(struct probe),
	DEV_FIELDS(probe_fields),
	.open = probe_open,
	.fini = probe_fini,
	.mmio_read = probe_read,
	.mmio_write = probe_write,
};

static struct machine *m;
static struct board *b;
static struct probe *one, *two; /* at 00:03.0 and 00:04.0 */

static struct probe *add(const char *name)
{
	char err[128] = "";
	struct dev *d = board_add(b, &probe_class, name, NULL, err, sizeof(err));

	ck_assert_msg(d, "%s", err);
	return (struct probe *)d;
}

static void setup(void)
{
	struct machine_config cfg = {
		.memory = 2 << 20,
		.clock = CLOCK_ICOUNT,
		.image = { .blob = fake_guest, .blob_len = sizeof(fake_guest) },
	};
	char err[256] = "";

	m = machine_new(&cfg, fake_new, NULL, err, sizeof(err));
	ck_assert_msg(m, "%s", err);
	b = &m->board;
	one = add("one");
	two = add("two");
	board_reset(b);
}

static void teardown(void)
{
	machine_free(m);
}

/* ---- configuration space, through the ports ---- */

static void select_reg(const struct probe *p, unsigned reg)
{
	bus_out(&b->bus, 0xcf8, 4, 0x80000000u | (uint32_t)p->f.devfn << 8 | (reg & 0xfc));
}

static uint32_t cfg_read(const struct probe *p, unsigned reg, unsigned size)
{
	select_reg(p, reg);
	return bus_in(&b->bus, (uint16_t)(0xcfc + (reg & 3)), size);
}

static void cfg_write(const struct probe *p, unsigned reg, unsigned size, uint32_t val)
{
	select_reg(p, reg);
	bus_out(&b->bus, (uint16_t)(0xcfc + (reg & 3)), size, val);
}

static void set_bar(const struct probe *p, unsigned bar, uint32_t at)
{
	cfg_write(p, PCI_BAR0 + 4 * bar, 4, at);
}

static uint32_t mem_read(gpa a)
{
	uint32_t val = 0;

	mmio_read(&b->mmio, a, &val, 4);
	return val;
}

static void mem_write(gpa a, uint32_t val)
{
	mmio_write(&b->mmio, a, &val, 4);
}

START_TEST(identity)
{
	ck_assert_uint_eq(one->f.devfn, PCI_AT(3, 0));
	ck_assert_uint_eq(two->f.devfn, PCI_AT(4, 0));
	ck_assert_uint_eq(cfg_read(one, PCI_VENDOR, 4), 0x56781234);
	ck_assert_uint_eq(cfg_read(one, PCI_REVISION, 4), 0x01080207);
	ck_assert_uint_eq(cfg_read(one, PCI_SUBSYSTEM, 4), 0xdef09abc);
	ck_assert_uint_eq(cfg_read(one, PCI_PIN, 1), 1);
	cfg_write(one, PCI_VENDOR, 4, 0);
	cfg_write(one, PCI_REVISION, 4, 0);
	cfg_write(one, PCI_PIN, 1, 3);
	ck_assert_uint_eq(cfg_read(one, PCI_VENDOR, 4), 0x56781234);
	ck_assert_uint_eq(cfg_read(one, PCI_REVISION, 4), 0x01080207);
	ck_assert_uint_eq(cfg_read(one, PCI_PIN, 1), 1);
	cfg_write(one, PCI_LINE, 1, 11);
	ck_assert_uint_eq(cfg_read(one, PCI_LINE, 2), 0x010b);
	/* Not there: another bus, another function, the mechanism switched off. */
	bus_out(&b->bus, 0xcf8, 4, 0x80011800);
	ck_assert_uint_eq(bus_in(&b->bus, 0xcfc, 4), UINT32_MAX);
	bus_out(&b->bus, 0xcf8, 4, 0x80001900);
	ck_assert_uint_eq(bus_in(&b->bus, 0xcfc, 2), 0xffff);
	bus_out(&b->bus, 0xcf8, 4, 0x00001800);
	ck_assert_uint_eq(bus_in(&b->bus, 0xcfc, 1), 0xff);
}
END_TEST

START_TEST(sizes)
{
	static const uint32_t want[PCI_BARS] = {
		0xffffffe1, 0xfffff000, 0xfffff000, 0, 0xff00000c, 0xffffffff
	};

	for (unsigned i = 0; i < PCI_BARS; i++) {
		set_bar(one, i, UINT32_MAX);
		ck_assert_uint_eq(cfg_read(one, PCI_BAR0 + 4 * i, 4), want[i]);
	}
	cfg_write(one, PCI_ROM_BAR, 4, UINT32_MAX);
	ck_assert_uint_eq(cfg_read(one, PCI_ROM_BAR, 4), 0);
	/* By bytes, as by words. */
	cfg_write(one, PCI_BAR0 + 1, 1, 0xc0);
	cfg_write(one, PCI_BAR0, 1, 0x25);
	cfg_write(one, PCI_BAR0 + 2, 2, 0);
	ck_assert_uint_eq(cfg_read(one, PCI_BAR0, 4), 0xc021);
}
END_TEST

/* ---- regions ---- */

START_TEST(regions_move)
{
	set_bar(one, BAR_PORTS, 0xc000);
	set_bar(one, BAR_MEMORY, 0xe0000000);
	ck_assert_uint_eq(bus_in(&b->bus, 0xc000, 4), UINT32_MAX); /* not enabled yet */
	cfg_write(one, PCI_COMMAND, 2, PCI_IO);
	bus_out(&b->bus, 0xc004, 4, 0x11223344);
	ck_assert_uint_eq(one->byte[BAR_PORTS][4], 0x44);
	mem_write(0xe0000010, 5);
	ck_assert_uint_eq(one->byte[BAR_MEMORY][16], 0);
	cfg_write(one, PCI_COMMAND, 2, PCI_IO | PCI_MEMORY);
	mem_write(0xe0000010, 5);
	ck_assert_uint_eq(one->byte[BAR_MEMORY][16], 5);
	set_bar(one, BAR_PORTS, 0xd000);
	set_bar(one, BAR_MEMORY, 0xe0100000);
	ck_assert_uint_eq(bus_in(&b->bus, 0xc004, 4), UINT32_MAX);
	ck_assert_uint_eq(bus_in(&b->bus, 0xd004, 4), 0x11223344);
	ck_assert_uint_eq(mem_read(0xe0000010), UINT32_MAX);
	ck_assert_uint_eq(mem_read(0xe0100010), 5);
	cfg_write(one, PCI_COMMAND, 2, 0);
	ck_assert_uint_eq(bus_in(&b->bus, 0xd004, 4), UINT32_MAX);
	ck_assert_uint_eq(mem_read(0xe0100010), UINT32_MAX);
	cfg_write(one, PCI_COMMAND, 2, PCI_IO | PCI_MEMORY);
	board_reset(b);
	ck_assert_uint_eq(bus_in(&b->bus, 0xd004, 4), UINT32_MAX);
	ck_assert_uint_eq(cfg_read(one, PCI_BAR0, 4), 1);
	ck_assert_uint_eq(one->f.mapped[BAR_MEMORY], PCI_UNMAPPED);
}
END_TEST

/* The prefetchable region at the top: below 4 GiB, at the end of the address space, across it. */
START_TEST(regions_at_the_top)
{
	cfg_write(one, PCI_COMMAND, 2, PCI_MEMORY);
	set_bar(one, BAR_BIG, 0xff000000);
	mem_write(0xfffffffc, 0x1234);
	ck_assert_uint_eq(mem_read(0xfffffffc), 0x1234);
	set_bar(one, BAR_BIG + 1, 0x12);
	ck_assert_uint_eq(mem_read(0xfffffffc), UINT32_MAX);
	ck_assert_uint_eq(mem_read(0x12fffffffcull), 0x1234);
	set_bar(one, BAR_BIG + 1, UINT32_MAX);
	ck_assert_uint_eq(mem_read(0xfffffffffffffffcull), 0x1234);
	ck_assert_uint_eq(one->f.mapped[BAR_BIG], 0xffffffffff000000ull);
	set_bar(one, BAR_BIG + 1, 0);
	set_bar(one, BAR_BIG, 0);
	ck_assert_uint_eq(one->f.mapped[BAR_BIG], PCI_UNMAPPED);
	set_bar(one, BAR_PORTS, 0xfffe0); /* ports end at 64 Ki */
	cfg_write(one, PCI_COMMAND, 2, PCI_IO);
	ck_assert_uint_eq(one->f.mapped[BAR_PORTS], PCI_UNMAPPED);
	set_bar(one, BAR_PORTS, 0xffe0);
	ck_assert_uint_eq(one->f.mapped[BAR_PORTS], 0xffe0);
}
END_TEST

/* A place that is taken is refused, and taken over when it becomes free. */
START_TEST(regions_collide)
{
	set_bar(one, BAR_MEMORY, 0xe0000000);
	set_bar(two, BAR_MEMORY, 0xe0000000);
	cfg_write(one, PCI_COMMAND, 2, PCI_IO | PCI_MEMORY);
	cfg_write(two, PCI_COMMAND, 2, PCI_IO | PCI_MEMORY);
	ck_assert_uint_eq(two->f.mapped[BAR_MEMORY], PCI_UNMAPPED);
	mem_write(0xe0000000, 7);
	ck_assert_uint_eq(one->byte[BAR_MEMORY][0], 7);
	set_bar(one, BAR_MEMORY, 0xe0001000);
	ck_assert_uint_eq(two->f.mapped[BAR_MEMORY], 0xe0000000);
	mem_write(0xe0000000, 8);
	ck_assert_uint_eq(two->byte[BAR_MEMORY][0], 8);
	set_bar(two, BAR_PORTS, 0x3e0); /* COM1 ends there */
	ck_assert_uint_eq(two->f.mapped[BAR_PORTS], PCI_UNMAPPED);
	ck_assert_uint_eq(bus_in(&b->bus, 0x3fd, 1) & 0x60, 0x60);
	/* Two that swap their places by way of none. */
	cfg_write(one, PCI_COMMAND, 2, 0);
	set_bar(two, BAR_MEMORY, 0xe0001000);
	set_bar(one, BAR_MEMORY, 0xe0000000);
	cfg_write(one, PCI_COMMAND, 2, PCI_MEMORY);
	ck_assert_uint_eq(mem_read(0xe0000000), 7);
	ck_assert_uint_eq(mem_read(0xe0001000), 8);
}
END_TEST

START_TEST(rom)
{
	char name[] = "/tmp/vitrine-rom-XXXXXX", err[128] = "";
	uint8_t bytes[3000];
	int fd = mkstemp(name);

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
	ck_assert_int_eq(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
	close(fd);
	ck_assert_msg(pci_rom(&one->f, name, err, sizeof(err)), "%s", err);
	ck_assert(!pci_rom(&two->f, "/dev/null", err, sizeof(err)));
	ck_assert_str_eq(err, "/dev/null: not a ROM of 512 bytes to 16 MiB");
	unlink(name);
	cfg_write(one, PCI_ROM_BAR, 4, UINT32_MAX);
	ck_assert_uint_eq(cfg_read(one, PCI_ROM_BAR, 4), 0xfffff001);
	cfg_write(one, PCI_ROM_BAR, 4, 0xe0000000);
	cfg_write(one, PCI_COMMAND, 2, PCI_MEMORY);
	ck_assert_uint_eq(mem_read(0xe0000000), UINT32_MAX);
	cfg_write(one, PCI_ROM_BAR, 4, 0xe0000001);
	ck_assert_uint_eq(mem_read(0xe0000004), 0x312a231cu);
	ck_assert_uint_eq(mem_read(0xe0000ffc), UINT32_MAX); /* behind the file */
	mem_write(0xe0000004, 0);
	ck_assert_uint_eq(mem_read(0xe0000004), 0x312a231cu);
}
END_TEST

/* A ROM for another device of the same vendor, and one of another vendor. */
START_TEST(rom_for_another)
{
	const uint16_t id = one->f.cls->device;

	for (int same = 0; same < 2; same++) {
		char name[] = "/tmp/vitrine-rom-XXXXXX", err[128] = "";
		uint8_t bytes[1024] = { 0x55, 0xaa, 2, [0x18] = 0x40, [0x40] = 'P', 'C', 'I', 'R' };
		unsigned sum = 0;
		int fd = mkstemp(name);

		memcpy(bytes + 0x44, &(uint16_t){ (uint16_t)(one->f.cls->vendor ^ !same) }, 2);
		memcpy(bytes + 0x46, &(uint16_t){ 0x7777 }, 2);
		ck_assert_int_eq(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
		close(fd);
		ck_assert_msg(pci_rom(&one->f, name, err, sizeof(err)), "%s", err);
		unlink(name);
		ck_assert_uint_eq(one->f.rom[0x46] | one->f.rom[0x47] << 8, same ? id : 0x7777);
		for (unsigned i = 0; i < sizeof(bytes); i++)
			sum += one->f.rom[i] - bytes[i];
		ck_assert_uint_eq(sum & 0xff, 0);
		free(one->f.rom);
		one->f.rom = NULL;
	}
}
END_TEST

/* ---- interrupts ---- */

static void route(unsigned wire, uint8_t val)
{
	bus_out(&b->bus, 0xcf8, 4, 0x80000860);
	bus_out(&b->bus, (uint16_t)(0xcfc + wire), 1, val);
}

static bool line(unsigned n)
{
	return b->lines >> n & 1;
}

START_TEST(wires)
{
	/* Pin A of device 3 is PIRQC, of device 4 PIRQD. */
	pci_intx(&one->f, true);
	ck_assert_uint_eq(cfg_read(one, PCI_STATUS, 2) & 8, 8);
	ck_assert_uint_eq(b->lines, 0); /* not routed */
	route(2, 11);
	ck_assert(line(11));
	route(2, 5);
	ck_assert(line(5) && !line(11));
	route(2, 8); /* the RTC's: not for PCI */
	ck_assert_uint_eq(b->lines, 0);
	route(2, 10);
	route(3, 10);
	pci_intx(&two->f, true);
	pci_intx(&one->f, false);
	ck_assert(line(10)); /* shared */
	cfg_write(two, PCI_COMMAND, 2, PCI_INTX_OFF);
	ck_assert(!line(10));
	ck_assert_uint_eq(cfg_read(two, PCI_STATUS, 2) & 8, 8);
	cfg_write(two, PCI_COMMAND, 2, 0);
	ck_assert(line(10));
	route(3, 0x8a);
	ck_assert(!line(10));
	route(3, 10);
	board_reset(b);
	ck_assert_uint_eq(b->lines, 0);
	ck_assert_int_eq(piix_route(b->dev[SLOT_piix], 3), -1);
}
END_TEST

/* Offset of capability ID, by the list. */
static unsigned capability(const struct probe *p, uint8_t id)
{
	unsigned at = cfg_read(p, PCI_CAPABILITIES, 1);

	ck_assert_uint_eq(cfg_read(p, PCI_STATUS, 2) & 0x10, 0x10);
	for (unsigned n = 0; at && n < 16; n++, at = cfg_read(p, at + 1, 1))
		if (cfg_read(p, at, 1) == id)
			return at;
	ck_abort_msg("no capability %#x", id);
}

START_TEST(msi)
{
	unsigned cap = capability(one, PCI_CAP_MSI);

	ck_assert_uint_eq(cfg_read(one, cap + 2, 2), 0x184);
	pci_msi(&one->f, 0);
	ck_assert_uint_eq(one->f.messages, 0); /* off */
	cfg_write(one, cap + 4, 4, 0xfee00003);
	ck_assert_uint_eq(cfg_read(one, cap + 4, 4), 0xfee00000);
	cfg_write(one, cap + 12, 2, 0x41);
	route(2, 10);
	pci_intx(&one->f, true);
	ck_assert(line(10));
	cfg_write(one, cap + 2, 2, 0x21); /* on, four vectors */
	ck_assert(!line(10));
	pci_msi(&one->f, 1);
	ck_assert_uint_eq(one->f.messages, 0);
	ck_assert_uint_eq(one->f.denied, 1); /* no bus master */
	cfg_write(one, PCI_COMMAND, 2, PCI_MASTER);
	pci_msi(&one->f, 1);
	ck_assert_uint_eq(one->f.messages, 1);
	ck_assert_uint_eq(b->msis, 1);
	cfg_write(one, cap + 16, 4, UINT32_MAX);
	ck_assert_uint_eq(cfg_read(one, cap + 16, 4), 15);
	pci_msi(&one->f, 2);
	pci_msi(&one->f, 2);
	pci_msi(&one->f, 4); /* it has four */
	ck_assert_uint_eq(one->f.messages, 1);
	ck_assert_uint_eq(cfg_read(one, cap + 20, 4), 4);
	cfg_write(one, cap + 16, 4, 2);
	ck_assert_uint_eq(one->f.messages, 2);
	ck_assert_uint_eq(cfg_read(one, cap + 20, 4), 0);
	cfg_write(one, cap + 2, 2, 0);
	ck_assert(line(10));
}
END_TEST

START_TEST(msix)
{
	unsigned cap = capability(one, PCI_CAP_MSIX);
	const gpa table = 0xe0000000;

	ck_assert_uint_eq(cfg_read(one, cap + 2, 2), 2);
	ck_assert_uint_eq(cfg_read(one, cap + 4, 4), BAR_MSIX);
	ck_assert_uint_eq(cfg_read(one, cap + 8, 4), 0x800 | BAR_MSIX);
	set_bar(one, BAR_MSIX, (uint32_t)table);
	cfg_write(one, PCI_COMMAND, 2, PCI_MEMORY | PCI_MASTER);
	ck_assert_uint_eq(mem_read(table + 16 + 12), 1); /* masked after a reset */
	mem_write(table + 16, 0xfee00000);
	mem_write(table + 16 + 8, 0x4042);
	pci_msix(&one->f, 1);
	ck_assert_uint_eq(mem_read(table + 0x800), 0); /* off */
	cfg_write(one, cap + 2, 2, 0xc000);
	pci_msix(&one->f, 1);
	ck_assert_uint_eq(mem_read(table + 0x800), 2);
	mem_write(table + 16 + 12, 0);
	ck_assert_uint_eq(one->f.messages, 0); /* all masked */
	cfg_write(one, cap + 2, 2, 0x8000);
	ck_assert_uint_eq(one->f.messages, 1);
	ck_assert_uint_eq(mem_read(table + 0x800), 0);
	pci_msix(&one->f, 1);
	ck_assert_uint_eq(one->f.messages, 2);
	pci_msix(&one->f, 0);
	pci_msix(&one->f, 3); /* it has three */
	ck_assert_uint_eq(one->f.messages, 2);
	ck_assert_uint_eq(mem_read(table + 0x800), 1);
	mem_write(table + 48, 1); /* behind the table */
	ck_assert_uint_eq(mem_read(table + 48), 0);
	mem_write(table + 12, 0);
	ck_assert_uint_eq(one->f.messages, 3);
	ck_assert_uint_eq(one->accesses, 0);
}
END_TEST

/* ---- DMA ---- */

START_TEST(dma)
{
	uint8_t page[2 * PAGE_SIZE] = { 1, 2, 3 }, got[2 * PAGE_SIZE];

	ck_assert(!pci_dma_read(&one->f, 0x5000, got, 4));
	ck_assert(!pci_dma_write(&one->f, 0x5000, page, 4));
	cfg_write(one, PCI_COMMAND, 2, PCI_MASTER);
	ck_assert(pci_dma_write(&one->f, 0x5800, page, sizeof(page)));
	ck_assert(pci_dma_read(&one->f, 0x5800, got, sizeof(got)));
	ck_assert_mem_eq(page, got, sizeof(got));
	ck_assert(!pci_dma_write(&one->f, (2 << 20) - 4, page, 8));
	ck_assert(!pci_dma_read(&one->f, 0xfffffffffffffffcull, got, 8));
	ck_assert(!pci_dma_read(&one->f, 0x100005800ull, got, 8));
	mm_vm_set_rom(m->vm, 0x6000, PAGE_SIZE, true);
	memset(page, 0x55, sizeof(page));
	ck_assert(pci_dma_write(&one->f, 0x5800, page, sizeof(page)));
	ck_assert(pci_dma_read(&one->f, 0x5800, got, sizeof(got)));
	ck_assert_uint_eq(got[0], 0x55);
	ck_assert_uint_eq(got[PAGE_SIZE], 0); /* ROM keeps its content */
	ck_assert_uint_eq(got[2 * PAGE_SIZE - 1], 0x55);
}
END_TEST

/* ---- firmware; saved states ---- */

START_TEST(assigned)
{
	board_post(b);
	for (unsigned i = 0; i < PCI_BARS; i++) {
		if (probe_function.bar[i].kind == PCI_BAR_NONE)
			continue;
		ck_assert_uint_ne(one->f.mapped[i], PCI_UNMAPPED);
		ck_assert_uint_ne(two->f.mapped[i], PCI_UNMAPPED);
		ck_assert_uint_ne(one->f.mapped[i], two->f.mapped[i]);
		if (probe_function.bar[i].kind == PCI_BAR_IO)
			continue;
		ck_assert_uint_ge(one->f.mapped[i], 0xc0000000);
		ck_assert_uint_le(two->f.mapped[i] + probe_function.bar[i].size, 0xfec00000);
	}
	ck_assert_uint_eq(cfg_read(one, PCI_LINE, 1), 11);
	ck_assert_uint_eq(bus_in(&b->bus, 0x4d1, 1) & 0x0c, 0x0c);
	pci_intx(&one->f, true);
	ck_assert(line(11));
}
END_TEST

START_TEST(carried_over)
{
	char name[] = "/tmp/vitrine-pci-XXXXXX", err[256] = "";
	uint64_t hash;

	close(mkstemp(name));
	board_post(b);
	cfg_write(two, capability(two, PCI_CAP_MSIX) + 2, 2, 0x8000);
	cfg_write(two, PCI_COMMAND, 2, PCI_MEMORY | PCI_MASTER);
	pci_msix(&two->f, 2);
	pci_intx(&one->f, true);
	hash = machine_state_hash(m);
	ck_assert_msg(machine_save_state(m, name, err, sizeof(err)), "%s", err);
	board_reset(b);
	ck_assert_uint_ne(machine_state_hash(m), hash);
	ck_assert_msg(machine_load_state(m, name, err, sizeof(err)), "%s", err);
	unlink(name);
	ck_assert_uint_eq(machine_state_hash(m), hash);
	ck_assert(line(11));
	ck_assert_uint_eq(mem_read(two->f.mapped[BAR_MSIX] + 0x800), 4);
	ck_assert_uint_eq(two->f.mapped[BAR_PORTS], PCI_UNMAPPED);
	pci_intx(&one->f, false);
	ck_assert(!line(11));
}
END_TEST

/* pc-testdev: registers, lines, memory that takes any access. */
START_TEST(test_device)
{
	extern const struct dev_class testdev_class;
	char err[128] = "";
	uint64_t val = 0x1122334455667788, got = 0;

	ck_assert_msg(board_add(b, &testdev_class, "testdev", NULL, err, sizeof(err)), "%s", err);
	board_reset(b);
	bus_out(&b->bus, 0xe0, 4, 0x12345678);
	ck_assert_uint_eq(bus_in(&b->bus, 0xe1, 2), 0x3456);
	bus_out(&b->bus, 0xe8, 1, 0x9a);
	ck_assert_uint_eq(bus_in(&b->bus, 0xe8, 1), 0x9a);
	bus_out(&b->bus, 0x2000 + 14, 1, 1);
	ck_assert(line(14));
	board_irq(b, 14, true);
	bus_out(&b->bus, 0x2000 + 14, 1, 0);
	ck_assert(line(14));
	board_irq(b, 14, false);
	ck_assert(!line(14));
	mmio_write(&b->mmio, 0xff000003, &val, 8);
	mmio_read(&b->mmio, 0xff000003, &got, 8);
	ck_assert_uint_eq(got, val);
	bus_out(&b->bus, 0xf1, 1, 'x');
	ck_assert_uint_eq(b->debug.buf[0], 'x');
}
END_TEST

/* More devices than the bus has places, and a name twice. */
START_TEST(full)
{
	char err[128] = "", name[8];
	unsigned n = 2;

	ck_assert_ptr_null(board_add(b, &probe_class, "one", NULL, err, sizeof(err)));
	for (; n < 64; n++) {
		snprintf(name, sizeof(name), "p%u", n);
		if (!board_add(b, &probe_class, name, NULL, err, sizeof(err)))
			break;
	}
	ck_assert_uint_ge(n, 16);
	ck_assert_uint_lt(n, 64);
	ck_assert_msg(strstr(err, "room"), "%s", err);
	board_reset(b);
	board_post(b);
}
END_TEST

int main(void)
{
	const TTest *const all[] = { identity,
				     sizes,
				     regions_move,
				     regions_at_the_top,
				     regions_collide,
				     rom,
				     rom_for_another,
				     wires,
				     msi,
				     msix,
				     dma,
				     assigned,
				     carried_over,
				     test_device,
				     full };
	Suite *s = suite_create("hv-pci");
	TCase *tc = tcase_create("pci");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	for (unsigned i = 0; i < ARRAY_LEN(all); i++)
		tcase_add_test(tc, all[i]);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
