/* SPDX-License-Identifier: GPL-3.0-or-later
 * The commands of a host's session: vm. What follows "vm NAME" and is none of the words here is a command of
 * that VM's session. */
#include "host/host_int.h"
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

enum { TURN_MS = 100, LOG_LINES = 40 };

static struct host *host_of(struct inspect *s)
{
	return inspect_addon_owner(s, &host_commands);
}

/* ---- vm start ---- */

static bool is_word(const char *name);

/* Wait until VM lives. */
static int await_life(struct host_vm *vm, struct result *r)
{
	const char *why = vm->last;
	int rc;

	vm->users++;
	while (vm->state < VM_LIVES && command_wait(vm->h->s, TURN_MS))
		;
	if (!strncmp(why, "vitrine: ", 9))
		why += 9;
	if (vm->lived)
		rc = 0;
	else if (vm->state < VM_LIVES)
		rc = result_fail(r, "vm start: interrupted; '%s' goes on starting", vm->name);
	else
		rc = result_fail(r, "vm start: %s: %s", vm->name, why[0] ? why : "its process has ended");
	/* Its end may be known only in part. */
	while (rc && vm->state == VM_ENDS && command_wait(vm->h->s, TURN_MS))
		;
	vm->users--;
	return rc;
}

static int vm_start(struct host *h, const struct cmd_args *a, struct result *r)
{
	const char *name = a->argc > 1 ? a->argv[1] : "";
	char *before[] = { "run",      "--host", (char *)(uintptr_t)h->cfg->name, "--name", NULL,
			   "--serial", "null" };
	struct started st;
	struct host_vm *vm;
	char **argv, err[200];
	int n = ARRAY_LEN(before);
	bool ok;

	if (a->argc < 3)
		return result_fail(r, "usage: vm start NAME [OPTION...] GUEST");
	if (!runtime_name_ok(name) || is_word(name))
		return result_fail(r, "vm start: no VM can be called '%s': %s", name,
				   is_word(name) ? "it is a word of this command"
						 : "a name has letters, digits, '-' and '_', at most 31");
	if (vm_find(h, name))
		return result_fail(r, "vm start: there is a VM '%s' already", name);
	before[4] = a->argv[1];
	argv = xcalloc((size_t)(n + a->argc), sizeof(*argv));
	memcpy(argv, before, sizeof(before));
	for (int i = 2; i < a->argc; i++)
		argv[n++] = a->argv[i];
	if (!h->cfg->restricted)
		argv[n++] = "--no-sandbox";
	ok = starter_run(h->starter, n, argv, &st, err, sizeof(err));
	free(argv);
	if (!ok)
		return result_fail(r, "vm start: %s", err);
	vm = vm_add(h, name);
	vm->started = true;
	vm_watch(vm, st.pid, st.pidfd);
	vm_watch_output(vm, st.output);
	return await_life(vm, r);
}

/* ---- the others, which name a VM that there is ---- */

static int vm_list(struct host *h, struct result *r)
{
	const struct view *v = host_views[0];
	struct table *t = result_table(r, v->cols, v->ncols, TABLE_GRID, NULL);

	v->rows(h, "", &t->sink);
	return 0;
}

static int await_end(struct host_vm *vm, struct result *r)
{
	vm->users++;
	while (vm->state != VM_ENDED && command_wait(vm->h->s, TURN_MS))
		;
	vm->users--;
	if (vm->state == VM_ENDED)
		return 0;
	return result_fail(r, "vm %s: it has not ended yet", vm->name);
}

static int on_stop(struct host_vm *vm, const struct cmd_args *a, struct result *r)
{
	(void)a;
	vm->quits = true;
	if (vm->state == VM_LIVES)
		remote_send(vm, "quit");
	else
		vm_kill(vm);
	return await_end(vm, r);
}

static int on_kill(struct host_vm *vm, const struct cmd_args *a, struct result *r)
{
	(void)a;
	vm_kill(vm);
	return await_end(vm, r);
}

static int on_pause(struct host_vm *vm, const struct cmd_args *a, struct result *r)
{
	(void)a;
	return remote_command(vm, "stop", r);
}

static int on_continue(struct host_vm *vm, const struct cmd_args *a, struct result *r)
{
	(void)a;
	return remote_command(vm, "continue &", r);
}

