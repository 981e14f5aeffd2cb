/* SPDX-License-Identifier: GPL-3.0-or-later
 * The command line, parsed by a table of options. --help and the manual are generated from its rows. */
#include "console/options.h"
#include "base/alloc.h"
#include "base/runtime.h"
#include "base/size.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0.1"
#endif

#define NAME_RULE " (a name has letters, digits, '-' and '_', at most 31)"

enum kind { FLAG, TEXT, SIZE, NUMBER, SECONDS, DRIVE, NET, DEVICE, SCRIPT_FILE, SCRIPT_LINE, HELP };
enum section { SEC_FACE, SEC_TUI, SEC_MACHINE, SEC_HOST, SEC_GUEST, NSECTIONS };

static const char *const section_titles[NSECTIONS] = { "Options", "Dashboard", "Machine", "Several VMs",
						       "Guest" };

/* Columns: long name (NULL: none), letter (0: none), argument, section, kind, offset of the field, help. */
static const struct option_row {
	const char *name;
	char letter;
	const char *arg;
	enum section section;
	enum kind kind;
	size_t offset;
	const char *help;
} rows[] = {
#define AT(field) offsetof(struct options, field)
	{ NULL, 'x', "FILE", SEC_FACE, SCRIPT_FILE, 0,
	  "execute the commands in FILE (repeatable), then exit unless -i" },
	{ NULL, 'c', "COMMAND", SEC_FACE, SCRIPT_LINE, 0,
	  "execute COMMAND (repeatable, in order with -x), then exit unless -i" },
	{ NULL, 'i', NULL, SEC_FACE, FLAG, AT(interactive), "stay interactive after -x and -c" },
	{ "json", 0, NULL, SEC_FACE, FLAG, AT(json), "print results as JSON lines" },
	{ "no-rc", 0, NULL, SEC_FACE, FLAG, AT(no_rc), "do not read ~/.config/vitrine/rc" },
	{ "help", 'h', NULL, SEC_FACE, HELP, 0, "print this help and exit" },
	{ "tui", 0, NULL, SEC_TUI, FLAG, AT(want_tui),
	  "with attach and host: the dashboard instead of the shell" },
	{ "dump", 0, "SCREEN", SEC_TUI, TEXT, AT(dump),
	  "print SCREEN as text after -x and -c, and exit; needs no terminal" },
	{ "size", 0, "WxH", SEC_TUI, TEXT, AT(size), "size of a printed screen (80x24)" },
	{ "batch", 0, NULL, SEC_TUI, FLAG, AT(batch), "run the guest and print the screen repeatedly" },
	{ NULL, 'n', "N", SEC_TUI, NUMBER, AT(count), "number of screens --batch prints (1)" },
	{ NULL, 'd', "SECONDS", SEC_TUI, SECONDS, AT(delay),
	  "interval of --batch (1), or of refreshes (0.2)" },
	{ "memory", 'm', "SIZE", SEC_MACHINE, SIZE, AT(memory),
	  "guest memory (512M); with suffix K, M or G" },
	{ "cpu", 0, "MODEL", SEC_MACHINE, TEXT, AT(cpu),
	  "processor model the guest sees (host), then features: pentium3,+sse2,-mmx; +vmx: VT-x as the model has it, or "
	  "vmx=early|nehalem|haswell|all; +svm: AMD-V" },
	{ "engine", 0, "bt|vtx|kvm", SEC_MACHINE, TEXT, AT(engine),
	  "execution engine: bt, the binary translator; vtx, a monitor over VT-x (on a processor that the translator executes); kvm, the host's KVM" },
	{ "vtx", 0, "ept|shadow", SEC_MACHINE, TEXT, AT(vtx),
	  "how the engine vtx virtualizes memory: by EPT (default) or by shadow page tables" },
	{ "gdb", 0, "[HOST:]PORT|unix:PATH", SEC_MACHINE, TEXT, AT(gdb),
	  "listen for gdb (HOST defaults to 127.0.0.1)" },
	{ "gdb-files", 0, NULL, SEC_MACHINE, FLAG, AT(gdb_files),
	  "let gdb's monitor commands read and write files of the host (dump, load, source...)" },
	{ "control", 0, "unix:PATH", SEC_MACHINE, TEXT, AT(control),
	  "listen for vitrine attach and programs, which send commands as JSON lines" },
	{ "wait-gdb", 0, NULL, SEC_MACHINE, FLAG, AT(wait_gdb), "wait for gdb to start the guest" },
	{ "net", 0, "user|tap:NAME|hub[:PATH][,KEY=VALUE...]", SEC_MACHINE, NET, 0,
	  "network device (repeatable): the user's own network, an interface of the host, a cable between machines; "
	  "keys: model=pcnet|virtio, mac=, rate=BITS, pcap=FILE, rom=FILE, and for user hostfwd=tcp:HOST:PORT-GUESTPORT, tftp=DIRECTORY, bootfile=FILE|URL; "
	  "user:socket=PATH is passt's" },
	{ "device", 0, "MODEL[,KEY=VALUE...]", SEC_MACHINE, DEVICE, 0,
	  "add a device (repeatable): virtio-rng, random numbers of the host's, or with --clock icount those of seed=N; "
	  "max-bytes=SIZE is a limit for each period=MS (1000); virtio-console, hvc0, which has the output of the serial port and, while a driver serves it, what is typed; pvpanic (ISA) and pvpanic-pci, which stop the machine when the guest's kernel panics" },
	{ "serial", 0, "WHERE", SEC_MACHINE, TEXT, AT(serial),
	  "connect the serial port to stdio (default), null (default with --json), file:PATH or unix:PATH" },
	{ "clock", 0, "host|icount[:NS]", SEC_MACHINE, TEXT, AT(clock),
	  "VM time: the host's, or NS nanoseconds (1) per instruction, which makes runs repeatable" },
	{ "no-sandbox", 0, NULL, SEC_MACHINE, FLAG, AT(no_sandbox),
	  "let the threads make any system call, not only those they need" },
	{ "timeout", 0, "SECONDS", SEC_MACHINE, SECONDS, AT(timeout), "exit after SECONDS with status 124" },
	{ "no-reboot", 0, NULL, SEC_MACHINE, FLAG, AT(no_reboot),
	  "exit with status 126 when the guest resets" },
	{ "pc-testdev", 0, NULL, SEC_MACHINE, FLAG, AT(testdev),
	  "add the test device of kvm-unit-tests: ports 0xe0-0xf3, lines at 0x2000, memory at 0xff000000" },
	{ "name", 0, "NAME", SEC_MACHINE, TEXT, AT(name), "name of the machine (vitrine)" },
	{ "machine-memory", 0, "SIZE", SEC_MACHINE, SIZE, AT(machine_memory),
	  "size of the pool that guest memory is allocated from (as large as needed; host: half of the computer's memory)" },
	{ "swap", 0, "FILE", SEC_MACHINE, TEXT, AT(swap),
	  "swap guest memory to FILE, which is made and goes away: --machine-memory may be less than --memory, or all VMs' memory" },
	{ "balloon", 0, "vmware|virtio|none", SEC_MACHINE, TEXT, AT(balloon),
	  "device by which a driver in the guest gives memory back: VMware's port (default), for Linux' vmw_balloon, or virtio's" },
	{ "tc-size", 0, "SIZE", SEC_MACHINE, SIZE, AT(tc_size), "size of the translation cache" },
	{ "verify-tc", 0, NULL, SEC_MACHINE, FLAG, AT(verify_tc),
	  "verify every translated fragment with an independent decoder" },
	{ "tu-max", 0, "N", SEC_MACHINE, NUMBER, AT(tu_max),
	  "translate at most N instructions at a time (for bisecting)" },
	{ "no-chain", 0, NULL, SEC_MACHINE, FLAG, AT(no_chain),
	  "do not link fragments to each other (for bisecting)" },
	{ "host", 0, "HOST", SEC_HOST, TEXT, AT(host),
	  "join HOST, a 'vitrine host', and share its machine memory with its other VMs; needs --name" },
	{ "min", 0, "SIZE", SEC_HOST, SIZE, AT(min),
	  "memory that the host always leaves to the guest (all of it; with the host's --swap a quarter)" },
	{ "max", 0, "SIZE", SEC_HOST, SIZE, AT(max), "memory that it gives to the guest at most (--memory)" },
	{ "shares", 0, "N", SEC_HOST, NUMBER, AT(shares),
	  "the guest's part of the host's memory, against the shares of other VMs" },
	{ "kernel", 0, "FILE", SEC_GUEST, TEXT, AT(kernel),
	  "boot a Linux bzImage, a Multiboot kernel (1 or 2) or one with PVH's entry" },
	{ "entry", 0, "32|64|multiboot|multiboot2|pvh", SEC_GUEST, TEXT, AT(entry),
	  "how to enter the kernel, if it can be entered in several ways (the first of these); 32 and 64: the entries of a bzImage" },
	{ "initrd", 0, "FILE", SEC_GUEST, TEXT, AT(initrd),
	  "initial RAM disk, or Multiboot modules: \"FILE [TEXT],FILE...\"" },
	{ "append", 0, "TEXT", SEC_GUEST, TEXT, AT(append), "kernel command line" },
	{ "disk", 0, "FILE[,OPTION...]", SEC_GUEST, DRIVE, AT(disks),
	  "hard disk (repeatable): a raw image or an NBD URI. Options: ro, bus=ide|virtio, overlay=FILE|temp "
	  "(takes what is written), iops-read=N, iops-write=N, bps-read=SIZE, bps-write=SIZE (a second)" },
	{ "cdrom", 0, "FILE[,OPTION...]", SEC_GUEST, DRIVE, AT(cdroms),
	  "CD. Options: iops-read=N, bps-read=SIZE" },
	{ "floppy", 0, "FILE[,OPTION...]", SEC_GUEST, DRIVE, AT(floppies),
	  "floppy 0, and 1 when repeated. Options: as --disk, without bus=" },
	{ "boot-sector", 0, "FILE", SEC_GUEST, TEXT, AT(boot_sector),
	  "boot an image that is never written, as a floppy up to 2880 KiB, else as a hard disk" },
	{ "bios", 0, "FILE", SEC_GUEST, TEXT, AT(bios),
	  "firmware: a ROM of up to 16 MiB, by itself or for the drives (SeaBIOS)" },
	{ "flat", 0, "FILE@ADDRESS", SEC_GUEST, TEXT, AT(flat),
	  "load a flat binary and enter it in 32-bit protected mode" },
#undef AT
};

