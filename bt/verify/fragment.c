/* SPDX-License-Identifier: GPL-3.0-or-later
 * Handing fragments to the independent verifier: what it may take for granted is
 * only where the cache is and which addresses are entries. */
#include "bt/verify/fragment.h"
#include "bt/verify/verify.h"

#include <stdio.h>

#define PART(f)                                                                                              \
	{                                                                                                    \
		offsetof(struct bt_vcpu, f), sizeof(((struct bt_vcpu *)0)->f)                                \
	}
static const struct verify_range writable[] = {
	PART(v.cpu.rip), PART(v.cpu.intf),  PART(budget),      PART(scratch),	  PART(bounce),
	PART(mmio_lin),	 PART(probe_count), PART(probe_match), PART(entry_count), PART(a.indirects),
};

/* Entries of fragments, their stubs, and offset 0 (the jump table's miss). */
static bool ok_target(void *ctx, uint64_t host)
{
	struct bt_vcpu *b = ctx;
	struct ccf *f;

	if (host == b->tc_base)
		return true;
	f = cache_by_host(b, host);
	return f && (host == b->tc_base + f->host || host == b->tc_base + f->ind);
}

int verify_ccf(struct bt_vcpu *b, const struct ccf *f)
{
	struct verify_env env = { .tc_base = b->tc_base,
				  .tc_size = b->tc_size,
				  .vcpu_size = sizeof(*b),
				  .writable = writable,
				  .nwritable = ARRAY_LEN(writable),
				  .quarter = OFF(quarter),
				  .shadow = OFF(shadow_live),
				  .shadow_quarter = OFF(shadow_quarter),
				  .trap = OFF(trap_page),
				  .exit = OFF(g_exit),
				  .call = { OFF(g_callout), OFF(g_heavy), OFF(g_syscall[SYSCALL_ENTER]),
					    OFF(g_syscall[SYSCALL_LEAVE]) },
				  .record = OFF(miss_site),
				  .table_bits = JT_BITS,
				  .strings = true,
				  .ok_target = ok_target,
				  .ctx = b };
	struct verify_error e;
	const char *why;

	if (!b->verifier)
		b->verifier = bt_verifier_new();
	env.v = b->verifier;
	b->st.verify_runs++;
	why = bt_verify(&env, b->rw + f->ind, f->host + f->hsize - f->ind, b->tc_base + f->ind, &e);
	if (!why)
		return 0;
	b->st.verify_fails++;
	snprintf(b->v.error, sizeof(b->v.error), "verifier: fragment %08x, host offset %u: %s: %s", f->pc,
		 e.off, e.text, why);
	return -1;
}

void verify_fini(struct bt_vcpu *b)
{
	bt_verifier_free(b->verifier);
}
