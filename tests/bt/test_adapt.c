/* SPDX-License-Identifier: GPL-3.0-or-later
 * Adaptation's decisions: thresholds, forgiveness, promotion, demotion, exclusion. Single steps with the
 * numbers of the table, and random events on a few sites against a model that is written down from
 * docs/architecture.md. Time is what the test says it is. */
#include "bt/adapt/adapt.h"
#include "bt/bt.h"
#include "bt/cache/cache.h"
#include "mm/mmu.h"
#include "tests/bt/rig.h"
#include "tests/suite.h"

#include <string.h>

enum { SITES = 4, COST = 1000 };
#define SITE_PC(s) (0x1002u + 0x100u * (s))

static struct rig rig;
static struct bt_vcpu *b;
static uint64_t now;

static void setup(void)
{
	rig_seed(1);
	rig_init(&rig, 16 << 20); /* no test fills it */
	b = rig.b;
	now = 1ull << 40;
}

static void teardown(void)
{
	rig_fini(&rig);
}

/* ---- fragments ---- */

/* A fragment of two instructions that starts at PC, translated now. */
static struct ccf *make_in(uint32_t mode, uint32_t pc, bool pinned)
{
	static uint16_t ioff[4] = { 0, 8, 0, 2 };
	const struct ccf key = { .pc = pc,
				 .eip = pc,
				 .mode = mode,
				 .page = pc >> PAGE_SHIFT,
				 .page2 = UINT32_MAX,
				 .ninsn = 2,
				 .glen = 4,
				 .ioff = ioff,
				 .made = now,
				 .pinned = pinned };
	struct ccf *f = rig_insert(&rig, &key, 64);

	ck_assert_ptr_nonnull(f);
	return f;
}

static struct ccf *make(uint32_t pc, bool pinned)
{
	return make_in(MODE_PE | MODE_D, pc, pinned);
}

static void trap(struct ccf *f, unsigned i, enum cause c, bool may)
{
	b->adapt.charge.start = now;
	adapt_trap(b, f, i, c, may);
	adapt_settled(b, now + COST);
}

static const struct adapt_entry *last_entry(void)
{
	return &b->adapt.log[(b->adapt.nlog - 1) % MAX_ADAPT_LOG];
}

static void logged(enum adapt_what what, enum cause c, uint32_t pc)
{
	ck_assert_uint_ge(b->adapt.nlog, 1);
	ck_assert_int_eq(last_entry()->what, what);
	ck_assert_int_eq(last_entry()->cause, c);
	ck_assert_uint_eq(last_entry()->pc, pc);
}

/* Promote the first instruction of a new fragment at PC for C; returns its next translation. */
static struct ccf *promoted(uint32_t pc, enum cause c)
{
	struct ccf *f = make(pc, false);

	for (unsigned n = 0; !f->dead && n < UINT16_MAX; n++)
		trap(f, 0, c, true);
	ck_assert(guilty_of(verdict_find(b, pc), c));
	return make(pc, false);
}

/* ---- single steps ---- */

START_TEST(threshold_promotes)
{
	enum cause c = (enum cause)_i;
	struct ccf *f = make(SITE_PC(0), false);

	for (unsigned n = 1; n < cause_infos[c].threshold; n++)
		trap(f, 0, c, true);
	ck_assert(!guilty_of(verdict_find(b, f->pc), c));
	ck_assert(!f->dead);
	ck_assert_uint_eq(b->adapt.nlog, 0);
	trap(f, 0, c, true);
	ck_assert(guilty_of(verdict_find(b, f->pc), c));
	ck_assert(f->dead);
	logged(ADAPT_PROMOTED, c, f->pc);
	ck_assert_uint_eq(last_entry()->before, COST + b->adapt.cost.signal);
	ck_assert_uint_eq(b->adapt.causes[c].promotions, 1);
	ck_assert_uint_eq(b->adapt.causes[c].trap.n, cause_infos[c].threshold);
	for (unsigned o = 0; o < SITE_CAUSES; o++)
		ck_assert(o == c || !guilty_of(verdict_find(b, f->pc), (enum cause)o));
}
END_TEST

