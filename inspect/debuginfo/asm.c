/* SPDX-License-Identifier: GPL-3.0-or-later
 * See debuginfo/asm.h. as assembles the text, ld links it at its address with the guest's symbols. Their
 * diagnostics become the error. */
#include "inspect/debuginfo/asm.h"
#include "base/alloc.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_ARGS = 64, MAX_SYMBOLS = 24, LONGEST_MS = 5000 };

extern char **environ;

/* An argument vector being built. */
struct command_line {
	char *argv[MAX_ARGS + 1];
	unsigned n;
};

static void add(struct command_line *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(struct command_line *c, const char *fmt, ...)
{
	va_list ap;

	if (c->n == MAX_ARGS)
		return;
	va_start(ap, fmt);
	c->argv[c->n++] = xvasprintf(fmt, ap);
	va_end(ap);
	c->argv[c->n] = NULL;
}

static void clear(struct command_line *c)
{
	while (c->n)
		free(c->argv[--c->n]);
}

/* ---- what the text may say ---- */

/* The directives that may be used: those that make bytes, define names or choose the code size. None opens a
 * file. None is a macro or a loop either, by which the name of one that does could be put together. */
static const char *const directives[] = {
	"2byte",  "4byte",     "8byte",	       "align",	 "ascii",  "asciz", "att_syntax", "balign", "byte",
	"code16", "code16gcc", "code32",       "double", "dword",  "equ",   "equiv",	  "fill",   "float",
	"hword",  "int",       "intel_syntax", "long",	 "octa",   "org",   "p2align",	  "quad",   "set",
	"short",  "single",    "skip",	       "space",	 "string", "value", "word",	  "zero",
};

static bool in_name(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$' || c == '@';
}

static bool may_follow_dot(const char *word, size_t n)
{
	if (!n || (word[0] == 'L' && isdigit((unsigned char)word[1])) ||
	    strspn(word, "0123456789") == n) /* the location; a label; a number */
		return true;
	for (size_t i = 0; i < ARRAY_LEN(directives); i++)
		if (strlen(directives[i]) == n && !strncasecmp(word, directives[i], n))
			return true;
	return false;
}

/* Is each word behind a dot that does not continue a name one of the above? In strings and comments too: what
 * as takes for either need not be known here. */
static bool text_is_allowed(const char *text, char *err, size_t errlen)
{
	for (const char *p = text; *p; p++) {
		size_t n = 0;

		if (*p != '.' || (p > text && (in_name(p[-1]) || p[-1] == '.')))
			continue;
		while (in_name(p[1 + n]) || p[1 + n] == '.')
			n++;
		if (may_follow_dot(p + 1, n))
			continue;
		snprintf(err, errlen, "the directive %.*s is not among those that can be used here",
			 (int)(n < 40 ? n + 1 : 40), p);
		return false;
	}
	return true;
}

/* ---- child processes ---- */

static int start(const struct command_line *c, const char *messages, pid_t *pid)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, usual;
	int rc;

	sigemptyset(&none);
	sigemptyset(&usual);
	sigaddset(&usual, SIGPIPE);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &usual);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&files, 1, messages, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_adddup2(&files, 1, 2);
	rc = posix_spawnp(pid, c->argv[0], &files, &attr, c->argv, environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return rc;
}

/* Wait for PID; return its status, or -1 if it took too long and was killed. */
static int await(const struct assembly *a, pid_t pid)
{
	int status;

	for (int ms = 0; ms < LONGEST_MS; ms += 2) {
		pid_t got = waitpid(pid, &status, WNOHANG);

		if (got == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
		if ((got < 0 && errno != EINTR) || (a->interrupted && a->interrupted(a->ctx)))
			break;
		nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
	}
	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return -1;
}

/* Get the first line in FILE that reports an error (or else the first line), without file name and
 * line number. */
static void first_message(const char *file, char *err, size_t errlen)
{
	static const char *const marks[] = { "Error: ", "undefined reference", "relocation truncated",
					     "Fatal error: " };
	FILE *f = fopen(file, "re");
	char line[200];

	err[0] = 0;
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		if (!err[0])
			snprintf(err, errlen, "%s", line);
		for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
			const char *at = strstr(line, marks[i]);

			if (!at)
				continue;
			snprintf(err, errlen, "%s",
				 at + (marks[i][strlen(marks[i]) - 1] == ' ' ? strlen(marks[i]) : 0));
			fclose(f);
			return;
		}
	}
	if (f)
		fclose(f);
}

