/* SPDX-License-Identifier: GPL-3.0-or-later
 * A program that uses AVX-512, for the host and for a guest: what it prints must be the same. Processes keep
 * their registers over switches and signals; masked accesses reach up to a page that is not there; gathers
 * and scatters, also interrupted by faults; the C library's string functions, which use AVX-512 where they
 * find it. */
#define _GNU_SOURCE
#include <immintrin.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, PROCESSES = 4, ROUNDS = 2000 };

static uint64_t hash = 0xcbf29ce484222325u;

static void mix(const void *p, size_t n)
{
	const uint8_t *b = p;

	while (n--)
		hash = (hash ^ *b++) * 0x100000001b3u;
}

static void say(const char *what)
{
	printf("wide: %s %016llx\n", what, (unsigned long long)hash);
	fflush(stdout);
}

/* ---- registers over switches ---- */

static void on_alarm(int sig)
{
	(void)sig;
	__asm__ volatile("vpxorq %%zmm17, %%zmm17, %%zmm17\n\tkxorq %%k3, %%k3, %%k3\n\t"
			 "vpternlogd $255, %%zmm5, %%zmm5, %%zmm5" ::
			     : "xmm5", "xmm17", "k3");
}

/* All of the state is filled, given away, and read back. 0: it is what it was. */
static int keeps(uint64_t seed)
{
	static uint64_t in[40 * 8], out[40 * 8];

	for (unsigned i = 0; i < 40 * 8; i++)
		in[i] = seed = seed * 6364136223846793005u + 1442695040888963407u;
#define Z(n) "vmovdqu64 " #n "*64(%0), %%zmm" #n "\n\t"
#define K(n) "kmovq 2048+" #n "*64(%0), %%k" #n "\n\t"
#define ZO(n) "vmovdqu64 %%zmm" #n ", " #n "*64(%1)\n\t"
#define KO(n) "kmovq %%k" #n ", 2048+" #n "*64(%1)\n\t"
#define ALL_0(Z) Z(0) Z(1) Z(2) Z(3) Z(4) Z(5) Z(6) Z(7)
#define ALL_8(Z) Z(8) Z(9) Z(10) Z(11) Z(12) Z(13) Z(14) Z(15)
#define ALL_16(Z) Z(16) Z(17) Z(18) Z(19) Z(20) Z(21) Z(22) Z(23)
#define ALL_24(Z) Z(24) Z(25) Z(26) Z(27) Z(28) Z(29) Z(30) Z(31)
#define ALL(Z) ALL_0(Z) ALL_8(Z) ALL_16(Z) ALL_24(Z)
#define MASKS(K) K(0) K(1) K(2) K(3) K(4) K(5) K(6) K(7)
	__asm__ volatile(ALL(Z) MASKS(K) "mov $24, %%eax\n\tsyscall\n\t" /* sched_yield */
					 "mov $200000, %%ecx\n\t1: dec %%ecx\n\tjnz 1b\n\t" ALL(ZO) MASKS(KO)
			 :
			 : "r"(in), "r"(out)
			 : "rax", "rcx", "r11", "memory", "cc");
	for (unsigned i = 0; i < 8; i++)
		for (unsigned j = 1; j < 8; j++)
			in[256 + i * 8 + j] = out[256 + i * 8 + j];
	return memcmp(in, out, sizeof(in));
}

static void switches(void)
{
	int bad = 0, status;

	for (unsigned p = 0; p < PROCESSES; p++)
		if (!fork()) {
			int wrong = 0;
			struct sigaction sa = { .sa_handler = on_alarm };

			sigaction(SIGALRM, &sa, NULL);
			ualarm(700, 700);

			for (unsigned r = 0; r < 60; r++)
				wrong |= keeps(p * 1000 + r);
			_exit(!!wrong);
		}
	for (unsigned p = 0; p < PROCESSES; p++) {
		wait(&status);
		bad += status != 0;
	}
	mix(&bad, sizeof(bad));
	printf("wide: %d of %d processes lost registers\n", bad, PROCESSES);
}

/* ---- memory ---- */

static sigjmp_buf back;

