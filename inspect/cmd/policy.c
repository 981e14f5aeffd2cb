/* SPDX-License-Identifier: GPL-3.0-or-later
 * memory: the parameters by which machine memory is divided (mm/policy.h), of the pool and of its VMs. In a
 * VM's session a command concerns that VM; in a host's it names one. */
#include "base/size.h"
#include "inspect/tables_int.h"
#include "mm/policy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ONE = 1 << 16, MIB_PAGES = 256, PAGES_MAX = 1 << 20 };

/* ---- numbers ---- */

static bool real(const char *text, double least, double most, double *x)
{
	char *end;

	*x = strtod(text, &end);
	return *text && !*end && *x >= least && *x <= most;
}

static bool pages(const char *text, uint32_t *n)
{
	uint64_t bytes;

	if (!size_parse(text, &bytes) || bytes >> PAGE_SHIFT > PAGES_MAX)
		return false;
	*n = (uint32_t)((bytes + PAGE_MASK) >> PAGE_SHIFT);
	return true;
}

/* ---- which VM ---- */

static bool is_called(const struct mm_slot *s, const char *name)
{
	char number[24];

	snprintf(number, sizeof(number), "VM %u", s->id);
	return !strncmp(s->name, name, MM_NAME) || (!s->name[0] && !strcmp(number, name));
}

/* The slot that the command is for, and in *AT the first argument behind its name. NULL, with the error in R.
 */
static struct mm_slot *slot_for(struct inspect *s, const struct cmd_args *a, int values, int *at,
				struct result *r)
{
	bool named = a->argc > *at + values;
	const char *name = named ? a->argv[*at] : NULL;
	struct mm_slot *own = s->m ? mm_slot(machine_vm(s->m)) : NULL;

	*at += named;
	if (!named && !own)
		result_fail(r, "memory %s: name a VM (info memory)", a->argv[0]);
	if (!named || (own && is_called(own, name)))
		return own;
	for (unsigned i = 0; !s->m && i < MM_VMS; i++) {
		struct mm_slot *slot = mm_pool_slot(s->pool, i);

		if (atomic_load(&slot->state) != SLOT_FREE && is_called(slot, name))
			return slot;
	}
	result_fail(r,
		    s->m ? "memory %s: this session's VM is not %s; its host has the others"
			 : "memory %s: no VM %s (info memory)",
		    a->argv[0], name);
	return NULL;
}

static void changed(struct inspect *s)
{
	mm_policy_changed(s->pool);
	if (s->m)
		machine_memory_changed(s->m);
}

/* ---- of a VM ---- */

/* set [VM] min|max|shares VALUE */
static int set(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	int at = 1;
	struct mm_slot *slot = slot_for(s, a, 2, &at, r);
	uint32_t n = 0, other;
	const char *what;
	double x;

	if (!slot)
		return -1;
	if (a->argc != at + 2)
		return result_fail(r, "memory set: expected [VM] min|max|shares VALUE");
	what = a->argv[at];
	if (!strcmp(what, "shares")) {
		if (!real(a->argv[at + 1], 0, 1e9, &x) || x != floor(x))
			return result_fail(r, "memory set: '%s' is no number of shares", a->argv[at + 1]);
		atomic_store(&slot->shares, (uint32_t)x);
	} else if (strcmp(what, "min") && strcmp(what, "max")) {
		return result_fail(r, "memory set: expected min, max or shares, not '%s'", what);
	} else if (!pages(a->argv[at + 1], &n)) {
		return result_fail(r, "memory set: '%s' is no size", a->argv[at + 1]);
	} else {
		other = atomic_load(what[1] == 'i' ? &slot->max : &slot->min);
		if (what[1] == 'i' ? n > other : n < other || n > slot->configured)
			return result_fail(r, "memory set: min must not exceed max, nor max the VM's %u MiB",
					   slot->configured / MIB_PAGES);
		atomic_store(what[1] == 'i' ? &slot->min : &slot->max, n);
	}
	changed(s);
	return 0;
}

/* target|swap-target [VM] SIZE|auto */
static int by_hand(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	bool target = !strcmp(a->argv[0], "target");
	int at = 1;
	struct mm_slot *slot = slot_for(s, a, 1, &at, r);
	uint32_t n, bit = target ? HAND_TARGET : HAND_SWAP;
	bool automatic;

	if (!slot)
		return -1;
	if (a->argc != at + 1)
		return result_fail(r, "memory %s: expected [VM] SIZE|auto", a->argv[0]);
	automatic = !strcmp(a->argv[at], "auto");
	if (!automatic && !pages(a->argv[at], &n))
		return result_fail(r, "memory %s: '%s' is no size", a->argv[0], a->argv[at]);
	if (automatic && target)
		atomic_fetch_and(&slot->hand, ~bit);
	else
		atomic_fetch_or(&slot->hand, bit);
	if (!automatic)
		atomic_store(target ? &slot->target : &slot->swap_target, n);
	else if (!target) {
		atomic_store(&slot->swap_target, UINT32_MAX);
		atomic_fetch_and(&slot->hand, ~bit);
	}
	changed(s);
	return 0;
}

/* scan [VM|all] RATE */
static int scan(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	bool all = a->argc == 3 && !strcmp(a->argv[1], "all");
	int at = 1 + all;
	struct mm_slot *slot = all ? NULL : slot_for(s, a, 1, &at, r);
	double x;

	if (!all && !slot)
		return -1;
	if (a->argc != at + 1 || !real(a->argv[at], 0, 1e9, &x) || x != floor(x))
		return result_fail(r, "memory scan: expected [VM|all] and pages a second");
	atomic_store(all ? &mm_common(s->pool)->scan_rate : &slot->scan_rate, (uint32_t)x);
	changed(s);
	return 0;
}

