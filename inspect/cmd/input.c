/* SPDX-License-Identifier: GPL-3.0-or-later
 * Input to the guest from scripts: serial and type send text, mouse-move and mouse-button use the mouse, nmi
 * presses a button, wait waits for output. */
#include "inspect/tables_int.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SHIFT = 0x2a, RELEASE = 0x80, DEFAULT_WAIT = 60 };

static int cmd_serial(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	(void)r;
	machine_serial_input(s->m, (const uint8_t *)a->argv[0], strlen(a->argv[0]));
	return 0;
}

static const struct key {
	uint8_t code;
	char plain, shifted;
} keys[] = {
#define KEY(code, plain, shifted) { code, plain, shifted },
#include "inspect/keymap.def"
#undef KEY
};

static void press(struct machine *m, const struct key *k, char c)
{
	bool shift = c != k->plain && c != '\r' && c != 0x7f;

	if (shift)
		machine_key(m, SHIFT);
	machine_key(m, k->code);
	machine_key(m, k->code | RELEASE);
	if (shift)
		machine_key(m, SHIFT | RELEASE);
}

static int cmd_type(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	for (const char *p = a->argv[0]; *p; p++) {
		size_t i;

		for (i = 0; i < ARRAY_LEN(keys); i++)
			if (keys[i].plain == *p || keys[i].shifted == *p)
				break;
		if (i == ARRAY_LEN(keys))
			return result_fail(r, "type: no key for character 0x%02x", (unsigned char)*p);
		press(s->m, &keys[i], *p);
	}
	return 0;
}

/* Keys without a character. Codes from 0x100 on have the prefix 0xe0. Columns: name as QEMU's, code. */
static const struct named_key {
	const char *name;
	uint16_t code;
} named_keys[] = {
	{ "esc", 0x01 },	  { "backspace", 0x0e }, { "tab", 0x0f },	 { "ret", 0x1c },
	{ "enter", 0x1c },	  { "ctrl", 0x1d },	 { "shift", 0x2a },	 { "shift_r", 0x36 },
	{ "alt", 0x38 },	  { "spc", 0x39 },	 { "space", 0x39 },	 { "caps_lock", 0x3a },
	{ "f1", 0x3b },		  { "f2", 0x3c },	 { "f3", 0x3d },	 { "f4", 0x3e },
	{ "f5", 0x3f },		  { "f6", 0x40 },	 { "f7", 0x41 },	 { "f8", 0x42 },
	{ "f9", 0x43 },		  { "f10", 0x44 },	 { "num_lock", 0x45 },	 { "scroll_lock", 0x46 },
	{ "f11", 0x57 },	  { "f12", 0x58 },	 { "ctrl_r", 0x11d },	 { "alt_r", 0x138 },
	{ "home", 0x147 },	  { "up", 0x148 },	 { "pgup", 0x149 },	 { "left", 0x14b },
	{ "right", 0x14d },	  { "end", 0x14f },	 { "down", 0x150 },	 { "pgdn", 0x151 },
	{ "insert", 0x152 },	  { "delete", 0x153 },	 { "del", 0x153 },	 { "meta_l", 0x15b },
	{ "minus", 0x0c },	  { "equal", 0x0d },	 { "comma", 0x33 },	 { "dot", 0x34 },
	{ "slash", 0x35 },	  { "semicolon", 0x27 }, { "apostrophe", 0x28 }, { "backslash", 0x2b },
	{ "grave_accent", 0x29 },
};

/* The code of the key called by the LEN bytes at NAME; 0: none. */
static uint16_t key_code(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(named_keys); i++)
		if (strlen(named_keys[i].name) == len && !strncasecmp(named_keys[i].name, name, len))
			return named_keys[i].code;
	for (size_t i = 0; len == 1 && i < ARRAY_LEN(keys); i++)
		if (keys[i].plain == *name)
			return keys[i].code;
	return 0;
}

void input_key_names(void (*offer)(struct finder *f, const char *text), struct finder *f)
{
	for (size_t i = 0; i < ARRAY_LEN(named_keys); i++)
		offer(f, named_keys[i].name);
}

static void send_code(struct machine *m, uint16_t code, bool down)
{
	if (code >= 0x100)
		machine_key(m, 0xe0);
	machine_key(m, (uint8_t)(code | (down ? 0 : RELEASE)));
}

