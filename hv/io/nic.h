/* SPDX-License-Identifier: GPL-3.0-or-later
 * What network devices have in common: the way of their frames through the door and back. A device gives
 * nic_ops, whose functions are GPR-only if the device is; it calls nic_transmit() when the guest wants frames
 * sent, and nic_take() when it may have room for those that wait. Frames that the link does not take stay in
 * the guest's memory until it does. GPR-only code, except for nic_join() and nic_leave(). */
#ifndef HV_IO_NIC_H
#define HV_IO_NIC_H
#include "hv/clock.h"
#include "hv/dev.h"
#include "hv/io/door.h"
#include "hv/io/frames.h"

enum { NIC_COMBINE = 3, NIC_TICK_NS = 1000000 };

struct net;
struct nic_ops {
	/* Copy the next frame to send to BUF, of FRAME_MAX bytes, and return its length; 0: there is none. */
	uint32_t (*next)(struct dev *d, uint8_t *buf);
	void (*sent)(struct dev *d); /* the frame that next() returned is on its way */
	/* A frame has arrived. False: there is no room for it now. */
	bool (*receive)(struct dev *d, const uint8_t *frame, uint32_t len);
};

/* What a network device is configured with. */
struct nic_link {
	struct net *net;
	uint8_t mac[6];
	unsigned bit;	 /* of the notice */
	const char *rom; /* file; NULL: none */
};

struct nic_stats {
	uint64_t requests;	     /* the guest asked to send */
	uint64_t combined;	     /* ... and waited for company, or met the link's thread awake */
	uint64_t spared;	     /* ... which cost no switch of its own */
	uint64_t sends;		     /* times that frames were handed to the link */
	uint64_t delivered, refused; /* arrivals; no room in the guest */
};

struct nic {
	struct nic *next;
	struct dev *d;
	const struct nic_ops *ops;
	const struct nic_link *link;
	struct door *door;
	struct vm_clock *clock;
	struct frames *arrived;
	struct frames *leaving; /* the link's queue; NULL: frames go through net_send() alone */
	uint32_t leaving_most;
	const atomic_bool *sleeps;     /* the link's thread does: frames in LEAVING do not wake it */
	const atomic_bool *up;	       /* the link is */
	const atomic_bool *wants_room; /* the link waits for room in ARRIVED */
	unsigned waiting;	       /* requests that wait for company */
	bool blocked;		       /* the link has no room: a notice will come */
	bool stalled;		       /* the device has no room for the first of ARRIVED */
	struct vm_timer tick;	       /* the end of WAITING */
	struct nic_stats stats;
	/* The host world's side, as addresses: GPR-only code calls it through the door alone. */
	void (*send)(void *nic);
	void (*made_room)(void *nic);
	/* A frame goes or comes while somebody watches; NULL: nobody does. GPR-only. */
	void (*watch)(void *ctx, struct nic *k, bool sent, uint32_t len);
	void *ctx;
	uint8_t frame[FRAME_MAX];
};

/* Nics of a machine. */
struct nics {
	struct nic *first;
	struct door *door;
	struct vm_clock *clock;
};

/* The device D opens: K, a part of it, joins the others. */
void nic_join(struct nics *all, struct nic *k, struct dev *d, const struct nic_ops *ops);
void nic_leave(struct nics *all, struct nic *k);
void nic_reset(struct nic *k);
/* The guest wants frames sent. */
void nic_transmit(struct nic *k);
/* Hand waiting frames to the device. */
void nic_take(struct nic *k);
/* Forget frames that wait: the device does not receive. */
void nic_forget(struct nic *k);
/* At the end of a switch, in the host world: send what has waited. */
void nics_visit(struct nics *all);
/* Bit BIT of the notice was set, in the host world: frames, or room for some. False: no nic has this bit. */
bool nics_notice(struct nics *all, unsigned bit);
#endif
