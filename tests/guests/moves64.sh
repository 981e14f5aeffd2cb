#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Position-independent programs of 64 bits, several times one after the other and side by side, each time at other
# addresses: their fragments move, each verified where it has come to, and results stay those of the host.
. "$(dirname "$0")/guestlib.sh"
need linux-cloud-amd64 busybox-amd64 programs-amd64/lua5.4 programs-amd64/ld-linux-x86-64.so.2
plan 3

cat >"$TMP/work.lua" <<'END_LUA'
local t, h = {}, 0
for i = 1, 3000 do t[i] = ("%05d"):format(i * 7919 % 3001) end
table.sort(t)
for i, s in ipairs(t) do h = (h * 31 + s:byte(-1) * i + #s:rep(i % 7)) % 1000003 end
print("sum " .. h .. " " .. string.format("%.6f", math.sin(h)) .. " " .. table.concat(t, "", 1, 3))
END_LUA
cat >"$TMP/inside.sh" <<'END_SH'
lua() { /ld-linux-x86-64.so.2 --library-path / /lua5.4 /work.lua; }
for i in 1 2 3 4 5; do lua; done
for i in 1 2 3; do lua & done
wait
lua | cat
END_SH
want=$("$CACHE/programs-amd64/ld-linux-x86-64.so.2" --library-path "$CACHE/programs-amd64" \
	"$CACHE/programs-amd64/lua5.4" "$TMP/work.lua" 2>"$TMP/err") || skip_all "the host does not run them: $(cat "$TMP/err")"
"$TOP_SRCDIR/guests/mkinitramfs" -f cloud-amd64 -o "$TMP/initrd" "$CACHE" "$CACHE"/programs-amd64/* "$TMP/work.lua" \
	"$TMP/inside.sh" 2>"$TMP/err" || skip_all "no initramfs: $(cat "$TMP/err")"
shell_script --verify-tc --serial "file:$TMP/raw" --memory 256M --kernel "$CACHE/linux-cloud-amd64" --initrd "$TMP/initrd" \
	--append "console=ttyS0 quiet" <<'END_VT'
wait "shell ready" 200
serial ". /inside.sh; echo READY-$((1 + 1))\n"
wait "READY-2" 200
info tc
info refusals
END_VT
tr -d '\r' <"$TMP/raw" >"$TMP/serial"
[ "$(grep -cxF "$want" "$TMP/serial")" -eq 9 ]
ok $? "nine runs agree with the host" "$(tail -15 "$TMP/serial")"
moves=$(awk '$1 == "moves" { print $2 }' "$TMP/out")
[ "${moves:-0}" -gt 1000 ]
ok $? "fragments moved" "moves: $moves; $(tail -5 "$TMP/out")"
awk '$1 == "violations" { n = $2 } END { exit n != 0 }' "$TMP/out"
ok $? "the verifier accepts them" "$(tail -5 "$TMP/out")"