static bool complain(const char *what, const char *arg, const char *why)
{
	fprintf(stderr, "vitrine: %s%s%s%s%s\n", what, arg ? " '" : "", arg ? arg : "", arg ? "'" : "", why);
	return false;
}

static bool parse_size(const char *text, uint64_t *size)
{
	return size_parse(text, size) && *size;
}

static bool parse_number(const char *text, uint64_t *n)
{
	char *end;

	errno = 0;
	*n = strtoull(text, &end, 0);
	return end != text && !*end && !errno && text[0] != '-';
}

static void add_script(struct options *o, bool file, const char *text)
{
	o->scripts = xreallocarray(o->scripts, o->nscripts + 1, sizeof(*o->scripts));
	o->scripts[o->nscripts++] = (struct script){ file, text };
}

/* Complain that the value of an option is not of its kind; false. */
static bool bad_value(const struct option_row *row, const char *what, const char *arg)
{
	char why[60];

	if (row->name)
		snprintf(why, sizeof(why), " for --%s", row->name);
	else
		snprintf(why, sizeof(why), " for -%c", row->letter);
	return complain(what, arg, why);
}

/* ---- drives ---- */

enum drive_kind { FLOPPY_DRIVE = 1, DISK_DRIVE = 2, CD_DRIVE = 4, WRITABLE = FLOPPY_DRIVE | DISK_DRIVE };

