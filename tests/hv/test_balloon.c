/* SPDX-License-Identifier: GPL-3.0-or-later
 * VMware's balloon port, by a driver of this test's own: each command, and what no driver would say: pages
 * that are not there, twice, not aligned, pages of entries in ROM or nowhere. After each the books balance.
 */
#include "tests/suite.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hv/machine_int.h"
#include "tests/hv/fake_engine.h"
#include "x86/paging.h"

enum { PAGES = 1536, BATCH_AT = 300, ROM_AT = 0xf0, NOWHERE = 0x80000, DEVICE = 0xfee00, TARGET = 1200 };
enum { START, GET_TARGET, LOCK, UNLOCK, GUEST_ID, LOCKS = 6, UNLOCKS, LARGE_LOCKS, LARGE_UNLOCKS, DOORBELL };
enum { OK, BAD_COMMAND, BAD_PPN, LOCKED, UNLOCKED, NOT_NEEDED = 6, RESET, WITH_CAPABILITIES = 0x03000000 };
enum { CAPS_32 = 0x1e, CAPS_64 = 0x3e };

static struct machine *m;
static uint64_t *r; /* the guest's registers */

static uint32_t call(uint32_t cmd, uint32_t ebx, uint32_t esi)
{
	r[R_EAX] = 0x456c6d6f;
	r[R_ECX] = cmd;
	r[R_EBX] = ebx;
	r[R_ESI] = esi;
	return bus_in(&m->board.bus, 0x5670, 4);
}

static void set_target(uint32_t n)
{
	atomic_store(&mm_slot(m->vm)->balloon, n);
}

static enum page_state state(ppn p)
{
	enum page_state s = PAGE_STATES;

	ck_assert(mm_state_of(m->vm, p, &s));
	return s;
}

static void books(void)
{
	struct mm_books b;

	ck_assert_msg(mm_check(m->vm, true, &b), "%s (%x)", b.wrong, b.at);
	ck_assert_uint_eq(mm_slot(m->vm)->ballooned, m->board.balloon.held);
}

static void fill(ppn p, uint8_t seed)
{
	uint8_t page[PAGE_SIZE];

	memset(page, seed, sizeof(page));
	ck_assert(mm_phys_write(m->vm, (gpa)p << PAGE_SHIFT, page, sizeof(page)));
}

static uint8_t byte(ppn p)
{
	uint8_t val = 0xee;

	ck_assert(mm_phys_read(m->vm, ((gpa)p << PAGE_SHIFT) + 77, &val, 1));
	return val;
}

static void make(const char *device, const char *swap)
{
	struct machine_config cfg = {
		.memory = PAGES << PAGE_SHIFT,
		.clock = CLOCK_ICOUNT,
		.balloon = device,
		.swap = swap,
		.image = { .blob = fake_guest, .blob_len = sizeof(fake_guest) },
	};
	char err[256] = "";

	m = machine_new(&cfg, fake_new, NULL, err, sizeof(err));
	ck_assert_msg(m, "%s", err);
	r = m->v->cpu.gpr;
}

static void setup(void)
{
	make(NULL, NULL);
	set_target(TARGET);
}

static void teardown(void)
{
	books();
	machine_free(m);
}

static void begin(uint32_t caps)
{
	ck_assert_uint_eq(call(START, caps, 0), caps & ~2u ? WITH_CAPABILITIES : OK);
}

/* ---- beginning ---- */

START_TEST(magic)
{
	begin(CAPS_32);
	call(GET_TARGET, 0, 0);
	r[R_EAX] = 0x564d5868;
	r[R_ECX] = GET_TARGET;
	ck_assert_uint_eq(bus_in(&m->board.bus, 0x5670, 4), UINT32_MAX);
	r[R_EAX] = 0x456c6d6f;
	ck_assert_uint_eq(bus_in(&m->board.bus, 0x5670, 2), 0xffff);
	ck_assert_uint_eq(bus_in(&m->board.bus, 0x5671, 4), UINT32_MAX);
}
END_TEST

