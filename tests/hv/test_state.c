/* SPDX-License-Identifier: GPL-3.0-or-later
 * Saving and loading. For each device: random accesses, save, load into another machine that has had
 * other accesses, save again: the same file; and then both answer a random sequence of accesses and
 * the passing of time alike. Files that do not fit are refused and change nothing. */
#include "tests/suite.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "hv/machine_int.h"
#include "tests/hv/fake_engine.h"

enum { ROUNDS = 40, WRITES = 300, ACCESSES = 300, FILE_MAX = 4 << 20 };

static struct machine *a, *b;
static char path[2][64];

static struct machine *make(uint64_t memory)
{
	struct machine_config cfg = {
		.memory = memory,
		.clock = CLOCK_ICOUNT,
		.image = { .blob = fake_guest, .blob_len = sizeof(fake_guest) },
	};
	char err[256] = "";
	struct machine *m = machine_new(&cfg, fake_new, NULL, err, sizeof(err));

	ck_assert_msg(m, "%s", err);
	return m;
}

static void setup(void)
{
	a = make(2 << 20);
	b = make(2 << 20);
	for (int i = 0; i < 2; i++) {
		snprintf(path[i], sizeof(path[i]), "/tmp/vitrine-state-XXXXXX");
		close(mkstemp(path[i]));
	}
}

static void teardown(void)
{
	machine_free(a);
	machine_free(b);
	unlink(path[0]);
	unlink(path[1]);
}

static void save(struct machine *m, int i)
{
	char err[256] = "";

	ck_assert_msg(machine_save_state(m, path[i], err, sizeof(err)), "%s", err);
}

static void load(struct machine *m, int i)
{
	char err[256] = "";

	ck_assert_msg(machine_load_state(m, path[i], err, sizeof(err)), "%s", err);
}

static size_t slurp(int i, uint8_t *buf)
{
	FILE *f = fopen(path[i], "re");
	size_t n = fread(buf, 1, FILE_MAX, f);

	fclose(f);
	return n;
}

static void spill(int i, const uint8_t *buf, size_t n)
{
	FILE *f = fopen(path[i], "we");

	ck_assert_uint_eq(fwrite(buf, 1, n, f), n);
	fclose(f);
}

/* ---- each device ---- */

struct step {
	gpa mmio; /* 0: at PORT */
	uint16_t port;
	uint8_t size, kind;
	uint32_t val, wait;
};

static bool is_slot(const struct dev_class *cls, enum board_slot slot)
{
	return a->board.dev[slot]->cls == cls;
}

/* The interrupt controllers and timers whose registers are memory. */
static bool in_memory(const struct dev_class *cls)
{
	return is_slot(cls, SLOT_lapic) || is_slot(cls, SLOT_ioapic) || is_slot(cls, SLOT_hpet);
}

/* A register of theirs; the IO-APIC's window shows the entries of a few pins. */
static gpa random_register(const struct dev_class *cls, uint32_t *val)
{
	unsigned n = (unsigned)rand();

	if (is_slot(cls, SLOT_lapic))
		return LAPIC_AT + n % 64 * 16;
	if (is_slot(cls, SLOT_hpet))
		return HPET_AT + (n % 8 ? n / 8 % 12 * 8 + 0x100 : n / 8 % 6 * 8);
	if (n % 2) {
		*val = n / 2 % 24 + 0x10;
		return IOAPIC_AT;
	}
	return IOAPIC_AT + (n % 16 ? 0x10 : 0x40);
}

/* A step on a port or register of CLS; some let time pass, acknowledge an interrupt, or bring input. */
static struct step random_step(const struct dev_class *cls)
{
	struct step s = { .val = (uint32_t)rand() * 5u, .wait = (uint32_t)rand() % 3000000 };
	const struct dev_ports *p;

	s.kind = (uint8_t)(rand() % 16);
	if (in_memory(cls)) {
		s.size = 4;
		s.mmio = random_register(cls, &s.val);
		return s;
	}
	p = &cls->ports[(unsigned)rand() % cls->nports];
	s.size = (uint8_t)(1u << rand() % 3);
	s.size = p->sizes & s.size ? s.size : 1;
	s.port = (uint16_t)(p->first + (unsigned)rand() % (p->last - p->first + 1u));
	return s;
}

