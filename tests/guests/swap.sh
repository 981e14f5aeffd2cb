#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Debian's kernel with less machine memory than it has memory: a file in memory that does not fit keeps its content.
# Pages are swapped by hand, too, and the books balance. LONG=1: 256 MB in 128, a file of 150 MB.
. "$(dirname "$0")/guestlib.sh"
need linux-686 busybox
cat >"$TMP/inside.sh" <<'END'
mkdir -p /big && mount -t tmpfs -o size=220m none /big
dd if=/dev/urandom of=/big/a bs=1M count=${MB} 2>/dev/null
echo "sum $(sha256sum /big/a | cut -d' ' -f1)"
echo "again $(sha256sum /big/a | cut -d' ' -f1)"
echo "ready for more"
read -r line
echo "last $(sha256sum /big/a | cut -d' ' -f1)"
END
mb=80 machine=88M
[ -z "${LONG:-}" ] || mb=150 machine=128M
sed -i "s/\${MB}/$mb/" "$TMP/inside.sh"
"$TOP_SRCDIR/guests/mkinitramfs" -o "$TMP/initrd" "$CACHE" "$TMP/inside.sh" 2>"$TMP/err" || skip_all "no initramfs: $(cat "$TMP/err")"
plan 9
cat >"$TMP/script" <<'END'
wait "ready for more" 280
info swap
swap out random 3000
vm check
swap in all
vm check
swap out random 400
share all
info sharing
vm check
serial "\n"
wait "script ended with 0" 100
vm check
END
timeout -k 5 400 "$VITRINE" shell --no-rc --timeout 380 --memory 256M --machine-memory $machine --swap "$TMP/swap" --serial "file:$TMP/raw" \
	--kernel "$CACHE/linux-686" --initrd "$TMP/initrd" --append "console=ttyS0 panic=-1 run=inside.sh" --no-reboot \
	-x "$TMP/script" </dev/null >"$TMP/screen" 2>"$TMP/err"
status=$?
tr -d '\r' <"$TMP/raw" >"$TMP/out"
clean_err
said "script ended with 0" "the guest runs to its end"
[ "$(sed -n 's/^\(sum\|again\|last\) //p' "$TMP/out" | grep -cE '^[0-9a-f]{64}$')" -eq 3 ] &&
	[ "$(sed -n 's/^\(sum\|again\|last\) //p' "$TMP/out" | sort -u | wc -l)" -eq 1 ]
ok $? "what it has in memory stays" "$(cat "$TMP/out" "$TMP/err")"
# counter NAME LEAST
counter()
{
	awk -v name="$1" -v least="$2" '$1 == name && $2 >= least { found = 1 } END { exit !found }' "$TMP/screen"
	ok $? "info swap: $1" "$(cat "$TMP/screen" "$TMP/out")"
}
grep -qE '^[1-9][0-9]{2,} pages moved onto shared frames' "$TMP/screen"
ok $? "share all" "$(cat "$TMP/screen")"
counter out 5000
counter in 2000
grep -q '^3000 pages swapped out' "$TMP/screen"
ok $? "swap out random" "$(cat "$TMP/screen")"
grep -qE '^[0-9]+ pages read back' "$TMP/screen"
ok $? "swap in all, as far as there is room" "$(cat "$TMP/screen")"
[ "$(grep -c '^the books balance' "$TMP/screen")" -eq 4 ]
ok $? "the books balance" "$(cat "$TMP/screen")"
[ ! -e "$TMP/swap" ] && [ ! -s "$TMP/err" ]
ok $? "the file is gone" "$(ls -l "$TMP"; cat "$TMP/err")"
