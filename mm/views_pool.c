/* SPDX-License-Identifier: GPL-3.0-or-later
 * Views of a pool and its VMs: memory in esxtop's words, what the policy computes with, samples. The figures
 * are those of the slots, so that each process that has the pool shows the same. */
#include "base/view.h"
#include "mm/policy/alloc.h"
#include "mm/pool.h"
#include "mm/views_int.h"

#include <stdio.h>
#include <string.h>

#define MIB(pages) V_REAL((double)(pages) / 256)
#define PART(x) V_REAL((double)(x) / ALLOC_ONE)

const struct mm_slot *view_vm(struct mm_pool *p, unsigned i)
{
	const struct mm_slot *s = mm_pool_slot(p, i);
	uint32_t state = s ? atomic_load(&s->state) : SLOT_FREE;

	return state == SLOT_LIVES || state == SLOT_JOINS ? s : NULL;
}

const char *view_vm_name(const struct mm_slot *s, struct vm_name *n)
{
	if (s->name[0])
		snprintf(n->text, sizeof(n->text), "%.*s", MM_NAME - 1, s->name);
	else
		snprintf(n->text, sizeof(n->text), "VM %u", s->id);
	return n->text;
}

static const char *vm_state(const struct mm_slot *s)
{
	return atomic_load(&s->state) == SLOT_JOINS && !s->configured ? "joins"
	       : atomic_load(&s->blocked)			      ? "blocked"
								      : "lives";
}

static uint32_t count(const struct mm_slot *s, enum page_state what)
{
	return atomic_load(&s->pages[what]);
}

static uint32_t granted(const struct mm_slot *s)
{
	return count(s, PAGE_PRIVATE) + count(s, PAGE_SHARED);
}

static uint32_t saved(struct mm_pool *p, unsigned i)
{
	const struct mm_slot *s = mm_pool_slot(p, i);
	uint32_t own = mm_machine_pages(p, i);

	return granted(s) > own ? granted(s) - own : 0;
}

static struct value target_of(const struct mm_slot *s)
{
	return atomic_load(&s->target) ? MIB(atomic_load(&s->target)) : MIB(atomic_load(&s->max));
}

static struct value swap_target_of(const struct mm_slot *s)
{
	uint32_t t = atomic_load(&s->swap_target);

	return t == ALLOC_ANY ? V_NONE : MIB(t);
}

/* ---- info memory ---- */

static const struct view_col memory_cols[] = {
	{ "name", "name", VAL_STR, "", "VM; (pool): machine memory" },
	{ "state", "state", VAL_STR, "",
	  "of the VM: joins, lives, blocked (waits for memory); of the pool: high, soft, hard, low" },
	{ "memsz", "MEMSZ", VAL_REAL, "MiB", "memory configured; of the pool: machine memory" },
	{ "grant", "GRANT", VAL_REAL, "MiB", "guest memory that is in machine memory; of the pool: in use" },
	{ "machine", "MACH", VAL_REAL, "MiB", "machine memory that this takes: shared frames by parts" },
	{ "free", "FREE", VAL_REAL, "MiB", "of the pool" },
	{ "sztgt", "SZTGT", VAL_REAL, "MiB", "machine memory that the policy wants it to have" },
	{ "tchd", "TCHD", VAL_REAL, "MiB", "memory in active use, estimated from samples" },
	{ "active", "ACTV", VAL_REAL, "", "the same as a share of what is granted: the largest average" },
	{ "shrd", "SHRD", VAL_REAL, "MiB", "guest memory on shared frames" },
	{ "zero", "ZERO", VAL_REAL, "MiB", "of that, pages of zeros" },
	{ "shrdsvd", "SHRDSVD", VAL_REAL, "MiB", "machine memory that sharing saves" },
	{ "swcur", "SWCUR", VAL_REAL, "MiB", "guest memory that is swapped out" },
	{ "swtgt", "SWTGT", VAL_REAL, "MiB",
	  "machine memory beyond which it is to swap; none: it is not to" },
	{ "mctlsz", "MCTLSZ", VAL_REAL, "MiB", "memory in its balloon" },
	{ "mctltgt", "MCTLTGT", VAL_REAL, "MiB", "memory that its balloon is to have" },
	{ "untouched", "UNTCHD", VAL_REAL, "MiB", "memory that has no content yet" },
	{ "ovhd", "OVHD", VAL_REAL, "MiB", "what its process takes beside guest memory" },
	{ "min", "min", VAL_REAL, "MiB", "machine memory guaranteed" },
	{ "max", "max", VAL_REAL, "MiB", "machine memory at most" },
	{ "shares", "shares", VAL_UINT, "", "shares of machine memory" },
	{ "scan", "scan", VAL_UINT, "pages/s", "that it looks at to share them; the pool: that all may" },
	{ "hand", "by hand", VAL_STR, "",
	  "what was set by hand and the policy leaves: target, balloon, swap; none: nothing" },
};

