/* SPDX-License-Identifier: GPL-3.0-or-later
 * Items whose memory is larger than the processor's inner caches, and a program of small calls. One
 * operation is a whole pass. Memory lives only while an item runs: a large address
 * space would slow down the fork items. */
#include "bench/bench.h"

#define MADV_DONTNEED 4
#define PAGE 4096u

static u8 *area;

static void release(u32 bytes)
{
	sys3(SYS_munmap, (long)area, bytes, 0);
}

/* ---- fresh: first touch of 32 MiB page by page, MADV_DONTNEED, again ---- */

#define FRESH_PAGES (32u * 1024 * 1024 / PAGE)

static void fresh(u32 n)
{
	for (; n; n--) {
		area = sys_mmap(FRESH_PAGES * PAGE);
		for (u32 again = 0; again < 2; again++) {
			for (u32 i = 0; i < FRESH_PAGES; i++)
				((volatile u8 *)area)[i * PAGE] = 1;
			sys3(SYS_madvise, (long)area, FRESH_PAGES * PAGE, MADV_DONTNEED);
		}
		release(FRESH_PAGES * PAGE);
	}
}

/* ---- sieve16m: primes below 16 million ---- */

#define SIEVE 16000000u

static void sieve_prepare(void)
{
	area = sys_mmap(SIEVE);
}

static void sieve(u32 n)
{
	u8 *composite = area;

	for (; n; n--) {
		u32 primes = 0;

		for (u32 i = 0; i < SIEVE; i++)
			composite[i] = 0;
		for (u32 i = 2; i < SIEVE; i++) {
			if (composite[i])
				continue;
			primes++;
			for (u32 j = 2 * i; j < SIEVE; j += i)
				composite[j] = 1;
		}
		sink = primes; /* 1031130 */
	}
}

static void sieve_release(void)
{
	release(SIEVE);
}

/* ---- qsort4m: quicksort of 4 million numbers, which are compared by a function ---- */

#define KEYS 4000000u
typedef int (*compare_fn)(const void *a, const void *b);

static int compare(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;

	return x < y ? -1 : x > y;
}

/* The pointer is not known at compile time. */
static compare_fn volatile chosen = compare;

static void quick(u32 *a, int lo, int hi, compare_fn cmp)
{
	while (lo < hi) {
		u32 pivot = a[(lo + hi) / 2];
		int i = lo, j = hi;

		while (i <= j) {
			while (cmp(&a[i], &pivot) < 0)
				i++;
			while (cmp(&a[j], &pivot) > 0)
				j--;
			if (i <= j) {
				u32 t = a[i];

				a[i++] = a[j];
				a[j--] = t;
			}
		}
		quick(a, lo, j, cmp);
		lo = i;
	}
}

static void qsort_prepare(void)
{
	area = sys_mmap(KEYS * sizeof(u32));
}

static void qsort(u32 n)
{
	u32 *keys = (u32 *)area;

	for (; n; n--) {
		u32 seed = 12345; /* the same numbers in each pass */

		for (u32 i = 0; i < KEYS; i++)
			keys[i] = seed = seed * 1664525 + 1013904223;
		quick(keys, 0, KEYS - 1, chosen);
		sink = keys[KEYS / 2];
	}
}

static void qsort_release(void)
{
	release(KEYS * sizeof(u32));
}

/* ---- matmul320: matrix product, 320 x 320 doubles ---- */

#define DIM 320
typedef double matrix[DIM][DIM];

static void matmul_prepare(void)
{
	matrix *m;

	area = sys_mmap(3 * sizeof(matrix));
	m = (matrix *)area;
	for (u32 i = 0; i < DIM; i++)
		for (u32 j = 0; j < DIM; j++)
			m[0][i][j] = (int)(i + j), m[1][i][j] = (int)(i - j);
}

static void matmul(u32 n)
{
	matrix *m = (matrix *)area;

	for (; n; n--) {
		for (u32 i = 0; i < DIM; i++)
			for (u32 j = 0; j < DIM; j++) {
				double sum = 0;

				for (u32 k = 0; k < DIM; k++)
					sum += m[0][i][k] * m[1][k][j];
				m[2][i][j] = sum;
			}
		sink = (u32)(int)m[2][3][5];
	}
}

static void matmul_release(void)
{
	release(3 * sizeof(matrix));
}

/* ---- calls: a search tree of 1023 nodes, visited by recursion, pointer and direct calls ---- */

#define TREE_NODES 1023u
struct tree {
	struct tree *left, *right;
	u32 key;
};
typedef u32 (*visit_fn)(const struct tree *t, u32 sum);
static struct tree tree[TREE_NODES];

static u32 __attribute__((noinline, noclone)) mix(u32 a, u32 b)
{
	asm volatile("" : "+r"(a));
	return (a << 5 | a >> 27) ^ b;
}

static u32 visit_add(const struct tree *t, u32 sum)
{
	return mix(sum, t->key);
}

static u32 visit_odd(const struct tree *t, u32 sum)
{
	return t->key & 1 ? mix(sum, 1) : sum + 1;
}

static u32 visit_max(const struct tree *t, u32 sum)
{
	return t->key > sum ? t->key : sum;
}

static visit_fn volatile visits[4] = { visit_add, visit_odd, visit_max, visit_add };

static u32 __attribute__((noinline, noclone)) walk(const struct tree *t, visit_fn visit, u32 sum)
{
	if (t->left)
		sum = walk(t->left, visit, sum);
	sum = visit(t, sum);
	if (t->right)
		sum = walk(t->right, visit, sum);
	return sum;
}

static void calls_prepare(void)
{
	for (u32 i = 0; i < TREE_NODES; i++) {
		u32 left = 2 * i + 1;

		tree[i].key = i * 2654435761u >> 12;
		tree[i].left = left < TREE_NODES ? &tree[left] : NULL;
		tree[i].right = left + 1 < TREE_NODES ? &tree[left + 1] : NULL;
	}
}

static void calls(u32 n)
{
	u32 sum = 0;

	for (; n; n--)
		for (u32 i = 0; i < 4; i++)
			sum = walk(tree, visits[i], sum);
	sink = sum;
}

const struct item large_items[] = {
	{ "fresh", fresh, NULL, NULL },
	{ "sieve16m", sieve, sieve_prepare, sieve_release },
	{ "qsort4m", qsort, qsort_prepare, qsort_release },
	{ "matmul320", matmul, matmul_prepare, matmul_release },
	{ "calls", calls, calls_prepare, NULL },
};
const u32 large_count = sizeof(large_items) / sizeof(large_items[0]);
