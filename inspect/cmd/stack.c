/* SPDX-License-Identifier: GPL-3.0-or-later
 * The call stack, and backtrace. Each frame is unwound by the symbol file's call frame information,
 * which says where the caller's registers are, or else by frame pointers. The latter is accepted only
 * if the return address follows a call and frames go up the stack. */
#include "inspect/debuginfo/orc.h"
#include "inspect/examine_int.h"
#include "inspect/linux/modules.h"
#include "inspect/tables_int.h"

#include <string.h>

enum {
	MAX_FRAMES = 256,
	FRAME_REACH = 1 << 20 /* greatest distance from one frame to the next */,
	GUESS_REACH = 2048,
	GUESS_MAX = 32
};

/* Unwinding follows the width of the code at pc. 16-bit code is not unwound. */
static const struct cfi_arch *arch_here(struct inspect *s)
{
	return session_code_bits(s) == 64 ? &cfi_amd64 : &cfi_i386;
}

static bool read_stack(void *ctx, uint64_t offset, void *buf, unsigned n)
{
	struct inspect *s = ctx;

	return session_read(s, false, session_linear(s, session_segment(s, SEG_SS) + offset), buf, n) == n;
}

static bool read_word(struct inspect *s, uint64_t offset, uint64_t *val)
{
	*val = 0;
	return read_stack(s, offset, val, arch_here(s)->word);
}

/* Is pc in the first two instructions of a function (push ebp; mov ebp, esp), where the frame pointer is
 * still the caller's? Then the return address is at *AT. */
static bool before_frame(struct inspect *s, uint64_t *at)
{
	const struct symbol *sym = symbols_at(&s->symbols, session_pc(s));
	uint64_t sp = session_sp(s);
	uint8_t head = 0, here = 0;

	session_read(s, false, session_pc(s), &here, 1);
	if (sym)
		session_read(s, false, sym->addr, &head, 1);
	*at = sp;
	if ((sym && sym->addr == session_pc(s)) || here == 0xc3 || here == 0xc2)
		return true;
	*at = sp + arch_here(s)->word;
	return sym && head == 0x55 && session_pc(s) == sym->addr + 1;
}

/* The state of unwinding. */
struct cursor {
	struct cfi_regs regs;
	struct orc orc; /* COUNT 0: none */
	struct {
		struct orc orc;
		uint64_t base, size; /* of the code that it is for */
	} module;
	bool exact; /* pc is an instruction that was or will be executed, not a return address */
	bool first; /* the innermost frame */
};

/* The kernel's ORC tables, by the symbols of their ends. */
static void find_orc(struct inspect *s, struct orc *o)
{
	static const char *const names[] = { "__start_orc_unwind_ip", "__stop_orc_unwind_ip",
					     "__start_orc_unwind" };
	const struct cfi_memory mem = { s, read_stack };
	uint64_t at[ARRAY_LEN(names)];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct symbol *sym = symbols_find(&s->symbols, names[i]);

		if (!sym)
			return;
		at[i] = sym->addr;
	}
	if (!orc_open(o, at[0], at[1], at[2], symbols_find(&s->symbols, "__start_orc_header"), &mem))
		o->count = 0;
}

static struct cursor cursor_here(struct inspect *s)
{
	const struct cfi_arch *arch = arch_here(s);
	const struct cpu *c = session_cpu(s);
	struct cursor cur = { .regs.arch = arch, .exact = true, .first = true };

	for (unsigned i = 0; i < arch->pc; i++)
		cur.regs.val[i] =
		    arch->word == 8 ? c->gpr[arch->general[i]] : (uint32_t)c->gpr[arch->general[i]];
	cur.regs.val[arch->pc] = session_pc(s);
	cur.regs.known = (2u << arch->pc) - 1;
	if (arch == &cfi_amd64)
		find_orc(s, &cur.orc);
	return cur;
}

/* Without tables only the frame pointer is known in the next frame, if it is one (BP_GOOD). */
static void step_to(struct cursor *cur, uint64_t pc, uint64_t sp, uint64_t bp, bool bp_good)
{
	const struct cfi_arch *arch = cur->regs.arch;

	cur->regs.val[arch->pc] = pc;
	cur->regs.val[arch->sp] = sp;
	cur->regs.val[arch->bp] = bp;
	cur->regs.known = 1u << arch->pc | 1u << arch->sp | (unsigned)bp_good << arch->bp;
	cur->exact = false;
}

