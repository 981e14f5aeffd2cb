/* SPDX-License-Identifier: GPL-3.0-or-later
 * Guest code changed in the translation only, and probes. What there is of them
 * is shown by the translator's own views (info patches, probes). */
#include "bt/bt.h"
#include "inspect/session_int.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

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
	const char *err;
	gva pc;

	if (session_address(s, a, 0, r, &pc))
		return -1;
	if (n <= 0)
		return result_fail(r, "patch-code: bytes are pairs of hex digits (at most 64), or nop, ret, int3, ud2");
	err = bt_patch_add(machine_vcpu(s->m), pc, code, (unsigned)n);
	return err ? result_fail(r, "patch-code: %s", err) : 0;
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
	const char *err;
	gva pc;

	if (session_address(s, a, 0, r, &pc))
		return -1;
	err = bt_probe_add(machine_vcpu(s->m), pc);
	return err ? result_fail(r, "probe: %s", err) : 0;
}

static int cmd_unprobe(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	gva pc;

	if (session_address(s, a, 0, r, &pc))
		return -1;
	if (!bt_probe_remove(machine_vcpu(s->m), pc))
		return result_fail(r, "unprobe: no probe there (info probes lists them)");
	return 0;
}

static const struct command commands[] = {
	{ "patch-code", NULL, "ADDRESS BYTES...", "change guest code in the translation only: the guest cannot see it",
	  "BYTES are pairs of hex digits, or nop, ret, int3, ud2. unpatch undoes it.", cmd_patch,
	  CMD_MACHINE | CMD_PAUSE, 2, -1, COMP_EXPR },
	{ "unpatch", NULL, "NUMBER", "undo a patch-code (info patches lists them)", NULL, cmd_unpatch,
	  CMD_MACHINE | CMD_PAUSE, 1, 1, COMP_NONE },
	{ "probe", NULL, "[ADDRESS]", "count how often the instruction at ADDRESS is reached (info probes)", NULL, cmd_probe,
	  CMD_MACHINE | CMD_PAUSE, 0, 1, COMP_EXPR },
	{ "unprobe", NULL, "[ADDRESS]", "take a probe out", NULL, cmd_unprobe, CMD_MACHINE | CMD_PAUSE, 0, 1, COMP_EXPR },
	{ 0 },
};

const struct command_group cmd_patch_group = { "patches", "Patches and probes", commands };
