/* SPDX-License-Identifier: GPL-3.0-or-later
 * A host: the process that owns machine memory, which VMs in processes of their own share. It lets them join,
 * starts them, says how they end, and takes back what they leave. Its session has no machine: its commands
 * are about VMs, and carry those of a VM to that VM's session. */
#ifndef HOST_HOST_H
#define HOST_HOST_H
#include "base/types.h"

struct host;
struct inspect;
struct inspect_addon;
struct loop;

struct host_config {
	const char *name;
	uint64_t machine_memory; /* bytes; 0: half of the computer's */
	const char *swap;	 /* file for pages for which there is no room; NULL: none */
	bool restricted;	 /* processes are restricted to the system calls they need */
};

/* Before the first thread, and before this process is restricted. CFG is borrowed. NULL with one line in ERR.
 */
struct host *host_new(const struct host_config *cfg, char *err, size_t errlen);
/* Serve VMs from LOOP, and answer in session S. */
void host_serve(struct host *h, struct inspect *s, struct loop *loop);
/* End all VMs, and the host. NULL is fine. */
void host_free(struct host *h);
/* The host's commands and views, once it serves. */
const struct inspect_addon *host_addon(struct host *h);
/* The same without an owner, for the manual. */
extern const struct inspect_addon host_addon_manual;
#endif
