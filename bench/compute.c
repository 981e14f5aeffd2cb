/* SPDX-License-Identifier: GPL-3.0-or-later
 * Items that use only the processor and memory. */
#include "bench/bench.h"

volatile u32 sink;
static u32 seed = 12345;

static u32 rnd(void)
{
	return seed = seed * 1664525 + 1013904223;
}

/* ---- sieve: primes below 64 Ki ---- */

static u8 composite[65536];

static void sieve(u32 n)
{
	for (; n; n--) {
		u32 primes = 0;

		for (u32 i = 0; i < sizeof(composite); i++)
			composite[i] = 0;
		for (u32 i = 2; i < sizeof(composite); i++) {
			if (composite[i])
				continue;
			primes++;
			for (u32 j = 2 * i; j < sizeof(composite); j += i)
				composite[j] = 1;
		}
		sink = primes; /* 6542 */
	}
}

/* ---- SHA-256: one 64-byte block (FIPS 180-4) ---- */

static u32 round_constants[64];

static u32 ror(u32 x, unsigned n)
{
	return x >> n | x << (32 - n);
}

/* Any constants will do: the time does not depend on their values. */
static void sha_prepare(void)
{
	for (u32 i = 0; i < 64; i++)
		round_constants[i] = rnd();
}

static void sha_block(u32 h[8], const u32 block[16])
{
	u32 w[64], s[8];

	for (u32 i = 0; i < 16; i++)
		w[i] = __builtin_bswap32(block[i]);
	for (u32 i = 16; i < 64; i++) {
		u32 a = w[i - 15], b = w[i - 2];

		w[i] = w[i - 16] + (ror(a, 7) ^ ror(a, 18) ^ a >> 3) + w[i - 7] +
		       (ror(b, 17) ^ ror(b, 19) ^ b >> 10);
	}
	for (u32 i = 0; i < 8; i++)
		s[i] = h[i];
	for (u32 i = 0; i < 64; i++) {
		u32 e = s[4], a = s[0];
		u32 t1 = s[7] + (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) + ((e & s[5]) ^ (~e & s[6])) +
			 round_constants[i] + w[i];
		u32 t2 = (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22)) + ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));

		for (u32 k = 7; k; k--)
			s[k] = s[k - 1];
		s[4] += t1;
		s[0] = t1 + t2;
	}
	for (u32 i = 0; i < 8; i++)
		h[i] += s[i];
}

static void sha256(u32 n)
{
	static u32 h[8], block[16];

	for (; n; n--) {
		block[n & 15] = n;
		sha_block(h, block);
	}
	sink = h[0];
}

/* ---- matrix multiply, 48 x 48 doubles ---- */

#define DIM 48
static double ma[DIM][DIM], mb[DIM][DIM], mc[DIM][DIM];

static void matmul_prepare(void)
{
	for (u32 i = 0; i < DIM; i++)
		for (u32 j = 0; j < DIM; j++)
			ma[i][j] = (int)(i + j), mb[i][j] = (int)(i - j);
}

static void matmul(u32 n)
{
	for (; n; n--) {
		for (u32 i = 0; i < DIM; i++)
			for (u32 j = 0; j < DIM; j++) {
				double sum = 0;

				for (u32 k = 0; k < DIM; k++)
					sum += ma[i][k] * mb[k][j];
				mc[i][j] = sum;
			}
		sink = (u32)(int)mc[3][5];
	}
}

/* ---- quicksort of 10,000 numbers ---- */

static u32 keys[10000];

static void quick(u32 *a, int lo, int hi)
{
	while (lo < hi) {
		u32 pivot = a[(lo + hi) / 2];
		int i = lo, j = hi;

		while (i <= j) {
			while (a[i] < pivot)
				i++;
			while (a[j] > pivot)
				j--;
			if (i <= j) {
				u32 t = a[i];

				a[i++] = a[j];
				a[j--] = t;
			}
		}
		quick(a, lo, j);
		lo = i;
	}
}

