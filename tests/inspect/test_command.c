/* SPDX-License-Identifier: GPL-3.0-or-later
 * Command lines against the fake machine: text in, text out. Also the tables: names
 * and aliases are unique, every view's columns too. */
#include "inspect/command.h"
#include "inspect/session_int.h"
#include "tests/inspect/fake_machine.h"
#include "x86/regs.h"
#include "tests/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* start: 1000 call 100d; 1005 inc ebx; 1006 jmp 1000 ... 100d: inc eax x3; ret */
static const uint8_t looping[] = {
	0xe8, 0x08, 0,	  0,	0,    /* 1000 call 100d */
	0x43,			      /* 1005 inc ebx */
	0xeb, 0xf8,		      /* 1006 jmp 1000 */
	0x90, 0x90, 0x90, 0x90, 0x90, /* 1008 */
	0x40, 0x40, 0x40,	      /* 100d inc eax */
	0xc3,			      /* 1010 ret */
};
static const uint8_t exiting[] = { 0xb8, 3, 0, 0, 0, 0xe6, 0xf4 };
static const uint8_t failing[] = { 0x90, 0x0f, 0x0b };
static const uint8_t ending[] = { 0x90, 0xf4 };
/* Prints "ok" and ends, or loops. */
static const uint8_t talking[] = {
	0xb8, 'o', 0, 0, 0, 0xe6, 0xe9, 0xb8, 'k', 0, 0, 0, 0xe6, 0xe9, 0xeb, 0xfe,
};

struct run {
	struct machine *m;
	struct inspect *s;
	FILE *out;
	char *text;
	size_t len;
	bool json;
};

static void emit(void *ctx, const struct result *r)
{
	struct run *run = ctx;

	result_render(r, run->json, run->out);
	result_render_error(r, run->json, "! ", run->out);
}

static void begin(struct run *run, const uint8_t *code, size_t len)
{
	*run = (struct run){ .s = inspect_new(NULL) };
	run->out = open_memstream(&run->text, &run->len);
	if (!code)
		return;
	run->m = fake_machine(code, len);
	fake_machine_output(run->m, inspect_serial_out, run->s);
	inspect_attach(run->s, &(struct inspect_machine){ .machine = run->m, .icount = true });
}

static enum inspect_status say(struct run *run, const char *line)
{
	struct inspect_sink sink = { .ctx = run, .emit = emit };

	return inspect_exec(run->s, line, &sink);
}

static const char *said(struct run *run)
{
	fflush(run->out);
	return run->text;
}

static void end(struct run *run)
{
	if (run->m)
		machine_free(run->m);
	inspect_free(run->s);
	fclose(run->out);
	free(run->text);
}

#define PROGRAM(p) p, sizeof(p)