START_TEST(capabilities)
{
	ck_assert_uint_eq(call(GET_TARGET, 0, 0), RESET); /* nobody has begun */
	ck_assert_uint_eq(call(LOCK, 5, 1), RESET);
	ck_assert_uint_eq(call(START, CAPS_32, 0), WITH_CAPABILITIES);
	ck_assert_uint_eq(r[R_ECX], 0x06); /* large pages have 4 MiB there */
	ck_assert_uint_eq(call(LARGE_LOCKS, BATCH_AT, 1), BAD_COMMAND);
	m->v->cpu.cr4 |= CR4_PAE;
	ck_assert_uint_eq(call(START, CAPS_32, 0), WITH_CAPABILITIES);
	ck_assert_uint_eq(r[R_ECX], 0x0e);
	ck_assert_uint_eq(call(START, CAPS_64, 0), WITH_CAPABILITIES);
	ck_assert_uint_eq(r[R_ECX], 0x2e);
	ck_assert_uint_eq(call(START, 2, 0), OK);
	ck_assert_uint_eq(call(LOCKS, BATCH_AT, 1), BAD_COMMAND);
	ck_assert_uint_eq(call(GUEST_ID, 1, 0), OK);
	ck_assert_uint_eq(m->board.balloon.driver, BALLOON_VMWARE);
	ck_assert_uint_eq(call(GUEST_ID, 0x56, 0), OK);
	ck_assert_uint_eq(mm_slot(m->vm)->driver, BALLOON_EMBEDDED);
	ck_assert_uint_eq(call(GET_TARGET, 777, 0), OK);
	ck_assert_uint_eq(r[R_EBX], TARGET);
	ck_assert_uint_eq(m->board.balloon.limit, 777);
	ck_assert_uint_eq(call(DOORBELL, UINT32_MAX, UINT32_MAX), OK);
	ck_assert_uint_eq(call(DOORBELL, 3, 4), BAD_COMMAND);
	ck_assert_uint_eq(call(5, 0, 0), BAD_COMMAND);
	ck_assert_uint_eq(call(11, 0, 0), BAD_COMMAND);
	ck_assert_uint_eq(call(UINT32_MAX, 0, 0), BAD_COMMAND);
	ck_assert_uint_eq(m->board.balloon.starts, 4);
}
END_TEST

START_TEST(devices)
{
	static const char *const others[] = { "none", "virtio" };
	char err[100] = "";
	struct machine_config cfg = { .memory = 1 << 20,
				      .balloon = "helium",
				      .image = { .blob = fake_guest, .blob_len = sizeof(fake_guest) } };

	for (unsigned i = 0; i < ARRAY_LEN(others); i++) {
		machine_free(m);
		make(others[i], NULL);
		ck_assert_uint_eq(call(START, CAPS_32, 0), UINT32_MAX);
		ck_assert_uint_eq(machine_balloon_most(m), i ? PAGES : 0);
	}
	ck_assert(!machine_new(&cfg, fake_new, NULL, err, sizeof(err)));
	ck_assert_str_eq(err, "no balloon device \"helium\": there are vmware, virtio and none");
}
END_TEST

/* ---- pages one by one ---- */

START_TEST(basic)
{
	/* The end of memory, ROM, nothing, a device, the end of everything. */
	static const uint32_t bad[] = { PAGES, ROM_AT, NOWHERE, DEVICE, 0xfffff, 0x100000, UINT32_MAX };

	mm_vm_set_rom(m->vm, (gpa)ROM_AT << PAGE_SHIFT, PAGE_SIZE, true);
	begin(2);
	fill(100, 7);
	ck_assert_uint_eq(call(LOCK, 100, 1), OK);
	ck_assert_uint_eq(r[R_EBX], TARGET);
	ck_assert_int_eq(state(100), PAGE_BALLOONED);
	ck_assert_uint_eq(byte(100), 0);
	books();
	ck_assert_uint_eq(call(LOCK, 100, 1), LOCKED);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		ck_assert_uint_eq(call(LOCK, bad[i], 1), BAD_PPN);
		ck_assert_uint_eq(call(UNLOCK, bad[i], 1), BAD_PPN);
	}
	ck_assert_uint_eq(m->board.balloon.held, 1);
	ck_assert_uint_eq(call(UNLOCK, 100, 1), OK);
	ck_assert_int_eq(state(100), PAGE_ABSENT);
	ck_assert_uint_eq(call(UNLOCK, 100, 1), UNLOCKED);
	fill(100, 9);
	ck_assert_uint_eq(byte(100), 9);
	ck_assert_uint_eq(m->board.balloon.popped, 0);
	ck_assert_uint_eq(m->board.balloon.refused, 2 * ARRAY_LEN(bad) + 2);
}
END_TEST

