/* SPDX-License-Identifier: GPL-3.0-or-later
 * A balloon driver (Waldspurger, OSDI 2002, section 3.2) in its simplest form: a hundred times a second it
 * asks the host how many pages its balloon shall have, and allocates or frees some; the host takes the memory
 * of those in the balloon. The channel is VMware's, as Linux' vmw_balloon uses it. Beside it some pages with
 * known content are checked all the time, and pages that come out of the balloon, which must be zeros. Prints
 * nothing unless something is wrong. */
#include "guests/demo/kernel.h"

enum { PORT = 0x5670, START = 0, GET_TARGET, LOCK, UNLOCK, GUEST_ID, BATCH_LOCK = 6, BATCH_UNLOCK };
enum { BASIC = 1 << 1, BATCHED = 1 << 2, OK = 0, RESET = 7, OK_CAPABILITIES = 0x03000000, OUR_ID = 0x56 };
enum { POLL = 10 /* ticks */, BATCH = 512, OWN = 256, SPARE = 64, MOST = 16384 };
#define MAGIC 0x456c6d6fu

static u32 held[MOST], nheld; /* physical addresses of the pages in the balloon */
static u32 own[OWN];	      /* pages with content */
static u64 *batch;	      /* a page of entries: PFN << 12 | status */
static u32 target;
static bool batched, begun;

/* A call of the host: its status. TO: the register that it answers in. */
static u32 call(u32 cmd, u32 a, u32 b, u32 *ecx, u32 *ebx)
{
	u32 status = MAGIC;

	asm volatile("inl %%dx, %%eax" : "+a"(status), "+c"(cmd), "+b"(a), "+S"(b) : "d"(PORT) : "memory");
	*ecx = cmd;
	*ebx = a;
	return status;
}

/* A call that answers with the target. */
static u32 tell(u32 cmd, u32 a, u32 b)
{
	u32 ecx, ebx, status = call(cmd, a, b, &ecx, &ebx);

	if (status == OK)
		target = ebx;
	begun &= status != RESET;
	return status;
}

static void wrong(const char *what, u32 pa)
{
	print("balloon: %s: page %08x\n", what, pa);
	finish(1);
}

static void check_own(void)
{
	for (unsigned i = 0; i < OWN; i++)
		for (unsigned k = 0; k < 1024; k += 128)
			if (((u32 *)phys(own[i]))[k] != own[i] + k)
				wrong("has lost its content", own[i]);
}

/* ---- pages come and go ---- */

/* Tell the host of the last N of held[], which it takes or gives back. False: none of them moved. */
static bool move(u32 n, bool lock)
{
	if (!batched)
		return n && tell(lock ? LOCK : UNLOCK, held[nheld - 1] >> 12, 1) == OK;
	for (u32 i = 0; i < n; i++)
		batch[i] = held[nheld - n + i];
	return tell(lock ? BATCH_LOCK : BATCH_UNLOCK, phys_of(batch) >> 12, n) == OK;
}

/* The host's verdict on page I of the last N. */
static bool moved(u32 i)
{
	return !batched || !(batch[i] & 0x1f);
}

static void inflate(u32 n)
{
	u32 first = nheld, all;
	bool ok;

	for (n = batched ? n : 1; n && nheld < MOST && frames_free(SPARE); n--)
		held[nheld++] = frame_alloc();
	all = nheld - first;
	ok = move(all, true);
	nheld = first;
	for (u32 i = 0; i < all; i++)
		if (ok && moved(i))
			held[nheld++] = held[first + i];
		else
			frame_free(held[first + i]);
}

/* A page is back: it has no content. */
static void use(u32 pa)
{
	for (unsigned k = 0; k < 1024; k++)
		if (((u32 *)phys(pa))[k])
			wrong("came back with content", pa);
	frame_free(pa);
}

static void deflate(u32 n)
{
	u32 first, kept;

	if (!batched)
		n = 1;
	first = kept = nheld - n;
	if (!move(n, false))
		return;
	for (u32 i = 0; i < n; i++)
		if (moved(i))
			use(held[first + i]);
		else
			held[kept++] = held[first + i];
	nheld = kept;
}

/* ---- the driver ---- */

/* Begin, or begin anew: the host gives all pages back. */
static void begin(void)
{
	u32 want = has_word(cmdline, "balloon=basic") ? BASIC : BASIC | BATCHED, caps, ebx;
	u32 status = call(START, want, 0, &caps, &ebx);

	batched = status == OK_CAPABILITIES && (caps & BATCHED);
	begun = status == OK || status == OK_CAPABILITIES;
	if (!begun)
		return;
	while (nheld)
		frame_free(held[--nheld]);
	tell(GUEST_ID, OUR_ID, 0);
}

static void poll(void)
{
	u32 turn = batched ? 1 : 64;

	if (!begun)
		begin();
	if (!begun || tell(GET_TARGET, MOST, 0) != OK)
		return;
	while (turn-- && begun && nheld != target) {
		u32 n = nheld < target ? target - nheld : nheld - target, before = nheld;

		n = n < BATCH ? n : BATCH;
		if (nheld < target)
			inflate(n);
		else
			deflate(n);
		if (nheld == before)
			break;
	}
	check_own();
}

void balloon_main(void)
{
	bool touch = has_word(cmdline, "balloon=touch");
	u32 next = ticks;

	batch = phys(frame_alloc());
	for (unsigned i = 0; i < OWN; i++) {
		own[i] = frame_alloc();
		for (unsigned k = 0; k < 1024; k++)
			((u32 *)phys(own[i]))[k] = own[i] + k;
	}
	for (;;) {
		asm volatile("sti; hlt");
		if ((int)(ticks - next) < 0)
			continue;
		next = ticks + POLL;
		poll();
		if (touch && nheld && nheld == target) { /* what a driver must not do */
			*(volatile u32 *)phys(held[nheld / 2]) = 1;
			touch = false;
		}
	}
}
