/* SPDX-License-Identifier: GPL-3.0-or-later
 * What is behind a network device: the user's own network (libslirp), a tap, a hub of virtual machines. A
 * thread of the link's own makes the host's calls; two bounded queues lead to it and back. Whoever does not
 * read loses frames, and holds up nobody. The link's rate and a capture are the same for all back ends.
 *
 * net_open() and net_close() belong to the controlling thread; the rest to the vCPU's, in the host world
 * where not said otherwise. Everything that has a name is opened here; the thread opens only connections. */
#ifndef HV_IO_NET_H
#define HV_IO_NET_H
#include "hv/io/frames.h"
#include "hv/io/notice.h"

enum { NET_FORWARDS = 8, NET_FRAME_MIN = 14 };

enum net_model { NET_PCNET, NET_VIRTIO };

/* One "--net" option. Text that others point into is a copy of it. */
struct net_config {
	char *text;
	const char *backend, *place; /* "tap", its name */
	enum net_model model;
	uint8_t mac[6];
	bool have_mac;
	uint64_t rate;		     /* bits a second, each way; 0: no limit */
	const char *pcap;	     /* file to write */
	const char *bootfile, *tftp; /* what libslirp's DHCP names, the directory that its TFTP serves */
	const char *rom;	     /* expansion ROM of the device */
	const char *forward[NET_FORWARDS]; /* "tcp:HOST:PORT-GUESTPORT" */
	unsigned nforwards;
};

/* Parse TEXT. False with one line in ERR. */
bool net_parse(struct net_config *c, const char *text, char *err, size_t errlen);
void net_config_fini(struct net_config *c);

/* Figures of a link, for views; read beside a running machine. "Out" is from the guest. */
struct net_stats {
	uint64_t frames_out, bytes_out, frames_in, bytes_in;
	uint64_t dropped_out, dropped_in; /* no room, or a peer that does not read */
	uint64_t waited; /* the guest's frames found no room, and had to wait in its memory */
	uint64_t wakes;	 /* of the link's thread */
};

/* What the machine gives its links. */
struct net_host {
	struct io_notice *notice;
	/* Called on the link's thread before anything else, with the calls that the thread makes beyond the
	 * others': SOCKETS of its own. False with one line in ERR. NULL: nothing. */
	bool (*thread_begins)(bool sockets, char *err, size_t errlen);
};

struct net;
/* Open the back end of CONFIG, which is borrowed. NULL with one line in ERR. */
struct net *net_open(const struct net_config *config, char *err, size_t errlen);
/* Start its thread, whose arrivals set BIT. False with one line in ERR. */
bool net_start(struct net *n, const struct net_host *host, unsigned bit, char *err, size_t errlen);
void net_close(struct net *n); /* NULL is fine */

const struct net_stats *net_stats(const struct net *n);
const struct net_config *net_config(const struct net *n);
const atomic_bool *net_up(const struct net *n); /* is there somebody at the other end? */
/* Bytes that wait, out and in. Any thread. */
void net_queued(const struct net *n, uint32_t *out, uint32_t *in);

/* Send a frame of NET_FRAME_MIN to FRAME_MAX bytes. False: no room; BIT is set when there is some again. */
bool net_send(struct net *n, const uint8_t *frame, uint32_t len);
/* Call after the last of some net_send(): wakes the thread if it sleeps. */
void net_push(struct net *n);
/* The queue to the thread, for MOST bytes, in which the VMM world may put frames by itself; net_push() is
 * needed if the thread sleeps then. NULL: only net_send() knows what becomes of a frame. */
struct frames *net_leaving(struct net *n, uint32_t *most);
const atomic_bool *net_sleeps(const struct net *n);
/* Frames from outside; take them with frames_take(), from either world. */
struct frames *net_arrived(struct net *n);
/* Call after frames_take() when net_wants_room(), which any world may ask. */
void net_made_room(struct net *n);
const atomic_bool *net_wants_room(const struct net *n);
#endif