START_TEST(limits)
{
	begin(CAPS_32);
	set_target(2);
	ck_assert_uint_eq(call(LOCK, 20, 1), OK);
	ck_assert_uint_eq(call(LOCK, 21, 1), OK);
	ck_assert_uint_eq(call(LOCK, 22, 1), NOT_NEEDED);
	ck_assert_int_eq(state(22), PAGE_PRIVATE);
	set_target(UINT32_MAX); /* whoever wrote it: no more than there is */
	ck_assert_uint_eq(call(GET_TARGET, 0, 0), OK);
	ck_assert_uint_eq(r[R_EBX], PAGES);
}
END_TEST

/* ---- batches ---- */

static void put_batch(ppn at, const uint64_t *entry, unsigned n)
{
	ck_assert(mm_phys_write(m->vm, (gpa)at << PAGE_SHIFT, entry, n * sizeof(*entry)));
}

/* Call CMD for the N pages of ENTRY, and check that each has the status WANT, and that nothing else of the
 * page changed. */
static void batch(uint32_t cmd, const uint64_t *pfn, const uint8_t *want, unsigned n)
{
	uint64_t entry[512];

	fill(BATCH_AT, 0xaa);
	for (unsigned i = 0; i < n; i++)
		entry[i] = pfn[i] << PAGE_SHIFT;
	put_batch(BATCH_AT, entry, n);
	ck_assert_uint_eq(call(cmd, BATCH_AT, n), OK);
	ck_assert_uint_eq(r[R_EBX], TARGET);
	ck_assert(mm_phys_read(m->vm, (gpa)BATCH_AT << PAGE_SHIFT, entry, sizeof(entry)));
	for (unsigned i = 0; i < n; i++)
		ck_assert_msg(entry[i] == (pfn[i] << PAGE_SHIFT | want[i]), "entry %u: %llx", i,
			      (unsigned long long)entry[i]);
	ck_assert_uint_eq(entry[n < 512 ? n : 511], n < 512 ? 0xaaaaaaaaaaaaaaaa : entry[511]);
	books();
}

START_TEST(batches)
{
	const uint64_t pfn[] = { 40,	  41,	    40,	    PAGES - 1,	PAGES,	    ROM_AT,
				 NOWHERE, BATCH_AT, DEVICE, 1ull << 20, 1ull << 40, (1ull << 52) - 1 };
	const uint8_t lock[] = { OK,	  OK,	   LOCKED,  OK,	     BAD_PPN, BAD_PPN,
				 BAD_PPN, BAD_PPN, BAD_PPN, BAD_PPN, BAD_PPN, BAD_PPN };
	const uint8_t unlock[] = { OK,	    OK,	     UNLOCKED, OK,	BAD_PPN, BAD_PPN,
				   BAD_PPN, BAD_PPN, BAD_PPN,  BAD_PPN, BAD_PPN, BAD_PPN };

	mm_vm_set_rom(m->vm, (gpa)ROM_AT << PAGE_SHIFT, PAGE_SIZE, true);
	begin(CAPS_32);
	batch(LOCKS, pfn, lock, ARRAY_LEN(pfn));
	ck_assert_uint_eq(m->board.balloon.held, 3);
	batch(UNLOCKS, pfn, unlock, ARRAY_LEN(pfn));
	ck_assert_uint_eq(m->board.balloon.held, 0);
}
END_TEST

START_TEST(whole_batch)
{
	uint64_t pfn[512];
	uint8_t want[512] = { OK };

	begin(CAPS_32);
	for (unsigned i = 0; i < 512; i++)
		pfn[i] = BATCH_AT + 2 * i + 1;
	batch(LOCKS, pfn, want, 512);
	ck_assert_uint_eq(m->board.balloon.held, 512);
	batch(UNLOCKS, pfn, want, 512);
}
END_TEST

/* Fill PFN with the N pages from FIRST on, up or down, and WANT with STATUS. */
static void list(uint64_t *pfn, uint8_t *want, uint32_t first, unsigned n, bool down, uint8_t status)
{
	for (unsigned i = 0; i < n; i++) {
		pfn[i] = first + (down ? n - 1 - i : i);
		want[i] = status;
	}
}

