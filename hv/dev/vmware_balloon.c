/* SPDX-License-Identifier: GPL-3.0-or-later
 * VMware's channel for balloon drivers, as Linux' drivers/misc/vmw_balloon.c uses it: IN EAX,DX from port
 * 5670H with a magic number in EAX, a command in ECX, arguments in EBX and ESI; a status comes back in EAX,
 * the target in EBX. The guest finds it by the hypervisor's leaves of CPUID, which all models from the
 * Pentium II on have (hv/cpuid.c), and asks for its target once a second.
 *
 * A batch is a page of entries: PFN in bits 12-63, bits 0-4 take a status. It is read once, and written back
 * with the statuses. Large pages have 2 MiB; they are offered to guests with PAE only, as the others' large
 * pages have 4 MiB and their driver does not know the difference. Doorbells, which would wake the driver,
 * need a device that does not exist here. GPR-only code (base/gpr.h). */
#include "hv/board.h"
#include "x86/paging.h"

enum { PORT = 0x5670, BATCH = 512, LARGE = 512 /* pages */, STATUS_MASK = 0x1f, GUEST_EMBEDDED = 0x56 };
#define MAGIC 0x456c6d6fu

enum command {
	START,
	GET_TARGET,
	LOCK,
	UNLOCK,
	GUEST_ID,
	BATCH_LOCK = 6,
	BATCH_UNLOCK,
	LARGE_LOCK,
	LARGE_UNLOCK,
	DOORBELL,
};
enum status {
	OK,
	BAD_COMMAND,
	BAD_PPN,
	LOCKED,
	UNLOCKED,
	NOT_NEEDED = 6,
	RESET,
	OK_CAPABILITIES = 0x03000000,
};

struct vmware_balloon {
	struct dev d;
	uint64_t batch[BATCH]; /* the page of entries being worked on */
};

static const struct dev_ports ports[] = { { PORT, PORT + 3, 7 } };

static uint32_t start(struct board *b, uint64_t *r)
{
	uint32_t offered = BALLOON_BASIC | BALLOON_BATCHED | BALLOON_WIDE, both;

	if (b->v->cpu.cr4 & CR4_PAE)
		offered |= BALLOON_LARGE;
	both = (uint32_t)r[R_EBX] & offered;
	balloon_start(b, BALLOON_VMWARE, both | BALLOON_BASIC);
	if (!(both & ~(uint32_t)BALLOON_BASIC))
		return OK;
	r[R_ECX] = both | BALLOON_BASIC;
	return OK_CAPABILITIES;
}

static uint32_t guest_id(struct board *b, uint32_t id)
{
	struct balloon *x = &b->balloon;

	balloon_contact(b);
	x->guest = id;
	if (x->driver == BALLOON_VMWARE && id == GUEST_EMBEDDED)
		balloon_named(b, BALLOON_EMBEDDED);
	return OK;
}

/* Lock or unlock the N pages (1 or LARGE) from PFN on. */
static uint32_t pages(struct board *b, uint64_t pfn, uint32_t n, bool lock)
{
	enum mm_balloon r;

	if (pfn & (n - 1)) {
		b->balloon.refused += n;
		return BAD_PPN;
	}
	if (lock && b->balloon.held >= balloon_target(b)) {
		b->balloon.refused += n;
		return NOT_NEEDED;
	}
	r = lock ? balloon_inflate(b, pfn, n) : balloon_deflate(b, pfn, n);
	if (r == MM_BALLOON_NO_RAM)
		return BAD_PPN;
	return r == MM_BALLOON_DONE ? OK : lock ? LOCKED : UNLOCKED;
}

/* Can PFN be a page of entries? */
static bool batch_page(struct board *b, uint32_t pfn)
{
	gpa a = (gpa)pfn << PAGE_SHIFT;
	enum page_state s;

	return mm_state_of(b->vm, pfn, &s) && s != PAGE_BALLOONED && !mm_is_rom(b->vm, a);
}

/* The same, unless OWN is one of them: the statuses go there. */
static uint32_t move(struct board *b, uint64_t first, uint32_t n, bool lock, uint64_t own)
{
	return own - first < n ? BAD_PPN : pages(b, first, n, lock);
}

