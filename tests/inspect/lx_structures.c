/* SPDX-License-Identifier: GPL-3.0-or-later
 * Members are in the order of the kernel's headers, but elsewhere. */
#include "tests/inspect/lx_structures.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* In words. */
enum {
	T_STATE = 3,
	T_STACK = 4,
	T_TASKS = 40,
	T_MM = 46,
	T_EXIT = 50,
	T_PID = 56,
	T_PARENT = 60,
	T_CHILDREN = 62,
	T_SIBLING = 64,
	T_LEADER = 66,
	T_GROUP = 80,
	T_COMM = 120,
	MM_AT_PGD = 9,
	MM_AT_CODE = 20,
};
/* In the image. */
enum {
	AT_TASKS = IMAGE_FREE,
	TASK_BYTES = 0x1000,
	AT_MM = IMAGE_FREE + 0x10000,
	AT_PGD = IMAGE_FREE + 0x11000,
	AT_PERCPU = IMAGE_FREE + 0x12000,
	AT_ARGS = IMAGE_FREE + 0x13000,
	AT_LOG = IMAGE_FREE + 0x14000,
	AT_MAPLE = IMAGE_FREE + 0x15000,
	AT_MODULES = IMAGE_FREE + 0x20000,
	MODULE_BYTES = 0x2000,
	AT_HEAD = IMAGE_FREE + 0x2f000,
	AT_STACKS = IMAGE_FREE + 0x80000,
	NOTES_PA = 0x40000,
	USER_BASE = 0x08000000,
};

static uint64_t va(const struct image *im, unsigned at)
{
	return im->start + at;
}

static uint64_t task_va(const struct image *im, unsigned i)
{
	return va(im, AT_TASKS + i * TASK_BYTES);
}

static void set(struct image *im, uint64_t base, unsigned word, uint64_t v)
{
	image_word(im, base + word * im->width, v);
}

static void set32(struct image *im, uint64_t base, unsigned word, unsigned plus, uint32_t v)
{
	image_u32(im, base + word * im->width + plus, v);
}

/* Make a ring of the N list_heads at AT. */
static void ring(struct image *im, const uint64_t *at, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		image_word(im, at[i], at[(i + 1) % n]);
		image_word(im, at[i] + im->width, at[(i + n - 1) % n]);
	}
}

static const struct {
	const char *name;
	unsigned pid, parent; /* PARENT: which of these */
	bool user;
} tasks[] = { { "swapper/0", 0, 0, false },   { "init", 1, 0, true },
	      { "kthreadd", 2, 0, false },    { "rcu_gp", 3, 2, false },
	      { "kworker/0:1", 5, 2, false }, { "kswapd0", 9, 2, false },
	      { "writeback", 11, 2, false },  { "program", IMAGE_USER, 1, true } };
enum { LEADERS = ARRAY_LEN(tasks) };

static void put_task(struct image *im, unsigned i)
{
	uint64_t t = task_va(im, i), self = t + T_CHILDREN * im->width;

	set32(im, t, T_STATE, 0, tasks[i].pid > 2 && !tasks[i].user ? 0x402 : tasks[i].pid != 0);
	set(im, t, T_STACK, va(im, AT_STACKS + i * 0x4000));
	set(im, t, T_MM, tasks[i].user ? va(im, AT_MM) : 0);
	set(im, t, T_MM + 1, tasks[i].user ? va(im, AT_MM) : 0);
	set32(im, t, T_EXIT, 8, tasks[i].pid ? 17 : 0);
	set32(im, t, T_PID, 0, tasks[i].pid);
	set32(im, t, T_PID, 4, tasks[i].pid);
	set(im, t, T_PARENT, task_va(im, tasks[i].parent));
	set(im, t, T_PARENT + 1, task_va(im, tasks[i].parent));
	ring(im, &self, 1);
	set(im, t, T_LEADER, t);
	strcpy((char *)image_at(im, t + T_COMM * im->width), tasks[i].name);
}

/* The ring of those with parent P, which begins in the parent with another member. */
static void put_children(struct image *im, unsigned p)
{
	uint64_t at[LEADERS] = { task_va(im, p) + T_CHILDREN * im->width };
	unsigned n = 1;

	for (unsigned i = 1; i < LEADERS; i++)
		if (tasks[i].parent == p)
			at[n++] = task_va(im, i) + T_SIBLING * im->width;
	ring(im, at, n);
}

/* "program" has another thread. */
static void put_thread(struct image *im)
{
	uint64_t t = task_va(im, LEADERS), leader = task_va(im, LEADERS - 1);
	uint64_t at[2] = { leader + T_GROUP * im->width, t + T_GROUP * im->width };

	memcpy(image_at(im, t), image_at(im, leader), TASK_BYTES);
	set32(im, t, T_PID, 0, IMAGE_USER + 1);
	set(im, t, T_LEADER, leader);
	ring(im, at, 2);
}