/* ---- of the pool ---- */

static int tax(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	double x;

	if (a->argc != 2 || !real(a->argv[1], 0, 1, &x) || x >= 1)
		return result_fail(r, "memory tax: expected a part from 0 to below 1, such as 0.75");
	atomic_store(&mm_policy(s->pool)->params.tax, (uint32_t)(x * ONE));
	changed(s);
	return 0;
}

static int sample(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	struct mm_policy_params *p = &mm_policy(s->pool)->params;
	double x;

	if (a->argc == 3 && !strcmp(a->argv[1], "pages") && real(a->argv[2], 0, 1000, &x) && x == floor(x))
		atomic_store(&p->sample_pages, (uint32_t)x);
	else if (a->argc == 3 && !strcmp(a->argv[1], "period") && real(a->argv[2], 0.1, 86400, &x))
		atomic_store(&p->sample_period, (uint32_t)(x * 1000));
	else
		return result_fail(
		    r, "memory sample: expected pages N (0 to 1000), or period SECONDS (0.1 to 86400)");
	changed(s);
	return 0;
}

static int thresholds(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	struct mm_policy_params *p = &mm_policy(s->pool)->params;
	double x[POOL_STATES + 1], above = 100;
	int n = a->argc - 1;

	for (int i = 0; i < n && i <= POOL_STATES; i++) {
		if (!real(a->argv[1 + i], 0, i < POOL_STATES ? above : 100, &x[i]))
			n = 0;
		else
			above = x[i];
	}
	if (n != POOL_STATES && n != POOL_STATES + 1)
		return result_fail(r,
				   "memory thresholds: expected four percentages that fall, for high, soft, "
				   "hard and low, and that of the hysteresis, such as 6 4 2 1 0.25");
	for (int i = 0; i < POOL_STATES; i++)
		atomic_store(&p->threshold[i], (uint32_t)(x[i] * 100 + 0.5));
	if (n > POOL_STATES)
		atomic_store(&p->hysteresis, (uint32_t)(x[POOL_STATES] * 100 + 0.5));
	changed(s);
	return 0;
}

static int freeze(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	bool on = a->argc == 2 && !strcmp(a->argv[1], "on");

	if (!on && (a->argc != 2 || strcmp(a->argv[1], "off")))
		return result_fail(r, "memory freeze: expected on or off");
	atomic_store(&mm_policy(s->pool)->params.frozen, on);
	changed(s);
	return 0;
}

static int period(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	double x;

	if (a->argc != 2 || !real(a->argv[1], 0.1, 86400, &x))
		return result_fail(r, "memory period: expected seconds, from 0.1 to 86400");
	atomic_store(&mm_policy(s->pool)->params.period, (uint32_t)(x * 1000));
	changed(s);
	return 0;
}

static int balloon_max(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	double x;

	if (a->argc != 2 || !real(a->argv[1], 0, 100, &x) || x != floor(x))
		return result_fail(r, "memory balloon-max: expected a percentage");
	atomic_store(&mm_policy(s->pool)->params.balloon_max, (uint32_t)x);
	changed(s);
	return 0;
}

static int cmd_memory(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	static const struct {
		const char *word;
		int (*run)(struct inspect *s, const struct cmd_args *a, struct result *r);
	} words[] = { { "set", set },
		      { "target", by_hand },
		      { "swap-target", by_hand },
		      { "scan", scan },
		      { "tax", tax },
		      { "sample", sample },
		      { "thresholds", thresholds },
		      { "freeze", freeze },
		      { "period", period },
		      { "balloon-max", balloon_max } };

	if (!s->pool)
		return result_fail(r, "memory: there is no machine memory without a guest or a host");
	if (!a->argc)
		return view_show(s, "memory-policy", a, 0, r);
	for (unsigned i = 0; i < ARRAY_LEN(words); i++)
		if (!strcmp(a->argv[0], words[i].word))
			return words[i].run(s, a, r);
	return result_fail(
	    r,
	    "memory: expected set, target, swap-target, scan, tax, sample, thresholds, freeze, period or "
	    "balloon-max, not '%s'",
	    a->argv[0]);
}

static const struct command commands[] = {
	{ "memory", NULL,
	  "[set [VM] min|max|shares VALUE | target|swap-target [VM] SIZE|auto | scan [VM|all] RATE | tax PART | sample pages|period N | "
	  "thresholds HIGH SOFT HARD LOW [HYSTERESIS] | freeze on|off | period SECONDS | balloon-max PERCENT]",
	  "set parameters by which machine memory is divided; without arguments, show them",
	  "set: machine memory guaranteed to a VM, its most, its shares; without VM, those of the session's. target: the machine "
	  "memory that the VM shall have, instead of what the policy finds; swap-target: the memory beyond which it swaps. scan: pages that the VM, or all of them together, may "
	  "look at a second to share them (0: none). tax: the part "
	  "of idle memory that may be taken from a VM for others. sample: the pages whose use is watched in a period (0: none), its "
	  "length in seconds of VM time. thresholds: percentages of machine memory that must be free, for the states high, soft (balloons "
	  "grow), hard (VMs swap) and low (VMs wait). freeze: nothing changes any more. period: targets are computed at least as often. "
	  "balloon-max: of a VM's memory. info memory, info alloc and info idle show what comes of it.",
	  cmd_memory, CMD_PAUSE, 0, 6,
	  "set|target|swap-target|scan|tax|sample|thresholds|freeze|period|balloon-max "
	  "min|max|shares|all|pages|period|on|off|auto min|max|shares" },
	{ 0 },
};

const struct command_group cmd_policy_group = { "division", "Dividing memory", commands };