static void quicksort(u32 n)
{
	for (; n; n--) {
		for (u32 i = 0; i < 10000; i++)
			keys[i] = rnd();
		quick(keys, 0, 9999);
		sink = keys[5000];
	}
}

/* ---- recursive calls ---- */

static u32 __attribute__((noinline, noclone)) fib_rec(u32 n)
{
	u32 r;

	asm volatile("" : "+r"(n)); /* keeps the compiler from unrolling the recursion */
	if (n < 2)
		return n;
	r = fib_rec(n - 1);
	asm volatile("" : "+r"(r));
	return r + fib_rec(n - 2);
}

static void fib(u32 n)
{
	for (; n; n--)
		sink = fib_rec(16);
}

/* ---- memory copy, 64 KiB ---- */

static u32 from[16384], to[16384];

static void copy(u32 n)
{
	for (; n; n--) {
		void *d = to;
		const void *s = from;
		unsigned long c = 16384;

		asm volatile("rep movsl" : "+D"(d), "+S"(s), "+c"(c) : : "memory");
	}
}

/* ---- pointer chase through 64 MiB, one cache line for each node ---- */

#define NODES (1u << 20)
struct node {
	struct node *next;
	u8 pad[64 - sizeof(void *)];
};
static struct node *chain, *nodes;

/* Sattolo's shuffle: one cycle through all nodes. */
static void chase_prepare(void)
{
	nodes = sys_mmap(NODES * sizeof(struct node));
	for (u32 i = 0; i < NODES; i++)
		nodes[i].next = &nodes[i];
	for (u32 i = NODES - 1; i > 0; i--) {
		u32 j = (u32)((u64)rnd() * i >> 32);
		struct node *t = nodes[i].next;

		nodes[i].next = nodes[j].next;
		nodes[j].next = t;
	}
	chain = nodes;
}

static void chase(u32 n)
{
	for (; n; n--)
		chain = chain->next;
	sink = (u32)(unsigned long)chain;
}

/* A large address space would slow down the fork items. */
static void chase_release(void)
{
	sys3(SYS_munmap, (long)nodes, NODES * sizeof(struct node), 0);
}

/* ---- a byte-code interpreter: each operation is an indirect call ---- */

struct vm {
	u32 acc, x, y, pc, left;
};
typedef void (*op_fn)(struct vm *);

static void op_add(struct vm *v)
{
	v->acc += v->x;
}
static void op_xor(struct vm *v)
{
	v->acc ^= v->y;
}
static void op_rot(struct vm *v)
{
	v->acc = ror(v->acc, 5);
}
static void op_swap(struct vm *v)
{
	u32 t = v->x;
	v->x = v->y;
	v->y = t;
}
static void op_inc(struct vm *v)
{
	v->x++;
}
static void op_mix(struct vm *v)
{
	v->y += v->acc >> 3;
}
static void op_skip(struct vm *v)
{
	v->pc += v->acc & 1;
}
static void op_dec(struct vm *v)
{
	v->y--;
}
static const op_fn ops[8] = { op_add, op_xor, op_rot, op_swap, op_inc, op_mix, op_skip, op_dec };
static u8 program[256];

static void interp_prepare(void)
{
	for (u32 i = 0; i < sizeof(program); i++)
		program[i] = rnd() >> 20 & 7;
}

static void interpreter(u32 n)
{
	struct vm v = { .x = 3, .y = 7 };

	for (; n; n--)
		ops[program[v.pc++ & 255]](&v);
	sink = v.acc;
}

const struct item compute_items[] = {
	{ "sieve", sieve, NULL, NULL },
	{ "sha256", sha256, sha_prepare, NULL },
	{ "matmul", matmul, matmul_prepare, NULL },
	{ "quicksort", quicksort, NULL, NULL },
	{ "fib", fib, NULL, NULL },
	{ "memcpy", copy, NULL, NULL },
	{ "chase64m", chase, chase_prepare, chase_release },
	{ "interp", interpreter, interp_prepare, NULL },
};
const u32 compute_count = sizeof(compute_items) / sizeof(compute_items[0]);