/* Try to lock the first ones of N entries together. Returns how many those are: as many as are adjacent. */
static uint32_t lock_run(struct board *b, const uint64_t *entry, uint32_t n, uint64_t own, bool *together)
{
	uint32_t target = balloon_target(b), held = b->balloon.held, k;
	uint64_t first;

	if (held >= target)
		return 1;
	k = balloon_run(entry, n < target - held ? n : target - held, PAGE_SHIFT, &first);
	*together = own - first >= k && balloon_inflate_run(b, first, k);
	return k;
}

static uint32_t batch(struct vmware_balloon *v, uint32_t pfn, uint32_t n, uint32_t each, bool lock)
{
	struct board *b = v->d.board;
	gpa a = (gpa)pfn << PAGE_SHIFT;

	if (n > BATCH)
		return BAD_COMMAND;
	if (!batch_page(b, pfn) || !board_dma_read(b, a, v->batch, n * sizeof(v->batch[0])))
		return BAD_PPN;
	for (uint32_t i = 0, k; i < n; i += k) {
		bool together = false;

		k = lock && each == 1 ? lock_run(b, v->batch + i, n - i, pfn, &together) : 1;
		for (uint32_t j = i; j < i + k; j++)
			v->batch[j] = (v->batch[j] & ~(uint64_t)STATUS_MASK) |
				      (together ? OK : move(b, v->batch[j] >> PAGE_SHIFT, each, lock, pfn));
	}
	board_dma_write(b, a, v->batch, n * sizeof(v->batch[0]));
	return OK;
}

/* The capability that CMD needs; 0: there is no such command. */
static uint32_t needed(uint32_t cmd)
{
	switch (cmd) {
	case GET_TARGET:
	case LOCK:
	case UNLOCK:
		return BALLOON_BASIC;
	case BATCH_LOCK:
	case BATCH_UNLOCK:
		return BALLOON_BATCHED;
	case LARGE_LOCK:
	case LARGE_UNLOCK:
		return BALLOON_LARGE;
	default:
		return 0;
	}
}

/* A command that a driver may give once it has begun. */
static uint32_t command(struct vmware_balloon *v, uint32_t cmd, uint64_t *r)
{
	struct board *b = v->d.board;
	uint32_t arg = (uint32_t)r[R_EBX], n = (uint32_t)r[R_ESI], status = OK;

	if (!needed(cmd))
		return BAD_COMMAND;
	if (!balloon_contact(b))
		return RESET;
	if (!(b->balloon.capabilities & needed(cmd)))
		return BAD_COMMAND;
	if (cmd == GET_TARGET)
		b->balloon.limit = arg;
	else if (cmd == LOCK || cmd == UNLOCK)
		status = pages(b, arg, 1, cmd == LOCK);
	else if (cmd == BATCH_LOCK || cmd == BATCH_UNLOCK)
		status = batch(v, arg, n, 1, cmd == BATCH_LOCK);
	else
		status = batch(v, arg, n, LARGE, cmd == LARGE_LOCK);
	r[R_EBX] = balloon_target(b);
	return status;
}

static uint32_t balloon_in(struct dev *d, uint16_t port, unsigned size)
{
	struct board *b = d->board;
	uint64_t *r = b->v->cpu.gpr;
	uint32_t before = b->balloon.held, status;

	if (port != PORT || size != 4 || (uint32_t)r[R_EAX] != MAGIC ||
	    b->balloon.device != BALLOON_BY_VMWARE)
		return UINT32_MAX;
	switch ((uint32_t)r[R_ECX]) {
	case START:
		return start(b, r);
	case GUEST_ID:
		return guest_id(b, (uint32_t)r[R_EBX]);
	case DOORBELL: /* -1 and -1: none */
		return ((uint32_t)r[R_EBX] & (uint32_t)r[R_ESI]) == UINT32_MAX ? OK : BAD_COMMAND;
	default:
		status = command((struct vmware_balloon *)d, (uint32_t)r[R_ECX], r);
		balloon_moved(b, before);
		return status;
	}
}

static void reset(struct dev *d)
{
	balloon_reset(d->board);
}

const struct dev_class vmware_balloon_class = {
	.name = "balloon",
	.help = "VMware balloon port",
	.size = sizeof(struct vmware_balloon),
	DEV_PORTS(ports),
	.reset = reset,
	.in = balloon_in,
};