struct module_search {
	struct lx *k;
	struct cursor *cur;
	uint64_t pc;
};

static void look_at_module(void *ctx, const struct lx_module *m)
{
	struct module_search *q = ctx;
	uint64_t ips, entries;
	uint32_t count;

	if (q->pc - m->base >= m->size || !lx_get32(q->k, m->addr, LX_MODULE_ORCS, &count) ||
	    !lx_get(q->k, m->addr, LX_MODULE_ORC_IPS, &ips) ||
	    !lx_get(q->k, m->addr, LX_MODULE_ORC, &entries))
		return;
	q->cur->module.orc = orc_of_module(&q->cur->orc, ips, entries, count);
	q->cur->module.base = m->base;
	q->cur->module.size = m->size;
}

/* The tables of the kernel, or of its module that has PC. */
static const struct orc *orc_for(struct inspect *s, struct cursor *cur, uint64_t pc)
{
	const struct symbol *text = symbols_find(&s->symbols, "_stext"),
			    *end = symbols_find(&s->symbols, "_einittext");
	struct module_search q = { .cur = cur, .pc = pc };
	const char *why;

	if (!cur->orc.count || pc < 1ull << 63)
		return NULL;
	if (!text || !end || (pc >= text->addr && pc < end->addr))
		return &cur->orc;
	if (pc - cur->module.base >= cur->module.size && (q.k = kernel_of(s, &why)))
		lx_modules_each(q.k, look_at_module, &q);
	return pc - cur->module.base < cur->module.size ? &cur->module.orc : NULL;
}

/* By tables: those of the kernel for itself, which know its entry code, before those of symbol files. */
static enum cfi_step table_next(struct inspect *s, struct cursor *cur, struct frame *f)
{
	const struct cfi_arch *arch = cur->regs.arch;
	struct cfi_memory mem = { s, read_stack };
	uint64_t sp = cur->regs.val[arch->sp];
	const struct orc *orc = orc_for(s, cur, cur->regs.val[arch->pc]);
	enum cfi_step did = orc ? orc_step(orc, &cur->regs, cur->exact, &mem) : CFI_NONE;
	enum frame_by by = FRAME_ORC;

	if (did == CFI_NONE) {
		did = cfi_step(s->symbols.cfi, &cur->regs, cur->exact, &mem);
		if (did == CFI_NONE) {
			struct symbols *program = kernel_program(s, cur->regs.val[arch->pc]);

			did = cfi_step(program ? program->cfi : NULL, &cur->regs, cur->exact, &mem);
		}
		by = FRAME_CFI;
	}
	if (did == CFI_NONE || did == CFI_END)
		return did;
	/* Frames must go up the stack; the kernel has several. */
	if (did == CFI_STEP &&
	    (by == FRAME_CFI ? cur->regs.val[arch->sp] <= sp : cur->regs.val[arch->sp] == sp))
		return CFI_END;
	cur->exact = did == CFI_TRAP;
	*f = (struct frame){ cur->regs.val[arch->pc], cur->regs.val[arch->sp], by };
	return did;
}

/* Unwind a function that has not set up its frame: the return address is on top of the stack. */
static bool top_next(struct inspect *s, struct cursor *cur, struct frame *f)
{
	const struct cfi_arch *arch = cur->regs.arch;
	uint64_t at, ret;

	if (!before_frame(s, &at) || !read_word(s, at, &ret) || !examine_follows_call(s, ret))
		return false;
	*f = (struct frame){ ret, cur->regs.val[arch->bp], FRAME_TOP };
	step_to(cur, ret, at + arch->word, cur->regs.val[arch->bp], true);
	return true;
}

static bool pointer_next(struct inspect *s, struct cursor *cur, struct frame *f)
{
	const struct cfi_arch *arch = cur->regs.arch;
	uint64_t bp = cur->regs.val[arch->bp], next, ret;

	if (!(cur->regs.known >> arch->bp & 1) || !bp || bp % arch->word || !read_word(s, bp, &next) ||
	    !read_word(s, bp + arch->word, &ret) || !examine_follows_call(s, ret))
		return false;
	*f = (struct frame){ ret, next, FRAME_POINTER };
	step_to(cur, ret, bp + 2 * arch->word, next, next > bp && next - bp <= FRAME_REACH);
	return true;
}