START_TEST(a_form_that_cannot_be_replaced_stays)
{
	struct ccf *f = make(SITE_PC(0), false), *p = make(SITE_PC(1), true);

	for (unsigned n = 0; n < 50; n++) {
		trap(f, 0, CAUSE_MISS, false);
		trap(p, 0, CAUSE_MISS, true);
	}
	ck_assert(!f->dead && !p->dead);
	ck_assert_uint_eq(b->adapt.nlog, 0);
	ck_assert_uint_eq(b->adapt.causes[CAUSE_MISS].trap.n, 100);
}
END_TEST

START_TEST(a_span_forgives_one_trap)
{
	struct ccf *f = make(SITE_PC(0), false);
	uint64_t span = cause_infos[CAUSE_MISS].span;

	for (unsigned n = 0; n < 100; n++, now += span)
		trap(f, 0, CAUSE_MISS, true);
	ck_assert_uint_eq(verdict_find(b, f->pc)->count[CAUSE_MISS], 1);
	now += 10 * span;
	for (unsigned n = 0; n < 3; n++)
		trap(f, 0, CAUSE_MISS, true);
	now += 2 * span + span / 2;
	trap(f, 0, CAUSE_MISS, true); /* 3 less 2, and this one */
	ck_assert_uint_eq(verdict_find(b, f->pc)->count[CAUSE_MISS], 2);
	ck_assert(!f->dead);
	now += span - 1;
	trap(f, 0, CAUSE_MISS, true);
	trap(f, 0, CAUSE_MISS, true);
	ck_assert(f->dead);
}
END_TEST

START_TEST(calm_demotes)
{
	struct ccf *f = promoted(SITE_PC(0), CAUSE_MISS);
	struct verdict *v = verdict_find(b, f->pc);
	uint64_t calm = cause_infos[CAUSE_MISS].calm;

	ck_assert_uint_eq(v->last, now);
	adapt_calm(b, f, now + calm - 1);
	ck_assert(guilty_of(v, CAUSE_MISS));
	adapt_after(b, v, f, CAUSE_MISS, 300); /* a use of the replacement */
	ck_assert_uint_ne(v->last, now);
	ck_assert_uint_eq(cost_mean(&v->after[CAUSE_MISS]), 300);
	adapt_calm(b, f, v->last + calm - 1);
	ck_assert(guilty_of(v, CAUSE_MISS) && !f->dead);
	adapt_calm(b, f, v->last + calm);
	ck_assert(!guilty_of(v, CAUSE_MISS) && f->dead);
	logged(ADAPT_DEMOTED, CAUSE_MISS, f->pc);
	ck_assert_uint_eq(b->adapt.causes[CAUSE_MISS].demotions, 1);
}
END_TEST

/* A site that misses without end, but seldom, is demoted where two interruptions in a row found its
 * fragment; one that misses often stays, and so does one in a fragment that is not hot. */
START_TEST(a_hot_site_that_misses_seldom_is_demoted)
{
	const uint64_t calm = cause_infos[CAUSE_MISS].calm, signal = 4000, often = calm / (signal * SELDOM);
	struct ccf *other = make(SITE_PC(1), false), *f = promoted(SITE_PC(0), CAUSE_MISS);
	struct verdict *v = verdict_find(b, f->pc);

	b->adapt.cost.signal = signal;
	f->prechecks = true;
	/* often: twice the limit in each half of a calm time */
	for (unsigned round = 0; round < 6; round++) {
		for (unsigned n = 0; n < often; n++)
			adapt_after(b, v, f, CAUSE_MISS, 300);
		v->last = now += calm / 2;
		adapt_polled(b, f, now);
		ck_assert(guilty_of(v, CAUSE_MISS));
	}
	/* seldom, but the fragment is not hot */
	v->review = now;
	v->review_n = v->after[CAUSE_MISS].n;
	for (unsigned round = 0; round < 6; round++) {
		adapt_after(b, v, f, CAUSE_MISS, 300);
		v->last = now += calm / 4;
		adapt_polled(b, f, now);
		adapt_polled(b, other, now);
		ck_assert(guilty_of(v, CAUSE_MISS) && !f->dead);
	}
	/* seldom, and hot */
	v->review = now;
	v->review_n = v->after[CAUSE_MISS].n;
	adapt_after(b, v, f, CAUSE_MISS, 300);
	v->last = now;
	adapt_polled(b, f, now);
	adapt_polled(b, f, now + calm / 2 - 1);
	ck_assert(guilty_of(v, CAUSE_MISS));
	adapt_polled(b, f, now + calm / 2);
	ck_assert(!guilty_of(v, CAUSE_MISS) && f->dead);
	ck_assert_uint_eq(v->relapses, 1);
	logged(ADAPT_DEMOTED, CAUSE_MISS, f->pc);
}
END_TEST

