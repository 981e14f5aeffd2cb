/* SPDX-License-Identifier: GPL-3.0-or-later
 * The door between the worlds: what it keeps, what it counts. */
#include "tests/suite.h"
#include <stdlib.h>
#include <string.h>

#include "hv/io/door.h"

/* As XSAVE writes x87, SSE and AVX. */
struct image {
	uint8_t legacy[512];
	uint64_t header[8];
	uint8_t avx[256];
} __attribute__((aligned(64)));

static struct door d;
static struct door_user user;
static unsigned calls, visits;

static void setup(void)
{
	door_init(&d);
	door_add(&d, &user, "device");
	calls = visits = 0;
}

/* A host world that leaves no register as it was. */
static void wreck(void *arg)
{
	static const uint32_t mxcsr = 0x7f80;
	static const uint16_t control = 0x0f7f;

	(void)arg;
	calls++;
	__asm__ volatile("ldmxcsr %0\n\tfldcw %1\n\tfld1\n\tfldpi\n\t"
			 "vpcmpeqd %%xmm0, %%xmm0, %%xmm0\n\tvpcmpeqd %%xmm7, %%xmm7, %%xmm7\n\t"
			 "vpcmpeqd %%xmm15, %%xmm15, %%xmm15\n\tvinsertf128 $1, %%xmm0, %%ymm3, %%ymm3\n\t"
			 "vinsertf128 $1, %%xmm0, %%ymm12, %%ymm12"
			 :
			 : "m"(mxcsr), "m"(control)
			 : "memory");
}

static void visit(void *ctx)
{
	(void)ctx;
	ck_assert(d.host);
	visits++;
}

/* Registers as a guest may have them: all exceptions masked in one unit and not in the other, full x87 stack.
 */
static void guest_registers(struct image *v)
{
	memset(v, 0, sizeof(*v));
	for (unsigned i = 32; i < 416; i++)
		v->legacy[i] = (uint8_t)(i * 7 + 3);
	for (unsigned i = 0; i < 8; i++)
		memset(v->legacy + 32 + 16 * i + 10, 0, 6);
	for (unsigned i = 0; i < sizeof(v->avx); i++)
		v->avx[i] = (uint8_t)(i * 13 + 1);
	memcpy(v->legacy, &(uint16_t){ 0x0c7f }, 2); /* control */
	memcpy(v->legacy + 2, &(uint16_t){ 0x2841 }, 2);
	v->legacy[4] = 0xff; /* tags: all in use */
	memcpy(v->legacy + 24, &(uint32_t){ 0x9fc0 }, 4);
	v->header[0] = 7;
}

START_TEST(test_keeps_registers)
{
	struct image before, after;
	struct {
		void *in, *out, *door, *user;
		uint64_t why;
		void *fn, *call;
	} a = { &before, &after, &d, &user, DOOR_TRANSMIT, wreck, door_call };

	if (!__builtin_cpu_supports("avx"))
		return;
	guest_registers(&before);
	memset(&after, 0, sizeof(after));
	d.host = false;
	__asm__ volatile(
	    "movq %%rsp, %%r12\n\tsubq $256, %%rsp\n\tandq $-64, %%rsp\n\t"
	    "movq (%%rbx), %%rcx\n\tmovl $7, %%eax\n\txorl %%edx, %%edx\n\txrstor (%%rcx)\n\t"
	    "movq 16(%%rbx), %%rdi\n\tmovq 24(%%rbx), %%rsi\n\tmovl 32(%%rbx), %%edx\n\t"
	    "movq 40(%%rbx), %%rcx\n\txorl %%r8d, %%r8d\n\tcall *48(%%rbx)\n\t"
	    "movq 8(%%rbx), %%rcx\n\tmovl $7, %%eax\n\txorl %%edx, %%edx\n\txsave (%%rcx)\n\t"
	    "fninit\n\tmovl $0x1f80, (%%rsp)\n\tldmxcsr (%%rsp)\n\tvzeroupper\n\tmovq %%r12, %%rsp"
	    :
	    : "b"(&a)
	    : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "memory", "cc");
	ck_assert_uint_eq(calls, 1);
	ck_assert(!d.host);
	ck_assert_msg(!memcmp(before.legacy, after.legacy, 5), "x87 control, status, tags");
	ck_assert_msg(!memcmp(before.legacy + 24, after.legacy + 24, 4), "MXCSR");
	ck_assert_msg(!memcmp(before.legacy + 32, after.legacy + 32, 384), "x87 and xmm registers");
	ck_assert_msg(!memcmp(before.avx, after.avx, sizeof(before.avx)), "upper halves of ymm registers");
}
END_TEST