static int on_log(struct host_vm *vm, const struct cmd_args *a, struct result *r)
{
	unsigned long n = LOG_LINES;
	char *end = "";

	if (a->argc > 2)
		n = strtoul(a->argv[2], &end, 0);
	if (*end || !n || n > 1000000 || a->argv[a->argc - 1][0] == '-')
		return result_fail(r, "vm log: '%s' is no number of lines", a->argv[2]);
	log_show(vm, (unsigned)n, r);
	return 0;
}

/* Columns: word, the most arguments there are with it, handler. */
static const struct {
	const char *word;
	int most;
	int (*run)(struct host_vm *vm, const struct cmd_args *a, struct result *r);
} actions[] = {
	{ "stop", 2, on_stop },		{ "kill", 2, on_kill }, { "pause", 2, on_pause },
	{ "continue", 2, on_continue }, { "log", 3, on_log },
};
static const char *const plain[] = { "start", "list", "check" };

static bool is_word(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(actions); i++)
		if (!strcmp(name, actions[i].word))
			return true;
	for (size_t i = 0; i < ARRAY_LEN(plain); i++)
		if (!strcmp(name, plain[i]))
			return true;
	return false;
}

/* The VM called NAME, which ENDED or not. */
static struct host_vm *named(struct host *h, const char *name, bool ended, struct result *r)
{
	struct host_vm *vm = vm_find(h, name);

	if (!vm && ended)
		vm = vm_find_ended(h, name);
	if (!vm)
		result_fail(r, "vm: no VM '%s' (vm list shows them)", name);
	return vm;
}

static int act(struct host *h, unsigned i, const struct cmd_args *a, struct result *r)
{
	struct host_vm *vm;

	if (a->argc < 2 || a->argc > actions[i].most)
		return result_fail(r, "usage: vm %s NAME%s", a->argv[0],
				   actions[i].most > 2 ? " [LINES]" : "");
	vm = named(h, a->argv[1], actions[i].run == on_log, r);
	return vm ? actions[i].run(vm, a, r) : -1;
}

/* What follows the first word of TEXT. */
static const char *behind_word(const char *text)
{
	text += strcspn(text, " \t");
	return text + strspn(text, " \t");
}

static int cmd_vm(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	struct host *h = host_of(s);
	const char *word = a->argv[0];
	struct host_vm *vm;

	if (!strcmp(word, "start"))
		return vm_start(h, a, r);
	if (!strcmp(word, "list") && a->argc == 1)
		return vm_list(h, r);
	if (!strcmp(word, "check") && a->argc == 1)
		return host_check(h, r);
	for (unsigned i = 0; i < ARRAY_LEN(actions); i++)
		if (!strcmp(word, actions[i].word))
			return act(h, i, a, r);
	vm = named(h, word, false, r);
	if (!vm)
		return -1;
	if (a->argc == 1)
		return result_fail(r, "usage: vm NAME COMMAND...");
	/* one argument: it may be quoted, because it has a semicolon */
	return remote_command(vm, a->argc == 2 ? a->argv[1] : behind_word(a->rest), r);
}

/* ---- stop ---- */

static int cmd_stop(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	(void)a;
	(void)r;
	inspect_interrupt(s);
	return 0;
}

static const struct command commands[] = {
	{ "vm", NULL,
	  "start NAME [OPTION...] GUEST | list | stop|kill|pause|continue NAME | log NAME [LINES] | check | NAME "
	  "COMMAND...",
	  "start, list, stop, pause and check VMs, or execute a command of one",
	  "start runs 'vitrine run --host HOST --name NAME' with the options and the guest that follow; stop ends a VM "
	  "in order, kill at once. log shows the last lines of its serial port. check looks through the books of the "
	  "pool's memory. vm NAME COMMAND executes a command in the VM's session, as vitrine attach HOST/NAME does.",
	  cmd_vm, CMD_WAITS | CMD_FILES, 1, -1,
	  "start|list|stop|kill|pause|continue|log|check|<vms.vm> <vms.vm>" },
	{ "stop", NULL, "", "interrupt the command of another face that waits for a VM", NULL, cmd_stop, 0, 0,
	  0, COMP_NONE },
	{ 0 },
};

const struct command_group host_commands = { "host", "VMs of a host", commands };
static const struct record_doc *const records[] = { &vm_event_record, &pool_books_record, NULL };
const struct inspect_addon host_addon_manual = { .commands = &host_commands,
						 .views = host_views,
						 .records = records,
						 .no_machine = "no machine in a host's session: 'vm NAME "
							       "COMMAND' executes a command in a VM's",
						 .complete = host_complete };
