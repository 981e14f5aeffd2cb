/* SPDX-License-Identifier: GPL-3.0-or-later
 * The command line: what is accepted, what is refused, and the fields that result. */
#include "console/options.h"
#include "tests/suite.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const size_t no_length = 0;
static const struct embedded_guest guests[] = { { "demo", "a guest", NULL, &no_length },
						{ "other", "another", NULL, &no_length },
						{ 0 } };

enum { MAX_WORDS = 32 };

/* Parse LINE, split at blanks into WORDS, which the options borrow. What is printed goes to /dev/null. */
static enum options_result parse(struct options *o, const char *line, char *words)
{
	char *argv[MAX_WORDS + 2] = { (char *)"vitrine" }, *save = NULL;
	int argc = 1, null = open("/dev/null", O_WRONLY), out, err;
	enum options_result res;

	strcpy(words, line);
	for (char *w = strtok_r(words, " ", &save); w && argc <= MAX_WORDS; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	fflush(stdout);
	out = dup(STDOUT_FILENO);
	err = dup(STDERR_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	res = options_parse(o, guests, argc, argv);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	close(out);
	close(err);
	close(null);
	return res;
}

/* Columns: command line, result. */
static const struct {
	const char *line;
	enum options_result res;
} results[] = {
	{ "", OPTIONS_BAD },
	{ "--help", OPTIONS_DONE },
	{ "help", OPTIONS_DONE },
	{ "--version", OPTIONS_DONE },
	{ "--help-man", OPTIONS_MANUAL },
	{ "run --help", OPTIONS_DONE },
	{ "fly demo", OPTIONS_BAD },
	{ "run", OPTIONS_BAD },
	{ "run demo", OPTIONS_GO },
	{ "run nosuch", OPTIONS_BAD },
	{ "run demo other", OPTIONS_BAD },
	{ "run --kernel k demo", OPTIONS_BAD },
	{ "run --kernel k --flat f@0", OPTIONS_BAD },
	{ "run --nosuch demo", OPTIONS_BAD },
	{ "run demo --memory", OPTIONS_BAD },
	{ "run --initrd i demo", OPTIONS_BAD },
	{ "run --kernel k --initrd i", OPTIONS_GO },
	{ "run --bios b", OPTIONS_GO },
	{ "run --bios b --kernel k", OPTIONS_BAD },
	{ "run --disk d --kernel k", OPTIONS_GO },
	{ "run --disk d --bios b --kernel k", OPTIONS_BAD },
	{ "run --boot-sector d --kernel k", OPTIONS_BAD },
	{ "run --disk d --bios b", OPTIONS_GO },
	{ "run --disk d demo", OPTIONS_GO },
	{ "run --disk d --flat f@0", OPTIONS_GO },
	{ "run --disk d,ro --disk e --floppy f --floppy g,ro --cdrom c", OPTIONS_GO },
	{ "run --disk 1 --disk 2 --disk 3 --disk 4 --disk 5 --disk 6 --disk 7 --disk 8", OPTIONS_GO },
	{ "run --disk 1 --disk 2 --disk 3 --disk 4 --disk 5 --disk 6 --disk 7 --disk 8 --disk 9",
	  OPTIONS_BAD },
	{ "run --disk d,bus=virtio,overlay=temp,iops-read=10,bps-write=1M", OPTIONS_GO },
	{ "run --disk d,bus=scsi", OPTIONS_BAD },
	{ "run --disk d,ro,overlay=o", OPTIONS_BAD },
	{ "run --disk d,iops-read=0", OPTIONS_BAD },
	{ "run --floppy d,bus=ide", OPTIONS_BAD },
	{ "run --cdrom d,ro", OPTIONS_BAD },
	{ "run --floppy d --floppy e --floppy f", OPTIONS_BAD },
	{ "run --cdrom c --cdrom d", OPTIONS_BAD },
	{ "run --disk d,rw", OPTIONS_BAD },
	{ "run --disk ,ro", OPTIONS_BAD },
	{ "run --boot-sector b --disk d", OPTIONS_GO },
	{ "attach --disk d a", OPTIONS_BAD },
	{ "shell", OPTIONS_GO },
	{ "shell --gdb 1234", OPTIONS_BAD },
	{ "shell --gdb 1234 demo", OPTIONS_GO },
	{ "shell --wait-gdb demo", OPTIONS_BAD },
	{ "shell --control /tmp/x demo", OPTIONS_BAD },
	{ "shell --control unix: demo", OPTIONS_BAD },
	{ "shell --control unix:/tmp/x demo", OPTIONS_GO },
	{ "shell --serial nowhere demo", OPTIONS_BAD },
	{ "shell --serial file: demo", OPTIONS_BAD },
	{ "shell --serial file:x demo", OPTIONS_GO },
	{ "shell --engine vtx --vtx shadow demo", OPTIONS_GO },
	{ "shell --engine vtx --vtx npt demo", OPTIONS_BAD },
	{ "shell --vtx ept demo", OPTIONS_BAD },
	{ "shell --engine steam demo", OPTIONS_BAD },
	{ "shell --memory 0 demo", OPTIONS_BAD },
	{ "shell --memory -1 demo", OPTIONS_BAD },
	{ "shell --memory 12Q demo", OPTIONS_BAD },
	{ "shell --memory 12MM demo", OPTIONS_BAD },
	{ "shell --memory 99999999999999G demo", OPTIONS_BAD },
	{ "shell --tu-max 0 demo", OPTIONS_BAD },
	{ "shell --tu-max 3x demo", OPTIONS_BAD },
	{ "shell --timeout 0 demo", OPTIONS_BAD },
	{ "shell --timeout nan demo", OPTIONS_BAD },
	{ "shell --timeout inf demo", OPTIONS_BAD },
	{ "shell --timeout 2s demo", OPTIONS_BAD },
	{ "shell --clock never demo", OPTIONS_BAD },
	{ "shell --clock icount:0 demo", OPTIONS_BAD },
	{ "shell --clock icountx demo", OPTIONS_BAD },
	{ "shell --flat f", OPTIONS_BAD },
	{ "shell --flat @0", OPTIONS_BAD },
	{ "shell --flat f@x", OPTIONS_BAD },
	{ "shell --size 80x24 demo", OPTIONS_BAD },
	{ "tui --size 80 demo", OPTIONS_BAD },
	{ "tui --size 80x24x1 demo", OPTIONS_BAD },
	{ "tui --size 0x24 demo", OPTIONS_BAD },
	{ "tui --size 9999x24 demo", OPTIONS_BAD },
	{ "tui --tui demo", OPTIONS_BAD },
	{ "attach", OPTIONS_BAD },
	{ "attach a b", OPTIONS_BAD },
	{ "attach --kernel k a", OPTIONS_BAD },
	{ "attach --tui a", OPTIONS_GO },
	{ "attach --tui -c x a", OPTIONS_BAD },
	{ "attach -c x a", OPTIONS_GO },
};

START_TEST(result)
{
	struct options o;
	char words[200];
	enum options_result res = parse(&o, results[_i].line, words);

	ck_assert_msg(res == results[_i].res, "vitrine %s: result %d", results[_i].line, res);
	if (results[_i].line[0])
		options_fini(&o);
}
END_TEST

START_TEST(defaults)
{
	struct options o;
	char words[200];

	ck_assert_int_eq(parse(&o, "run demo", words), OPTIONS_GO);
	ck_assert_int_eq(o.face, FACE_RUN);
	ck_assert_ptr_eq(o.embedded, &guests[0]);
	ck_assert_uint_eq(o.memory, 512u << 20);
	ck_assert_str_eq(o.serial, "stdio");
	ck_assert_str_eq(o.engine, "bt");
	ck_assert(!o.icount && !o.json && !o.interactive && o.timeout == 0);
	options_fini(&o);
	ck_assert_int_eq(parse(&o, "run --json demo", words), OPTIONS_GO);
	ck_assert_str_eq(o.serial, "null");
	options_fini(&o);
}
END_TEST

START_TEST(values)
{
	struct options o;
	char words[300];

	ck_assert_int_eq(parse(&o,
			       "tui -m 64M --tc-size 0x10k --clock icount:25 --timeout 1.5 --tu-max 7 --size "
			       "132x43 --batch -n 3 -d 0.5 --dump traps --flat dir@x/f@0x7c00 --verify-tc",
			       words),
			 OPTIONS_GO);
	ck_assert_int_eq(o.face, FACE_TUI);
	ck_assert_uint_eq(o.memory, 64u << 20);
	ck_assert_uint_eq(o.tc_size, 16u << 10);
	ck_assert(o.icount && o.icount_ns == 25);
	ck_assert(o.timeout == 1.5 && o.delay == 0.5);
	ck_assert_uint_eq(o.tu_max, 7);
	ck_assert_int_eq(o.width, 132);
	ck_assert_int_eq(o.height, 43);
	ck_assert(o.batch && o.count == 3);
	ck_assert_str_eq(o.dump, "traps");
	ck_assert_str_eq(o.flat_file, "dir@x/f");
	ck_assert_uint_eq(o.flat_addr, 0x7c00);
	ck_assert(o.verify_tc && o.has_guest && !o.embedded);
	options_fini(&o);
}
END_TEST

START_TEST(drives)
{
	struct options o;
	char words[200];

	ck_assert_int_eq(parse(&o, "run --disk a,ro --disk b --cdrom c --floppy f", words), OPTIONS_GO);
	ck_assert(o.has_guest && o.disks.n == 2 && o.cdroms.n == 1 && o.floppies.n == 1);
	ck_assert_str_eq(o.disks.d[0].file, "a");
	ck_assert_str_eq(o.disks.d[1].file, "b");
	ck_assert(o.disks.d[0].read_only && !o.disks.d[1].read_only && !o.floppies.d[0].read_only);
	ck_assert_str_eq(o.cdroms.d[0].file, "c");
	options_fini(&o);
	ck_assert_int_eq(parse(&o, "run --disk a,overlay=b,iops-write=7,bps-read=2K,bus=virtio", words),
			 OPTIONS_GO);
	ck_assert_str_eq(o.disks.d[0].overlay, "b");
	ck_assert(o.disks.d[0].virtio && o.disks.d[0].iops_write == 7 && o.disks.d[0].bps_read == 2048);
	options_fini(&o);
}
END_TEST

/* Scripts keep the order in which -x and -c are given; options may follow the guest. */
START_TEST(scripts)
{
	static const struct script expected[] = { { false, "one" }, { true, "two" }, { false, "three" } };
	struct options o;
	char words[200];

	ck_assert_int_eq(parse(&o, "shell -c one demo -x two -c three -i", words), OPTIONS_GO);
	ck_assert_uint_eq(o.nscripts, ARRAY_LEN(expected));
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		ck_assert(o.scripts[i].file == expected[i].file);
		ck_assert_str_eq(o.scripts[i].text, expected[i].text);
	}
	ck_assert(o.interactive);
	options_fini(&o);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("options");
	TCase *t = tcase_create("options");

	tcase_add_loop_test(t, result, 0, (int)ARRAY_LEN(results));
	tcase_add_test(t, defaults);
	tcase_add_test(t, values);
	tcase_add_test(t, drives);
	tcase_add_test(t, scripts);
	suite_add_tcase(s, t);
	return suite_run(s);
}