/* Adjacent pages, up and down: each has the status that it has alone. */
START_TEST(runs)
{
	enum { N = 40, AT = 500 };
	uint64_t pfn[N];
	uint8_t want[N];

	begin(CAPS_32);
	fill(AT + 7, 1);
	list(pfn, want, AT, N, _i, OK);
	batch(LOCKS, pfn, want, N);
	ck_assert_uint_eq(byte(AT + 7), 0);
	list(pfn, want, AT, N, _i, LOCKED);
	batch(LOCKS, pfn, want, N);
	list(pfn, want, AT + N / 2, N, _i, OK); /* half of them are in the balloon already */
	memset(_i ? want + N / 2 : want, LOCKED, N / 2);
	batch(LOCKS, pfn, want, N);
	ck_assert_uint_eq(m->board.balloon.held, N + N / 2);
	ck_assert_uint_eq(m->board.balloon.refused, N + N / 2);
	list(pfn, want, BATCH_AT - 10, N, _i, OK); /* the page of entries is one of them */
	want[_i ? N - 1 - 10 : 10] = BAD_PPN;
	batch(LOCKS, pfn, want, N);
	list(pfn, want, PAGES - 10, N, _i, BAD_PPN); /* the end of memory */
	memset(_i ? want + N - 10 : want, OK, 10);
	batch(LOCKS, pfn, want, N);
	ck_assert_uint_eq(m->board.balloon.held, N + N / 2 + N - 1 + 10);
	ck_assert_uint_eq(m->board.balloon.popped, 0);
}
END_TEST

/* A run that leads beyond the target ends there. */
START_TEST(runs_to_the_target)
{
	enum { N = 20, ROOM = 7 };
	uint64_t entry[N];

	begin(CAPS_32);
	set_target(ROOM);
	for (unsigned i = 0; i < N; i++)
		entry[i] = (600ull + i) << PAGE_SHIFT;
	put_batch(BATCH_AT, entry, N);
	ck_assert_uint_eq(call(LOCKS, BATCH_AT, N), OK);
	ck_assert(mm_phys_read(m->vm, (gpa)BATCH_AT << PAGE_SHIFT, entry, sizeof(entry)));
	for (unsigned i = 0; i < N; i++)
		ck_assert_uint_eq(entry[i] & 0x1f, i < ROOM ? OK : NOT_NEEDED);
	ck_assert_uint_eq(m->board.balloon.held, ROOM);
	ck_assert_uint_eq(m->board.balloon.refused, N - ROOM);
	ck_assert_int_eq(state(600 + ROOM), PAGE_PRIVATE);
	books();
}
END_TEST

/* Pages of entries that are none, and how many entries there are. */
START_TEST(batch_pages)
{
	static const uint32_t bad[] = { PAGES, ROM_AT, NOWHERE, DEVICE, UINT32_MAX, 50 };
	const uint64_t entry[] = { 60ull << PAGE_SHIFT };

	mm_vm_set_rom(m->vm, (gpa)ROM_AT << PAGE_SHIFT, PAGE_SIZE, true);
	begin(CAPS_32);
	ck_assert_uint_eq(call(LOCK, 50, 1), OK);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_uint_eq(call(LOCKS, bad[i], 1), BAD_PPN);
	ck_assert_int_eq(state(50), PAGE_BALLOONED); /* not popped by the device */
	put_batch(BATCH_AT, entry, 1);
	ck_assert_uint_eq(call(LOCKS, BATCH_AT, 513), BAD_COMMAND);
	ck_assert_uint_eq(call(LOCKS, BATCH_AT, UINT32_MAX), BAD_COMMAND);
	ck_assert_uint_eq(call(LOCKS, BATCH_AT, 0), OK);
	ck_assert_int_eq(state(60), PAGE_PRIVATE);
	ck_assert_uint_eq(m->board.balloon.held, 1);
}
END_TEST

START_TEST(large)
{
	const uint64_t pfn[] = { 512, 513, 512, 0, 1024, 2048, NOWHERE, 1ull << 40 };
	const uint8_t lock[] = { OK, BAD_PPN, LOCKED, BAD_PPN, OK, BAD_PPN, BAD_PPN, BAD_PPN };
	const uint64_t both[] = { 512, 512 };
	const uint8_t unlock[] = { OK, UNLOCKED };

	m->v->cpu.cr4 |= CR4_PAE;
	begin(CAPS_32);
	fill(700, 1);
	batch(LARGE_LOCKS, pfn, lock, ARRAY_LEN(pfn)); /* the batch page is in the one from 0 on */
	ck_assert_uint_eq(m->board.balloon.held, 1024);
	ck_assert_int_eq(state(700), PAGE_BALLOONED);
	ck_assert_uint_eq(call(UNLOCK, 700, 1), OK);
	batch(LARGE_UNLOCKS, both, unlock, 2); /* what is left of it */
	ck_assert_int_eq(state(512), PAGE_ABSENT);
	ck_assert_int_eq(state(1024), PAGE_BALLOONED);
	ck_assert_uint_eq(call(LOCK, 800, 1), OK);
	batch(LARGE_LOCKS, both, (const uint8_t[]){ LOCKED, LOCKED }, 2); /* all or nothing */
	ck_assert_int_eq(state(512), PAGE_ABSENT);
}
END_TEST