START_TEST(test_counts)
{
	d.visit = visit;
	d.host = false;
	for (unsigned i = 0; i < 100; i++)
		door_call(&d, &user, DOOR_TRANSMIT, wreck, NULL);
	door_call(&d, &user, DOOR_DISK, wreck, NULL);
	ck_assert_uint_eq(calls, 101);
	ck_assert_uint_eq(visits, 101);
	ck_assert_uint_eq(d.total, 101);
	ck_assert_uint_eq(user.use[DOOR_TRANSMIT].switches, 100);
	ck_assert_uint_eq(user.use[DOOR_DISK].switches, 1);
	ck_assert(user.use[DOOR_TRANSMIT].out && user.use[DOOR_TRANSMIT].in && user.use[DOOR_TRANSMIT].host);
	ck_assert_uint_eq(d.ring[100 % DOOR_RING].reason, DOOR_DISK);
	/* In the host world there is nothing to go through. */
	d.host = true;
	door_call(&d, &user, DOOR_DISK, wreck, NULL);
	ck_assert_uint_eq(calls, 102);
	ck_assert_uint_eq(d.total, 101);
	ck_assert_uint_eq(d.inside, 1);
}
END_TEST

START_TEST(test_engine)
{
	d.visit = visit;
	d.host = false;
	door_opens(&d);
	ck_assert(d.host);
	door_call(&d, &user, DOOR_TRANSMIT, wreck, NULL);
	door_closes(&d, DOOR_KICK);
	ck_assert(!d.host);
	ck_assert_uint_eq(d.cpu.use[DOOR_KICK].switches, 1);
	ck_assert_uint_eq(d.total, 1);
}
END_TEST

static unsigned watched;
static void watch(void *ctx, const struct door_switch *s)
{
	(void)ctx;
	ck_assert_ptr_eq(s->user, &user);
	watched++;
}

START_TEST(test_watch)
{
	d.host = false;
	door_call(&d, &user, DOOR_DISK, wreck, NULL);
	d.watch = watch;
	door_call(&d, &user, DOOR_DISK, wreck, NULL);
	ck_assert_uint_eq(watched, 1);
	door_remove(&d, &user);
	ck_assert_ptr_eq(d.ring[0].user, &d.cpu);
	ck_assert_ptr_eq(d.users, &d.cpu);
	ck_assert_ptr_null(d.cpu.next);
}
END_TEST

START_TEST(test_rate)
{
	unsigned busy = 0;

	ck_assert(!door_busy(&d));
	for (unsigned i = 0; i < 100; i++)
		busy += door_busy(&d);
	ck_assert_uint_gt(busy, 80); /* hundred in far less than a period */
	d.rate.since -= 40ull << 20;
	ck_assert_msg(!door_busy(&d), "the rate does not decay");
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("door");
	Suite *su = suite_create("door");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, test_keeps_registers);
	tcase_add_test(tc, test_counts);
	tcase_add_test(tc, test_engine);
	tcase_add_test(tc, test_watch);
	tcase_add_test(tc, test_rate);
	suite_add_tcase(su, tc);
	return suite_run(su);
}