static bool take_flag(void *at, const char *val)
{
	*(bool *)at = true;
	return !*val;
}

static bool take_bus(void *at, const char *val)
{
	*(bool *)at = !strcmp(val, "virtio");
	return !strcmp(val, "virtio") || !strcmp(val, "ide");
}

static bool take_text(void *at, const char *val)
{
	free(*(char **)at);
	*(char **)at = xstrdup(val);
	return *val;
}

static bool take_rate(void *at, const char *val)
{
	return parse_size(val, at);
}

/* What may follow a drive's file. Columns: word (with a value if it ends in "="), kinds of drives, field,
 * how. */
static const struct drive_word {
	const char *name;
	unsigned kinds;
	size_t offset;
	bool (*take)(void *at, const char *val);
} drive_words[] = {
#define AT(field) offsetof(struct drive_option, field)
	{ "ro", WRITABLE, AT(read_only), take_flag },
	{ "bus=", DISK_DRIVE, AT(virtio), take_bus },
	{ "overlay=", WRITABLE, AT(overlay), take_text },
	{ "iops-read=", WRITABLE | CD_DRIVE, AT(iops_read), take_rate },
	{ "iops-write=", WRITABLE, AT(iops_write), take_rate },
	{ "bps-read=", WRITABLE | CD_DRIVE, AT(bps_read), take_rate },
	{ "bps-write=", WRITABLE, AT(bps_write), take_rate },
#undef AT
};

