/* SPDX-License-Identifier: GPL-3.0-or-later
 * What a VM printed, on its serial port and on its process' standard output and error: the last of it. */
#include "host/host_int.h"
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

enum { VM_LOG = 256 << 10 };

/* Make room for N bytes: the oldest half goes, up to the end of a line. */
static void make_room(struct vm_log *l, size_t n)
{
	size_t cut = l->size / 2 > n ? l->size / 2 : n;
	const char *line;

	if (l->size + n <= VM_LOG)
		return;
	if (cut > l->size)
		cut = l->size;
	line = memchr(l->text + cut, '\n', l->size - cut);
	if (line)
		cut = (size_t)(line + 1 - l->text);
	memmove(l->text, l->text + cut, l->size - cut);
	l->size -= cut;
	l->lost += cut;
}

void log_add(struct host_vm *vm, const char *text, size_t n)
{
	struct vm_log *l = &vm->log;

	if (n > VM_LOG / 2) {
		l->lost += n - VM_LOG / 2;
		text += n - VM_LOG / 2;
		n = VM_LOG / 2;
	}
	if (!l->text)
		l->text = xmalloc(VM_LOG);
	make_room(l, n);
	for (size_t i = 0; i < n; i++)
		if (text[i] != '\r' && text[i])
			l->text[l->size++] = text[i];
}

void log_free(struct host_vm *vm)
{
	free(vm->log.text);
	vm->log = (struct vm_log){ 0 };
}

void log_show(const struct host_vm *vm, unsigned n, struct result *r)
{
	const struct vm_log *l = &vm->log;
	size_t at = l->size;
	char *text;

	if (at && l->text[at - 1] == '\n')
		at--;
	text = xstrndup(l->text ? l->text : "", at);
	while (at && n) {
		at--;
		n -= text[at] == '\n';
	}
	if (text[at] == '\n')
		at++;
	if (text[at])
		result_text(r, "%s", text + at);
	free(text);
}