/* By bits of enum mm_hand. */
static const char *const hands[8] = { NULL,   "target",	     "balloon",	     "target balloon",
				      "swap", "target swap", "balloon swap", "target balloon swap" };

static struct value hand_of(const struct mm_slot *s)
{
	const char *what = hands[atomic_load(&s->hand) & (HAND_TARGET | HAND_BALLOON | HAND_SWAP)];

	return what ? V_STR(what) : V_NONE;
}

static void memory_row(struct mm_pool *p, unsigned i, struct row_sink *k)
{
	const struct mm_slot *s = mm_pool_slot(p, i);
	uint32_t active = mm_active(s);
	bool known = atomic_load(&s->periods);
	struct vm_name name;

	k->row(k, (struct value[]){ V_STR(view_vm_name(s, &name)),
				    V_STR(vm_state(s)),
				    MIB(s->configured),
				    MIB(granted(s)),
				    MIB(mm_machine_pages(p, i)),
				    V_NONE,
				    target_of(s),
				    known ? MIB((uint64_t)granted(s) * active / ALLOC_ONE) : V_NONE,
				    known ? PART(active) : V_NONE,
				    MIB(count(s, PAGE_SHARED)),
				    MIB(atomic_load(&s->zeros)),
				    MIB(saved(p, i)),
				    MIB(count(s, PAGE_SWAPPED)),
				    swap_target_of(s),
				    MIB(atomic_load(&s->ballooned)),
				    MIB(atomic_load(&s->balloon)),
				    MIB(count(s, PAGE_ABSENT)),
				    MIB(s->overhead),
				    MIB(atomic_load(&s->min)),
				    MIB(atomic_load(&s->max)),
				    V_UINT(atomic_load(&s->shares)),
				    V_UINT(atomic_load(&s->scan_rate)),
				    hand_of(s) });
}

static const char *memory_rows(void *owner, const char *arg, struct row_sink *k)
{
	struct mm_pool *p = owner;
	uint64_t size = 0, shared = 0, zeros = 0, save = 0, swapped = 0, ballooned = 0, overhead = 0;
	uint32_t used = atomic_load(&p->block->used), scan = atomic_load(&p->block->common.scan_rate);

	(void)arg;
	for (unsigned i = 0; i < MM_VMS; i++) {
		const struct mm_slot *s = view_vm(p, i);

		if (!s)
			continue;
		memory_row(p, i, k);
		size += s->configured;
		shared += count(s, PAGE_SHARED);
		zeros += atomic_load(&s->zeros);
		save += saved(p, i);
		swapped += count(s, PAGE_SWAPPED);
		ballooned += atomic_load(&s->ballooned);
		overhead += s->overhead;
	}
	k->row(k, (struct value[]){
		      V_STR("(pool)"), V_STR(mm_pool_state_name(atomic_load(&p->block->policy.state))),
		      MIB(p->limit),   V_NONE,
		      MIB(used),       MIB(used < p->limit ? p->limit - used : 0),
		      V_NONE,	       V_NONE,
		      V_NONE,	       MIB(shared),
		      MIB(zeros),      MIB(save),
		      MIB(swapped),    V_NONE,
		      MIB(ballooned),  V_NONE,
		      V_NONE,	       MIB(overhead),
		      V_NONE,	       MIB(size),
		      V_NONE,	       scan == UINT32_MAX ? V_NONE : V_UINT(scan),
		      V_NONE });
	return NULL;
}