/* Take one of a drive's words. */
static bool take_word(struct drive_option *d, unsigned kind, const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(drive_words); i++) {
		const struct drive_word *w = &drive_words[i];
		size_t n = strlen(w->name);
		bool valued = w->name[n - 1] == '=';

		if ((w->kinds & kind) && (valued ? !strncmp(word, w->name, n) : !strcmp(word, w->name)))
			return w->take((char *)d + w->offset, word + n);
	}
	return false;
}

/* The next of the words that commas separate; *REST is what follows. The caller frees it. */
static char *next_word(const char **rest)
{
	const char *at = *rest;
	size_t len = strcspn(at, ",");

	*rest = at[len] ? at + len + 1 : NULL;
	return xstrndup(at, len);
}

/* Take FILE[,WORD...]. */
static bool take_drive(struct drive_list *l, const struct option_row *row, const char *arg)
{
	unsigned kind = row->name[0] == 'c' ? CD_DRIVE : row->name[0] == 'f' ? FLOPPY_DRIVE : DISK_DRIVE;
	unsigned most = kind == CD_DRIVE ? 1 : kind == FLOPPY_DRIVE ? 2 : DRIVES_OF_A_KIND;
	struct drive_option *d = &l->d[l->n];
	const char *rest = arg;

	if (l->n == most)
		return bad_value(row, "one drive too many:", arg);
	l->n++;
	d->file = next_word(&rest);
	if (!*d->file)
		return bad_value(row, "bad file name", arg);
	while (rest) {
		char *word = next_word(&rest);
		bool ok = take_word(d, kind, word) || bad_value(row, "bad drive option", word);

		free(word);
		if (!ok)
			return false;
	}
	return !d->read_only || !d->overlay || bad_value(row, "ro and overlay= exclude each other:", arg);
}

