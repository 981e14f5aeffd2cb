/* SPDX-License-Identifier: GPL-3.0-or-later
 * See selector.h. */
#include "tui/selector.h"
#include "base/monotonic.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER = 8192, WAIT_MS = 330 };
static const char ending[] = ".control";

/* ---- finding ---- */

static bool ends_so(const char *name)
{
	size_t n = strlen(name), k = sizeof(ending) - 1;

	return n > k && !strcmp(name + n - k, ending);
}

/* "h.vm.control" is VM "vm" of host "h". */
static void name_of(const char *path, char *buf, size_t len)
{
	const char *slash = strrchr(path, '/');
	char *dot;

	snprintf(buf, len, "%s", slash ? slash + 1 : path);
	if (ends_so(buf))
		buf[strlen(buf) - (sizeof(ending) - 1)] = 0;
	dot = strchr(buf, '.');
	if (dot)
		*dot = '/';
}

static struct session *add(struct selector *s, const char *path)
{
	struct session *at = &s->session[s->n];

	for (int i = 0; i < s->n; i++)
		if (!strcmp(s->session[i].path, path))
			return &s->session[i];
	if (s->n == SELECTOR_MAX || strlen(path) >= SELECTOR_PATH)
		return NULL;
	*at = (struct session){ 0 };
	snprintf(at->path, sizeof(at->path), "%s", path);
	name_of(path, at->name, sizeof(at->name));
	s->n++;
	return at;
}

