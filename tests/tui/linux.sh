#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The dashboard on a booting Linux: each screen in two sizes, a command typed on its console.
. "$(dirname "$0")/tuilib.sh"
need_tmux
for f in linux-686 initramfs-686.cpio.gz; do
	[ -s "$CACHE/$f" ] || skip_all "no $f: guests/fetch did not bring it (network?)"
done
plan 15
start 200x50 screen-256color --no-rc --kernel "$CACHE/linux-686" --initrd "$CACHE/initramfs-686.cpio.gz" \
	--append console=ttyS0
sees "stopped" "stopped before the first instruction"
key c
sees " running" "booting"
for _ in 1 2 3 4; do
	until_true has "root #" && break
done
sees "root #" "a shell prompt on the console pane"
key F12
t send-keys -t v -l 'echo $((6*7))-vitrine'
key Enter
sees "42-vitrine" "a command typed there is executed"
key C-]
for size in 200x50 80x24; do
	t resize-window -t v -x ${size%x*} -y ${size#*x}
	key 1; sees "Registers" "$size: machine"
	key 2; sees "Fragment " "$size: translation"
	key 3; sees "Callouts by kind" "$size: traps"
	key 4; sees "physical" "$size: spaces"
	key 5; sees "master" "$size: devices"
done
key q y
ends 0 "q ends it"