static bool take_option(struct options *o, const struct option_row *row, const char *arg)
{
	void *at = (char *)o + row->offset;
	double *seconds = at;
	char *end;

	switch (row->kind) {
	case FLAG:
		*(bool *)at = true;
		return true;
	case TEXT:
		*(const char **)at = arg;
		return true;
	case SIZE:
		return parse_size(arg, at) || bad_value(row, "bad size", arg);
	case NUMBER:
		return (parse_number(arg, at) && *(uint64_t *)at) || bad_value(row, "bad number", arg);
	case SECONDS:
		*seconds = strtod(arg, &end);
		return (end != arg && !*end && isfinite(*seconds) && *seconds > 0 && *seconds < 1e9) ||
		       bad_value(row, "bad number of seconds", arg);
	case DRIVE:
		return take_drive(at, row, arg);
	case NET:
		if (o->nnets == ARRAY_LEN(o->nets))
			return bad_value(row, "one network too many:", arg);
		o->nets[o->nnets++] = arg;
		return true;
	case DEVICE:
		if (o->ndevices == ARRAY_LEN(o->devices))
			return bad_value(row, "one device too many:", arg);
		o->devices[o->ndevices++] = arg;
		return true;
	case SCRIPT_FILE:
	case SCRIPT_LINE:
		add_script(o, row->kind == SCRIPT_FILE, arg);
		return true;
	case HELP:
		break;
	}
	return true;
}

/* ---- help and manual ---- */

static void print_usage(FILE *f, const struct embedded_guest *guests)
{
	fputs(
	    "usage: vitrine run   [OPTION...] GUEST     boot; the guest's serial port is the terminal\n"
	    "       vitrine shell [OPTION...] [GUEST]   command shell; the guest is stopped at first\n"
	    "       vitrine tui   [OPTION...] [GUEST]   full-screen dashboard; likewise\n"
	    "       vitrine host  [OPTION...] NAME      own machine memory that several VMs share; command shell, or dashboard with --tui\n"
	    "       vitrine attach [OPTION...] PATH|HOST[/VM]   shell, or dashboard with --tui, on a session started with --control, a host, its VM\n"
	    "GUEST: --kernel FILE [--initrd FILE] [--append TEXT] | --disk FILE | --cdrom FILE | --floppy FILE |\n"
	    "       --boot-sector FILE | --bios FILE | --flat FILE@ADDRESS",
	    f);
	for (const struct embedded_guest *g = guests; g->name; g++)
		fprintf(f, " | %s", g->name);
	fputc('\n', f);
}

static void option_text(const struct option_row *r, char *buf, size_t len)
{
	snprintf(buf, len, "%c%c%s%s%s%s%s", r->letter ? '-' : ' ', r->letter ? r->letter : ' ',
		 r->letter && r->name ? ", "
		 : r->name	      ? "  "
				      : "",
		 r->name ? "--" : "", r->name ? r->name : "", r->arg ? " " : "", r->arg ? r->arg : "");
}

static void print_help(const struct embedded_guest *guests)
{
	char text[80];

	print_usage(stdout, guests);
	for (enum section s = 0; s < NSECTIONS; s++) {
		printf("\n%s:\n", section_titles[s]);
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			if (rows[i].section != s)
				continue;
			option_text(&rows[i], text, sizeof(text));
			printf("  %-28s %s%s\n", text,
			       strlen(text) > 28 ? "\n                               " : "", rows[i].help);
		}
	}
	for (const struct embedded_guest *g = guests; g->name; g++)
		printf("  %-28s %s\n", g->name, g->help);
	puts(
	    "\nIn 'run' on a terminal: Ctrl-A x ends the session, Ctrl-A c opens the shell, Ctrl-A Ctrl-A sends Ctrl-A.\n"
	    "In the shell 'help' lists the commands. For exit status, commands and views see vitrine(1), or vitrine "
	    "--help-man.");
}