/* LINES, separated by newlines, are executed in order; WANT is their whole output. */
static const struct {
	const char *lines, *want;
	const uint8_t *code;
	size_t len;
} sessions[] = {
	{ "stepi\nstepi 2\nprint/d $eax", "step at 0x0000100d:  inc eax\nstep at 0x0000100f:  inc eax\n2\n",
	  PROGRAM(looping) },
	{ "nexti\nprint/d $eax", "step at 0x00001005:  inc ebx\n3\n", PROGRAM(looping) },
	{ "ni 3\np/x $pc", "step at 0x00001000:  call 0x100d\n0x1000\n", PROGRAM(looping) },
	{ "stepi\nfinish", "step at 0x0000100d:  inc eax\nfinish at 0x00001005:  inc ebx\n",
	  PROGRAM(looping) },
	{ "until *0x1006", "until at 0x00001006:  jmp 0x1000\n", PROGRAM(looping) },
	{ "break *0x1005\nc\nc\np/d $ebx\ninfo break",
	  "break 1 at 0x00001005\n"
	  "breakpoint 1 at 0x00001005:  inc ebx\nbreakpoint 1 at 0x00001005:  inc ebx\n1\n"
	  "Num  Kind   Enabled  Address     Symbol  Hits  Ignore  Condition  By  Action  Length/B  Physical\n"
	  "  1  break  yes      0x00001005  -          2       -  -          -   -              -  -\n",
	  PROGRAM(looping) },
	{ "b 0x1005\nignore 1 2\nc\np/d $ebx\ncondition 1 $ebx == 7\nc\np/d $ebx\ncondition 1\nc\np/d $ebx\nignore 7 1\n"
	  "condition 1 nosuch\nignore 1 -1",
	  "break 1 at 0x00001005\nbreakpoint 1 at 0x00001005:  inc ebx\n2\nbreakpoint 1 at 0x00001005:  inc ebx\n7\n"
	  "breakpoint 1 at 0x00001005:  inc ebx\n8\n! ignore: no breakpoint 7 (info break lists them)\n! condition: condition: no symbol 'nosuch'\n"
	  "! ignore: -1 is not a number of hits\n",
	  PROGRAM(looping) },
	{ "display $ebx\ndisplay/i $pc\ndisplay [0x20000]\nb 0x1005\nc\nundisplay 2 3\nc\nundisplay\nc\ndisplay nosuch\n"
	  "display/q 1\nundisplay 1\ndisplay",
	  "1: $ebx = 0  0x0\n2: x/i $pc\n=>  0x00001000  e808000000  call 0x100d\n"
	  "3: [0x20000]: cannot read memory at 0x20000\nbreak 1 at 0x00001005\n"
	  "breakpoint 1 at 0x00001005:  inc ebx\n1: $ebx = 0  0x0\n2: x/i $pc\n=>*  0x00001005  43  inc ebx\n"
	  "3: [0x20000]: cannot read memory at 0x20000\n"
	  "breakpoint 1 at 0x00001005:  inc ebx\n1: $ebx = 1  0x1\nbreakpoint 1 at 0x00001005:  inc ebx\n"
	  "! display: no symbol 'nosuch'\n! display: /q is not a format of x or print\n"
	  "! undisplay: no display 1 (info display lists them)\n",
	  PROGRAM(looping) },
	{ "b 0x1005 if $ebx == 10\nc\np/d $eax\ndelete 1\ninfo break -j",
	  "break 1 at 0x00001005\nbreakpoint 1 at 0x00001005:  inc ebx\n33\n", PROGRAM(looping) },
	{ "b 0x1005; b 0x1010 # a comment\ndelete all; info break\n# delete all; quit\nprint 1 ; print 2;print 3 #\n"
	  "b 0x1005\ncommands 1 \"print 4; print 5\"\nc; print 6\nprint nosuch; print 7",
	  "break 1 at 0x00001005\nbreak 2 at 0x00001010\n"
	  "Num  Kind  Enabled  Address  Symbol  Hits  Ignore  Condition  By  Action  Length/B  Physical\n"
	  "1  0x1\n2  0x2\n3  0x3\nbreak 3 at 0x00001005\n"
	  "! commands: no point 1 that can have commands (info break lists them)\n"
	  "breakpoint 3 at 0x00001005:  inc ebx\n6  0x6\n! no symbol 'nosuch'\n",
	  PROGRAM(looping) },
	{ "info break limit=-1\ninfo break limit=99999999999\ninfo break limit=\nx/2000000xb 0x1000\nx/0000002xb 0x1000",
	  "! info: limit= needs a number from 0 to 4294967295\n! info: limit= needs a number from 0 to 4294967295\n"
	  "! info: limit= needs a number from 0 to 4294967295\n! x: /2000000xb is more than 1048576 items\n"
	  "0x00001000  0xe8  0x08\n",
	  PROGRAM(looping) },
	{ "tbreak 0x1005\nc\ninfo break -j", "tbreak 1 at 0x00001005\nbreakpoint 1 at 0x00001005:  inc ebx\n",
	  PROGRAM(looping) },
	{ "b 0x1005\nb 0x1010\ndisable 1\nc\nenable\nc",
	  "break 1 at 0x00001005\nbreak 2 at 0x00001010\nbreakpoint 2 at 0x00001010:  ret\n"
	  "breakpoint 1 at 0x00001005:  inc ebx\n",
	  PROGRAM(looping) },
	{ "b 0x1005 if 1/($ebx-1)\nc\nc\np/d $ebx",
	  "break 1 at 0x00001005\nbreakpoint 1 at 0x00001005:  inc ebx\nbreakpoint 1 at 0x00001005:  inc "
	  "ebx\n"
	  "condition: division by zero\n1\n",
	  PROGRAM(looping) },
	{ "b 0x1005 if nosuch", "! break: condition: no symbol 'nosuch'\n", PROGRAM(looping) },
	{ "b 0x100000000", "! break: 0x100000000 is not an address of this guest\n", PROGRAM(looping) },
	{ "b 0x1000\nstepi\nc",
	  "break 1 at 0x00001000\nstep at 0x0000100d:  inc eax\n"
	  "breakpoint 1 at 0x00001000:  call 0x100d\n",
	  PROGRAM(looping) },
	{ "b 0x100e\nstepi 9", "break 1 at 0x0000100e\nbreakpoint 1 at 0x0000100e:  inc eax\n",
	  PROGRAM(looping) },
	{ "run-icount 7\np $icount\nrun-icount 3",
	  "icount at 0x00001000:  call 0x100d\n7  0x7\n"
	  "! run-icount: the guest is already at 7\n",
	  PROGRAM(looping) },
	{ "c\np $exit\nc\nreset\nstepi",
	  "guest exited: status 7\n7  0x7\n! continue: the guest has ended; 'reset' starts it again\n"
	  "reset at 0x00001000:  mov eax, 0x03\nstep at 0x00001005:  out 0xf4, al\n",
	  PROGRAM(exiting) },
	{ "c", "guest failed: no such instruction\n! no such instruction\n", PROGRAM(failing) },
	{ "c\nx/xb $pc", "guest powered off\n0x00001002  0x00\n", PROGRAM(ending) },
	{ "wait ok 10\np/x $pc", "0x100e\n", PROGRAM(talking) },
	{ "wait \"o\"\nwait k\nwait nothing 0.01", "! wait: timed out before \"nothing\" was printed\n",
	  PROGRAM(talking) },
	{ "wait x", "guest powered off\n! wait: the guest stopped before \"x\" was printed\n",
	  PROGRAM(ending) },
	{ "c &\nstepi\nx/xb 0x1000\nstop\nwait k",
	  "! stepi: the guest is running; stop it first\n0x00001000  0xb8\nstopped at 0x0000100e:  jmp 0x100e\n",
	  PROGRAM(talking) },
	{ "x/3xb 0x1000\nx\nx/2i 0x1000\nx/2dw 0x1005",
	  "0x00001000  0xe8  0x08  0x00\n0x00001003  0x00\n=>  0x00001000  e808000000  call 0x100d\n"
	  "    0x00001005  43          inc ebx\n0x00001005  -1862735037  -1869574000\n",
	  PROGRAM(looping) },
	{ "x /2xb 0x1000\nx /1 0x1000\nprint /t 5\nprint /x &$eax\ninfo registers eax $edx",
	  "0x00001000  0xe8  0x08\n0x00001000  0xe8\n0b101\n! expected a symbol after '&'\neax  0x0  0\nedx  0x0  0\n",
	  PROGRAM(looping) },
	{ "x/2xb 0xffff", "0x0000ffff  0x00\n! cannot read memory at 0x10000\n", PROGRAM(looping) },
	{ "x/4xq 0", "! x: /4xq is not a format (a count, one of x d u o c a s i, one of b h w g)\n",
	  PROGRAM(looping) },
	{ "set $eax = 0x41424344\nset *(u32)0x2000 = $eax\nx/4cb 0x2000\nx/s 0x2000\np [0x2000]",
	  "0x00002000  'D'  'C'  'B'  'A'\n0x00002000  DCBA\n1094861636  0x41424344\n", PROGRAM(looping) },
	{ "set $al = 0x1ff\np/x $eax\nset $cs = 8\nset $foo = 5\np $foo+1\nset $cpl = 3",
	  "0xff\n! set: $cs: the descriptor is not a code segment\n"
	  "6  0x6\n! set: $cpl: this register is read-only\n",
	  PROGRAM(looping) },
	{ "set [0x20000] = 1\nset 5 = 1",
	  "! set: cannot write memory at 0x20000\n"
	  "! usage: set $REG|$VAR|[ADDR]|*(TYPE)ADDR|{TYPE}ADDR = EXPR, or set step-irq on|off\n",
	  PROGRAM(looping) },
	{ "b 0x1005\nu/3 0x1000",
	  "break 1 at 0x00001005\n=>   0x00001000  e808000000  call 0x100d\n"
	  "  *  0x00001005  43          inc ebx\n     0x00001006  ebf8        jmp 0x1000\n",
	  PROGRAM(looping) },
	{ "info mem\ninfo mem x\ninfo tlb\ngva2gpa 0x1234\ngva2gpa 0x500000\npage 0x1234\npage 0x500000",
	  "0000000000000000-0000000000400000 0000000000400000 urw\n"
	  "0000000000000000-0000000000400000 0000000000400000 urwx\n"
	  "0000000000000000: 0000000000000000 --PDA--UW\n"
	  "gpa: 0x00001234\n! gva2gpa: 0x00500000 is not mapped\n"
	  "Level  At          Entry  Flags\nPDE    0x00002000   0xe7  P W U A D PS/PAT\n"
	  "0x00001234 -> 0x00001234, page of 4096 KiB, urwx\n"
	  "Level  At          Entry  Flags\nPDE    0x00002004    0x0\n0x00500000 is not mapped\n",
	  PROGRAM(looping) },
	{ "page 0x801234\npage 0xa01234\ngva2gpa 0x801234",
	  "Level  At          Entry  Flags\nPDE    0x00002008   0xe7  P W U A D PS/PAT\n"
	  "0x00801234 -> guest-physical 0x00001234 -> 0x00801234, pages of 4096 and 2048 KiB, ur-x\n"
	  "Level  At          Entry  Flags\nPDE    0x00002008    0x0\n"
	  "0x00a01234: nested paging has no translation of guest-physical 0x00201234\n"
	  "gpa: 0x00801234\n",
	  PROGRAM(looping) },
	{ "info registers ebx\ninfo registers cr0\ninfo reg nosuch",
	  "ebx  0x0  0\ncr0  0x80000011  PE ET PG  2147483665\n"
	  "! info registers: no such register or group (groups: general segment control debug system float part "
	  "all)\n",
	  PROGRAM(looping) },
	{ "ps\nlsmod\nbreak 0x1005 task sh\nbreak 0x1005 tasks\nprint $kaslr\nsymbols linux\nsymbols linux maybe",
	  "! info tasks: no Linux kernel was found: it is not there yet, or not one with kallsyms\n"
	  "! info modules: no Linux kernel was found: it is not there yet, or not one with kallsyms\n"
	  "! break: task: no Linux kernel was found: it is not there yet, or not one with kallsyms\n"
	  "! break: unexpected 'tasks'\n! no register or variable $kaslr\n"
	  "! symbols: no Linux kernel was found: it is not there yet, or not one with kallsyms\n"
	  "! usage: symbols linux [on|off]\n",
	  PROGRAM(looping) },
	{ "statehash", "feedface00000000 at icount 0\n", PROGRAM(looping) },
	{ "save-state /nonexistent/x\nload-state /nonexistent/x",
	  "! save-state: /nonexistent/x: cannot be written\n! load-state: /nonexistent/x: not a saved state\n",
	  PROGRAM(looping) },
	{ "expect 1\nexpect $eax == 1", "! expect: $eax == 1 is false\n", PROGRAM(looping) },
	{ "echo a  \"b\\x21\" 'c d'\n# comment\n\nech x", "a b! c d\nx\n", NULL, 0 },
	{ "p 1+1\np/x 255\np", "2  0x2\n0xff\n! usage: print [/F] EXPR\n", NULL, 0 },
	{ "nosuch\nec\nex\ne\nx/3xb 0\np \"",
	  "! no command 'nosuch' (try help)\n\n! usage: expect EXPR\n"
	  "! 'e' is ambiguous: enable expect echo\n! x: no machine (vitrine was started without a GUEST)\n! "
	  "print: a quote is not closed\n",
	  NULL, 0 },
	{ "info nosuch\ninfo registers sort=nosuch\necho/x",
	  "! info: no view 'nosuch' without a machine\n"
	  "! info registers: no machine\n! echo: takes no /x\n",
	  NULL, 0 },
	{ "source /nonexistent/file", "! source: cannot open /nonexistent/file: No such file or directory\n",
	  NULL, 0 },
};