/* A site that uses soft pages has no callouts: the pages that became soft say what it would fault on. */
START_TEST(a_site_that_uses_soft_pages)
{
	const uint64_t calm = cause_infos[CAUSE_MISS].calm, signal = 4000;
	struct ccf *f = promoted(SITE_PC(0), CAUSE_MISS);
	struct verdict *v = verdict_find(b, f->pc);
	struct mmu_stats *st = (struct mmu_stats *)(uintptr_t)mmu_stats(b->v.mmu);

	b->adapt.cost.signal = signal;
	f->prechecks = true;
	for (unsigned round = 0; round < 6; round++) {
		b->soft_used[soft_use(v->pc)] = 1;
		st->softs += calm / signal;
		now += calm + 1;
		adapt_polled(b, f, now);
		ck_assert(guilty_of(v, CAUSE_MISS) && !f->dead);
		ck_assert_uint_eq(b->soft_used[soft_use(v->pc)], 0); /* reviewed */
	}
	/* none any more: the loop is to use mappings */
	b->soft_used[soft_use(v->pc)] = 1;
	now += calm + 1;
	adapt_polled(b, f, now);
	ck_assert(!guilty_of(v, CAUSE_MISS) && f->dead);
}
END_TEST

START_TEST(each_relapse_doubles_the_threshold)
{
	const struct cause_info *k = &cause_infos[CAUSE_MISS];

	for (unsigned round = 0; round <= RELAPSES_MAX + 2; round++) {
		unsigned times = round < RELAPSES_MAX ? round : RELAPSES_MAX, n = 0;
		struct ccf *f = make(SITE_PC(0), false);

		while (!f->dead && n < 1000) {
			trap(f, 0, CAUSE_MISS, true);
			n++;
		}
		ck_assert_uint_eq(n, (unsigned)k->threshold << times);
		f = make(SITE_PC(0), false);
		now += k->calm;
		adapt_calm(b, f, now);
		ck_assert(f->dead);
	}
}
END_TEST

START_TEST(divide_is_calm_by_its_callouts)
{
	struct ccf *f = promoted(SITE_PC(0), CAUSE_DIVIDE);
	struct verdict *v = verdict_find(b, f->pc);
	uint64_t calm = cause_infos[CAUSE_DIVIDE].calm;

	adapt_calm_since(b, f, v, CAUSE_DIVIDE, v->last + calm - 1);
	ck_assert(guilty_of(v, CAUSE_DIVIDE));
	adapt_calm_since(b, f, v, CAUSE_DIVIDE, v->last + calm);
	ck_assert(!guilty_of(v, CAUSE_DIVIDE) && f->dead);
	adapt_calm_since(b, f, v, CAUSE_DIVIDE, v->last + 2 * calm);
	ck_assert_uint_eq(b->adapt.causes[CAUSE_DIVIDE].demotions, 1);
}
END_TEST

START_TEST(failures_exclude_for_good)
{
	struct ccf *f = promoted(SITE_PC(0), CAUSE_USER_PAGE), *older;
	struct verdict *v = verdict_find(b, f->pc);

	older = make(SITE_PC(0) - 2, false);
	b->adapt.charge.start = ++now;
	for (unsigned n = 0; n < MAX_FAILURES; n++)
		adapt_failed(b, f, 0, CAUSE_USER_PAGE);
	ck_assert(guilty_of(v, CAUSE_USER_PAGE) && !f->dead);
	adapt_failed(b, f, 0, CAUSE_USER_PAGE);
	ck_assert(!older->dead);
	adapt_failed(b, older, 1, CAUSE_USER_PAGE);
	ck_assert(older->dead);
	ck_assert(!guilty_of(v, CAUSE_USER_PAGE) && f->dead);
	logged(ADAPT_EXCLUDED, CAUSE_USER_PAGE, f->pc);
	f = make(SITE_PC(0), false);
	for (unsigned n = 0; n < 100; n++)
		trap(f, 0, CAUSE_USER_PAGE, true);
	ck_assert(!guilty_of(v, CAUSE_USER_PAGE) && !f->dead);
	for (unsigned n = 0; n < cause_infos[CAUSE_MISS].threshold; n++) /* of this cause alone */
		trap(f, 0, CAUSE_MISS, true);
	ck_assert(guilty_of(v, CAUSE_MISS));
}
END_TEST