void options_manual(FILE *f, const struct embedded_guest *guests)
{
	char text[80];

	for (enum section s = 0; s < NSECTIONS; s++) {
		fprintf(f, ".SS %s\n", section_titles[s]);
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			if (rows[i].section != s)
				continue;
			option_text(&rows[i], text, sizeof(text));
			fprintf(f, ".TP\n\\fB");
			for (const char *p = text + strspn(text, " "); *p; p++)
				fprintf(f, "%s%c", *p == '-' ? "\\" : "", *p);
			fprintf(f, "\\fR\n%s.\n", rows[i].help);
		}
	}
	for (const struct embedded_guest *g = guests; g->name; g++)
		fprintf(f, ".TP\n\\fB%s\\fR\n%s.\n", g->name, g->help);
}

/* ---- parsing ---- */

static void fill_getopt(struct option *longs, char *shorts)
{
	char *s = shorts;

	*s++ = ':';
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].name)
			*longs++ = (struct option){ rows[i].name, rows[i].arg != NULL, NULL, 256 + (int)i };
		if (rows[i].letter)
			*s++ = rows[i].letter;
		if (rows[i].letter && rows[i].arg)
			*s++ = ':';
	}
	*longs = (struct option){ 0 };
	*s = 0;
}

static const struct option_row *row_of(int c)
{
	if (c >= 256)
		return &rows[c - 256];
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].letter == c)
			return &rows[i];
	return NULL;
}

static enum options_result parse_options(struct options *o, int argc, char **argv)
{
	struct option longs[ARRAY_LEN(rows) + 1];
	char shorts[3 * ARRAY_LEN(rows) + 2];
	int c;

	fill_getopt(longs, shorts);
	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const struct option_row *row = row_of(c);

		if (c == '?' || c == ':' || !row) {
			complain(c == ':' ? "an argument is missing after" : "unknown option",
				 argv[optind - 1], " (see vitrine --help)");
			return OPTIONS_BAD;
		}
		if (row->kind == HELP) {
			print_help(o->guests);
			return OPTIONS_DONE;
		}
		if (!take_option(o, row, optarg))
			return OPTIONS_BAD;
	}
	return OPTIONS_GO;
}

static bool parse_clock(struct options *o)
{
	o->icount_ns = 1;
	if (!strcmp(o->clock, "host"))
		return true;
	if (strncmp(o->clock, "icount", 6))
		return false;
	o->icount = true;
	if (!o->clock[6])
		return true;
	return o->clock[6] == ':' && parse_number(o->clock + 7, &o->icount_ns) && o->icount_ns >= 1 &&
	       o->icount_ns <= 1000000;
}

static bool parse_flat(struct options *o)
{
	const char *at = strrchr(o->flat, '@');

	if (!at || at == o->flat || !parse_number(at + 1, &o->flat_addr))
		return false;
	o->flat_file = xstrndup(o->flat, (size_t)(at - o->flat));
	return true;
}

static bool serial_is_known(const char *s)
{
	return !strcmp(s, "stdio") || !strcmp(s, "null") || (!strncmp(s, "file:", 5) && s[5]) ||
	       (!strncmp(s, "unix:", 5) && s[5]);
}

static enum options_result bad(const char *what, const char *arg, const char *why)
{
	complain(what, arg, why);
	return OPTIONS_BAD;
}

/* The embedded guest called NAME, or NULL. */
static const struct embedded_guest *embedded(const struct options *o, const char *name)
{
	for (const struct embedded_guest *g = o->guests; g->name; g++)
		if (!strcmp(g->name, name))
			return g;
	return NULL;
}

static bool has_drives(const struct options *o)
{
	return o->floppies.n || o->disks.n || o->cdroms.n;
}

static enum options_result check_guest(struct options *o, int argc, char **argv)
{
	bool firmware = o->boot_sector || o->bios;
	int kinds;

