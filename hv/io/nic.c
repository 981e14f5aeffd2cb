/* SPDX-License-Identifier: GPL-3.0-or-later
 * See hv/io/nic.h. Combining (Sugerman et al. 2001, 4.2): while switches are frequent a request waits until
 * the processor is in the host world for another reason, until NIC_COMBINE requests wait, or for a tick. The
 * timer stays set when the requests leave early, so that there is one in a tick at most. Frames for a link
 * whose thread is awake need no switch at all: it finds them in its queue. GPR-only code (base/gpr.h). */
#include "hv/io/nic.h"

#include "hv/io/net.h"

enum { BATCH = 64 }; /* frames in a row, at most, in the VMM world */

static void go(struct nic *k)
{
	k->stats.spared += k->waiting;
	k->waiting = 0;
	k->stats.sends++;
	door_call(k->door, k->d->user, DOOR_TRANSMIT, k->send, k);
}

static bool put(struct nic *k, uint32_t len)
{
	if (len < NET_FRAME_MIN)
		return true; /* as net_send()'s caller does */
	return frames_used(k->leaving) + frames_room_for(len) <= k->leaving_most &&
	       frames_put(k->leaving, k->frame, len);
}

/* Hand the guest's frames to the link's thread from the VMM world. False: the host world must do the rest,
 * which may be to wake it. */
static bool hand_over(struct nic *k)
{
	uint32_t len = 1;

	for (unsigned i = 0; i < BATCH && (len = k->ops->next(k->d, k->frame)); i++) {
		if (!put(k, len))
			return false;
		if (k->watch)
			k->watch(k->ctx, k, true, len);
		k->ops->sent(k->d);
	}
	atomic_thread_fence(memory_order_seq_cst);
	return !len && !atomic_load_explicit(k->sleeps, memory_order_relaxed);
}

void nic_transmit(struct nic *k)
{
	bool busy = door_busy(k->door);

	k->stats.requests++;
	if (k->blocked) /* the link's notice will bring them along */
		return;
	if (k->door->io.combine && !k->door->host && k->leaving && hand_over(k)) {
		k->stats.combined++;
		k->stats.spared += 1 + k->waiting;
		k->waiting = 0;
		return;
	}
	if (!k->door->io.combine || k->door->host || !busy || k->waiting == NIC_COMBINE) {
		go(k);
		return;
	}
	k->waiting++;
	k->stats.combined++;
	if (!k->tick.armed)
		timer_arm(k->clock, &k->tick, clock_now(k->clock) + NIC_TICK_NS);
}

void nic_take(struct nic *k)
{
	const uint8_t *frame;
	uint32_t len;

	while ((frame = frames_first(k->arrived, &len))) {
		k->stalled = !k->ops->receive(k->d, frame, len);
		if (k->stalled) {
			k->stats.refused++;
			return;
		}
		if (k->watch)
			k->watch(k->ctx, k, false, len);
		k->stats.delivered++;
		frames_take(k->arrived, len);
	}
	if (atomic_load_explicit(k->wants_room, memory_order_relaxed))
		door_call(k->door, k->d->user, DOOR_TRANSMIT, k->made_room, k);
}

void nic_forget(struct nic *k)
{
	k->stalled = false;
	frames_drop(k->arrived);
}

void nic_reset(struct nic *k)
{
	timer_cancel(k->clock, &k->tick);
	k->waiting = 0;
	k->blocked = false;
	nic_forget(k);
}

void nics_visit(struct nics *all)
{
	for (struct nic *k = all->first; k; k = k->next)
		if (k->waiting) {
			k->stats.spared += k->waiting;
			k->waiting = 0;
			k->stats.sends++;
			k->send(k);
		}
}

bool nics_notice(struct nics *all, unsigned bit)
{
	for (struct nic *k = all->first; k; k = k->next) {
		if (k->link->bit != bit)
			continue;
		nic_take(k);
		if (k->blocked) {
			k->blocked = false;
			k->stats.sends++;
			k->send(k);
		}
		return true;
	}
	return false;
}