static const struct view view_memory = {
	.name = "memory",
	.help = "machine memory: each VM's, and the pool's with its state",
	VIEW_COLS(memory_cols),
	.rows = memory_rows,
	.flags = VIEW_LIVE,
};

/* ---- parameters ---- */

struct param {
	const char *name;
	double value, usual; /* as it is; as it was when the pool was made */
	const char *unit, *help;
};
enum { PARAMS = 12 };
#define UNLIMITED(x) ((x) == UINT32_MAX ? -1 : (double)(x))

static void params_of(struct mm_pool *p, struct param out[PARAMS])
{
	const struct mm_policy_params *a = &mm_policy(p)->params;
	uint32_t all = atomic_load(&p->block->common.scan_rate);
	bool hosted = mm_policy_hosted(p);
	struct mm_policy usual = { 0 };
	const struct mm_policy_params *u = &usual.params;

	mm_policy_init(&usual, hosted);
#define BOTH(field, by) (double)atomic_load(&a->field) / (by), (double)atomic_load(&u->field) / (by)
	const struct param r[PARAMS] = {
		{ "tax", BOTH(tax, ALLOC_ONE), "", "on idle memory: memory tax" },
		{ "high", BOTH(threshold[POOL_HIGH], 100), "%",
		  "free memory that targets aim for, and more of which is state high: memory thresholds" },
		{ "soft", BOTH(threshold[POOL_SOFT], 100), "%", "less is state soft: balloons grow" },
		{ "hard", BOTH(threshold[POOL_HARD], 100), "%", "less is state hard: VMs swap" },
		{ "low", BOTH(threshold[POOL_LOW], 100), "%",
		  "less is state low: VMs above their target wait" },
		{ "hysteresis", BOTH(hysteresis, 100), "%",
		  "beyond the next threshold, before a better state" },
		{ "period", BOTH(period, 1000), "s",
		  "targets are computed at least as often: memory period" },
		{ "balloon_max", BOTH(balloon_max, 1), "%",
		  "of a VM's memory, in its balloon at most: memory balloon-max" },
		{ "frozen", BOTH(frozen, 1), "", "1: nothing changes: memory freeze" },
		{ "sample_pages", BOTH(sample_pages, 1), "pages", "in a sample: memory sample pages" },
		{ "sample_period", BOTH(sample_period, 1000), "s", "of VM time: memory sample period" },
		{ "scan_all", UNLIMITED(all), hosted ? MM_SCAN_RATE_ALL : -1, "pages/s",
		  "that all VMs may look at to share them: memory scan all; -1: any number" },
	};
#undef BOTH

	for (unsigned i = 0; i < PARAMS; i++)
		out[i] = r[i];
}

/* Those that differ from their defaults, in words. */
static void params_text(struct mm_pool *p, char *buf, size_t len)
{
	struct param r[PARAMS];
	size_t n = 0;

	params_of(p, r);
	for (unsigned i = 0; i < PARAMS && n < len; i++)
		if (r[i].value < r[i].usual || r[i].value > r[i].usual)
			n += (size_t)snprintf(buf + n, len - n, "%s%s %g (default %g)",
					      n ? ", " : "parameters: ", r[i].name, r[i].value, r[i].usual);
	if (!n)
		snprintf(buf, len, "parameters: all at their defaults (info memory-policy)");
}

/* ---- info alloc ---- */

static const struct view_col alloc_cols[] = {
	{ "name", "name", VAL_STR, "", "VM" },
	{ "s", "S", VAL_UINT, "", "its shares" },
	{ "p", "P", VAL_REAL, "MiB", "machine memory that it takes" },
	{ "f", "f", VAL_REAL, "", "active part of it" },
	{ "k", "k", VAL_REAL, "", "what an idle page costs: 1 / (1 - tax)" },
	{ "rho", "rho", VAL_REAL, "", "S / (P * (f + k * (1 - f))): shares paid for a MiB" },
	{ "min", "min", VAL_REAL, "MiB", "what is not revoked" },
	{ "target", "target", VAL_REAL, "MiB", "machine memory that it shall have" },
	{ "what", "what", VAL_STR, "",
	  "last rows: parameters that are not at their defaults; what was revoked, the latest last" },
};