/* ---- pages in any state, and what happens to them meanwhile ---- */

START_TEST(swapped_and_shared)
{
	char swap[] = "/tmp/vitrine-balloon-XXXXXX";

	close(mkstemp(swap));
	unlink(swap);
	machine_free(m);
	make(NULL, swap);
	set_target(TARGET);
	begin(CAPS_32);
	for (ppn p = 400; p < 404; p++)
		fill(p, p < 402 ? 5 : 6);
	ck_assert(mm_swap_out(m->vm, 402));
	mm_share_page(m->vm, 400);
	ck_assert_int_eq(mm_share_page(m->vm, 401), MM_SHARE_DONE);
	ck_assert_uint_eq(call(LOCK, 401, 1), OK);
	ck_assert_uint_eq(call(LOCK, 402, 1), OK);
	books();
	ck_assert_int_eq(state(400), PAGE_SHARED);
	ck_assert_uint_eq(byte(400), 5);
	ck_assert_uint_eq(call(LOCK, 400, 1), OK);
	ck_assert_uint_eq(byte(400) + byte(401) + byte(402), 0);
	ck_assert(mm_swap_out(m->vm, 403)); /* the batch page is read and written where it is */
	ck_assert_uint_eq(call(LOCKS, 403, 0), OK);
	ck_assert_uint_eq(call(UNLOCK, 402, 1), OK);
	ck_assert_uint_eq(byte(402), 0);
	ck_assert_uint_eq(m->board.balloon.popped, 0);
}
END_TEST

START_TEST(popped)
{
	begin(CAPS_32);
	machine_event_set(m, MACHINE_EV_BALLOON, BALLOON_EV_RESET, BALLOON_EV_RESET, true);
	for (ppn p = 70; p < 75; p++)
		ck_assert_uint_eq(call(LOCK, p, 1), OK);
	fill(71, 3);
	fill(72, 4);
	ck_assert_int_eq(state(71), PAGE_PRIVATE);
	ck_assert_uint_eq(call(LOCK, 80, 1), RESET);
	ck_assert_uint_eq(m->board.hit.kind, MACHINE_EV_BALLOON);
	ck_assert_uint_eq(m->board.hit.number, BALLOON_EV_RESET);
	ck_assert_uint_eq(m->board.hit.val, 2);
	ck_assert_uint_eq(call(UNLOCK, 73, 1), RESET);
	ck_assert_uint_eq(call(GET_TARGET, 0, 0), RESET);
	ck_assert_uint_eq(call(GUEST_ID, 1, 0), OK);
	ck_assert_uint_eq(m->board.balloon.resets, 1);
	ck_assert_int_eq(state(73), PAGE_BALLOONED);
	books();
	begin(CAPS_32);
	ck_assert_int_eq(state(73), PAGE_ABSENT);
	ck_assert_uint_eq(byte(71), 3);
	ck_assert_uint_eq(m->board.balloon.held, 0);
	ck_assert_uint_eq(call(GET_TARGET, 0, 0), OK);
	ck_assert_uint_eq(m->board.balloon.popped, 2);
}
END_TEST

START_TEST(reboot)
{
	begin(CAPS_32);
	ck_assert_uint_eq(call(LOCK, 70, 1), OK);
	board_reset(&m->board);
	ck_assert_int_eq(state(70), PAGE_ABSENT);
	books();
	ck_assert_uint_eq(mm_slot(m->vm)->driver, BALLOON_NONE);
	ck_assert_uint_eq(call(LOCK, 71, 1), RESET);
	ck_assert_int_eq(state(71), PAGE_PRIVATE);
	ck_assert_uint_eq(mm_slot(m->vm)->balloon, TARGET);
	begin(CAPS_32);
	ck_assert_uint_eq(call(LOCK, 71, 1), OK);
}
END_TEST

