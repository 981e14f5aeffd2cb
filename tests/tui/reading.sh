#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Reading long text as in less, totals that are zeroed, tables sorted by a click.
. "$(dirname "$0")/tuilib.sh"
need_tmux
plan 24

# line N: the screen's line N
line()
{
	screen | sed -n "${1}p"
}

start 80x24 xterm-256color --no-rc --append loop demo
sees "c runs, s steps" "the dashboard is there"
t send-keys -t v -l ":help all"
key Enter
sees "lines; q or Esc closes" "long output is shown over the screen"
t send-keys -t v -l "/watch"
key Enter
until_true eval 'line 3 | grep -q watch'
ok $? "/ goes to a line that has the text, which is the first one shown" "$(screen)"
! screen_matches "^continue"
ok $? "what was in front of it has gone" "$(screen)"
first=$(line 3)
key n
until_true eval '[ "$(line 3)" != "$first" ]'
ok $? "n goes to the next one" "$(screen)"
key N
until_true eval '[ "$(line 3)" = "$first" ]'
ok $? "N goes back" "$(screen)"
t send-keys -t v -l "/no such text"
key Enter
sees '"no such text" is not in this text' "text that is not there is said"
key Right
until_true screen_matches "^<"
ok $? "Right scrolls sideways, and a mark says so" "$(screen)"
key Left
until_true eval '[ "$(line 3)" = "$first" ]'
ok $? "Left scrolls back" "$(screen)"
t send-keys -t v -l '\watch'
key Enter
sees 'lines with "watch"' '\ filters'
until_true eval '[ "$(screen | sed -n "3,5p" | grep -c watch)" = 3 ]'
ok $? "lines without the text are left out" "$(screen)"
key q
until_true has_not 'lines with'
ok $? "q closes the text" "$(screen)"
! has "y: yes"
ok $? "and nothing else" "$(screen)"

key c
sees " running" "the guest runs"
key 3
until_true screen_matches "^io  *[0-9]\|io  *[0-9]"
key r
sees "zeroed 0 s ago" "r zeroes the totals"
sees "since the start again" "and says how to have them back"
key r
until_true has_not "s ago"
ok $? "r again shows those since the start" "$(screen)"
# a click on a heading: button 0 pressed and released at column 1 of line 4
printf '\033[<0;1;4M\033[<0;1;4m' >"$TMP/click"
t load-buffer "$TMP/click"
t paste-buffer -t v -r
sees "cause▲" "a click on a heading sorts by that column"

key 1
key o
sees " Console " "o goes to the console"
t send-keys -t v -l "/string instructions"
key Enter
until_true screen_matches "string instructions"
ok $? "/ finds a line of its past" "$(screen)"

# registers, the stack, the call stack and a fragment are searched as they are drawn
focus()
{
	for _ in 1 2 3 4 5 6 7; do
		has " $1 " && return 0
		key o
		sleep 0.3
	done
	until_true has " $1 "
}
key Space
sees "stopped" "the guest is stopped"
focus Registers
t send-keys -t v -l "/dr7"
key Enter
until_true eval 'has "dr7 " && screen | grep -q "Registers .*+[0-9]* lines"'
ok $? "/ scrolls the registers to one that is not on the screen" "$(screen)"
key / Enter
until_true eval 'has "dr7 "'
ok $? "an empty search looks for the same again" "$(screen)"
t send-keys -t v -l "/nosuchregister"
key Enter
sees 'no line has "nosuchregister"' "and says when there is none"
