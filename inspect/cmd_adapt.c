/* SPDX-License-Identifier: GPL-3.0-or-later
 * Steering the translation: ways of running sensitive instructions, adaptation,
 * patches that the guest cannot see, probes, counters. What was chosen is shown by
 * the translator's own views (info policy, sites, adapt, patches, probes). */
#include "bt/bt.h"
#include "inspect/session_int.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static int answer(struct result *r, const struct cmd_args *a, const char *err)
{
	return err ? result_fail(r, "%s: %s", a->name, err) : 0;
}

/* The address in argument I, which stands for pc when it is missing. */
static int address(struct inspect *s, const struct cmd_args *a, int i, struct result *r, gva *out)
{
	int64_t v = (int64_t)session_pc(s);

	if (i < a->argc && session_eval(s, a->argv[i], &v, r))
		return -1;
	*out = (gva)v;
	return 0;
}

static int cmd_policy(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	return answer(r, a, bt_policy_set(machine_vcpu(s->m), a->argv[0], a->argv[1]));
}

static int cmd_site(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	gva pc;

	if (address(s, a, 0, r, &pc))
		return -1;
	return answer(r, a, bt_site_set(machine_vcpu(s->m), pc, a->argv[1]));
}

static int cmd_adapt(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	return answer(r, a, bt_adapt_set(machine_vcpu(s->m), a->argv[0], a->argc > 1 ? a->argv[1] : ""));
}

static int hex_digit(int c)
{
	return isdigit(c) ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : -1;
}

/* "90 90 c3" or "9090c3"; and the words nop, ret, ud2, int3 for their bytes. */
static int parse_code(const struct cmd_args *a, uint8_t *out, unsigned max)
{
	static const struct { const char *word; uint8_t n, bytes[2]; } words[] = {
		{ "nop", 1, { 0x90 } }, { "ret", 1, { 0xc3 } }, { "int3", 1, { 0xcc } }, { "ud2", 2, { 0x0f, 0x0b } },
	};
	unsigned n = 0;

	for (int i = 1; i < a->argc; i++) {
		const char *p = a->argv[i];
		bool word = false;

		for (unsigned w = 0; w < ARRAY_LEN(words); w++)
			if (!strcmp(p, words[w].word) && n + words[w].n <= max) {
				memcpy(out + n, words[w].bytes, words[w].n);
				n += words[w].n;
				word = true;
			}
		if (word)
			continue;
		if (p[0] == '0' && p[1] == 'x')
			p += 2;
		for (; p[0]; p += 2) {
			if (hex_digit(p[0]) < 0 || hex_digit(p[1]) < 0 || n == max)
				return -1;
			out[n++] = (uint8_t)(hex_digit(p[0]) << 4 | hex_digit(p[1]));
		}
	}
	return (int)n;
}

static int cmd_patch(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	uint8_t code[64];
	int n = parse_code(a, code, sizeof(code));
	gva pc;

	if (address(s, a, 0, r, &pc))
		return -1;
	if (n <= 0)
		return result_fail(r, "patch-code: bytes are pairs of hex digits (at most 64), or nop, ret, int3, ud2");
	return answer(r, a, bt_patch_add(machine_vcpu(s->m), pc, code, (unsigned)n));
}

static int cmd_unpatch(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	unsigned n = (unsigned)strtoul(a->argv[0], NULL, 0);

	if (!bt_patch_remove(machine_vcpu(s->m), n))
		return result_fail(r, "unpatch: no patch %u (info patches lists them)", n);
	return 0;
}

static int cmd_probe(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	gva pc;

	if (address(s, a, 0, r, &pc))
		return -1;
	return answer(r, a, bt_probe_add(machine_vcpu(s->m), pc));
}

static int cmd_unprobe(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	gva pc;

	if (address(s, a, 0, r, &pc))
		return -1;
	if (!bt_probe_remove(machine_vcpu(s->m), pc))
		return result_fail(r, "unprobe: no probe there (info probes lists them)");
	return 0;
}

static int cmd_count(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	bool on = !strcmp(a->argv[0], "on");

	if (!on && strcmp(a->argv[0], "off"))
		return result_fail(r, "count takes on or off");
	bt_count_entries(machine_vcpu(s->m), on);
	return 0;
}

static int cmd_discard(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	bool all = a->argc && !strcmp(a->argv[0], "all");
	gva pc = 0;

	if (!all && address(s, a, 0, r, &pc))
		return -1;
	result_text(r, "%u fragments discarded", bt_discard(machine_vcpu(s->m), pc, all));
	return 0;
}

static const struct command commands[] = {
	{ "policy", NULL, "KIND WAY", "choose how a kind of sensitive instruction runs: trap, callout, in-tc, default",
	  "KIND is a name of info policy, or all. Trap: the translation faults and the monitor emulates. Callout: it "
	  "calls the monitor. In-tc: a few inline instructions on the virtual processor's state.",
	  cmd_policy, CMD_MACHINE | CMD_PAUSE, 2, 2, COMP_NONE },
	{ "site", NULL, "ADDRESS WAY", "choose the way of the one instruction at ADDRESS (info sites shows them)", NULL,
	  cmd_site, CMD_MACHINE | CMD_PAUSE, 2, 2, COMP_EXPR },
	{ "adapt", NULL, "on|off|threshold N", "adaptive translation (info adapt is its log)",
	  "Threshold: window misses of an instruction, in quick succession, that convict it.", cmd_adapt,
	  CMD_MACHINE | CMD_PAUSE, 1, 2, COMP_NONE },
	{ "patch-code", NULL, "ADDRESS BYTES...", "change guest code in the translation only: the guest cannot see it",
	  "BYTES are pairs of hex digits, or nop, ret, int3, ud2. unpatch undoes it.", cmd_patch,
	  CMD_MACHINE | CMD_PAUSE, 2, -1, COMP_EXPR },
	{ "unpatch", NULL, "NUMBER", "undo a patch-code (info patches lists them)", NULL, cmd_unpatch,
	  CMD_MACHINE | CMD_PAUSE, 1, 1, COMP_NONE },
	{ "probe", NULL, "[ADDRESS]", "count how often the instruction at ADDRESS is reached (info probes)", NULL, cmd_probe,
	  CMD_MACHINE | CMD_PAUSE, 0, 1, COMP_EXPR },
	{ "unprobe", NULL, "[ADDRESS]", "take a probe out", NULL, cmd_unprobe, CMD_MACHINE | CMD_PAUSE, 0, 1, COMP_EXPR },
	{ "count", NULL, "on|off", "count entries of every fragment (column entries of info ccf)", NULL, cmd_count,
	  CMD_MACHINE | CMD_PAUSE, 1, 1, COMP_NONE },
	{ "discard", NULL, "[ADDRESS|all]", "drop the fragments that cover ADDRESS or pc; they are translated anew", NULL,
	  cmd_discard, CMD_MACHINE | CMD_PAUSE, 0, 1, COMP_EXPR },
	{ 0 },
};

const struct command_group cmd_adapt_group = { "adaptation", "Steering the translation", commands };
