/* SPDX-License-Identifier: GPL-3.0-or-later
 * Runs the independent verifier on fragments. It is given the cache's position and the addresses that are
 * entries, and assumes nothing else. */
#include "bt/verify/fragment.h"
#include "bt/cache/cache.h"
#include "bt/verify/verify.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

#define PART(f)                                                                                              \
	{                                                                                                    \
		offsetof(struct bt_vcpu, f), sizeof(((struct bt_vcpu *)0)->f)                                \
	}
static const struct verify_range writable[] = {
	PART(v.cpu.rip),    PART(v.cpu.intf),	 PART(icount.left),	  PART(scratch),
	PART(bounce),	    PART(exit.mmio_lin), PART(soft_used),	  PART(probes.count),
	PART(probes.match), PART(entries.count), PART(account.indirects),
};

/* 64-bit code keeps registers of the guest's there, and writes the bases of FS and GS, and EFLAGS.AC. */
static const struct verify_range long_writable[] = {
	PART(v.cpu.rip),
	PART(v.cpu.intf),
	PART(v.cpu.gpr),
	PART(v.cpu.seg[SEG_FS].base),
	PART(v.cpu.seg[SEG_GS].base),
	PART(v.cpu.kernel_gs_base),
	PART(v.cpu.sysflags),
	PART(sysflags_neg),
	PART(icount.left),
	PART(scratch),
	PART(bounce),
	PART(exit.mmio_lin),
	PART(probes.count),
	PART(probes.match),
	PART(entries.count),
	PART(account.indirects),
};

struct target {
	struct bt_vcpu *b;
	const struct ccf *from;
	bool is_long;
};

/* Valid jump targets: entries of fragments of the same kind, and the miss routine of their tables. */
static bool ok_target(void *ctx, uint64_t host)
{
	const struct target *t = ctx;
	const struct ccf *f;

	if (host == t->b->tc_base + (t->is_long ? t->b->tc.long_miss : 0))
		return true;
	f = cache_by_host(t->b, host);
	if (!f || mode_long(f->mode) != t->is_long)
		return false;
	host -= t->b->tc_base + f->host;
	return !host || (t->is_long && (host == f->entry.stack || host == f->entry.all));
}

static uint32_t granted(void *ctx, uint64_t host)
{
	const struct target *t = ctx;
	const struct ccf *f = cache_by_host(t->b, host);

	if (!f)
		return 0;
	host -= t->b->tc_base + f->host;
	return host == f->entry.all ? f->entry.facts : host ? f->entry.facts & 1u << R_ESP : 0;
}

static uint32_t claimed(void *ctx, uint32_t off)
{
	const struct target *t = ctx;

	for (unsigned i = 0; i < t->from->nlink; i++)
		if (t->from->link[i].patch == t->from->host + off)
			return t->from->link[i].facts;
	return 0;
}

bool verify_init(struct bt_vcpu *b)
{
	b->verifier = bt_verifier_new();
	return b->verifier;
}

static const char *verify_long(struct bt_vcpu *b, struct verify_env *env, const struct ccf *f,
			       struct verify_error *e)
{
	const struct verify_long l = {
		.stack_entry = f->entry.stack,
		.entry = f->entry.all,
		.facts = f->entry.facts,
		.gpr = OFF_GPR(0),
		.granted = granted,
		.claimed = claimed,
		.vcpu = (uint64_t)b,
		.d = OFF(space.d),
		.neg_d = OFF(space.neg_d),
		.v = OFF(space.v),
		.vt = OFF(space.vt),
		.part_d = { OFF(parts[0].d), OFF(parts[1].d) },
		.part_v = { OFF(parts[0].v), OFF(parts[1].v) },
		.open = OFF(smap.open),
		.closed = OFF(smap.closed),
		.tags = OFF(tags),
		.tags_bytes = sizeof(b->tags),
		.tables = OFF(jt_live),
		.monitor = b->tc_base + b->tc.long_call,
		.entries = b->tc_base + b->tc.long_miss,
		.mask = OFF_CPU(xcr0),
		.area = XSAVE_MOST_BYTES,
		.exit = OFF(stubs.long_exit),
		.call = { OFF(stubs.long_callout), OFF(stubs.long_callout_fpu),
			  OFF(stubs.long_syscall[SYSCALL_ENTER]), OFF(stubs.long_syscall[SYSCALL_LEAVE]) },
	};

	env->writable = long_writable;
	env->nwritable = ARRAY_LEN(long_writable);
	return bt_verify_long(env, &l, b->tc.rw + f->host, f->hsize, b->tc_base + f->host, e);
}

int verify_ccf(struct bt_vcpu *b, const struct ccf *f, struct refusal *r)
{
	struct target target = { b, f, mode_long(f->mode) };
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
				  .ctx = &target };
	struct verify_error e;
	const char *why;

	env.v = b->verifier;
	b->st.verify_runs++;
	why = target.is_long ? verify_long(b, &env, f, &e)
			     : bt_verify(&env, b->tc.rw + f->host, f->hsize, b->tc_base + f->host, &e);
	if (!why)
		return 0;
	*r = (struct refusal){ .pc = f->pc, .off = e.off, .count = 1, .why = why };
	memcpy(r->text, e.text, sizeof(r->text) - 1);
	b->st.verify_fails++;
	snprintf(b->v.error, sizeof(b->v.error), "verifier: fragment %08llx, host offset %u: %s: %s",
		 (unsigned long long)f->pc, e.off, e.text, why);
	return -1;
}

static bool same_refusal(const struct refusal *a, const struct refusal *b)
{
	return a->at == b->at && a->why == b->why;
}

void verify_note(struct bt_vcpu *b, const struct refusal *r)
{
	struct refusals *all = &b->refusals;
	uint64_t kept = all->n < REFUSALS ? all->n : REFUSALS, n;

	for (unsigned i = 0; i < kept; i++) {
		if (same_refusal(&all->last[i], r)) {
			all->last[i].count++;
			return;
		}
	}
	all->last[all->n % REFUSALS] = *r;
	n = ++all->n;
	if (n <= 8 || !(n & (n - 1)))
		log_emit(LOG_bt, "%s; the fragment ends before %08llx (%llu in all: info refusals)",
			 b->v.error, (unsigned long long)r->at, (unsigned long long)n);
}

void verify_fini(struct bt_vcpu *b)
{
	bt_verifier_free(b->verifier);
}