static bool frame_next(struct inspect *s, struct cursor *cur, struct frame *f)
{
	bool first = cur->first;

	cur->first = false;
	switch (table_next(s, cur, f)) {
	case CFI_STEP:
	case CFI_TRAP:
		return true;
	case CFI_END:
		return false;
	default:
		return (first && top_next(s, cur, f)) || pointer_next(s, cur, f);
	}
}

unsigned stack_frames(struct inspect *s, struct frame *frames, unsigned max)
{
	struct cursor cur = cursor_here(s);
	unsigned n = 0;

	if (!max)
		return 0;
	frames[n++] =
	    (struct frame){ cur.regs.val[cur.regs.arch->pc], cur.regs.val[cur.regs.arch->bp], FRAME_PC };
	if (session_code_bits(s) == 16)
		return n;
	while (n < max && frame_next(s, &cur, &frames[n]))
		n++;
	return n;
}

bool stack_return(struct inspect *s, uint64_t *addr, uint64_t *stack)
{
	struct cursor cur = cursor_here(s);
	struct frame f;

	if (session_code_bits(s) == 16 || table_next(s, &cur, &f) != CFI_STEP)
		return false;
	*addr = f.pc;
	*stack = f.frame;
	return true;
}

/* Guess frames of code without frame pointers: any word on the stack that follows a call in a known
 * function may be a return address. Adds to the N frames found; returns the new number. */
static unsigned guess_frames(struct inspect *s, struct frame *frames, unsigned n, unsigned max)
{
	unsigned size = arch_here(s)->word;
	uint64_t at = session_sp(s), end = at + GUESS_REACH / 4 * size, word;

	for (; n < max && at < end && read_word(s, at, &word); at += size) {
		const struct symbol *sym = symbols_at(&s->symbols, word);

		if (word == frames[n - 1].pc)
			continue;
		if (sym && sym->code && (!sym->size || word - sym->addr <= sym->size) &&
		    examine_follows_call(s, word))
			frames[n++] = (struct frame){ word, at, FRAME_GUESS };
	}
	return n;
}

static const struct view_col frame_cols[] = {
	{ "frame", "Frame", VAL_UINT, "", "0 is the innermost" },
	{ "pc", "PC", VAL_ADDR, "", "the next instruction; of callers, the return address" },
	{ "symbol", "Symbol", VAL_SYMBOL, "", "where that is" },
	{ "pointer", "Pointer", VAL_ADDR, "",
	  "frame pointer; with cfi and orc, the stack pointer; of a guess, its address on the stack" },
	{ "guess", "Guess", VAL_BOOL, "", "a word on the stack that may be a return address" },
	{ "how", "How", VAL_STR, "",
	  "how the frame was found: pc, cfi (tables of the symbol file), orc (of the kernel), frame pointer, stack top, guess" },
	{ "source", "Source", VAL_STR, "", "file and line, if line tables know them" },
};
RECORD_DOC(frame_record, "backtrace", frame_cols);

static const char *const frame_texts[FRAME_WAYS] = {
	[FRAME_PC] = "pc",	   [FRAME_CFI] = "cfi",
	[FRAME_ORC] = "orc",	   [FRAME_POINTER] = "frame pointer",
	[FRAME_TOP] = "stack top", [FRAME_GUESS] = "guess"
};

/* [a caller][the source line is known] */
static const char *const frame_formats[2][2] = {
	{ "#{frame} {pc} {symbol}", "#{frame} {pc} {symbol} {source}" },
	{ "#{frame} {pc} {symbol} ({how})", "#{frame} {pc} {symbol} {source} ({how})" },
};

static void frame_row(struct inspect *s, const struct frame *f, unsigned i, struct result *r)
{
	/* A return address may be the first of the next line: the call is in front of it. */
	struct source_line l;
	bool sourced = session_source(s, f->pc - (i && f->by != FRAME_PC), &l);
	struct table *t =
	    result_table(r, frame_cols, ARRAY_LEN(frame_cols), TABLE_PLAIN, frame_formats[i != 0][sourced]);
	char sym[300], source[300];

	if (sourced)
		snprintf(source, sizeof(source), "%s:%d", l.file, l.line);
	kernel_place(s, f->pc, sym, sizeof(sym));
	table_row(t, (struct value[]){ V_UINT(i), V_ADDR(f->pc), V_STR(sym[0] ? sym : "??"), V_ADDR(f->frame),
				       V_BOOL(f->by == FRAME_GUESS), V_STR(frame_texts[f->by]),
				       sourced ? V_STR(source) : V_NONE });
}

