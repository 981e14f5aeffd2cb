/* SPDX-License-Identifier: GPL-3.0-or-later
 * The command line as data. */
#ifndef CONSOLE_OPTIONS_H
#define CONSOLE_OPTIONS_H
#include "inspect/startup.h"

#include <stdio.h>

enum { STATUS_FAILED = 1, STATUS_USAGE = 2, STATUS_TIMEOUT = 124, STATUS_CANNOT = 125 };

enum face { FACE_RUN, FACE_SHELL, FACE_TUI, FACE_ATTACH, FACE_HOST };

/* A guest that is linked into the program. */
struct embedded_guest {
	const char *name, *help;
	const unsigned char *blob;
	const size_t *len;
};

/* A drive, as --disk FILE[,OPTION...] gives it. Limits are a second's; 0: none. */
struct drive_option {
	char *file, *overlay;
	bool read_only, virtio;
	uint64_t iops_read, iops_write, bps_read, bps_write;
};
enum { DRIVES_OF_A_KIND = 8 };
struct drive_list {
	struct drive_option d[DRIVES_OF_A_KIND];
	unsigned n;
};

#define OPTIONS_NAME "vitrine" /* of a machine that is not given a name */

/* Large because it has one field for each option, written once. */
struct options {
	enum face face;
	struct script *scripts; /* -x, -c; their text is borrowed from argv */
	size_t nscripts;
	bool json, no_rc, interactive;
	/* dashboard */
	const char *dump, *size;
	bool batch;
	uint64_t count;
	double delay; /* seconds; 0: the default */
	int width, height;
	/* machine */
	uint64_t memory, machine_memory, tc_size;
	const char *swap, *balloon;
	const char *cpu, *engine, *vtx, *serial, *name, *clock, *gdb, *control;
	const char *attach; /* path of the control socket to attach to, or HOST[/VM] */
	bool want_tui;	    /* attach, host: the dashboard */
	/* several VMs */
	const char
	    *host; /* the host that the machine joins; with FACE_HOST the host's own name; NULL: none */
	uint64_t min, max, shares; /* 0: the defaults */
	bool verify_tc, no_reboot, testdev, no_chain, wait_gdb, gdb_files, no_sandbox;
	double timeout; /* seconds; 0: none */
	uint64_t tu_max;
	bool icount;
	uint64_t icount_ns;
	/* guest */
	const char *kernel, *initrd, *append, *entry, *boot_sector, *bios, *flat;
	struct drive_list floppies, disks, cdroms;
	const char *nets[8];
	unsigned nnets;
	const char *devices[8]; /* --device */
	unsigned ndevices;
	char *flat_file;
	uint64_t flat_addr;
	const struct embedded_guest *guests, *embedded; /* the table; the chosen row, or NULL */
	bool has_guest;
};

enum options_result {
	OPTIONS_GO,
	OPTIONS_DONE,	/* --help or --version has been printed: status 0 */
	OPTIONS_MANUAL, /* --help-man: print the manual page */
	OPTIONS_BAD,	/* usage error, reported on stderr: status 2 */
	OPTIONS_CANNOT, /* valid, but not supported by this build; reported likewise: status 125 */
};

/* Parse the command line. GUESTS ends with a row without a name; a bare word selects one of them. */
enum options_result options_parse(struct options *o, const struct embedded_guest *guests, int argc,
				  char **argv);
void options_fini(struct options *o);
/* Write the sections of the manual page about the command line. */
void options_manual(FILE *f, const struct embedded_guest *guests);
#endif