static void put_mm(struct image *im)
{
	static const char args[] = "program\0-x";
	uint64_t mm = va(im, AT_MM), arg = USER_BASE + AT_ARGS;
	const uint64_t v[] = { USER_BASE,
			       USER_BASE + 0x1000,
			       USER_BASE + 0x2000,
			       USER_BASE + 0x3000,
			       USER_BASE + 0x3000,
			       USER_BASE + 0x4000,
			       arg - 0x100,
			       arg,
			       arg + sizeof(args),
			       arg + sizeof(args),
			       arg + sizeof(args) + 20 };
	uint8_t *root = image_at(im, va(im, AT_PGD));

	memcpy(image_at(im, va(im, AT_ARGS)), args, sizeof(args));
	for (unsigned i = 0; i < ARRAY_LEN(v); i++)
		set(im, mm, MM_AT_CODE + i, v[i]);
	set(im, mm, MM_AT_PGD, va(im, AT_PGD));
	memcpy(root, im->mem + im->cpu.space.root, PAGE_SIZE);
	if (im->cpu.space.paging == LX_TWO_LEVELS) /* user memory: the image once more */
		image_u32(im, va(im, AT_PGD) + 4 * (USER_BASE >> 22), IMAGE_PA | 0x87);
}

/* A root of kind 3 with one child, a leaf: the program's code, then its stack. */
static void put_areas(struct image *im)
{
	unsigned w = im->width, flags = 3 * w + (im->cpu.space.paging == LX_TWO_LEVELS ? 4 : 8);
	uint64_t mm = va(im, AT_MM), root = va(im, AT_MAPLE), leaf = root + 0x100, vma = root + 0x200;
	uint64_t file = root + 0x400, top = root + 0x500, dentry = root + 0x600, names = root + 0x700;
	const uint64_t bounds[] = { USER_BASE, USER_BASE + 0x4000, USER_BASE + AT_ARGS - 0x1000,
				    USER_BASE + AT_ARGS + 0x1000 };

	set(im, mm, 3, root | 3 << 3 | 2);
	image_word(im, root + w, w == 8 ? UINT64_MAX : UINT32_MAX);
	image_word(im, root + (w == 8 ? 80 : 84), leaf | 1 << 3 | 4);
	for (unsigned i = 0; i < 4; i++)
		image_word(im, leaf + w + i * w, bounds[i] - 1);
	for (unsigned i = 0; i < 2; i++, vma += 0x100) {
		image_word(im, leaf + 128 + (2 * i + 1) * w, vma);
		set(im, vma, 0, bounds[2 * i]);
		set(im, vma, 1, bounds[2 * i + 1]);
		set(im, vma, 2, mm);
		image_u32(im, vma + flags, i ? 3 : 5);
		image_word(im, vma + flags + 9 * w, 2);
		image_word(im, vma + flags + 10 * w, i ? 0 : file);
	}
	image_word(im, file + 3 * w, dentry);
	image_word(im, dentry + 8 + 2 * w, top);
	image_word(im, dentry + 16 + 3 * w, names);
	image_word(im, top + 8 + 2 * w, top);
	image_word(im, top + 16 + 3 * w, names + 0x20);
	strcpy((char *)image_at(im, names), "prog");
	strcpy((char *)image_at(im, names + 0x20), "/");
}

static void put_tasks(struct image *im)
{
	uint64_t at[LEADERS], block = 0x40;

	for (unsigned i = 0; i < LEADERS; i++) {
		put_task(im, i);
		at[i] = task_va(im, i) + T_TASKS * im->width;
	}
	ring(im, at, LEADERS);
	for (unsigned i = 0; i < LEADERS; i++) {
		uint64_t group = task_va(im, i) + T_GROUP * im->width;

		put_children(im, i);
		ring(im, &group, 1);
	}
	put_thread(im);
	put_mm(im);
	put_areas(im);
	image_symbol(im, "init_task", task_va(im, 0));
	image_symbol(im, "__per_cpu_offset", va(im, AT_PERCPU));
	if (im->width == 8) {
		block = va(im, AT_PERCPU);
		image_symbol(im, "current_task", 0x80);
	} else {
		image_symbol(im, "current_task", va(im, AT_PERCPU + 0x40));
	}
	image_word(im, va(im, AT_PERCPU), block);
	image_word(im, va(im, AT_PERCPU + 0x80), task_va(im, LEADERS - 1));
}

/* ---- log ---- */

static void note(struct image *im, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void note(struct image *im, const char *fmt, ...)
{
	char *text = (char *)im->mem + NOTES_PA;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + strlen(text), PAGE_SIZE - strlen(text), fmt, ap);
	va_end(ap);
}

