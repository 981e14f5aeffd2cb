/* SPDX-License-Identifier: GPL-3.0-or-later
 * A machine's networks: what its "--net" options name, from the text to devices and threads. Private to hv.
 */
#ifndef HV_NETWORK_INT_H
#define HV_NETWORK_INT_H
#include "hv/io/net.h"
#include "hv/io/nic.h"
#include "hv/machine.h"

enum { NETWORK_BIT = 32 }; /* of the notice: the first network's */

struct network {
	struct nics nics;
	struct net_config config[NETS_MAX];
	struct nic_link link[NETS_MAX];
	unsigned n;
};

/* Open the back ends of CFG and add their devices to B. False with one line in ERR. */
bool network_open(struct network *w, const struct machine_config *cfg, struct board *b, char *err,
		  size_t errlen);
/* Start their threads. */
bool network_start(struct network *w, const struct net_host *host, char *err, size_t errlen);
/* Before the board's end. */
void network_close(struct network *w);
/* Hand over what READY, bits from NETWORK_BIT on, stands for. vCPU thread, host world. */
void network_deliver(struct network *w, uint64_t ready);
#endif
