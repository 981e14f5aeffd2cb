/* SPDX-License-Identifier: GPL-3.0-or-later
 * Assembly text: what it may say. Whether as and ld are installed does not matter to what is refused. */
#include "inspect/debuginfo/asm.h"
#include "tests/suite.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Each would open a file, or put together the name of a directive that does. */
static const char *const refused[] = {
	".incbin \"/etc/hostname\"",
	"nop; .incbin \"/etc/hostname\"",
	"nop\n.incbin \"/etc/hostname\"",
	".include \"/etc/hostname\"",
	"x: .INCBIN \"/etc/hostname\"",
	"x:.incbin \"/etc/hostname\"",
	"0:.incbin \"/etc/hostname\"",
	"\"x\":.incbin \"/etc/hostname\"",
	"/* */.incbin \"/etc/hostname\"",
	"\x80.incbin \"/etc/hostname\"",
	".macro m; .inc\\()bin \"/etc/hostname\"; .endm; m",
	".macro m x; .inc\\x \"/etc/hostname\"; .endm; m bin",
	".irp x,bin; .inc\\x \"/etc/hostname\"; .endr",
	".irpc x,b; .inc\\x\\()in \"/etc/hostname\"; .endr",
	".rept 100000000; nop; .endr",
	".altmacro",
	".file \"x\"",
	".section x",
	".LIST",
	".popsection",
};

START_TEST(test_refused)
{
	struct assembly a = { .text = refused[_i], .bits = 32, .at = 0x1000 };
	uint8_t out[512];
	char err[400] = "";

	ck_assert_int_eq(asm_bytes(&a, out, sizeof(out), err, sizeof(err)), -1);
	ck_assert_msg(strstr(err, "is not among those that can be used"), "%s: %s", a.text, err);
}
END_TEST

/* Columns: text, the bytes it makes. */
static const struct {
	const char *text, *bytes;
	int n;
} allowed[] = {
	{ "nop; ret", "\x90\xc3", 2 },	   { ".byte 1, 2; .short 0x403", "\1\2\3\4", 4 },
	{ ".L1: jmp .L1", "\xeb\xfe", 2 }, { "jmp .", "\xeb\xfe", 2 },
	{ ".ascii \"a.b\"", "a.b", 3 },	   { "1: jmp 1b", "\xeb\xfe", 2 },
	{ "a.b: .zero 2", "\0\0", 2 },
};

START_TEST(test_allowed)
{
	struct assembly a = { .text = allowed[_i].text, .bits = 32, .at = 0x1000 };
	uint8_t out[512];
	char err[400] = "";
	int n;

	if (access("/usr/bin/as", X_OK) || access("/usr/bin/ld", X_OK))
		return; /* test_refused needs neither */
	n = asm_bytes(&a, out, sizeof(out), err, sizeof(err));
	ck_assert_msg(n == allowed[_i].n, "%s: %d, %s", a.text, n, err);
	ck_assert_mem_eq(out, allowed[_i].bytes, (size_t)n);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("asm");
	Suite *su = suite_create("asm");

	tcase_add_loop_test(tc, test_refused, 0, ARRAY_LEN(refused));
	tcase_add_loop_test(tc, test_allowed, 0, ARRAY_LEN(allowed));
	suite_add_tcase(su, tc);
	return suite_run(su);
}