static bool run(const struct assembly *a, const struct command_line *c, const char *dir, char *err,
		size_t errlen)
{
	char messages[200], text[200];
	pid_t pid;
	int rc;

	snprintf(messages, sizeof(messages), "%s/messages", dir);
	rc = start(c, messages, &pid);
	if (rc) {
		snprintf(err, errlen, "assembly text needs GNU %s (package binutils): %s", c->argv[0],
			 strerror(rc));
		return false;
	}
	rc = await(a, pid);
	if (rc == 0)
		return true;
	first_message(messages, text, sizeof(text));
	if (rc == 127 && !text[0])
		snprintf(err, errlen, "assembly text needs GNU %s (package binutils), which cannot be run",
			 c->argv[0]);
	else if (rc < 0)
		snprintf(err, errlen, "%s took too long and was killed", c->argv[0]);
	else
		snprintf(err, errlen, "%s: %s", c->argv[0], text[0] ? text : "failed without a message");
	return false;
}

/* ---- as and ld ---- */

static bool write_source(const struct assembly *a, const char *file)
{
	FILE *f = fopen(file, "we");

	if (!f)
		return false;
	fprintf(f, "\t.intel_syntax noprefix\n\t.code%u\n\t.text\n%s\n", a->bits, a->text);
	return !fclose(f);
}

unsigned asm_symbols(const struct assembly *a, struct assembly_symbol *out, unsigned max)
{
	unsigned found = 0;

	for (const char *p = a->text; *p && found < max;) {
		struct assembly_symbol *y = &out[found];
		uint64_t val;
		size_t n = 0;

		while (isalnum((unsigned char)p[n]) || (p[n] && strchr("_.$@", p[n])))
			n++;
		if (n && n < sizeof(y->name) && !isdigit((unsigned char)*p)) {
			memcpy(y->name, p, n);
			y->name[n] = 0;
			if (a->symbol && a->symbol(a->ctx, y->name, &val)) {
				y->val = a->bits == 64 ? val : (uint32_t)val;
				found++;
			}
		}
		p += n ? n : 1;
	}
	return found;
}

static void add_symbols(const struct assembly *a, struct command_line *c)
{
	struct assembly_symbol found[MAX_SYMBOLS];
	const struct assembly_symbol *list = a->symbol ? found : a->symbols;
	unsigned n = a->symbol ? asm_symbols(a, found, MAX_SYMBOLS) : a->nsymbols;

	for (unsigned i = 0; i < n; i++)
		add(c, "--defsym=%s=0x%llx", list[i].name, (unsigned long long)list[i].val);
}

static int read_code(const char *file, uint8_t *out, unsigned max, char *err, size_t errlen)
{
	FILE *f = fopen(file, "re");
	size_t n = f ? fread(out, 1, max, f) : 0;
	bool more = f && fgetc(f) != EOF;

	if (f)
		fclose(f);
	if (n && !more)
		return (int)n;
	if (more)
		snprintf(err, errlen, "the text makes more than %u bytes of code", max);
	else
		snprintf(err, errlen, "the text makes no code");
	return -1;
}

static int assemble(const struct assembly *a, const char *dir, uint8_t *out, unsigned max, char *err,
		    size_t errlen)
{
	struct command_line as = { 0 }, ld = { 0 };
	char source[200], code[200];
	bool ok;

	snprintf(source, sizeof(source), "%s/text.s", dir);
	snprintf(code, sizeof(code), "%s/code", dir);
	if (!write_source(a, source)) {
		snprintf(err, errlen, "%s: %s", source, strerror(errno));
		return -1;
	}
	add(&as, "as");
	add(&as, a->bits == 64 ? "--64" : "--32");
	add(&as, "-mx86-used-note=no");
	add(&as, "-o");
	add(&as, "%s/object", dir);
	add(&as, "%s", source);
	add(&ld, "ld");
	add(&ld, a->bits == 64 ? "-melf_x86_64" : "-melf_i386");
	add(&ld, "-N");
	add(&ld, "--entry=0");
	add(&ld, "-Ttext=0x%llx", (unsigned long long)a->at);
	add(&ld, "--oformat=binary");
	add_symbols(a, &ld);
	add(&ld, "-o");
	add(&ld, "%s", code);
	add(&ld, "%s/object", dir);
	ok = run(a, &as, dir, err, errlen) && run(a, &ld, dir, err, errlen);
	clear(&as);
	clear(&ld);
	return ok ? read_code(code, out, max, err, errlen) : -1;
}

int asm_bytes(const struct assembly *a, uint8_t *out, unsigned max, char *err, size_t errlen)
{
	static const char *const files[] = { "text.s", "object", "code", "messages" };
	const char *tmp = getenv("TMPDIR");
	char dir[128], file[200];
	int n;

	if (!text_is_allowed(a->text, err, errlen))
		return -1;
	if ((size_t)snprintf(dir, sizeof(dir), "%s/vitrine-XXXXXX", tmp && tmp[0] ? tmp : "/tmp") >=
		sizeof(dir) ||
	    !mkdtemp(dir)) {
		snprintf(err, errlen, "cannot create a temporary directory: %s", strerror(errno));
		return -1;
	}
	n = assemble(a, dir, out, max, err, errlen);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(file, sizeof(file), "%s/%s", dir, files[i]);
		unlink(file);
	}
	rmdir(dir);
	return n;
}
