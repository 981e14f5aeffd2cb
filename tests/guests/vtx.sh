#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The engine vtx, with EPT and with shadow page tables: what runs on the translator runs the same under a monitor over VT-x.
# LONG=1: both kernels in both ways, and the checks of disks and of the network.
. "$(dirname "$0")/linuxlib.sh"
need

demo()
{
	run_guest 300 --engine vtx "$@" demo
	[ "$(grep -c FAIL "$TMP/out")" -eq 0 ] && [ "$(grep -c PASS "$TMP/out")" -ge 57 ] && grep -q "all checks passed" "$TMP/out"
	ok $? "the demo guest's checks pass: vtx $*" "$(grep FAIL "$TMP/out"); $(detail)"
}

refused()
{
	grep -qF -- "$1" "$TMP/err" && [ "$status" -ne 0 ] && [ "$(wc -l <"$TMP/err")" -le 2 ]
	ok $? "$2" "status $status: $(cat "$TMP/err")"
}

# Kernel $1 under vtx with OPTIONs.
kernel()
{
	flavour=$1 more=
	shift
	expected "$flavour" >"$TMP/expected"
	case $flavour in
	*amd64) more=$CACHE/busybox:busybox32 ;;
	esac
	if [ ! -s "$CACHE/linux-$flavour" ] ||
		! "$TOP_SRCDIR/guests/mkinitramfs" -f "$flavour" -o "$TMP/initrd" "$CACHE" "$TMP/inside.sh" $more 2>"$TMP/err"; then
		skip "Linux $flavour" "no initramfs: $(cat "$TMP/err")"
		return
	fi
	linux_boot "$flavour" "Linux $flavour boots and runs programs: vtx $*" --engine vtx "$@"
}

# The checks of SCRIPT, under the engine in WAY: what holds under bt holds.
checks()
{
	way=$1 script=$2
	cat >"$TMP/vitrine" <<END
#!/bin/sh
what=\$1
shift
case \$what in
run|shell|tui) exec "$VITRINE" \$what --engine vtx --vtx $way "\$@" ;;
*) exec "$VITRINE" \$what "\$@" ;;
esac
END
	chmod +x "$TMP/vitrine"
	LONG= VITRINE=$TMP/vitrine sh "$TOP_SRCDIR/tests/guests/$script.sh" >"$TMP/checks" 2>&1
	grep -q '^ok' "$TMP/checks" && ! grep -q '^not ok' "$TMP/checks"
	ok $? "$script.sh passes: vtx --vtx $way" "$(grep '^not ok' "$TMP/checks"; tail -1 "$TMP/checks")"
}

kernels=4
[ -z "${LONG:-}" ] || kernels=16
GUESTS=${TOP_BUILDDIR:-$TOP_SRCDIR/build}/guests
plan $((21 + kernels))

demo --vtx ept --verify-tc
demo --vtx shadow --verify-tc
demo --vtx shadow --cpu pentium2

# Accessed and dirty bits, large pages, CR0.WP clear: against a model.
for how in "" pae; do
	run_guest 60 --engine vtx --vtx shadow --append "seed=3 rounds=600 $how" stress
	said "stress: no divergence" "pages change their roles at random under shadow tables $how"
done

# 64-bit mode, likewise.
for way in ept shadow; do
	run_guest 60 --engine vtx --vtx $way --verify-tc --kernel "$GUESTS/demo64/demo64.elf"
	said "demo64: all checks passed" "the checks of 64-bit mode pass: vtx --vtx $way --verify-tc"
	for seed in 1 5; do
		run_guest 60 --engine vtx --vtx $way --memory 64M --cpu max --kernel "$GUESTS/stress64/stress64.elf" --append "seed=$seed"
		said "stress64: all as expected" "tables of four levels at random, seed $seed: vtx --vtx $way"
	done
done
# Memory above 4 GiB is behind EPT, too.
run_guest 60 --engine vtx --memory 6G --kernel "$GUESTS/demo64/demo64.elf"
said "demo64: all checks passed" "a guest of 6 GiB"

run_guest 20 --engine vtx --vtx npt demo
refused "--vtx takes ept or shadow, not" "a way that there is not is refused in one line"
run_guest 20 --vtx ept demo
refused "--vtx is an option of --engine vtx" "--vtx without the engine is refused"
run_guest 20 --engine vtx --machine-memory 16M --memory 16M demo
refused "engine vtx" "too little machine memory is refused in one line"

# Devices are accessed without leaving the guest, but who asks stops at each exit.
shell_script --engine vtx --vtx shadow --serial null demo <<'END'
break-on cr 3
c
break-on exit exception_nmi
delete 1
c
delete 2
c
info exits
vmcs-check
END
match '^cr 3 ' "break-on cr stops at a control register that the monitor handles"
match '^exit EXCEPTION_NMI, ' "break-on exit stops at an exit"
[ "$(awk '$1 == "EXCEPTION_NMI" { n = $3 } END { print n + 0 }' "$TMP/out")" -gt 3000 ]
ok $? "accesses to devices are counted as exits" "$(detail)"
match "^all .* hold .*a VM entry would succeed" "vmcs-check knows the monitor's own state"

# String I/O runs in the guest, and is an exit in the log: mov esi, 100016h; mov ecx, 3; mov edx, 3f8h; cld; rep outsb; mov al, 16;
# out f4h, al; "abc".
printf '\276\026\000\020\000\271\003\000\000\000\272\370\003\000\000\374\363\156\260\020\346\364abc' >"$TMP/outs"
shell_script --engine vtx --flat "$TMP/outs@0x100000" <<'END'
c
info exits
END
said abc "REP OUTSB writes its bytes"
match '^IO +30 +2 ' "and is one exit, beside that of OUT"

if [ ! -s "$CACHE/linux-686" ] || [ ! -s "$CACHE/linux-686-pae" ] || [ ! -s "$CACHE/busybox" ]; then
	i=0
	while [ $i -lt $kernels ]; do
		skip "a kernel" "guests/fetch could not fetch it (network?)"
		i=$((i + 1))
	done
	exit 0
fi
inside >"$TMP/inside.sh"
kernel 686 --vtx ept
kernel 686-pae --vtx shadow
kernel cloud-amd64 --vtx ept
kernel cloud-amd64 --vtx shadow
[ -z "${LONG:-}" ] && exit 0
kernel 686 --vtx shadow
kernel 686-pae --vtx ept
for model in host zen2 haswell nehalem; do # the last two isolate page tables
	kernel amd64 --vtx shadow --cpu $model
done
kernel amd64 --vtx ept --cpu haswell
kernel amd64 --vtx ept --verify-tc
for way in ept shadow; do
	checks $way rootfs
	checks $way network
done
