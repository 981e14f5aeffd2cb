#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The scripts of docs/examples that steer the translation of a real kernel do what they say.
. "$(dirname "$0")/guestlib.sh"
need linux-686 initramfs-686.cpio.gz
plan 13
EXAMPLES=$(cd "$TOP_SRCDIR/docs/examples" && pwd)

# example NAME APPEND: run it in $TMP.
example()
{
	(cd "$TMP" && timeout -k 5 900 "$VITRINE" shell --no-rc --timeout 800 --memory 512M \
		--kernel "$CACHE/linux-686" --initrd "$CACHE/initramfs-686.cpio.gz" --append "$2" \
		--serial file:serial.log -x "$EXAMPLES/$1" </dev/null >out 2>err)
	status=$?
	tr -d '\r' <"$TMP/serial.log" >"$TMP/serial"
}

# count REGEX: how many lines of the output match.
count()
{
	grep -cE -- "$1" "$TMP/out"
}

[ "$(grep -cv '^#' "$EXAMPLES/traps-that-vanish.vit")" -le 10 ]
ok $? "traps-that-vanish has ten lines"
example traps-that-vanish.vit "console=ttyS0 nokaslr panic=-1"
ended 0 "traps-that-vanish runs to its end"
[ "$(count '^guest pc +bytes ')" -ge 2 ]
ok $? "the fragment is shown before and after" "$(tail -5 "$TMP/out")"
[ "$(count ' promoted |a site was promoted')" -ge 1 ]
ok $? "its history shows that a site was promoted" "$(grep -A40 ' event ' "$TMP/out" | head -40)"
[ "$(count '^0x[0-9a-f]{8} .* [0-9]+ +[0-9]+ +[0-9]+ +[0-9]+ +-?[0-9]+$')" -ge 1 ]
ok $? "and the cycles saved" "$(tail -3 "$TMP/out")"

example unseen-patch.vit "console=ttyS0 quiet panic=-1"
ended 0 "unseen-patch runs to its end"
grep -qx 'before 1' "$TMP/serial" && grep -qx 'patched 4242' "$TMP/serial" && grep -qx 'after 1' "$TMP/serial"
ok $? "the guest sees the patched function, and the old one again" "$(tail -5 "$TMP/serial")"
[ "$(count 'b892100000c3.*mov eax, 0x1092; ret')" -eq 1 ]
ok $? "info patches shows it"
[ "$(count '\(patch 1\)')" -ge 2 ]
ok $? "ccf shows the patched code, while it is there" "$(grep -c patch "$TMP/out")"
awk '/\(patch 1\)/ { last = NR } /^guest pc +symbol/ { head = NR } END { exit !(head > last) }' "$TMP/out"
ok $? "and the guest's own code after unpatch"

# A cache far too small for Linux, and a pinned fragment in it.
cat >"$TMP/pinned.vit" <<'END'
count on
wait "Segment Routing with IPv6" 400
pick $hot ccf pc sort=-callouts
pin $hot
wait "vitrine: shell ready" 400
ccf-history $hot
info tc
END
(cd "$TMP" && timeout -k 5 900 "$VITRINE" shell --no-rc --timeout 800 --memory 512M --tc-size 2M --verify-tc \
	--kernel "$CACHE/linux-686" --initrd "$CACHE/initramfs-686.cpio.gz" --append "console=ttyS0 nokaslr panic=-1" \
	--serial null -x "$TMP/pinned.vit" </dev/null >out 2>err)
status=$?
ended 0 "Linux boots with a cache that is far too small"
[ "$(sed -n 's/^flushes_full *\([0-9]*\).*/\1/p' "$TMP/out")" -gt 3 ]
ok $? "which is flushed repeatedly" "$(tail -30 "$TMP/out")"
# It outlives the events in the ring, or the cache was flushed at least twice after it was
# made. (Another fragment of the same address, for another mode, may be younger.)
awk '/ made / { made++; n = 0 } /flushed +the cache was full/ { flushed++; n += made > 0; if (n > most) most = n }
	/lives, pinned/ { lives++ } END { exit !(lives && (most >= 2 || (lives > made && flushed >= 2))) }' "$TMP/out"
ok $? "but not of a pinned fragment" "$(head -30 "$TMP/out")"
