/* SPDX-License-Identifier: GPL-3.0-or-later
 * Command rows. A command is declared once, in the file of its group
 * (in cmd/); look-up, abbreviations, usage errors, help, completion and the manual
 * are derived from the row. A handler fills a result and returns 0, or result_fail(). */
#ifndef INSPECT_COMMAND_H
#define INSPECT_COMMAND_H
#include "inspect/engine.h"
#include "inspect/inspect.h"

struct cmd_args {
	const char *name; /* the command's full name */
	const char *fmt;  /* the text after a slash: "8xw" of x/8xw; "": none */
	const char *rest; /* everything after the command word, blanks trimmed */
	int argc;	  /* REST split as a shell would: blanks, '..', ".." with \n \r \t \e \xNN */
	char **argv;
	const struct inspect_sink *sink; /* for commands that execute other commands */
};

enum command_flags {
	CMD_MACHINE = 1, /* needs a guest */
	CMD_PAUSE = 2,	 /* reads it: a running guest is paused for the command */
	CMD_STOPPED = 4, /* changes it or lets it run: refused while it runs */
	CMD_ALIVE = 8,	 /* lets it run: refused after it ended */
	CMD_FMT = 16,	 /* takes /FMT */
	CMD_REPEAT = 32, /* an empty line repeats it (otherwise an empty line does nothing) */
	CMD_WAITS =
	    64, /* waits while it runs, and gets asynchronous output meanwhile, as CMD_ALIVE commands do */
	/* Reaches files of the host: always, or when one of the words of command_reaches_files() is among its
	 * arguments. Faces that may not reach files (inspect_sink.no_files) are refused then. */
	CMD_FILES = 128,
	CMD_FILES_BY_WORD = 256,
	CMD_PART_SHIFT = 16
};
/* Needs this part of the engine: a command whose part is missing is not offered. */
#define CMD_NEEDS(part) ((unsigned)(part) << CMD_PART_SHIFT)

/* Arguments of a command, for completion; complete.c defines the grammar. */
#define COMP_NONE NULL
#define COMP_EXPR "<expr> ..."
#define COMP_FILE "<file> ..."

struct command {
	const char *name, *aliases; /* aliases: separated by blanks, or NULL */
	const char *args, *help;    /* for usage and one line of help */
	const char *detail;	    /* details for "help NAME" and the manual, or NULL */
	int (*run)(struct inspect *s, const struct cmd_args *a, struct result *r);
	unsigned flags;
	int min, max;	      /* arguments; max -1: free text */
	const char *complete; /* COMP_NONE: nothing */
};
/* For handlers that wait: serve the faces for at most TIMEOUT_MS. False: the command was interrupted. */
bool command_wait(struct inspect *s, int timeout_ms);
/* Does C with the arguments ARGV reach files of the host? */
bool command_reaches_files(const struct command *c, int argc, char **argv);

struct command_group {
	const char *name, *title;
	const struct command *commands; /* ends with a row without a name */
};

extern const struct command_group *const command_groups[]; /* NULL-terminated */

/* Records that commands return, for help and the manual: the columns are the fields in JSON. */
struct record_doc {
	const char *commands;	     /* separated by blanks */
	const struct view_col *cols; /* NULL: those of ... */
	unsigned ncols;
	const char *view;
};
#define RECORD_DOC(name, of, table) const struct record_doc name = { of, table, ARRAY_LEN(table), NULL }

extern const struct record_doc *const record_docs[]; /* NULL-terminated (records.c) */
/* Record type I: those of record_docs, then those of add-ons; NULL after the last. */
const struct record_doc *record_doc_at(const struct inspect *s, unsigned i);
/* Is C among the commands of DOC? */
bool record_doc_is_of(const struct record_doc *doc, const struct command *c);

/* Commands and views that a face, or a host, adds to the session. A command of the same name as one of
 * command_groups takes its place. */
enum completion {
	COMPLETION_MINE_NOT, /* the command's row says what may follow */
	COMPLETION_DONE,
	COMPLETION_FILES, /* complete file names */
};
struct inspect_addon {
	const struct command_group *commands;
	const struct view *const *views; /* NULL-terminated; their owner is OWNER */
	void *owner;
	const struct record_doc *const *records; /* NULL-terminated, or NULL */
	const char *no_machine;			 /* why the session has none; NULL: the usual reason */
	/* Complete the word at [START, END) of LINE, a line of COMMANDS' command C. NULL: by the rows. */
	enum completion (*complete)(void *owner, const struct command *c, const char *line, size_t start,
				    size_t end, void (*found)(void *ctx, const char *text), void *ctx);
};
/* ADDON is borrowed for the life of the session. */
void inspect_add(struct inspect *s, const struct inspect_addon *addon);
/* The owner given with the group that has C; NULL if it is not an add-on's. */
void *inspect_addon_owner(const struct inspect *s, const struct command_group *group);
/* Group I: those of command_groups, then those of add-ons; NULL after the last. */
const struct command_group *command_group_at(const struct inspect *s, unsigned i);
#define FOR_EACH_COMMAND(s, c)                                                                               \
	for (unsigned i_ = 0; command_group_at(s, i_); i_++)                                                 \
		for (const struct command *c = command_group_at(s, i_)->commands; c->name; c++)

static inline enum engine_part command_needs(const struct command *c)
{
	return (enum engine_part)(c->flags >> CMD_PART_SHIFT);
}
/* Does the machine's engine have the part that C needs? */
bool command_offered(const struct inspect *s, const struct command *c);
/* Find a command by name or alias, else by an abbreviation that fits one command only. NULL with the reason
 * in WHY. */
const struct command *command_find(const struct inspect *s, const char *word, size_t len, char *why,
				   size_t whylen);
/* Split REST into arguments. Return argv (free with command_free_args), or NULL with the reason in WHY. */
char **command_split(const char *rest, int *argc, char *why, size_t whylen);
void command_free_args(char **argv);
#endif