	if (optind < argc)
		o->embedded = embedded(o, argv[optind]);
	if (o->embedded)
		optind++;
	if (optind < argc)
		return bad("unexpected argument", argv[optind],
			   " (a guest is --kernel, --disk, --bios, --flat or demo; see vitrine --help)");
	kinds = !!o->embedded + !!o->kernel + !!o->flat;
	if (kinds > 1)
		return bad("only one of --kernel, --flat and the embedded guests can be given", NULL, "");
	if (kinds && firmware)
		return bad(
		    "--bios and --boot-sector do not go with --kernel, --flat and the embedded guests, "
		    "which are entered without firmware",
		    NULL, "");
	kinds += firmware || has_drives(o);
	o->has_guest = kinds;
	if (!o->has_guest && o->face == FACE_RUN)
		return bad("run needs a GUEST: --kernel FILE, --disk FILE, --cdrom FILE, --bios FILE, --flat "
			   "FILE@ADDRESS or demo",
			   NULL, "");
	if (o->initrd && !o->kernel)
		return bad("--initrd needs --kernel", NULL, "");
	if (o->wait_gdb && !o->gdb)
		return bad("--wait-gdb needs --gdb", NULL, "");
	if (o->gdb_files && !o->has_guest)
		return bad("--gdb-files needs a GUEST", NULL, "");
	if (o->gdb && !o->has_guest)
		return bad("--gdb needs a GUEST", NULL, "");
	if (o->flat && !parse_flat(o))
		return bad("--flat takes FILE@ADDRESS, not", o->flat, "");
	return OPTIONS_GO;
}

/* A machine on a host. */
static enum options_result check_join(struct options *o)
{
	if (!o->host && (o->min || o->max || o->shares))
		return bad("--min, --max and --shares need --host", NULL, "");
	if (!o->host) {
		o->name = o->name ? o->name : OPTIONS_NAME;
		return OPTIONS_GO;
	}
	if (!runtime_name_ok(o->host))
		return bad("no host can be called", o->host, NAME_RULE);
	if (!o->name)
		return bad("--host needs --name, the VM's on the host", NULL, "");
	if (!runtime_name_ok(o->name))
		return bad("no VM can be called", o->name, NAME_RULE);
	if (!o->has_guest)
		return bad("--host needs a GUEST", NULL, "");
	if (o->machine_memory || o->swap)
		return bad("--machine-memory and --swap are the host's; they do not go with --host", NULL,
			   "");
	if (o->control)
		return bad("--control does not go with --host: vitrine attach HOST/NAME finds the socket",
			   NULL, "");
	return OPTIONS_GO;
}

/* host takes a name instead of a guest. */
static enum options_result check_host(struct options *o, int argc, char **argv)
{
	if (optind + 1 != argc)
		return bad("host takes one NAME", NULL, " (see vitrine --help)");
	if (!runtime_name_ok(argv[optind]))
		return bad("no host can be called", argv[optind], NAME_RULE);
	if (o->kernel || o->flat || o->boot_sector || o->bios || has_drives(o) || o->nnets || o->ndevices ||
	    o->gdb || o->control || o->host || o->min || o->max || o->shares || o->name)
		return bad(
		    "host takes no GUEST, and no options of a machine but --machine-memory, --swap, --timeout "
		    "and --no-sandbox",
		    NULL, "");
	o->host = argv[optind];
	return OPTIONS_GO;
}

/* Options of the dashboard alone. */
static enum options_result check_tui(struct options *o)
{
	int end = 0;

	if (o->face != FACE_ATTACH && o->face != FACE_HOST && o->want_tui)
		return bad("--tui belongs to vitrine attach and host", NULL, "");
	if (o->face != FACE_TUI && !(o->face == FACE_HOST && o->want_tui) &&
	    (o->dump || o->size || o->batch || o->count || o->delay > 0))
		return bad("--dump, --size, --batch, -n and -d belong to vitrine tui", NULL, "");
	if (!o->count)
		o->count = 1;
	if (o->size && (sscanf(o->size, "%dx%d%n", &o->width, &o->height, &end) != 2 || o->size[end] ||
			o->width < 1 || o->height < 1 || o->width > 1000 || o->height > 1000))
		return bad("--size takes WIDTHxHEIGHT, not", o->size, "");
	return OPTIONS_GO;
}

