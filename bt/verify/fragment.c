/* SPDX-License-Identifier: GPL-3.0-or-later
 * Runs the independent verifier on fragments. It is given the cache's position and the addresses that are
 * entries, and assumes nothing else. */
#include "bt/verify/fragment.h"
#include "bt/cache/cache.h"
#include "bt/verify/verify.h"

#include <stdio.h>

#define PART(f)                                                                                              \
	{                                                                                                    \
		offsetof(struct bt_vcpu, f), sizeof(((struct bt_vcpu *)0)->f)                                \
	}
static const struct verify_range writable[] = {
	PART(v.cpu.rip),    PART(v.cpu.intf),	 PART(icount.left),	  PART(scratch),
	PART(bounce),	    PART(exit.mmio_lin), PART(soft_used),	  PART(probes.count),
	PART(probes.match), PART(entries.count), PART(account.indirects),
};

/* Valid jump targets: entries of fragments, their stubs, and offset 0 (the jump table's miss). */
static bool ok_target(void *ctx, uint64_t host)
{
	struct bt_vcpu *b = ctx;
	struct ccf *f;

	if (host == b->tc_base)
		return true;
	f = cache_by_host(b, host);
	return f && host == b->tc_base + f->host;
}

bool verify_init(struct bt_vcpu *b)
{
	b->verifier = bt_verifier_new();
	return b->verifier;
}

int verify_ccf(struct bt_vcpu *b, const struct ccf *f, uint32_t *at)
{
	struct verify_env env = { .tc_base = b->tc_base,
				  .tc_size = b->tc.size,
				  .vcpu_size = sizeof(*b),
				  .writable = writable,
				  .nwritable = ARRAY_LEN(writable),
				  .quarter = OFF(win.quarter),
				  .shadow = OFF(win.shadow),
				  .shadow_quarter = OFF(win.shadow_quarter),
				  .home = OFF(win.home),
				  .trap = OFF(guard.trap_page),
				  .poll = OFF(poll),
				  .exit = OFF(stubs.exit),
				  .call = { OFF(stubs.callout), OFF(stubs.callout_fpu),
					    OFF(stubs.syscall[SYSCALL_ENTER]),
					    OFF(stubs.syscall[SYSCALL_LEAVE]) },
				  .record = OFF(miss_site),
				  .table_bits = JT_BITS,
				  .strings = true,
				  .ok_target = ok_target,
				  .ctx = b };
	struct verify_error e;
	const char *why;

	env.v = b->verifier;
	b->st.verify_runs++;
	why = bt_verify(&env, b->tc.rw + f->host, f->hsize, b->tc_base + f->host, &e);
	if (!why)
		return 0;
	*at = e.off;
	b->st.verify_fails++;
	snprintf(b->v.error, sizeof(b->v.error), "verifier: fragment %08llx, host offset %u: %s: %s",
		 (unsigned long long)f->pc, e.off, e.text, why);
	return -1;
}

void verify_fini(struct bt_vcpu *b)
{
	bt_verifier_free(b->verifier);
}