/* All frames, with guesses where there is nothing better. */
static unsigned all_frames(struct inspect *s, struct frame *frames, unsigned max)
{
	unsigned n = stack_frames(s, frames, max);

	if (n <= 2 && session_code_bits(s) != 16 && frames[n - 1].by != FRAME_CFI &&
	    frames[n - 1].by != FRAME_ORC)
		n = guess_frames(s, frames, n, max > GUESS_MAX ? GUESS_MAX : max);
	return n;
}

static int cmd_backtrace(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	struct frame frames[MAX_FRAMES];
	int64_t max = MAX_FRAMES;
	unsigned n;

	if (a->argc && session_eval(s, a->rest, &max, r))
		return -1;
	if (max < 1)
		return result_fail(r, "backtrace: expected a count of at least 1");
	n = all_frames(s, frames, max > MAX_FRAMES ? MAX_FRAMES : (unsigned)max);
	for (unsigned i = 0; i < n; i++)
		frame_row(s, &frames[i], i, r);
	return 0;
}

/* Select frame TO, which x then shows, and say which it is. */
static int select_frame(struct inspect *s, const struct cmd_args *a, int64_t to, struct result *r)
{
	struct frame frames[MAX_FRAMES];
	unsigned n = all_frames(s, frames, MAX_FRAMES);

	if (to < 0 || to >= n)
		return result_fail(r, "%s: there is no such frame (0 to %u)", a->name, n - 1);
	s->frame.number = (unsigned)to;
	s->frame.generation = s->generation;
	s->examine.next = frames[to].pc;
	session_variable(s, "frame", true)->val = frames[to].frame;
	frame_row(s, &frames[to], (unsigned)to, r);
	return 0;
}

/* frame [N], up [N], down [N] */
static int cmd_frame(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	bool move = strcmp(a->name, "frame") != 0;
	int64_t at = s->frame.generation == s->generation ? s->frame.number : 0, n = move ? 1 : at;

	if (a->argc && session_eval(s, a->rest, &n, r))
		return -1;
	if (n < 0 || n > MAX_FRAMES)
		return result_fail(r, "%s: there is no such frame", a->name);
	return select_frame(s, a, !move ? n : a->name[0] == 'u' ? at + n : at - n, r);
}

static const struct command commands[] = {
	{ "backtrace", "bt where", "[N]", "show the call stack (N innermost frames)",
	  "Frames are unwound by a 64-bit Linux kernel's own tables in memory (ORC), the symbol file's call frame information (.debug_frame, .eh_frame), or else by frame "
	  "pointers; each frame says how it was found. Without either, words on the stack that may be return addresses "
	  "are shown as guesses. The list ends at an implausible frame: unreadable, without a call before the return "
	  "address, or not further up the stack.",
	  cmd_backtrace, CMD_MACHINE | CMD_PAUSE, 0, -1, COMP_EXPR },
	{ "frame", NULL, "[N]", "select frame N of the call stack, or show which is selected",
	  "0 is the innermost. x without an address then begins at the frame's pc, and $frame is its pointer, as "
	  "backtrace -j shows it. The selection lasts until the guest runs.",
	  cmd_frame, CMD_MACHINE | CMD_PAUSE, 0, -1, COMP_EXPR },
	{ "up", NULL, "[N]", "select the caller's frame, or that of the Nth caller", NULL, cmd_frame,
	  CMD_MACHINE | CMD_PAUSE, 0, -1, COMP_EXPR },
	{ "down", NULL, "[N]", "select the callee's frame", NULL, cmd_frame, CMD_MACHINE | CMD_PAUSE, 0, -1,
	  COMP_EXPR },
	{ "profile", NULL, "[SECONDS] [file PATH]", "run the guest and sample its call stack",
	  "Shows the functions most often seen. With file, writes all call stacks to PATH in the folded format of "
	  "flame-graph programs; stacks of a Linux guest begin with the name of the task. A guest that was stopped is stopped again afterwards.",
	  cmd_profile, CMD_MACHINE | CMD_WAITS | CMD_FILES_BY_WORD, 0, 3, "file file" },
	{ 0 },
};

const struct command_group cmd_stack_group = { "stack", "Call stack and profile", commands };
