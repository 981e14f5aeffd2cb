#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# AVX-512 in a 64-bit Linux guest, where the host has it: a program (tests/guests/wide/wide.c) prints what it prints on
# the host, with the verifier and without it; a model that does not offer it has none.
. "$(dirname "$0")/guestlib.sh"
need linux-cloud-amd64 busybox-amd64
for f in f bw dq vl _vbmi2; do
	grep -qw "avx512$f" /proc/cpuinfo || skip_all "this host has no avx512$f"
done
${CC:-cc} -O2 -static -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vbmi2 -o "$TMP/wide" \
	"$TOP_SRCDIR/tests/guests/wide/wide.c" 2>"$TMP/made" || skip_all "no static programs: $(head -1 "$TMP/made")"
cat >"$TMP/in.sh" <<'END'
#!/bin/sh
echo "flags: $(grep -o 'avx512[^ ]*' /proc/cpuinfo | sort -u | tr '\n' ' ')"
/wide
echo "wide ended with $?"
END
chmod +x "$TMP/in.sh"
"$TOP_SRCDIR/guests/mkinitramfs" -f cloud-amd64 -o "$TMP/initrd" "$CACHE" "$TMP/wide" "$TMP/in.sh" || skip_all "no initramfs"
"$TMP/wide" >"$TMP/host"

# guest MODEL [OPTION...]
guest()
{
	model=$1
	shift
	run_guest 120 --memory 256M --cpu "$model" "$@" --kernel "$CACHE/linux-cloud-amd64" --initrd "$TMP/initrd" \
		--append "console=ttyS0 quiet panic=-1 run=in.sh"
	grep '^wide:' "$TMP/out" >"$TMP/guest"
}

plan 9
grep -q '^wide: done' "$TMP/host"
ok $? "the program ends on the host" "$(cat "$TMP/host")"
for how in "" --verify-tc; do
	guest host $how
	cmp -s "$TMP/host" "$TMP/guest"
	ok $? "the guest prints what the host does $how" "$(detail)"
	said "wide ended with 0" "and ends $how"
	! grep -q 'verifier: ' "$TMP/err"
	ok $? "the verifier had nothing to refuse $how" "$(cat "$TMP/err")"
done
guest skylake-server
match '^flags: avx512bw avx512cd avx512dq avx512f avx512vl *$' "skylake-server: that of the first processors alone"
guest host,-avx512f
match '^flags: *$' "host,-avx512f: none"