START_TEST(ram_in_a_row_demotes_a_device_site)
{
	struct ccf *f = promoted(SITE_PC(0), CAUSE_DEVICE);
	struct verdict *v = verdict_find(b, f->pc);

	for (unsigned n = 0; n < 10 * RAM_DEMOTIONS; n++)
		adapt_device(b, f, v, n % RAM_DEMOTIONS != 0);
	ck_assert(guilty_of(v, CAUSE_DEVICE) && !f->dead);
	adapt_device(b, f, v, true);
	ck_assert(!guilty_of(v, CAUSE_DEVICE) && f->dead);
	logged(ADAPT_DEMOTED, CAUSE_DEVICE, f->pc);
}
END_TEST

/* An address may have several fragments; only the one that trapped is dropped at once. */
START_TEST(an_older_fragment_goes_when_it_traps)
{
	struct ccf *older = make(SITE_PC(0) - 2, false), *f = make(SITE_PC(0), false);

	now++;
	for (unsigned n = 0; n < cause_infos[CAUSE_DEVICE].threshold; n++)
		trap(f, 0, CAUSE_DEVICE, true);
	ck_assert(f->dead && !older->dead);
	f = make(SITE_PC(0), false);
	trap(f, 0, CAUSE_DEVICE, true);
	ck_assert(!f->dead);
	trap(older, 1, CAUSE_DEVICE, true);
	ck_assert(older->dead);
	ck_assert_uint_eq(b->adapt.causes[CAUSE_DEVICE].promotions, 1);
}
END_TEST

/* 64-bit user code: four instructions of a block decide for all of it, fragments made before go as they trap,
 * and later ones stay. Kernel code, code of other widths and other blocks are decided on one by one. */
START_TEST(a_block_of_low_code_is_decided_at_once)
{
	enum { USER = MODE_PE | MODE_LONG | MODE_CPL };
	struct ccf *older = make_in(USER, 0x420000, false), *f;

	now++;
	for (unsigned n = 0; n < 4; n++) {
		ck_assert(!adapt_is_low(b, 0x42fff0));
		f = make_in(USER, 0x420100 + 16 * n, false);
		now++;
		trap(f, 0, CAUSE_USER_PAGE, true);
		ck_assert(f->dead);
	}
	ck_assert(adapt_is_low(b, 0x42fff0) && !adapt_is_low(b, 0x430000) && !adapt_is_low(b, 0x10420000));
	ck_assert_uint_eq(b->adapt.causes[CAUSE_USER_PAGE].promotions, 3);
	trap(older, 0, CAUSE_USER_PAGE, true);
	ck_assert(older->dead);
	ck_assert_ptr_null(verdict_find(b, older->pc));
	now++;
	f = make_in(USER, 0x420000, false);
	trap(f, 1, CAUSE_USER_PAGE, false);
	ck_assert(!f->dead);
	for (unsigned n = 0; n < 8; n++) {
		trap(make_in(MODE_PE | MODE_LONG, 0x500000 + 16 * n, false), 0, CAUSE_USER_PAGE, true);
		trap(make_in(MODE_PE | MODE_D | MODE_CPL, 0x500008 + 16 * n, false), 0, CAUSE_USER_PAGE,
		     true);
	}
	ck_assert(!adapt_is_low(b, 0x500000));
	ck_assert_ptr_null(bt_adaptation.set(&b->v, "off", "user-page", ""));
	ck_assert(!adapt_is_low(b, 0x42fff0));
}
END_TEST

START_TEST(a_full_table_forgets_only_suspects)
{
	static uint32_t kept[2 * VERDICTS];
	unsigned n = 0;

	for (uint32_t pc = 0x400000; pc < 0x400000 + 2 * VERDICTS; pc++) {
		struct verdict *v = verdict_make(b, pc);

		ck_assert_ptr_nonnull(v);
		ck_assert_ptr_eq(verdict_find(b, pc), v);
		ck_assert_ptr_eq(verdict_make(b, pc), v);
	}
	for (unsigned i = 0; i < VERDICTS; i++)
		if (b->adapt.verdicts[i].pc) {
			b->adapt.verdicts[i].guilty = 1;
			kept[n++] = b->adapt.verdicts[i].pc;
		}
	ck_assert_uint_gt(n, VERDICTS / 2);
	for (uint32_t pc = 0x800000; pc < 0x800000 + 2 * VERDICTS; pc++) {
		struct verdict *v = verdict_make(b, pc);

		ck_assert(!v || v->pc == pc);
		if (v)
			v->excluded = 1;
	}
	for (unsigned i = 0; i < n; i++)
		ck_assert(verdict_find(b, kept[i]) && verdict_find(b, kept[i])->guilty);
	ck_assert_ptr_null(verdict_make(b, 0));
}
END_TEST

