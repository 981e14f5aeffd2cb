/* SPDX-License-Identifier: GPL-3.0-or-later
 * What net.c wants of a back end. open() and close() run on the controlling thread, the others on the link's;
 * none may block. */
#ifndef HV_IO_NET_INT_H
#define HV_IO_NET_INT_H
#include <poll.h>
#include <pthread.h>

#include "hv/io/net.h"
#include "hv/io/pcap.h"

enum { NET_POLL_MAX = 256 };

/* The descriptors that the link's thread is about to wait for. */
struct net_poll {
	struct pollfd fd[NET_POLL_MAX];
	unsigned n;
	int64_t timeout; /* ns, the least of all; -1: none */
};

enum net_sent { NET_SENT, NET_DROPPED, NET_LATER };

struct net_backend {
	const char *name;
	bool sockets; /* its thread makes sockets of its own */
	bool direct;  /* send() may be called on the vCPU's thread while nothing is queued */
	void *(*open)(struct net *n, char *err, size_t errlen);
	void (*close)(void *b);
	enum net_sent (*send)(void *b, const uint8_t *frame, uint32_t len);
	void (*fill)(void *b, struct net_poll *p);	  /* add what to wait for */
	void (*ready)(void *b, const struct net_poll *p); /* after the wait */
};
extern const struct net_backend net_user, net_passt, net_tap, net_hub;

/* A bucket of bytes that fills at the link's rate. An idle line saves up BURST bytes. While a frame waits the
 * line is busy: if the thread wakes late it catches up, by LATE bytes at most. */
struct net_bucket {
	uint64_t rate; /* bytes a second, 0: no limit */
	uint64_t burst, late, tokens, since;
	bool waits; /* a frame has been refused, and others are behind it */
};
void bucket_init(struct net_bucket *b, uint64_t rate, uint64_t now);
/* May a frame of LEN bytes pass at NOW (ns)? Takes its tokens. */
bool bucket_take(struct net_bucket *b, uint32_t len, uint64_t now);
/* No frame is left that waits. */
void bucket_idle(struct net_bucket *b);
/* Nanoseconds until LEN bytes may pass, after a refusal. */
uint64_t bucket_wait(const struct net_bucket *b, uint32_t len);

struct net {
	const struct net_config *config;
	const struct net_backend *ops;
	void *backend;
	struct net_host host;
	unsigned bit;
	struct frames out, in;
	struct frames held; /* from outside, until the rate lets them in; the link's thread's alone */
	struct net_bucket out_rate, in_rate;
	struct net_stats stats;
	struct pcap *pcap;
	bool captured; /* the first frame of OUT, which the back end has refused */
	pthread_t thread;
	bool started;
	int wake_fd;	    /* the link's thread waits for this */
	atomic_bool sleeps; /* it does so, and wants to be woken: not while frames of OUT wait for the rate */
	atomic_bool ends;
	atomic_bool want_out; /* the vCPU waits for room in OUT */
	atomic_bool want_in;  /* the link's thread waits for room in IN */
	atomic_bool up;
	bool full;	      /* the link's thread: IN was full when the back end asked */
	uint32_t out_most;    /* bytes of OUT that may wait */
	uint64_t stuck_since; /* the first frame of OUT has been refused since (ns); 0: it has not */
	enum { NET_STARTS, NET_SERVES, NET_FAILED } state;
	char why[200];
};

/* For back ends: a frame from outside. False: dropped for lack of room. */
bool net_receive(struct net *n, const uint8_t *frame, uint32_t len);
/* Is there room for another frame from outside? Else the back end had better not read. */
bool net_can_receive(struct net *n);
void poll_add(struct net_poll *p, int fd, short events);
void poll_sooner(struct net_poll *p, uint64_t ns);   /* wait no longer than that */
short poll_events(const struct net_poll *p, int fd); /* what is ready */
#endif
