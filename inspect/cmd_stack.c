/* SPDX-License-Identifier: GPL-3.0-or-later
 * The call stack by frame pointers, and backtrace. A frame is believed only while its
 * return address follows a call and frames go up the stack. */
#include "inspect/session_int.h"

#include <string.h>

enum { MAX_FRAMES = 256, FRAME_REACH = 1 << 20 /* greatest distance from one frame to the next */,
       GUESS_REACH = 2048, GUESS_MAX = 32 };

static bool read_word(struct inspect *s, uint32_t offset, uint32_t *val)
{
	*val = 0;
	return session_read(s, false, (uint32_t)session_cpu(s)->seg[SEG_SS].base + offset, val, 4) == 4;
}

/* Within the first two instructions of a function (push ebp; mov ebp, esp) the frame pointer is still
 * the caller's. True: the return address is at *AT. */
static bool before_frame(struct inspect *s, uint32_t *at)
{
	const struct symbol *sym = symbols_at(&s->symbols, session_pc(s));
	uint32_t sp = (uint32_t)session_cpu(s)->gpr[R_ESP];
	uint8_t head = 0, here = 0;

	session_read(s, false, session_pc(s), &here, 1);
	if (sym)
		session_read(s, false, sym->addr, &head, 1);
	*at = sp;
	if ((sym && sym->addr == session_pc(s)) || here == 0xc3 || here == 0xc2)
		return true;
	*at = sp + 4;
	return sym && head == 0x55 && session_pc(s) == sym->addr + 1;
}

unsigned stack_frames(struct inspect *s, struct frame *frames, unsigned max)
{
	const struct cpu *c = session_cpu(s);
	uint32_t ebp = (uint32_t)c->gpr[R_EBP], at, ret, next;
	unsigned n = 0;

	if (!max)
		return 0;
	frames[n++] = (struct frame){ (uint32_t)session_pc(s), ebp };
	if (session_code_bits(s) != 32)
		return n;
	if (n < max && before_frame(s, &at) && read_word(s, at, &ret) && examine_follows_call(s, ret))
		frames[n++] = (struct frame){ ret, ebp };
	while (n < max && ebp && !(ebp & 3) && read_word(s, ebp, &next) && read_word(s, ebp + 4, &ret) &&
	       examine_follows_call(s, ret)) {
		frames[n++] = (struct frame){ ret, next };
		if (next <= ebp || next - ebp > FRAME_REACH)
			break;
		ebp = next;
	}
	return n;
}

/* Code without frame pointers: every word up the stack that follows a call and lies in a known
 * function may be a return address. Adds to the N frames there are. */
static unsigned guess_frames(struct inspect *s, struct frame *frames, unsigned n, unsigned max)
{
	uint32_t at = (uint32_t)session_cpu(s)->gpr[R_ESP], end = at + GUESS_REACH, word;

	for (; n < max && at < end && read_word(s, at, &word); at += 4) {
		const struct symbol *sym = symbols_at(&s->symbols, word);

		if (word == frames[n - 1].pc)
			continue;
		if (sym && sym->code && (!sym->size || word - sym->addr <= sym->size) && examine_follows_call(s, word))
			frames[n++] = (struct frame){ word, at };
	}
	return n;
}

static const struct view_col frame_cols[] = {
	{ "frame", "Frame", VAL_UINT, "", "0 is where the guest is" },
	{ "pc", "PC", VAL_ADDR, "", "there; of callers, where they will go on" },
	{ "symbol", "Symbol", VAL_STR, "", "where that is" },
	{ "pointer", "Pointer", VAL_ADDR, "", "frame pointer; where a guess stands on the stack" },
	{ "guess", "Guess", VAL_BOOL, "", "not found by a frame pointer: a word on the stack that may be a return address" },
};

static int cmd_backtrace(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	struct frame frames[MAX_FRAMES];
	int64_t max = MAX_FRAMES;
	struct table *t;
	char sym[300];
	unsigned n, sure;

	if (a->argc && session_eval(s, a->rest, &max, r))
		return -1;
	if (max < 1)
		return result_fail(r, "backtrace: a count from 1 on must stand here");
	n = sure = stack_frames(s, frames, max > MAX_FRAMES ? MAX_FRAMES : (unsigned)max);
	if (n <= 2 && session_code_bits(s) == 32)
		n = guess_frames(s, frames, n, max > GUESS_MAX ? GUESS_MAX : (unsigned)max);
	t = result_table(r, frame_cols, ARRAY_LEN(frame_cols), TABLE_PLAIN, "#{frame} {pc} {symbol}");
	for (unsigned i = 0; i < n; i++) {
		if (i == sure)
			t = result_table(r, frame_cols, ARRAY_LEN(frame_cols), TABLE_PLAIN, "#{frame} {pc} {symbol} (guessed)");
		symbols_text(&s->symbols, frames[i].pc, sym, sizeof(sym));
		table_row(t, (struct value[]){ V_UINT(i), V_ADDR(frames[i].pc), V_STR(sym[0] ? sym : "??"),
					       V_ADDR(frames[i].frame), V_BOOL(i >= sure) });
	}
	return 0;
}

static const struct command commands[] = {
	{ "backtrace", "bt where", "[N]", "the call stack (N innermost frames), by frame pointers",
	  "Where there is no frame pointer, words on the stack that may be return addresses are shown as guesses. "
	  "Ends where a frame is not to be believed: no memory, no call before the return address, or not further up the "
	  "stack.",
	  cmd_backtrace, CMD_MACHINE | CMD_PAUSE, 0, -1, COMP_EXPR },
	{ "profile", NULL, "[SECONDS] [file PATH]", "let the guest run and sample where it is",
	  "Prints the symbols most often seen. With file: also every call stack, in the folded format that flame-graph "
	  "programs read. A guest that stood is stopped again afterwards.",
	  cmd_profile, CMD_MACHINE, 0, 3, COMP_FILE },
	{ 0 },
};

const struct command_group cmd_stack_group = { "stack", "Call stack and profile", commands };