/* ---- the user's side ---- */

START_TEST(off_demotes_and_on_begins_anew)
{
	struct ccf *f = promoted(SITE_PC(0), CAUSE_MISS);

	promoted(SITE_PC(1), CAUSE_DEVICE);
	ck_assert_ptr_null(bt_adaptation.set(&b->v, "off", "window-miss", ""));
	logged(ADAPT_OFF, CAUSE_MISS, 0);
	ck_assert_uint_eq(last_entry()->before, 1);
	ck_assert(!guilty_of(verdict_find(b, f->pc), CAUSE_MISS));
	ck_assert(guilty_of(verdict_find(b, SITE_PC(1)), CAUSE_DEVICE));
	for (unsigned n = 0; n < 50; n++)
		trap(f, 0, CAUSE_MISS, true);
	ck_assert(!f->dead);
	ck_assert_ptr_null(bt_adaptation.set(&b->v, "on", "", ""));
	logged(ADAPT_ON, CAUSE_MISS, 0);
	for (unsigned n = 1; n < cause_infos[CAUSE_MISS].threshold; n++)
		trap(f, 0, CAUSE_MISS, true);
	ck_assert(!f->dead);
	trap(f, 0, CAUSE_MISS, true);
	ck_assert(f->dead);
}
END_TEST

static const struct {
	const char *what, *cause, *value;
	bool good;
} settings[] = {
	{ "threshold", "divide", "1", true },
	{ "threshold", "divide", "65535", true },
	{ "threshold", "divide", "0", false },
	{ "threshold", "divide", "65536", false },
	{ "threshold", "divide", "", false },
	{ "threshold", "divide", "5x", false },
	{ "threshold", "divide", "-1", false },
	{ "span", "divide", "0", true },
	{ "span", "all", "123456789012", true },
	{ "calm", "divide", "99999999999999999999999", false },
	{ "calm", "divide", " 5", false },
	{ "calm", "code-write", "5", true },
	{ "threshold", "no-such-cause", "1", false },
	{ "other", "divide", "1", false },
};

START_TEST(settings_are_checked)
{
	const char *err = bt_adaptation.set(&b->v, settings[_i].what, settings[_i].cause, settings[_i].value);

	ck_assert_msg(!err == settings[_i].good, "%s", err ? err : "accepted");
	if (err)
		for (unsigned c = 0; c < CAUSES; c++) {
			ck_assert_uint_eq(b->adapt.causes[c].threshold, cause_infos[c].threshold);
			ck_assert_uint_eq(b->adapt.causes[c].span, cause_infos[c].span);
			ck_assert_uint_eq(b->adapt.causes[c].calm, cause_infos[c].calm);
		}
}
END_TEST

START_TEST(a_setting_counts_and_default_undoes_it)
{
	struct ccf *f = make(SITE_PC(0), false);

	ck_assert_ptr_null(bt_adaptation.set(&b->v, "threshold", "window-miss", "2"));
	trap(f, 0, CAUSE_MISS, true);
	ck_assert(!f->dead);
	trap(f, 0, CAUSE_MISS, true);
	ck_assert(f->dead);
	ck_assert_ptr_null(bt_adaptation.set(&b->v, "default", "", ""));
	for (unsigned c = 0; c < CAUSES; c++)
		ck_assert_uint_eq(b->adapt.causes[c].threshold, cause_infos[c].threshold);
}
END_TEST

/* ---- pages ---- */