/* Press and release a chord: keys joined by "-". */
static int chord(struct inspect *s, const char *text, struct result *r)
{
	uint16_t codes[8];
	unsigned n = 0;

	for (const char *p = text; n < ARRAY_LEN(codes); p += *p == '-') {
		size_t len = *p == '-' ? 1 : strcspn(p, "-");

		codes[n] = key_code(p, len);
		if (!codes[n++])
			return result_fail(r, "sendkey: no key '%.*s'", (int)len, p);
		p += len;
		if (!*p)
			break;
	}
	for (unsigned i = 0; i < n; i++)
		send_code(s->m, codes[i], true);
	while (n--)
		send_code(s->m, codes[n], false);
	return 0;
}

static int cmd_sendkey(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	for (int i = 0; i < a->argc; i++)
		if (chord(s, a->argv[i], r))
			return -1;
	return 0;
}

static int cmd_hvc(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	if (!machine_console_input(s->m, (const uint8_t *)a->argv[0], strlen(a->argv[0])))
		return result_fail(r, "hvc: the machine has no virtio console (--device virtio-console)");
	return 0;
}

/* ---- the mouse ---- */

static bool move_arg(const char *text, long most, int *val)
{
	char *end;
	long n = strtol(text, &end, 0);

	*val = (int)n;
	return end != text && !*end && n >= -most && n <= most;
}

static int cmd_mouse_move(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	int dx, dy, dz = 0;

	if (!move_arg(a->argv[0], INT16_MAX, &dx) || !move_arg(a->argv[1], INT16_MAX, &dy) ||
	    (a->argc > 2 && !move_arg(a->argv[2], INT8_MAX, &dz)))
		return result_fail(r, "mouse-move: DX and DY are -32767 to 32767, DZ is -127 to 127");
	machine_mouse(s->m, dx, dy, dz, machine_mouse_buttons(s->m));
	return 0;
}

/* Buttons by name, or as bits: middle 2 and right 4, as QEMU has them. */
static bool buttons_arg(const char *text, unsigned *buttons)
{
	static const struct {
		const char *name;
		unsigned bits;
	} names[] = { { "none", 0 }, { "left", 1 }, { "right", 2 }, { "middle", 4 } };
	static const uint8_t numbers[] = { 0, 1, 4, 5, 2, 3, 6, 7 };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(text, names[i].name)) {
			*buttons |= names[i].bits;
			return true;
		}
	if (text[0] < '0' || text[0] > '7' || text[1])
		return false;
	*buttons |= numbers[text[0] - '0'];
	return true;
}

static int cmd_mouse_button(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	unsigned buttons = 0;

	for (int i = 0; i < a->argc; i++)
		if (!buttons_arg(a->argv[i], &buttons))
			return result_fail(
			    r, "mouse-button: no button '%s': there are left, middle, right, none",
			    a->argv[i]);
	machine_mouse(s->m, 0, 0, 0, buttons);
	return 0;
}

static int cmd_nmi(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	(void)a;
	if (!machine_nmi(s->m))
		return result_fail(r, "nmi: the guest has masked LINT1 of its local APIC (info lapic)");
	result_text(r, s->run.running ? "NMI sent" : "NMI sent: the guest gets it when it resumes");
	return 0;
}

/* Wait for TEXT until UNTIL (monotonic ns) while the guest runs. */
static bool heard(struct inspect *s, const char *text, int64_t until)
{
	while (!serial_log_expect(s->serial, text, strlen(text))) {
		int64_t left = until - session_now();

		if (run_settled(s)) /* its last output may have arrived since */
			return serial_log_expect(s->serial, text, strlen(text));
		if (left <= 0 || session_interrupted(s))
			return false;
		session_idle(s, left > 20000000 ? 20 : (int)(left / 1000000) + 1);
	}
	return true;
}

static int not_heard(struct inspect *s, const struct cmd_args *a, struct result *r, bool stopped_itself)
{
	if (s->run.timed_out)
		return result_fail(r, "wait: vitrine's time limit was reached");
	if (session_interrupted(s))
		return result_fail(r, "wait: interrupted");
	if (!stopped_itself)
		return result_fail(r, "wait: timed out before \"%s\" was printed", a->argv[0]);
	run_report(s, r);
	return result_fail(r, "wait: the guest stopped before \"%s\" was printed", a->argv[0]);
}