static void say_lines(struct run *run, const char *lines)
{
	char *copy = strdup(lines), *save = NULL;

	for (char *l = strtok_r(copy, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		say(run, l);
	free(copy);
}

START_TEST(test_session)
{
	struct run run;

	begin(&run, sessions[_i].code, sessions[_i].len);
	say_lines(&run, sessions[_i].lines);
	ck_assert_str_eq(said(&run), sessions[_i].want);
	end(&run);
}
END_TEST

static const struct {
	const char *line;
	enum inspect_status want;
} statuses[] = {
	{ "echo", INSPECT_OK },	      { "nosuch", INSPECT_FAILED },   { "-nosuch", INSPECT_OK },
	{ "- expect 0", INSPECT_OK }, { "expect 0", INSPECT_FAILED }, { "quit", INSPECT_QUIT },
	{ "", INSPECT_OK },	      { "  # x", INSPECT_OK },	      { "stepi 0", INSPECT_FAILED },
	{ "c", INSPECT_OK },
};

START_TEST(test_status)
{
	struct run run;

	begin(&run, PROGRAM(exiting));
	ck_assert_int_eq(say(&run, statuses[_i].line), statuses[_i].want);
	end(&run);
}
END_TEST

START_TEST(test_breakpoints_leave_the_engine)
{
	struct run run;

	begin(&run, PROGRAM(looping));
	say_lines(&run, "b 0x1005\nb 0x1005\ntbreak 0x100d");
	ck_assert_uint_eq(fake_machine_breakpoints(run.m), 2);
	say_lines(&run, "c\nnexti\nuntil 0x1010");
	ck_assert_uint_eq(fake_machine_breakpoints(run.m), 1);
	say(&run, "delete 1");
	ck_assert_uint_eq(fake_machine_breakpoints(run.m), 1);
	say(&run, "delete 2");
	ck_assert_uint_eq(fake_machine_breakpoints(run.m), 0);
	end(&run);
}
END_TEST

START_TEST(test_script)
{
	struct inspect_sink sink;
	FILE *f = tmpfile();
	struct run run;

	begin(&run, NULL, 0);
	sink = (struct inspect_sink){ .ctx = &run, .emit = emit };
	fputs("echo one\n-expect 0\nexpect 0\necho two\n", f);
	rewind(f);
	ck_assert_int_eq(inspect_script(run.s, f, "s", &sink), INSPECT_FAILED);
	ck_assert_str_eq(said(&run),
			 "one\n! expect: 0 is false\n! expect: 0 is false\n! s:3: the script ends here\n");
	fclose(f);
	end(&run);
}
END_TEST

START_TEST(test_endless_source)
{
	char path[] = "/tmp/vitrine-test-XXXXXX", line[64];
	struct run run;
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	begin(&run, NULL, 0);
	snprintf(line, sizeof(line), "source %s", path);
	ck_assert(write(fd, line, strlen(line)) > 0);
	ck_assert_int_eq(say(&run, line), INSPECT_FAILED);
	ck_assert(strstr(said(&run), "nested too deeply") != NULL);
	close(fd);
	unlink(path);
	end(&run);
}
END_TEST

/* An engine that stops whenever it runs does not keep a command, or the event loop, busy for ever. */
START_TEST(test_engine_without_reason)
{
	struct run run;

	begin(&run, looping, sizeof(looping));
	fake_machine_refuses(run.m);
	say(&run, "continue &");
	for (int i = 0; i < 100 && inspect_running(run.s); i++)
		inspect_poll(run.s, NULL);
	ck_assert(!inspect_running(run.s));
	say(&run, "continue");
	ck_assert_ptr_nonnull(strstr(said(&run), "stops again and again without a reason"));
	end(&run);
}
END_TEST

START_TEST(test_deadline)
{
	char why[100];
	struct run run;

	begin(&run, PROGRAM(looping));
	inspect_set_deadline(run.s, 0.02);
	ck_assert_int_eq(say(&run, "continue"), INSPECT_FAILED);
	ck_assert(inspect_must_end(run.s));
	ck_assert_int_eq(inspect_exit_status(run.s, why, sizeof(why)), 124);
	end(&run);
}
END_TEST

START_TEST(test_json_stop)
{
	struct run run;

	begin(&run, PROGRAM(looping));
	run.json = true;
	say(&run, "stepi");
	ck_assert_str_eq(
	    said(&run),
	    "{\"event\":\"stop\",\"reason\":\"step\",\"pc\":4109,\"insn\":\"inc eax\",\"icount\":1}\n");
	end(&run);
}
END_TEST

START_TEST(test_input)
{
	struct run run;

	begin(&run, PROGRAM(looping));
	say(&run, "serial \"ls\\n\"");
	say(&run, "type aB");
	ck_assert_str_eq(fake_machine_input(run.m), "ls\n1e 9e 2a 30 b0 aa ");
	end(&run);
}
END_TEST

START_TEST(test_symbols)
{
	char path[] = "/tmp/vitrine-test-XXXXXX", line[64];
	int fd = mkstemp(path);
	struct run run;

	ck_assert_int_ge(fd, 0);
	ck_assert(write(fd, "1000 T start\n100d t leaf\n1010 D tail [mod]\n0 A abs\n", 50) > 0);
	begin(&run, PROGRAM(looping));
	snprintf(line, sizeof(line), "symbols load %s", path);
	ck_assert_int_eq(say(&run, line), INSPECT_OK);
	fseek(run.out, 0, SEEK_SET);
	say_lines(&run, "b leaf\nc\nfinish\np/a start+2\ninfo symbols tail");
	ck_assert_str_eq(said(&run),
			 "break 1 at 0x0000100d leaf\nbreakpoint 1 at 0x0000100d <leaf>:  inc eax\n"
			 "finish at 0x00001005 <start+0x5>:  inc ebx\n0x1002  <start+0x2>\n"
			 "Address     Size/B  Kind  Name  Module\n0x00001010       -  data  tail  [mod]\n");
	ck_assert_int_eq(say(&run, "symbols load /dev/null"), INSPECT_FAILED);
	close(fd);
	unlink(path);
	end(&run);
}
END_TEST

static void count(void *ctx, const char *text)
{
	(void)text;
	++*(unsigned *)ctx;
}

START_TEST(test_completion)
{
	struct run run;
	unsigned n = 0;

	begin(&run, PROGRAM(looping));
	ck_assert(inspect_complete(run.s, "step", 0, "step", count, &n));
	ck_assert_uint_eq(n, 2); /* stepi */
	ck_assert(inspect_complete(run.s, "info regi", 5, "regi", count, &n));
	ck_assert_uint_eq(n, 3);
	ck_assert(inspect_complete(run.s, "print $cs_", 6, "$cs_", count, &n));
	ck_assert_uint_eq(n, 6);
	ck_assert(!inspect_complete(run.s, "source /et", 7, "/et", count, &n));
	end(&run);
}
END_TEST

static void join(void *ctx, const char *text)
{
	char *all = ctx;
	size_t n = strlen(all);

	snprintf(all + n, 400 - n, "%s%s", n ? " " : "", text);
}

/* Columns: the line before the word, the word, its completions. */
static const struct {
	const char *line, *word, *words;
} completions[] = {
	{ "break-on ", "f", "fragment" },
	{ "break-on mode ", "", "real protected paging v86 long" },
	{ "break-on exception ", "p", "pf" },
	{ "break-on exception ", "#P", "#PF" },
	{ "catch exception 14 if ", "$ea", "$eax" },
	{ "delete ", "", "all 1 2" },
	{ "delete 1 ", "2", "2" },
	{ "set ", "s", "step-irq" },
	{ "set step-irq ", "", "on off" },
	{ "info registers ", "eb", "ebx ebp" },
	{ "info registers ", "so", "sort=" },
	{ "info break sort=", "h", "hits" },
	{ "info break sort=", "-h", "-hits" },
	{ "info -j break ", "li", "limit=" },
	{ "help ", "sendk", "sendkey" },
	{ "help info ", "fp", "fpu" },
	{ "pick $x ", "xm", "xmm" },
	{ "pick $x break ", "numb", "number" },
	{ "log ", "io", "io" },
	{ "log io ", "", "on off" },
	{ "symbols ", "", "load save clear linux types sources programs" },
	{ "sendkey ", "pg", "pgup pgdn" },
	{ "sendkey ret ", "ctrl-pgu", "ctrl-pgup" },
	{ "print 1+", "$ebx", "$ebx" },
	{ "x /2i ", "$ebx", "$ebx" },
	{ "stop ", "", "" },
	{ "nonsense ", "x", "" },
};

START_TEST(test_completion_of_words)
{
	char line[100], words[400] = "";
	struct run run;

	begin(&run, PROGRAM(looping));
	say(&run, "break *0x1000");
	say(&run, "break *0x1001");
	snprintf(line, sizeof(line), "%s%s", completions[_i].line, completions[_i].word);
	ck_assert(
	    inspect_complete(run.s, line, strlen(completions[_i].line), completions[_i].word, join, words));
	ck_assert_str_eq(words, completions[_i].words);
	end(&run);
}
END_TEST

/* ---- the tables ---- */

static bool same_word(const char *list, const char *word)
{
	const char *at = list ? strstr(list, word) : NULL;
	size_t n = strlen(word);

	return at && (at == list || at[-1] == ' ') && (at[n] == ' ' || !at[n]);
}

START_TEST(test_command_names_are_unique)
{
	for (const struct command_group *const *g = command_groups; *g; g++)
		for (const struct command *c = (*g)->commands; c->name; c++)
			for (const struct command_group *const *h = command_groups; *h; h++)
				for (const struct command *d = (*h)->commands; d->name; d++) {
					ck_assert_msg(c == d || strcmp(c->name, d->name), "%s twice",
						      c->name);
					ck_assert_msg(!same_word(d->aliases, c->name), "%s is an alias of %s",
						      c->name, d->name);
				}
}
END_TEST

static const unsigned reaching = CMD_FILES | CMD_FILES_BY_WORD;

static bool mentions_files(const struct command *c)
{
	return strstr(c->args, "FILE") || strstr(c->args, "PATH") ||
	       (c->complete && strstr(c->complete, "<file>"));
}

/* A sink without files: what reaches them is refused, whatever else is wrong with the line, and only that. */
START_TEST(test_commands_without_files)
{
	static const char *const words[] = { "nothing", "file", "load", "save" };
	unsigned rows = 0;
	struct run run;
	char line[100];

	begin(&run, PROGRAM(looping));
	for (const struct command_group *const *g = command_groups; *g; g++)
		for (const struct command *c = (*g)->commands; c->name; c++) {
			struct inspect_sink sink = { .ctx = &run, .emit = emit, .no_files = true };
			size_t refused = 0;

			ck_assert_msg(!mentions_files(c) || (c->flags & reaching),
				      "%s takes files and does not say so", c->name);
			for (size_t w = 0; (c->flags & reaching) && w < ARRAY_LEN(words); w++) {
				const char *before = said(&run) ? run.text : "";
				size_t at = strlen(before);

				snprintf(line, sizeof(line), "%s %s /nonexistent/x", c->name, words[w]);
				inspect_exec(run.s, line, &sink);
				refused += strstr(said(&run) + at, "refused, as it reaches files") != NULL;
			}
			ck_assert_msg(refused == (c->flags & CMD_FILES		 ? ARRAY_LEN(words)
						  : c->flags & CMD_FILES_BY_WORD ? ARRAY_LEN(words) - 1
										 : 0),
				      "%s: %zu refused", c->name, refused);
			rows += refused > 0;
		}
	ck_assert_uint_ge(rows, 9);
	end(&run);
}
END_TEST

/* The commands of a point are executed with the rights of the face that wrote them. */
START_TEST(test_commands_of_points_without_files)
{
	static const struct {
		bool no_files, refused;
	} ways[] = { { false, false }, { true, true } };
	struct run run;

	begin(&run, PROGRAM(looping));
	struct inspect_sink sink = { .ctx = &run, .emit = emit, .no_files = ways[_i].no_files };
	struct inspect_sink other = { .ctx = &run, .emit = emit, .no_files = !ways[_i].no_files };

	inspect_exec(run.s, "break 0x1005", &sink);
	inspect_exec(run.s, "commands 1 \"source /nonexistent/x\"", &sink);
	inspect_exec(run.s, "continue", &other);
	ck_assert_msg(strstr(said(&run), "source: "), "%s", said(&run));
	ck_assert_msg((strstr(said(&run), "refused") != NULL) == ways[_i].refused, "%s", said(&run));
	end(&run);
}
END_TEST

START_TEST(test_views_and_registers)
{
	for (const struct view *const *v = inspect_views; *v; v++)
		for (unsigned i = 0; i < (*v)->ncols; i++)
			for (unsigned k = 0; k < i; k++)
				ck_assert_str_ne((*v)->cols[i].name, (*v)->cols[k].name);
	for (unsigned i = 0; i < reg_count; i++)
		ck_assert_ptr_eq(reg_find(reg_infos[i].name), &reg_infos[i]);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("command");
	Suite *su = suite_create("command");

	tcase_add_loop_test(tc, test_session, 0, ARRAY_LEN(sessions));
	tcase_add_loop_test(tc, test_status, 0, ARRAY_LEN(statuses));
	tcase_add_test(tc, test_breakpoints_leave_the_engine);
	tcase_add_test(tc, test_script);
	tcase_add_test(tc, test_endless_source);
	tcase_add_test(tc, test_engine_without_reason);
	tcase_add_test(tc, test_deadline);
	tcase_add_test(tc, test_json_stop);
	tcase_add_test(tc, test_input);
	tcase_add_test(tc, test_symbols);
	tcase_add_test(tc, test_completion);
	tcase_add_loop_test(tc, test_completion_of_words, 0, ARRAY_LEN(completions));
	tcase_add_test(tc, test_command_names_are_unique);
	tcase_add_test(tc, test_commands_without_files);
	tcase_add_loop_test(tc, test_commands_of_points_without_files, 0, 2);
	tcase_add_test(tc, test_views_and_registers);
	suite_add_tcase(su, tc);
	return suite_run(su);
}