START_TEST(a_page_is_promoted_and_traced_again)
{
	const struct cause_info *k = &cause_infos[CAUSE_CODE];
	struct page_info *pi = &b->tc.pages[3];
	struct ccf *f = make(3 << PAGE_SHIFT, false);

	adapt_code_written(b, 3);
	ck_assert(f->dead);
	for (unsigned n = 2; n < k->threshold; n++)
		adapt_code_written(b, 3);
	ck_assert(!pi->mixed);
	adapt_code_written(b, 3);
	ck_assert(pi->mixed);
	logged(ADAPT_PROMOTED, CAUSE_CODE, 3 << PAGE_SHIFT);
	ck_assert_uint_eq(b->tc.nmixed, 1);
	adapt_demote_pages(b, pi->calm_since + k->calm - 1);
	ck_assert(pi->mixed);
	f = make(3 << PAGE_SHIFT, false);
	adapt_demote_pages(b, pi->calm_since + k->calm);
	ck_assert(!pi->mixed && f->dead);
	ck_assert_uint_eq(b->tc.nmixed, 0);
	logged(ADAPT_DEMOTED, CAUSE_CODE, 3 << PAGE_SHIFT);
	for (unsigned n = k->threshold / 2 + 1; n < k->threshold; n++)
		adapt_code_written(b, 3);
	ck_assert(!pi->mixed);
	adapt_code_written(b, 3); /* half of the threshold was enough */
	ck_assert(pi->mixed);
}
END_TEST

/* ---- against a model ---- */

struct model {
	uint64_t last, decided, since[SITE_CAUSES];
	unsigned count[SITE_CAUSES], failures, relapses;
	bool guilty[SITE_CAUSES], excluded[SITE_CAUSES];
};
static struct model models[SITES];
static struct ccf *frags[SITES][2]; /* one ends with the site, one starts with it */
static unsigned promotions[SITE_CAUSES], demotions[SITE_CAUSES];

static bool model_trap(struct model *m, const struct ccf *f, enum cause c)
{
	const struct cause_info *k = &cause_infos[c];
	uint64_t forgiven = k->span ? (now - m->since[c]) / k->span : 0;
	unsigned limit = k->threshold;

	if (f->pinned || m->excluded[c])
		return false;
	if (m->guilty[c])
		return f->made < m->decided;
	m->count[c] = (forgiven < m->count[c] ? m->count[c] - (unsigned)forgiven : 0) + 1;
	m->since[c] = now;
	for (unsigned r = 0; c == CAUSE_MISS && r < m->relapses; r++)
		limit *= 2;
	if (m->count[c] < limit)
		return false;
	m->count[c] = 0;
	m->guilty[c] = true;
	m->last = m->decided = now;
	promotions[c]++;
	return true;
}

static bool model_demote(struct model *m, enum cause c)
{
	m->guilty[c] = false;
	m->decided = now;
	demotions[c]++;
	return true;
}

static bool model_failed(struct model *m, const struct ccf *f)
{
	if (m->excluded[CAUSE_USER_PAGE])
		return !f->pinned && f->made < m->decided;
	if (!m->guilty[CAUSE_USER_PAGE] || f->pinned || ++m->failures <= MAX_FAILURES)
		return false;
	m->decided = now;
	m->failures = 0;
	m->excluded[CAUSE_USER_PAGE] = true;
	m->guilty[CAUSE_USER_PAGE] = false;
	demotions[CAUSE_USER_PAGE]++;
	return true;
}

static bool model_device(struct model *m, const struct ccf *f, bool ram)
{
	m->failures = !ram ? 0 : m->failures < RAM_DEMOTIONS ? m->failures + 1 : RAM_DEMOTIONS;
	if (m->failures < RAM_DEMOTIONS || f->pinned)
		return false;
	m->failures = 0;
	return model_demote(m, CAUSE_DEVICE);
}

static bool model_calm(struct model *m, const struct ccf *f, enum cause c)
{
	if (f->pinned || !m->guilty[c] || now - m->last < cause_infos[c].calm)
		return false;
	if (c == CAUSE_MISS && m->relapses < RELAPSES_MAX)
		m->relapses++;
	return model_demote(m, c);
}