/* Copy R if it is whole. */
static bool revocation(const struct mm_revocation *r, uint64_t number, char *text)
{
	if (atomic_load(&r->number) != number)
		return false;
	memcpy(text, r->text, MM_REVOCATION_TEXT);
	text[MM_REVOCATION_TEXT - 1] = 0;
	return atomic_load(&r->number) == number;
}

static void note_row(struct row_sink *k, const char *text)
{
	k->row(k, (struct value[]){ V_NONE, V_NONE, V_NONE, V_NONE, V_NONE, V_NONE, V_NONE, V_NONE,
				    V_STR(text) });
}

static const char *alloc_rows(void *owner, const char *arg, struct row_sink *k)
{
	struct mm_pool *p = owner;
	const struct mm_policy *y = &p->block->policy;
	uint64_t last = atomic_load(&y->revocations);
	uint32_t tax = atomic_load(&y->params.tax);
	char text[MM_REVOCATION_TEXT], params[500];
	struct vm_name name;

	(void)arg;
	tax = tax < ALLOC_TAX_MAX ? tax : ALLOC_TAX_MAX;
	for (unsigned i = 0; i < MM_VMS; i++) {
		const struct mm_slot *s = view_vm(p, i);
		struct alloc_vm v = { 0 };
		uint32_t own;
		uint64_t rho;

		if (!s)
			continue;
		own = mm_machine_pages(p, i);
		v.shares = atomic_load(&s->shares);
		v.active = mm_active(s);
		rho = alloc_rho(&v, own, tax);
		k->row(k, (struct value[]){ V_STR(view_vm_name(s, &name)), V_UINT(v.shares), MIB(own),
					    PART(v.active),
					    V_REAL((double)ALLOC_ONE / (double)(ALLOC_ONE - tax)),
					    rho == UINT64_MAX ? V_NONE : V_REAL((double)rho / 1000),
					    MIB(atomic_load(&s->min)), target_of(s), V_NONE });
	}
	params_text(p, params, sizeof(params));
	note_row(k, params);
	for (uint64_t n = last > MM_REVOCATIONS ? last - MM_REVOCATIONS + 1 : 1; n <= last; n++)
		if (revocation(&y->log[n % MM_REVOCATIONS], n, text))
			note_row(k, text);
	return NULL;
}

static const struct view view_alloc = {
	.name = "alloc",
	.help = "what memory is divided by: shares, active parts, prices; parameters; the last revocations",
	VIEW_COLS(alloc_cols),
	.rows = alloc_rows,
	.flags = VIEW_LIVE,
};

/* ---- info idle ---- */

static const struct view_col idle_cols[] = {
	{ "name", "name", VAL_STR, "", "VM" },
	{ "period", "period", VAL_UINT, "", "number of the period of sampling" },
	{ "time", "time", VAL_REAL, "s", "VM time at its end" },
	{ "sampled", "sampled", VAL_UINT, "pages", "pages chosen" },
	{ "touched", "touched", VAL_UINT, "pages", "of these, accessed in the period" },
	{ "slow", "slow", VAL_REAL, "", "slow average of the active part behind it" },
	{ "fast", "fast", VAL_REAL, "", "fast average" },
	{ "now", "now", VAL_REAL, "", "fast average with the period that runs (last row of a VM)" },
	{ "mappings", "mappings", VAL_UINT, "", "mappings taken from the pages" },
	{ "cycles", "cycles", VAL_UINT, "", "choosing the pages and taking their mappings" },
};

