/* SPDX-License-Identifier: GPL-3.0-or-later
 * The session of a VM, over the connection that it sent when it joined: the protocol of the control socket.
 * Its serial output and its stops arrive as events; commands are sent with a number, and their answers wait
 * in a list until those who asked come by, as several faces of the host may wait for one VM. */
#include "host/host_int.h"
#include "base/alloc.h"
#include "base/monotonic.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_LINE = 64 << 20, CHUNK = 65536, TURN_MS = 100, PATIENCE_MS = 3000, COMPLETE_MS = 1000 };

static void send_line(struct host_vm *vm, json_t *request)
{
	char *line = request ? json_dumps(request, JSON_COMPACT) : NULL;
	size_t n = line ? strlen(line) : 0;

	json_decref(request);
	if (!line || vm->control.fd < 0) {
		free(line);
		return;
	}
	line[n++] = '\n';
	/* A VM that does not read its commands is not waited for. */
	if (send(vm->control.fd, line, n, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)n)
		remote_close(vm);
	free(line);
}

/* ---- what comes ---- */

/* A stop in one line; of other output each line. */
static void say_lines(struct host_vm *vm, const char *what, const char *text)
{
	bool stop = !strcmp(what, "stopped");
	char *copy = xstrdup(text), *save = NULL, *all = NULL;

	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *more = stop && all ? xasprintf("%s; %s", all, line) : xstrdup(line);

		if (!stop)
			vm_say(vm, what, "%s", line);
		free(all);
		all = more;
	}
	if (stop && all)
		vm_say(vm, what, "%s", all);
	free(all);
	free(copy);
}

static void take_event(struct host_vm *vm, const char *event, const json_t *msg)
{
	const json_t *text = json_object_get(msg, "text");
	size_t n = json_string_length(text);

	if (!n)
		return;
	if (!strcmp(event, "serial")) {
		log_add(vm, json_string_value(text), n);
		return;
	}
	if (!strcmp(event, "stopped") && (vm->control.calls || vm->quits))
		return; /* the answer, or its end, is reported */
	say_lines(vm, strcmp(event, "stopped") ? "output" : "stopped", json_string_value(text));
}

static void take_message(struct host_vm *vm, json_t *msg)
{
	const char *event = json_string_value(json_object_get(msg, "event"));
	int64_t id = json_integer_value(json_object_get(msg, "id"));

	if (event) {
		take_event(vm, event, msg);
		return;
	}
	for (struct vm_call *c = vm->control.calls; c; c = c->next)
		if (c->id == id && !c->answer)
			c->answer = json_incref(msg);
}

/* Take some of what has come. False: there is no more. */
static bool take_some(struct host_vm *vm)
{
	struct vm_control *k = &vm->control;
	json_t *msg;
	ssize_t n;
	char *end;

	if (k->cap - k->len < CHUNK) {
		k->cap = k->len + 2 * CHUNK;
		k->in = xrealloc(k->in, k->cap);
	}
	n = recv(k->fd, k->in + k->len, k->cap - k->len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0 || k->len > MAX_LINE) {
		remote_close(vm);
		return false;
	}
	k->len += (size_t)n;
	while (k->len && (end = memchr(k->in, '\n', k->len))) {
		msg = json_loadb(k->in, (size_t)(end - k->in), 0, NULL);
		k->len -= (size_t)(end + 1 - k->in);
		memmove(k->in, end + 1, k->len);
		if (json_is_object(msg))
			take_message(vm, msg);
		json_decref(msg);
	}
	return true;
}

static void control_ready(void *ctx, int fd)
{
	(void)fd;
	take_some(ctx);
}

void remote_drain(struct host_vm *vm)
{
	while (vm->control.fd >= 0 && take_some(vm))
		;
}

void remote_open(struct host_vm *vm, int fd)
{
	vm->control.fd = fd;
	loop_watch(vm->h->loop, fd, control_ready, vm);
	send_line(vm, json_pack("{si s[sss]}", "id", 0, "subscribe", "serial", "stop", "output"));
}

void remote_close(struct host_vm *vm)
{
	struct vm_control *k = &vm->control;

	if (k->fd >= 0) {
		loop_forget(vm->h->loop, k->fd);
		close(k->fd);
	}
	free(k->in);
	k->in = NULL;
	k->len = k->cap = 0;
	k->fd = -1;
}

/* ---- commands ---- */

void remote_send(struct host_vm *vm, const char *command)
{
	send_line(vm, json_pack("{si ss}", "id", 0, "command", command));
}