/* One random event at site S through fragment F; returns whether the model expects F dropped. */
static bool event(unsigned s, struct ccf *f, unsigned at)
{
	struct verdict *v = verdict_find(b, SITE_PC(s));
	struct model *m = &models[s];
	bool ram = rig_random(40) != 0;
	enum cause c;

	switch (rig_random(8)) {
	case 0:
		b->adapt.charge.start = now;
		adapt_failed(b, f, at, CAUSE_USER_PAGE);
		return model_failed(m, f);
	case 1:
		if (!m->guilty[CAUSE_DEVICE])
			return false;
		adapt_device(b, f, v, ram);
		if (!model_device(m, f, ram))
			return false;
		m->decided = v->decided; /* the host's time: this one does not take the caller's */
		return true;
	case 2:
		adapt_calm(b, f, now);
		return model_calm(m, f, CAUSE_MISS);
	case 3:
		adapt_calm_since(b, f, v, CAUSE_DIVIDE, now);
		return model_calm(m, f, CAUSE_DIVIDE);
	default:
		c = (enum cause)rig_random(SITE_CAUSES);
		trap(f, at, c, true);
		return model_trap(m, f, c);
	}
}

static void agree(unsigned s)
{
	const struct verdict *v = verdict_find(b, SITE_PC(s));
	const struct model *m = &models[s];

	for (unsigned c = 0; c < SITE_CAUSES; c++) {
		ck_assert_int_eq(guilty_of(v, (enum cause)c), m->guilty[c]);
		ck_assert_int_eq(v && v->excluded >> c & 1, m->excluded[c]);
		ck_assert_uint_eq(v ? v->count[c] : 0, m->count[c]);
		ck_assert_uint_eq(b->adapt.causes[c].promotions, promotions[c]);
		ck_assert_uint_eq(b->adapt.causes[c].demotions, demotions[c]);
	}
	ck_assert_uint_eq(v ? v->relapses : 0, m->relapses);
	ck_assert_uint_eq(v ? v->failures : 0, m->failures);
}

START_TEST(random_events_agree_with_the_model)
{
	enum { STEPS = 60000 };
	unsigned drops = 0;

	rig_seed((uint64_t)_i + 1);
	memset(models, 0, sizeof(models));
	memset(promotions, 0, sizeof(promotions));
	memset(demotions, 0, sizeof(demotions));
	memset(frags, 0, sizeof(frags));
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned s = rig_random(SITES), at = rig_random(2);
		struct ccf **f = &frags[s][at];
		bool dropped;

		now += rig_random(30) ? rig_random(1000000) : rig_random(4) * 40000000ull;
		if (!*f || (*f)->dead)
			*f = make(SITE_PC(s) - (at ? 2 : 0), rig_random(16) == 0);
		dropped = event(s, *f, at);
		drops += dropped;
		ck_assert_msg((*f)->dead == dropped, "step %u: site %u", step, s);
		if ((*f)->pinned && !rig_random(20))
			cache_drop(b, *f, DROP_PIN, 0);
		agree(s);
	}
	ck_assert_uint_gt(drops, 100);
	for (unsigned c = 0; c < SITE_CAUSES; c++)
		ck_assert_uint_gt(promotions[c], 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("adaptation");
	TCase *steps = tcase_create("steps"), *model = tcase_create("model");

	tcase_add_checked_fixture(steps, setup, teardown);
	tcase_add_loop_test(steps, threshold_promotes, 0, SITE_CAUSES);
	tcase_add_test(steps, a_form_that_cannot_be_replaced_stays);
	tcase_add_test(steps, a_span_forgives_one_trap);
	tcase_add_test(steps, calm_demotes);
	tcase_add_test(steps, a_site_that_uses_soft_pages);
	tcase_add_test(steps, a_hot_site_that_misses_seldom_is_demoted);
	tcase_add_test(steps, each_relapse_doubles_the_threshold);
	tcase_add_test(steps, divide_is_calm_by_its_callouts);
	tcase_add_test(steps, failures_exclude_for_good);
	tcase_add_test(steps, ram_in_a_row_demotes_a_device_site);
	tcase_add_test(steps, an_older_fragment_goes_when_it_traps);
	tcase_add_test(steps, a_block_of_low_code_is_decided_at_once);
	tcase_add_test(steps, a_full_table_forgets_only_suspects);
	tcase_add_test(steps, off_demotes_and_on_begins_anew);
	tcase_add_loop_test(steps, settings_are_checked, 0, (int)ARRAY_LEN(settings));
	tcase_add_test(steps, a_setting_counts_and_default_undoes_it);
	tcase_add_test(steps, a_page_is_promoted_and_traced_again);
	suite_add_tcase(s, steps);
	tcase_add_checked_fixture(model, setup, teardown);
	tcase_add_loop_test(model, random_events_agree_with_the_model, 0, 4);
	tcase_set_timeout(model, 60);
	suite_add_tcase(s, model);
	return suite_run(s);
}