static void on_segv(int sig)
{
	(void)sig;
	siglongjmp(back, 1);
}

static void edges(void)
{
	uint8_t *p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	volatile unsigned faults = 0;

	mprotect(p + 2 * PAGE, PAGE, PROT_NONE);
	signal(SIGSEGV, on_segv);
	for (unsigned i = 0; i < 2 * PAGE; i++)
		p[i] = (uint8_t)(i * 7 + i / 256);
	for (volatile unsigned n = 0; n <= 64; n++) {
		uint8_t *at = p + 2 * PAGE - n;
		__mmask64 k = n == 64 ? ~0ull : (1ull << n) - 1;
		__m512i v = _mm512_maskz_loadu_epi8(k, at);

		mix(&v, 64);
		_mm512_mask_storeu_epi8(at, k, _mm512_add_epi8(v, _mm512_set1_epi8(3)));
		_mm512_mask_compressstoreu_epi8(at, k, v);
		v = _mm512_maskz_expandloadu_epi8(k, at);
		mix(&v, 64);
		if (!sigsetjmp(back, 1)) {
			_mm512_mask_storeu_epi8(at, k << 1 | 1, v); /* one too many */
		} else {
			faults++;
		}
	}
	mix((void *)&faults, sizeof(faults));
	mix(p, 2 * PAGE);
	munmap(p, 3 * PAGE);
	printf("wide: %u faults\n", faults);
}

/* Each touches pages for the first time, so that faults interrupt it. */
static void scattered(void)
{
	enum { PAGES = 64 };
	uint8_t *p = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	__m512i index = _mm512_mullo_epi32(
	    _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0), _mm512_set1_epi32(PAGE));
	__m512i v = _mm512_add_epi32(index, _mm512_set1_epi32(77));

	for (unsigned i = 0; i < 4; i++) {
		_mm512_mask_i32scatter_epi32(p + i * 16 * PAGE, (__mmask16)(0x7bd5 + i), index, v, 1);
		v = _mm512_mask_i32gather_epi32(v, (__mmask16)(0x5bdf - i), index, p + i * 16 * PAGE, 1);
		mix(&v, 64);
	}
	for (unsigned i = 0; i < PAGES; i++)
		mix(p + i * PAGE, 64);
	munmap(p, PAGES * PAGE);
}

static void strings(void)
{
	static char a[70000], b[70000];

	for (unsigned i = 0; i < sizeof(a); i++)
		a[i] = (char)(i * 31 % 251 + 1);
	for (unsigned n = 1; n < 65000; n += n / 3 + 1)
		for (unsigned o = 0; o < 70; o += 13) {
			size_t l;

			memcpy(b + o, a + 3, n);
			memmove(b + o + 5, b + o, n);
			memset(b + o + n / 2, (int)n, n / 4);
			b[o + n] = 0;
			l = strlen(b + o);
			mix(&l, sizeof(l));
			l = (size_t)memcmp(a, b, n) > 0;
			mix(&l, sizeof(l));
			mix(b, 200);
		}
}

static void arithmetic(void)
{
	double s[8];
	__m512d x = _mm512_set_pd(1, 2, 3, 4, 5, 6, 7, 8), y = _mm512_set1_pd(0.1);

	for (unsigned i = 0; i < 100000; i++) {
		__mmask8 k = _mm512_cmp_pd_mask(x, y, _CMP_GT_OQ);

		x = _mm512_mask_sub_round_pd(x, k, x, y, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
		y = _mm512_fmadd_pd(x, _mm512_set1_pd(1.0000001), y);
		y = _mm512_mask_div_pd(y, _mm512_cmp_pd_mask(y, _mm512_set1_pd(1e6), _CMP_GT_OQ), y,
				       _mm512_set1_pd(1e5));
	}
	_mm512_storeu_pd(s, _mm512_add_pd(x, y));
	mix(s, sizeof(s));
}

int main(void)
{
	switches();
	say("switches");
	edges();
	say("edges");
	scattered();
	say("scattered");
	strings();
	say("strings");
	arithmetic();
	say("done");
	return 0;
}