/* attach takes a path instead of a guest. */
static enum options_result check_attach(struct options *o, int argc, char **argv)
{
	if (o->want_tui && o->nscripts)
		return bad("attach --tui takes no -c and -x", NULL, "");
	if (optind + 1 != argc || o->kernel || o->flat || o->boot_sector || o->bios || has_drives(o) ||
	    o->control || o->gdb)
		return bad(
		    "attach takes the path of a control socket, or HOST[/VM], and only the options -c, -x, -i, --json and --tui",
		    NULL, "");
	o->attach = argv[optind];
	return OPTIONS_GO;
}

static enum options_result check(struct options *o, int argc, char **argv)
{
	enum options_result res = check_tui(o);

	if (res != OPTIONS_GO)
		return res;
	if (o->face == FACE_ATTACH)
		return check_attach(o, argc, argv);
	if (o->control && (strncmp(o->control, "unix:", 5) || !o->control[5]))
		return bad("--control takes unix:PATH, not", o->control, "");
	if (!parse_clock(o))
		return bad("--clock takes host or icount[:NS], not", o->clock, "");
	if (o->serial && !serial_is_known(o->serial))
		return bad("--serial takes stdio, null, file:PATH or unix:PATH, not", o->serial, "");
	if (!o->serial)
		o->serial = o->json || o->face == FACE_HOST ? "null" : "stdio";
	if (strcmp(o->engine, "bt") && strcmp(o->engine, "vtx") && strcmp(o->engine, "kvm"))
		return bad("--engine takes bt, vtx or kvm, not", o->engine, "");
	if (o->vtx && strcmp(o->engine, "vtx"))
		return bad("--vtx is an option of --engine vtx, not of", o->engine, "");
	if (o->vtx && strcmp(o->vtx, "ept") && strcmp(o->vtx, "shadow"))
		return bad("--vtx takes ept or shadow, not", o->vtx, "");
	if (!o->vtx)
		o->vtx = "ept";
	if (o->face == FACE_HOST)
		return check_host(o, argc, argv);
	res = check_guest(o, argc, argv);
	return res == OPTIONS_GO ? check_join(o) : res;
}

static bool parse_face(struct options *o, const char *word)
{
	static const char *const words[] = {
		[FACE_RUN] = "run",	  [FACE_SHELL] = "shell", [FACE_TUI] = "tui",
		[FACE_ATTACH] = "attach", [FACE_HOST] = "host",
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (!strcmp(word, words[i])) {
			o->face = (enum face)i;
			return true;
		}
	return false;
}

enum options_result options_parse(struct options *o, const struct embedded_guest *guests, int argc,
				  char **argv)
{
	enum options_result res;

	*o = (struct options){ .memory = 512u << 20, .engine = "bt", .clock = "host", .guests = guests };
	if (argc < 2) {
		print_usage(stderr, guests);
		return OPTIONS_BAD;
	}
	if (!strcmp(argv[1], "--help-man"))
		return OPTIONS_MANUAL;
	if (!strcmp(argv[1], "--version")) {
		puts("vitrine " PACKAGE_VERSION);
		return OPTIONS_DONE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_help(guests);
		return OPTIONS_DONE;
	}
	if (!parse_face(o, argv[1]))
		return bad("the first argument must be run, shell, tui, host or attach, not", argv[1],
			   " (see vitrine --help)");
	res = parse_options(o, argc - 1, argv + 1);
	return res == OPTIONS_GO ? check(o, argc - 1, argv + 1) : res;
}

void options_fini(struct options *o)
{
	free(o->scripts);
	free(o->flat_file);
	for (unsigned i = 0; i < DRIVES_OF_A_KIND; i++) {
		free(o->floppies.d[i].file);
		free(o->disks.d[i].file);
		free(o->cdroms.d[i].file);
		free(o->floppies.d[i].overlay);
		free(o->disks.d[i].overlay);
	}
}