static uint32_t access_memory(struct machine *m, const struct step *s)
{
	uint32_t v = s->val;

	if (s->kind & 1)
		mmio_write(&m->board.mmio, s->mmio, &v, s->size);
	else
		mmio_read(&m->board.mmio, s->mmio, &v, s->size);
	return v;
}

/* What the guest sees of one step. */
static uint32_t play(struct machine *m, const struct step *s)
{
	uint32_t seen = 0;

	switch (s->kind) {
	case 0:
		fake_advance(m, s->wait);
		break;
	case 1:
		seen = m->board.intr ? (uint32_t)board_irq_ack(&m->board) : 0;
		break;
	case 2:
		inbox_post(&m->inbox, ARRIVAL_SERIAL, SLOT_com1, &s->val, 1 + s->wait % 4);
		inbox_post(&m->inbox, ARRIVAL_KEYS, SLOT_kbd, &s->val, 1);
		break;
	case 3:
		inbox_deliver(&m->inbox, &m->board);
		break;
	default:
		if (s->mmio)
			seen = access_memory(m, s);
		else if (s->kind & 1)
			bus_out(&m->board.bus, s->port, s->size, s->val);
		else
			seen = bus_in(&m->board.bus, s->port, s->size);
	}
	m->board.event = EVENT_NONE;
	return seen ^ (uint32_t)m->board.intr << 16 ^ (uint32_t)m->board.lines << 15;
}

static void play_random(struct machine *m, const struct dev_class *cls, unsigned n)
{
	while (n--) {
		struct step s = random_step(cls);

		play(m, &s);
	}
}

/* One save and load at a random moment. */
static void carry_over(const struct dev_class *cls)
{
	static uint8_t one[FILE_MAX], two[FILE_MAX];
	size_t n;

	for (unsigned i = 0; i < b->board.ndevs; i++)
		if (b->board.dev[i]->cls->nports || in_memory(b->board.dev[i]->cls))
			play_random(b, b->board.dev[i]->cls, 100);
	play_random(a, cls, (unsigned)rand() % WRITES);
	save(a, 0);
	load(b, 0);
	save(b, 1);
	n = slurp(0, one);
	ck_assert_uint_eq(slurp(1, two), n);
	ck_assert_mem_eq(one, two, n);
	for (unsigned i = 0; i < ACCESSES; i++) {
		struct step s = random_step(cls);

		ck_assert_msg(play(a, &s) == play(b, &s), "%s: step %u, port %#x, differs", cls->name, i,
			      s.port);
	}
	ck_assert_uint_eq(machine_state_hash(a), machine_state_hash(b));
}

START_TEST(device)
{
	const struct dev_class *cls = a->board.dev[_i]->cls;

	srand((unsigned)_i + 1);
	if (!cls->nports && !in_memory(cls)) /* reached through configuration space */
		cls = a->board.dev[SLOT_pci]->cls;
	for (unsigned i = 0; i < ROUNDS; i++)
		carry_over(cls);
}
END_TEST

/* ---- the rest of the machine ---- */