static bool seconds_arg(const char *text, double *seconds)
{
	char *end;

	*seconds = strtod(text, &end);
	return end != text && !*end && isfinite(*seconds) && *seconds >= 0 && *seconds < 1e8;
}

static int cmd_wait(struct inspect *s, const struct cmd_args *a, struct result *r)
{
	bool was_running = s->run.running, ok, stopped_itself;
	double seconds = DEFAULT_WAIT;

	if (!a->argv[0][0] || (a->argc > 1 && !seconds_arg(a->argv[1], &seconds)))
		return result_fail(r, "usage: wait \"TEXT\" [SECONDS]");
	if (serial_log_expect(s->serial, a->argv[0], strlen(a->argv[0])))
		return 0;
	if (inspect_ended(s))
		return result_fail(r, "wait: the guest has ended");
	session_moves(s, true);
	if (!was_running)
		run_start(s, &(struct run_goal){ 0 });
	ok = heard(s, a->argv[0], session_now() + (int64_t)(seconds * 1e9));
	stopped_itself = !s->run.running;
	if (!was_running || session_interrupted(s))
		run_halt(s);
	session_moves(s, false);
	return ok ? 0 : not_heard(s, a, r, stopped_itself);
}

static const struct command commands[] = {
	{ "wait", NULL, "\"TEXT\" [SECONDS]", "run the guest until it has printed TEXT on its serial port",
	  "It searches the output since the last successful wait. A guest that was stopped is stopped again afterwards; "
	  "one that runs in the background keeps running. Fails after SECONDS (60), or when the guest stops first.",
	  cmd_wait, CMD_MACHINE | CMD_WAITS, 1, 2, COMP_NONE },
	{ "serial", NULL, "\"TEXT\"", "send TEXT to the guest's serial port",
	  "Escapes in quotes: \\n \\r \\t \\e \\xNN.", cmd_serial, CMD_MACHINE, 1, 1, COMP_NONE },
	{ "hvc", NULL, "\"TEXT\"", "send TEXT to the guest's virtio console",
	  "Escapes as with 'serial'. The console's output is that of the serial port, for 'wait', too.",
	  cmd_hvc, CMD_MACHINE, 1, 1, COMP_NONE },
	{ "type", NULL, "\"TEXT\"", "type TEXT on the guest's keyboard (US layout)", NULL, cmd_type,
	  CMD_MACHINE, 1, 1, COMP_NONE },
	{ "sendkey", NULL, "KEY[-KEY...]...",
	  "press keys of the guest's keyboard together, then release them",
	  "Key names are QEMU's: ret, esc, tab, spc, backspace, up, pgdn, f1, ctrl, alt, shift, delete...; for example "
	  "ctrl-alt-delete. Several chords are pressed one after the other.",
	  cmd_sendkey, CMD_MACHINE, 1, -1, "<key> ..." },
	{ "mouse-move", "mouse_move", "DX DY [DZ]",
	  "move the guest's mouse by DX to the right, DY down and its wheel by DZ towards you",
	  "In counts of the PS/2 mouse; the guest may accelerate it. 'info mouse' says whether a driver listens.",
	  cmd_mouse_move, CMD_MACHINE, 2, 3, COMP_NONE },
	{ "mouse-button", "mouse_button", "BUTTON...",
	  "hold BUTTONs of the guest's mouse down, and release the others",
	  "BUTTON is left, middle, right or none; or a number, the sum of left 1, middle 2 and right 4.",
	  cmd_mouse_button, CMD_MACHINE, 1, 3, COMP_NONE },
	{ "nmi", NULL, "", "press the NMI button: a non-maskable interrupt",
	  "It reaches the processor by LINT1 of the local APIC. Linux says what it was doing when it was started with "
	  "'unknown_nmi_panic', and otherwise that the reason is unknown.",
	  cmd_nmi, CMD_MACHINE, 0, 0, COMP_NONE },
	{ 0 },
};

const struct command_group cmd_input_group = { "input", "Serial port, keyboard and mouse", commands };