static void forget_call(struct host_vm *vm, struct vm_call *call)
{
	struct vm_call **at = &vm->control.calls;

	while (*at != call)
		at = &(*at)->next;
	*at = call->next;
	json_decref(call->answer);
}

/* Wait for the answer to CALL. Interrupted, stop what the VM does, and wait a little longer. */
static void await(struct host_vm *vm, struct vm_call *call)
{
	bool told = false;
	int left = PATIENCE_MS;

	while (!call->answer && vm->control.fd >= 0 && left > 0) {
		if (command_wait(vm->h->s, TURN_MS))
			continue;
		if (!told)
			remote_send(vm, "stop");
		told = true;
		left -= TURN_MS;
		loop_turn(vm->h->loop, TURN_MS, -1);
	}
}

static void add_answer(const json_t *msg, struct result *r)
{
	const char *text = json_string_value(json_object_get(msg, "text"));
	const json_t *rows = json_object_get(msg, "results"), *row;
	char *lines = NULL;
	size_t len = 0, i;
	FILE *f = xmemstream(&lines, &len);

	json_array_foreach(rows, i, row)
	{
		json_dumpf(row, f, JSON_COMPACT | JSON_ENCODE_ANY);
		fputc('\n', f);
	}
	fclose(f);
	result_rendered(r, text ? text : "", lines);
	free(lines);
}

int remote_command(struct host_vm *vm, const char *command, struct result *r)
{
	struct vm_call call = { .id = ++vm->control.last_id, .next = vm->control.calls };
	json_t *request =
	    json_pack("{sI ss sb sb}", "id", (json_int_t)call.id, "command", command, "text", 1, "rows", 1);
	const char *error;
	int rc = -1;

	if (!request)
		return result_fail(r, "vm: the command is not UTF-8");
	if (vm->control.fd < 0) {
		json_decref(request);
		return result_fail(r, "vm %s: it takes no commands", vm->name);
	}
	vm->control.calls = &call;
	vm->users++;
	send_line(vm, request);
	await(vm, &call);
	if (!call.answer) {
		result_fail(r, vm->control.fd < 0 ? "vm %s: it has ended" : "vm %s: it does not answer",
			    vm->name);
	} else {
		add_answer(call.answer, r);
		error = json_string_value(json_object_get(call.answer, "error"));
		if (json_is_true(json_object_get(call.answer, "ok")))
			rc = 0;
		else
			result_fail(r, "%s", error ? error : "failed");
	}
	vm->users--;
	forget_call(vm, &call);
	return rc;
}

/* ---- completion ---- */

/* Read from VM until CALL is answered, for at most COMPLETE_MS: no command waits, so the loop does not turn.
 */
static void await_words(struct host_vm *vm, const struct vm_call *call)
{
	int64_t until = monotonic_ns() + COMPLETE_MS * 1000000ll, left;

	while (!call->answer && vm->control.fd >= 0 && (left = until - monotonic_ns()) > 0) {
		struct pollfd p = { .fd = vm->control.fd, .events = POLLIN };

		if (poll(&p, 1, (int)(left / 1000000) + 1) > 0)
			take_some(vm);
	}
}

/* Report the words of the answer MSG for a word that begins at START. */
static enum completion report_words(const json_t *msg, size_t start,
				    void (*found)(void *ctx, const char *text), void *ctx)
{
	const json_t *row;
	size_t i;

	json_array_foreach(json_object_get(msg, "results"), i, row)
	{
		const char *word = json_string_value(json_object_get(row, "word"));
		size_t at = (size_t)json_integer_value(json_object_get(row, "start"));

		if (json_is_true(json_object_get(row, "file")))
			return COMPLETION_FILES;
		/* The VM may split the line elsewhere. */
		if (word && at <= start && strlen(word) >= start - at)
			found(ctx, word + (start - at));
	}
	return COMPLETION_DONE;
}

enum completion remote_complete(struct host_vm *vm, const char *line, size_t start, size_t end,
				void (*found)(void *ctx, const char *text), void *ctx)
{
	struct vm_call call = { .id = ++vm->control.last_id, .next = vm->control.calls };
	json_t *request = json_pack("{sI ss%}", "id", (json_int_t)call.id, "complete", line, end);
	enum completion how = COMPLETION_DONE;

	if (!request || vm->control.fd < 0) {
		json_decref(request);
		return how;
	}
	vm->control.calls = &call;
	vm->users++;
	send_line(vm, request);
	await_words(vm, &call);
	if (call.answer)
		how = report_words(call.answer, start, found, ctx);
	vm->users--;
	forget_call(vm, &call);
	return how;
}