START_TEST(processor_and_memory)
{
	struct cpu *c = &a->v->cpu;
	uint8_t page[3 * PAGE_SIZE], got[3 * PAGE_SIZE];
	uint64_t populated;

	for (unsigned i = 0; i < sizeof(page); i++)
		page[i] = (uint8_t)(i * 13 >> 3);
	ck_assert(mm_phys_write(machine_vm(a), 0x123800, page, sizeof(page)));
	ck_assert(mm_phys_write(machine_vm(b), 0x1f0000, page, sizeof(page))); /* becomes zero */
	for (unsigned i = 0; i < 8; i++)
		c->gpr[i] = 0x10101010u * i + 0x80000000u;
	c->rip = 0xfffffff0;
	c->cr2 = 0xdeadbeef;
	c->dr[7] = 0x455;
	cpu_set_eflags(c, FL_CF | FL_IF | FL_IOPL);
	c->seg[SEG_FS] =
	    (struct seg_cache){ .base = 0xfffff000, .limit = 0xfff, .attr = 0x40f3, .sel = 0x33 };
	c->tr.base = 0xc1234560;
	c->fpu[32] = 0x55;
	c->fpu[512] = 7;
	c->fpu[576] = 0x66;
	ck_assert(msr_write(&a->msr, 0x1d9, 3));
	a->v->icount = 987654321;
	a->board.clock.skipped = 1234;
	board_irq(&a->board, 5, true);
	populated = mm_vm_populated(machine_vm(a));
	ck_assert_uint_ne(machine_state_hash(a), machine_state_hash(b));
	save(a, 0);
	ck_assert_uint_eq(mm_vm_populated(machine_vm(a)), populated);
	load(b, 0);
	ck_assert_uint_eq(machine_state_hash(a), machine_state_hash(b));
	ck_assert_mem_eq(&a->v->cpu.gpr, &b->v->cpu.gpr, sizeof(c->gpr));
	ck_assert_mem_eq(a->v->cpu.fpu, b->v->cpu.fpu, sizeof(c->fpu));
	ck_assert_uint_eq(cpu_eflags(c), cpu_eflags(&b->v->cpu));
	ck_assert(mm_phys_read(machine_vm(b), 0x123800, got, sizeof(got)));
	ck_assert_mem_eq(got, page, sizeof(page));
	ck_assert_uint_eq(clock_now(&b->board.clock), 987654321 + 1234);
	ck_assert_uint_eq(b->board.irq_raised[5], 1);
}
END_TEST

/* ---- refusals ---- */

/* The state that is refused leaves the machine as it was. */
static void refuse(struct machine *m, int i, const char *why)
{
	uint64_t before = machine_state_hash(m);
	char err[256] = "";

	ck_assert(!machine_load_state(m, path[i], err, sizeof(err)));
	ck_assert_msg(strstr(err, why), "\"%s\" instead of \"%s\"", err, why);
	ck_assert_ptr_null(strchr(err, '\n'));
	ck_assert_uint_eq(machine_state_hash(m), before);
}

START_TEST(damaged)
{
	static uint8_t file[FILE_MAX], bad[FILE_MAX];
	char err[256];
	size_t n;

	srand(1);
	a->v->cpu.gpr[3] = 77;
	save(a, 0);
	n = slurp(0, file);
	spill(1, file, 0);
	refuse(b, 1, "not a saved state");
	spill(1, (const uint8_t *)"ELF", 3);
	refuse(b, 1, "not a saved state");
	for (unsigned i = 0; i < 60; i++) {
		spill(1, file, (size_t)rand() % n);
		refuse(b, 1, "");
		memcpy(bad, file, n);
		bad[(size_t)rand() % n] ^= (uint8_t)(1 + rand() % 255);
		spill(1, bad, n);
		refuse(b, 1, "");
	}
	ck_assert(!machine_load_state(b, "/nonexistent/state", err, sizeof(err)));
	ck_assert(!machine_save_state(b, "/nonexistent/state", err, sizeof(err)));
	load(b, 0);
	ck_assert_uint_eq(b->v->cpu.gpr[3], 77);
}
END_TEST

/* Save A with FROM, a text in its JSON part, replaced by TO, as a whole file with a right hash. */
static void forge(const char *from, const char *to)
{
	static char file[FILE_MAX], out[FILE_MAX];
	size_t n, len, head, at, k;
	uint64_t sum;
	char *found;

	save(a, 0);
	n = slurp(0, (uint8_t *)file);
	ck_assert_int_eq(sscanf(file, "VITRINE-STATE 1 %zu", &len), 1);
	head = (size_t)(strchr(file, '\n') + 1 - file);
	found = memmem(file + head, len, from, strlen(from));
	ck_assert_msg(found, "no %s", from);
	at = (size_t)(found - file);
	k = (size_t)sprintf(out, "VITRINE-STATE 1 %zu\n", len - strlen(from) + strlen(to));
	memcpy(out + k, file + head, at - head);
	k += at - head;
	memcpy(out + k, to, strlen(to));
	k += strlen(to);
	memcpy(out + k, found + strlen(from), n - 8 - at - strlen(from));
	k += n - 8 - at - strlen(from);
	sum = XXH3_64bits(out, k);
	memcpy(out + k, &sum, 8);
	spill(1, (uint8_t *)out, k + 8);
}