static void add_folder(struct selector *s, const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	struct stat st;
	char path[SELECTOR_PATH + 256];

	while (d && (e = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (ends_so(e->d_name) && lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
			add(s, path);
	}
	if (d)
		closedir(d);
}

/* Where hosts and their VMs have their sockets. */
static void runtime_folder(char *buf, size_t len)
{
	const char *run = getenv("XDG_RUNTIME_DIR");

	if (run && run[0] == '/')
		snprintf(buf, len, "%s/vitrine", run);
	else
		snprintf(buf, len, "/tmp/vitrine-%u", (unsigned)geteuid());
}

static int by_name(const void *a, const void *b)
{
	const struct session *x = a, *y = b;

	if (!x->path[0] || !y->path[0])
		return !x->path[0] ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* ---- asking ---- */

int selector_connect(const char *path, char *err, size_t errlen)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && strlen(path) < sizeof(addr.sun_path)) {
		strcpy(addr.sun_path, path);
		if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
			return fd;
	}
	snprintf(err, errlen, "%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* One question to one session. */
struct question {
	int fd; /* -1: it has been answered, or cannot be */
	char text[ANSWER];
	size_t len;
};

static int ask(const char *path)
{
	static const char line[] = "{\"id\":1,\"command\":\"info cpus\"}\n";
	char err[160];
	int fd = selector_connect(path, err, sizeof(err));

	if (fd >= 0 && send(fd, line, sizeof(line) - 1, MSG_NOSIGNAL) == (ssize_t)sizeof(line) - 1)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static void take_answer(struct session *at, const char *text)
{
	json_t *msg = json_loads(text, JSON_DISABLE_EOF_CHECK, NULL);
	const json_t *row = json_array_get(json_object_get(msg, "results"), 0);
	const char *state = json_string_value(json_object_get(row, "state")),
		   *mode = json_string_value(json_object_get(row, "mode")),
		   *symbol = json_string_value(json_object_get(row, "symbol"));
	double seconds = (double)json_integer_value(json_object_get(row, "clock_ns")) / 1e9;

	snprintf(at->state, sizeof(at->state), "%s", state ? state : "host");
	if (state)
		snprintf(at->detail, sizeof(at->detail), "%9.1f s  %.20s  %.24s", seconds, mode ? mode : "",
			 symbol ? symbol : "");
	json_decref(msg);
}

static void receive(struct question *q, struct session *at)
{
	ssize_t n = recv(q->fd, q->text + q->len, sizeof(q->text) - 1 - q->len, MSG_DONTWAIT);
	bool end = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);

	q->len += n > 0 ? (size_t)n : 0;
	q->text[q->len] = 0;
	if (strchr(q->text, '\n'))
		take_answer(at, q->text);
	else if (!end && q->len < sizeof(q->text) - 1)
		return;
	close(q->fd);
	q->fd = -1;
}

/* Ask all at once; those that do not answer in time stay without a state. */
static void ask_all(struct selector *s)
{
	int64_t until = monotonic_ns() + WAIT_MS * 1000000ll;
	struct question *q = calloc(SELECTOR_MAX, sizeof(*q));
	struct pollfd p[SELECTOR_MAX];
	int waiting = 0;

	if (!q)
		return;
	for (int i = 0; i < s->n; i++) {
		q[i].fd = s->session[i].path[0] ? ask(s->session[i].path) : -1;
		if (s->session[i].path[0] && q[i].fd < 0)
			snprintf(s->session[i].state, sizeof(s->session[i].state), "gone");
		waiting += q[i].fd >= 0;
	}
	while (waiting && monotonic_ns() < until) {
		for (int i = 0; i < s->n; i++)
			p[i] = (struct pollfd){ .fd = q[i].fd, .events = POLLIN };
		if (poll(p, (nfds_t)s->n, 20) <= 0)
			continue;
		waiting = 0;
		for (int i = 0; i < s->n; i++) {
			if (q[i].fd >= 0 && p[i].revents)
				receive(&q[i], &s->session[i]);
			waiting += q[i].fd >= 0;
		}
	}
	for (int i = 0; i < s->n; i++)
		if (q[i].fd >= 0)
			close(q[i].fd);
	free(q);
}

/* ---- the list ---- */

/* Files of sockets that nobody listens at. */
static void drop_gone(struct selector *s)
{
	int n = 0;

	for (int i = 0; i < s->n; i++)
		if (strcmp(s->session[i].state, "gone"))
			s->session[n++] = s->session[i];
	s->n = n;
}

void selector_open(struct selector *s, const char *own, const char *here, const char *shown)
{
	char dir[SELECTOR_PATH + 16];
	struct session *at;

	*s = (struct selector){ .open = true };
	if (own && (at = add(s, ""))) {
		snprintf(at->name, sizeof(at->name), "%.63s", own);
		snprintf(at->state, sizeof(at->state), "this");
	}
	if (here && !own)
		add(s, here);
	if (shown && shown[0])
		add(s, shown);
	if (here && strrchr(here, '/')) {
		snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(here, '/') - here), here);
		add_folder(s, dir);
	}
	runtime_folder(dir, sizeof(dir));
	add_folder(s, dir);
	for (int i = 0; own && here && i < s->n; i++) /* our own socket: it would not answer us */
		if (!strcmp(s->session[i].path, here))
			s->session[i--] = s->session[--s->n];
	ask_all(s);
	drop_gone(s);
	qsort(s->session, (size_t)s->n, sizeof(*s->session), by_name);
	for (int i = 0; i < s->n; i++) {
		s->session[i].shown = !strcmp(s->session[i].path, shown ? shown : "");
		s->list.at = s->session[i].shown ? i : s->list.at;
	}
	list_fit(&s->list, s->n, s->n);
}

const struct session *selector_key(struct selector *s, const struct term_event *e)
{
	if (e->key == TK_CLICK || e->key == TK_DOUBLE) {
		if (e->y < 2 ||
		    !list_mouse(&s->list, &(struct term_event){ .key = e->key, .y = e->y - 2 }, 0))
			return NULL;
	} else if (e->key >= '1' && e->key <= '9' && e->key - '1' < s->n) {
		s->list.at = e->key - '1';
	} else if (e->key != TK_ENTER) {
		s->open = list_key(&s->list, e->key);
		return NULL;
	}
	s->open = false;
	return s->n ? &s->session[s->list.at] : NULL;
}

void selector_draw(struct selector *s, const struct area *a)
{
	int x, name = 12;

	for (int y = 0; y < a->h; y++)
		area_fill(a, 0, y, a->w, ST_NORMAL, ' ');
	area_fill(a, 0, 0, a->w, ST_RULE, 0x2500);
	x = area_put(a, 0, 0, ST_FOCUS, " VMs ");
	area_put(a, x, 0, ST_DIM,
		 s->n > 1 ? " Enter or a digit shows one; Esc closes "
			  : " no other VM can be reached; Esc closes ");
	for (int i = 0; i < s->n; i++)
		name = (int)strlen(s->session[i].name) > name ? (int)strlen(s->session[i].name) : name;
	name = name > a->w / 2 ? a->w / 2 : name;
	list_fit(&s->list, s->n, a->h - 1);
	for (int i = s->list.top, y = 1; y < a->h && i < s->n; i++, y++) {
		const struct session *at = &s->session[i];
		enum style sel = i == s->list.at ? ST_SELECT : ST_NORMAL;

		if (sel)
			area_fill(a, 0, y, a->w, sel, ' ');
		if (i < 9)
			area_char(a, 1, y, sel ? sel : ST_PROMPT, (uint32_t)('1' + i));
		area_char(a, 3, y, sel ? sel : ST_CHANGED, at->shown ? 0x25b6 : ' ');
		x = area_field(a, 5, y, name, sel ? sel : ST_NAME, at->name);
		x = area_field(a, x + 2, y, 10, sel ? sel : ST_VALUE, at->state[0] ? at->state : "no answer");
		x = area_field(a, x + 2, y, 48, sel ? sel : ST_DIM, at->detail);
		if (a->w - x > 10)
			area_field(a, x + 1, y, a->w - x - 1, sel ? sel : ST_DIM, at->path);
	}
}