static void put_notes(struct image *im, uint64_t prb)
{
	unsigned w = im->width;
	const struct {
		const char *name;
		unsigned off;
	} offsets[] = {
		{ "printk_ringbuffer.desc_ring", 0 }, { "printk_ringbuffer.text_data_ring", 6 * w },
		{ "prb_desc_ring.count_bits", 0 },    { "prb_desc_ring.descs", w },
		{ "prb_desc_ring.infos", 2 * w },     { "prb_desc_ring.head_id", 3 * w },
		{ "prb_desc_ring.tail_id", 4 * w },   { "prb_desc.state_var", 0 },
		{ "prb_desc.text_blk_lpos", w },      { "prb_data_blk_lpos.begin", 0 },
		{ "prb_data_blk_lpos.next", w },      { "prb_data_ring.size_bits", 0 },
		{ "prb_data_ring.data", w },	      { "printk_info.seq", 0 },
		{ "printk_info.ts_nsec", 8 },	      { "printk_info.text_len", 16 },
		{ "printk_info.caller_id", 20 },
	};

	note(im, "OSRELEASE=6.1.0-test\nPAGESIZE=4096\nSYMBOL(prb)=%llx\n", (unsigned long long)prb);
	note(im, "SIZE(prb_desc)=%u\nSIZE(printk_info)=88\n", 3 * w);
	for (size_t i = 0; i < ARRAY_LEN(offsets); i++)
		note(im, "OFFSET(%s)=%u\n", offsets[i].name, offsets[i].off);
}

/* Records 5 to 8 of a ring of 4 descriptors and 128 bytes of text. */
static void put_log(struct image *im)
{
	static const char *const texts[] = { "five", "six", "at the end", "wrapped" };
	uint64_t pointer = va(im, AT_LOG), prb = pointer + 0x40, descs = pointer + 0x100,
		 infos = pointer + 0x200, data = pointer + 0x400, text_ring = prb + 6 * im->width,
		 lpos = 128 + 40;

	image_word(im, pointer, prb);
	set32(im, prb, 0, 0, 2);
	set(im, prb, 1, descs);
	set(im, prb, 2, infos);
	set(im, prb, 3, 8);
	set(im, prb, 4, 5);
	set32(im, text_ring, 0, 0, 7);
	set(im, text_ring, 1, data);
	for (unsigned i = 0; i < 4; i++) {
		unsigned id = 5 + i;
		uint64_t desc = descs + id % 4 * 3 * im->width, info = infos + id % 4 * 88, at = lpos % 128;
		size_t len = strlen(texts[i]), block = (len + im->width + im->width - 1) & ~(im->width - 1ul);
		bool wraps = at + block > 128;

		set(im, desc, 0, 2ull << (8 * im->width - 2) | id);
		set(im, desc, 1, lpos);
		if (wraps)
			at = 0;
		lpos = wraps ? (lpos | 127) + 1 + block : lpos + block;
		set(im, desc, 2, lpos);
		memcpy(image_at(im, data + at + im->width), texts[i], len);
		image_u32(im, info, id);
		image_u32(im, info + 8, id * 1000000);
		image_u32(im, info + 16, (uint32_t)len | 6u << 29);
		if (i == 2) /* the next one does not fit behind this */
			lpos = 3 * 128 - im->width;
	}
	put_notes(im, pointer);
}

/* ---- modules ---- */

static void put_module(struct image *im, unsigned i, const char *name)
{
	uint64_t base = va(im, AT_MODULES + i * MODULE_BYTES), m = base + 0x800, symbols = base + 0x1000;
	uint64_t strings = base + 0x1800, lists[2] = { m + 100 * im->width, m + 102 * im->width };
	unsigned size = im->width == 8 ? 24 : 16;

	strcpy((char *)image_at(im, m + 3 * im->width), name);
	set(im, m, 40, base);
	set32(im, m, 41, 0, MODULE_BYTES);
	set(im, m, 60, m + 62 * im->width);
	set(im, m, 62, symbols);
	set32(im, m, 63, 0, 2);
	set(im, m, 64, strings);
	set(im, m, 65, base + 0x1c00);
	ring(im, &lists[0], 1);
	ring(im, &lists[1], 1);
	set(im, m, 104, base + 0x10);
	set32(im, m, 105, 0, 1);
	image_u32(im, symbols + size, 1);
	image_word(im, symbols + size + (size == 24 ? 8 : 4), base + 0x100);
	image_word(im, symbols + size + (size == 24 ? 16 : 8), 0x20);
	image_at(im, symbols + size)[size == 24 ? 6 : 14] = 1;
	sprintf((char *)image_at(im, strings + 1), "%s_function", name);
	image_at(im, base + 0x1c01)[0] = 't';
}

/* "first", which "second" uses. */
static void put_modules(struct image *im)
{
	uint64_t first = va(im, AT_MODULES + 0x800), second = first + MODULE_BYTES,
		 use = va(im, AT_HEAD + 0x100);
	uint64_t at[3] = { va(im, AT_HEAD), first + im->width, second + im->width };
	uint64_t users[2] = { first + 100 * im->width, use },
		 uses[2] = { second + 102 * im->width, use + 2 * im->width };

	put_module(im, 0, "first");
	put_module(im, 1, "second");
	ring(im, at, 3);
	ring(im, users, 2);
	ring(im, uses, 2);
	set(im, use, 4, second);
	set(im, use, 5, first);
	set32(im, first, 105, 0, 2);
	image_symbol(im, "modules", va(im, AT_HEAD));
}

void image_structures(struct image *im)
{
	put_tasks(im);
	put_log(im);
	put_modules(im);
	image_symbol(im, "_end", im->start + IMAGE_SIZE);
}