/* RAM that the guest makes ROM while it is in the balloon comes back at a reset, too. */
START_TEST(rom_meanwhile)
{
	begin(CAPS_32);
	ck_assert_uint_eq(call(LOCK, ROM_AT, 1), OK);
	mm_vm_set_rom(m->vm, (gpa)ROM_AT << PAGE_SHIFT, PAGE_SIZE, true);
	books();
	begin(CAPS_32);
	ck_assert_int_eq(state(ROM_AT), PAGE_ABSENT);
	books();
}
END_TEST

START_TEST(events)
{
	static const struct {
		uint32_t cmd, pfn;
		unsigned number;
		uint64_t val;
	} rows[] = { { START, CAPS_32, BALLOON_EV_START, 0 },
		     { LOCK, 30, BALLOON_EV_INFLATE, 1 },
		     { LOCK, 31, BALLOON_EV_REACHED, 2 },
		     { UNLOCK, 31, BALLOON_EV_DEFLATE, 1 },
		     { UNLOCK, 30, BALLOON_EV_DEFLATE, 1 } };

	machine_event_set(m, MACHINE_EV_BALLOON, 0, BALLOON_EVENTS - 1, true);
	set_target(2);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		m->board.hit.kind = 0;
		call(rows[i].cmd, rows[i].pfn, 0);
		ck_assert_uint_eq(m->board.hit.kind, MACHINE_EV_BALLOON);
		ck_assert_uint_eq(m->board.hit.number, rows[i].number);
		ck_assert_uint_eq(m->board.hit.val, rows[i].val);
	}
	machine_event_set(m, MACHINE_EV_BALLOON, 0, BALLOON_EVENTS - 1, false);
	m->board.hit.kind = 0;
	call(LOCK, 30, 1);
	ck_assert_uint_eq(m->board.hit.kind, 0);
}
END_TEST

/* ---- saving ---- */

START_TEST(saved)
{
	char path[] = "/tmp/vitrine-balloon-XXXXXX", err[256] = "";
	struct machine *first = m;
	uint64_t hash;

	close(mkstemp(path));
	begin(CAPS_32);
	for (ppn p = 90; p < 95; p++)
		ck_assert_uint_eq(call(LOCK, p, 1), OK);
	ck_assert_uint_eq(call(UNLOCK, 92, 1), OK);
	fill(90, 1);
	hash = machine_state_hash(m);
	ck_assert_msg(machine_save_state(m, path, err, sizeof(err)), "%s", err);
	make(NULL, NULL);
	begin(CAPS_32);
	set_target(5);
	ck_assert_uint_eq(call(LOCK, 91, 1), OK);
	ck_assert_uint_eq(call(LOCK, 99, 1), OK);
	ck_assert_msg(machine_load_state(m, path, err, sizeof(err)), "%s", err);
	ck_assert_uint_eq(machine_state_hash(m), hash);
	books();
	ck_assert_int_eq(state(99), PAGE_ABSENT);
	ck_assert_int_eq(state(91), PAGE_BALLOONED);
	ck_assert_int_eq(state(90), PAGE_PRIVATE);
	ck_assert_uint_eq(m->board.balloon.held, 4);
	ck_assert_uint_eq(mm_slot(m->vm)->balloon, TARGET);
	ck_assert_uint_eq(call(LOCK, 100, 1), RESET); /* page 90 was popped before */
	/* A different page in the balloon is another state. */
	begin(CAPS_32);
	call(LOCK, 10, 1);
	hash = machine_state_hash(m);
	call(UNLOCK, 10, 1);
	call(LOCK, 11, 1);
	ck_assert_uint_ne(machine_state_hash(m), hash);
	machine_free(first);
	unlink(path);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("hv/balloon");
	TCase *tc = tcase_create("port");
	const TTest *const tests[] = { magic,
				       capabilities,
				       devices,
				       basic,
				       limits,
				       batches,
				       whole_batch,
				       batch_pages,
				       large,
				       swapped_and_shared,
				       runs_to_the_target,
				       popped,
				       reboot,
				       rom_meanwhile,
				       events,
				       saved };

	tcase_add_checked_fixture(tc, setup, teardown);
	for (unsigned i = 0; i < ARRAY_LEN(tests); i++)
		tcase_add_test(tc, tests[i]);
	tcase_add_loop_test(tc, runs, 0, 2);
	suite_add_tcase(s, tc);
	return suite_run(s);
}