static const struct {
	const char *from, *to, *why;
} forgeries[] = {
	{ "\"fifo_head\": 0", "\"fifo_head\": 16", "serial: fifo_head: impossible value" },
	{ "\"fifo_head\": 0", "\"fifo_head\": -1", "serial: fifo_head: impossible value" },
	{ "\"fifo_head\": 0", "\"fifo_head\": \"0\"", "serial: fifo_head: impossible value" },
	{ "\"in_len\": 0", "\"in_len\": 4097", "serial: in_len: impossible value" },
	{ "\"dac_read\": 0", "\"dac_read\": 768", "vga: dac_read: impossible value" },
	{ "\"ch.count\": [", "\"ch.count\": [\n   0,", "pit: ch.count: impossible value" },
	{ "\"kbd.len\": 0", "\"kbd.len\": 65", "kbd: kbd.len: impossible value" },
	{ "\"fifo_head\": 0", "\"fifo_heat\": 0", "serial: fifo_head: missing" },
	{ "\"fifo_head\": 0", "\"fifo_head\": 0, \"more\": 1",
	  "serial: has fields that this version does not know" },
	{ "\"cpl\": 0", "\"cpl\": 4", "cpu: cpl: impossible value" },
	{ "\"efer\": 0", "\"efer\": 1280", "cpu: impossible state" },
	{ "\"xcr0\": 1", "\"xcr0\": 71", "cpu: impossible state" },
	{ "\"xcr0\": 1", "\"xcr0\": 5", "cpu: impossible state" },
	{ "801f0000", "ffffffff", "cpu: impossible state" }, /* MXCSR */
	{ "\"flush\": null", "\"flush\": {}", "serial: flush: impossible value" },
	{ "\"inbox\": []",
	  "\"inbox\": [{\"kind\": \"keys\", \"device\": \"pic\", \"bytes\": 1, \"data\": \"00\"}]",
	  "inbox: impossible value" },
	{ "\"inbox\": []",
	  "\"inbox\": [{\"kind\": \"keys\", \"device\": \"kbd\", \"bytes\": 2, \"data\": \"00\"}]",
	  "inbox: impossible value" },
	{ "\"port92\": {", "\"port93\": {", "port92: no such object" },
	{ "\"memory\": 2097152", "\"memory\": 4194304",
	  "saved by a machine with memory 4194304; this one has 2097152" },
	{ "\"clock\": \"icount\"", "\"clock\": \"host\"",
	  "saved by a machine with clock \"host\"; this one has \"icount\"" },
};

START_TEST(forged)
{
	forge(forgeries[_i].from, forgeries[_i].to);
	refuse(b, 1, forgeries[_i].why);
}
END_TEST

START_TEST(other_machine_or_version)
{
	struct machine *larger = make(4 << 20);
	static uint8_t file[FILE_MAX];
	size_t n;

	save(a, 0);
	refuse(larger, 0, "memory 2097152; this one has 4194304");
	n = slurp(0, file);
	file[strlen("VITRINE-STATE ")] = '9';
	spill(0, file, n);
	refuse(b, 0, "version 9 of the format; this program reads version 1");
	machine_free(larger);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hv-state");
	TCase *tc = tcase_create("state");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, device, 0, SLOT_COUNT);
	tcase_add_test(tc, processor_and_memory);
	tcase_add_test(tc, damaged);
	tcase_add_loop_test(tc, forged, 0, ARRAY_LEN(forgeries));
	tcase_add_test(tc, other_machine_or_version);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