static void idle_of(const struct mm_slot *s, struct row_sink *k)
{
	uint64_t last = atomic_load(&s->periods);
	struct vm_name name;

	view_vm_name(s, &name);
	for (uint64_t i = last > MM_SAMPLES ? last - MM_SAMPLES : 0; i < last; i++) {
		const struct mm_sample *x = &s->sample[i % MM_SAMPLES];

		k->row(k, (struct value[]){
			      V_STR(name.text), V_UINT(i + 1), V_REAL((double)atomic_load(&x->vm_ns) / 1e9),
			      V_UINT(atomic_load(&x->sampled)), V_UINT(atomic_load(&x->touched)),
			      PART(atomic_load(&x->slow)), PART(atomic_load(&x->fast)),
			      i + 1 == last ? PART(atomic_load(&s->now)) : V_NONE,
			      V_UINT(atomic_load(&x->mappings)), V_UINT(atomic_load(&x->cycles)) });
	}
}

static const char *idle_rows(void *owner, const char *arg, struct row_sink *k)
{
	struct mm_pool *p = owner;
	struct vm_name name;
	bool found = !*arg;

	for (unsigned i = 0; i < MM_VMS; i++) {
		const struct mm_slot *s = view_vm(p, i);

		if (!s || (*arg && strcmp(view_vm_name(s, &name), arg)))
			continue;
		found = true;
		idle_of(s, k);
	}
	return found ? NULL : "no VM of that name";
}

static const struct view view_idle = {
	.name = "idle",
	.help = "samples of the memory in use, by period; with a name: of that VM",
	VIEW_COLS(idle_cols),
	.rows = idle_rows,
	.flags = VIEW_LIVE,
};

/* ---- info memory-policy ---- */

static const struct view_col policy_cols[] = {
	{ "name", "name", VAL_STR, "", "parameter or counter" },
	{ "value", "value", VAL_REAL, "", "its value" },
	{ "default", "default", VAL_REAL, "", "of a parameter" },
	{ "unit", "unit", VAL_STR, "", "of the value" },
	{ "help", "meaning", VAL_HELP, "", "one line" },
};

static const char *policy_rows(void *owner, const char *arg, struct row_sink *k)
{
	const struct mm_policy *y = mm_policy(owner);
	bool hosted = mm_policy_hosted(owner);
	const struct {
		const char *name;
		double value;
		const char *unit, *help;
	} r[] = {
		{ "vm_shares", MM_SHARES_PER_MIB, "per MiB", "that a VM begins with: --shares, memory set" },
		{ "vm_max", 100, "%", "of its memory: --max, memory set" },
		{ "vm_min", hosted && atomic_load(&y->params.swap) ? 25 : 100, "%",
		  "of its max, where there is a swap file 25: --min, memory set" },
		{ "vm_scan", hosted ? MM_SCAN_RATE : 0, "pages/s",
		  "that a VM begins with to look at: memory scan" },
		{ "swap", atomic_load(&y->params.swap) / 256.0, "MiB", "size of the host's swap file" },
		{ "soft_times", (double)atomic_load(&y->entered[POOL_SOFT]), "", "times it was entered" },
		{ "hard_times", (double)atomic_load(&y->entered[POOL_HARD]), "", "times it was entered" },
		{ "low_times", (double)atomic_load(&y->entered[POOL_LOW]), "", "times it was entered" },
		{ "runs", (double)atomic_load(&y->runs), "", "times that targets were computed" },
		{ "revocations", (double)atomic_load(&y->revocations), "",
		  "times that a target fell: info alloc" },
	};
	struct param x[PARAMS];

	(void)arg;
	params_of(owner, x);
	for (unsigned i = 0; i < PARAMS; i++)
		k->row(k, (struct value[]){ V_STR(x[i].name), V_REAL(x[i].value), V_REAL(x[i].usual),
					    V_STR(x[i].unit), V_STR(x[i].help) });
	for (unsigned i = 0; i < ARRAY_LEN(r); i++)
		k->row(k, (struct value[]){ V_STR(r[i].name), V_REAL(r[i].value), V_NONE, V_STR(r[i].unit),
					    V_STR(r[i].help) });
	return NULL;
}

static const struct view view_policy = {
	.name = "memory-policy",
	.help = "parameters of the memory policy, and what it did",
	VIEW_COLS(policy_cols),
	.rows = policy_rows,
	.flags = VIEW_LIVE,
};

const struct view *const mm_pool_views[] = { &view_memory, &view_alloc, &view_idle, &view_policy, NULL };
