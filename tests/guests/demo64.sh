#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The 64-bit guest runs all its checks, on several processors, by both of its entries, in every translation mode. Under
# QEMU's interpreter it is right, but for the checks that this does not make. A 32-bit processor is refused in one line.
. "$(dirname "$0")/guestlib.sh"
KERNEL=${DEMO64:-$(dirname "$VITRINE")/guests/demo64/demo64.elf}
need
[ -s "$KERNEL" ] || skip_all "no $KERNEL"
plan 23

if command -v qemu-system-x86_64 >/dev/null; then
	timeout 120 qemu-system-x86_64 -accel tcg -cpu max -m 64 -display none -monitor none -serial stdio -no-reboot -nodefaults \
		-device isa-debug-exit,iobase=0xf4 -kernel "$KERNEL" -append "insn trap page user" </dev/null 2>/dev/null |
		tr -d '\r' >"$TMP/out"
	said "demo64: all checks passed" "all checks pass under QEMU"
	[ "$(grep -c PASS "$TMP/out")" -ge 60 ]
	ok $? "60 checks under QEMU" "$(grep FAIL "$TMP/out")"
else
	skip "all checks pass under QEMU" "no qemu-system-x86_64"
	skip "60 checks under QEMU" "no qemu-system-x86_64"
fi

run_guest 60 --cpu pentium4 --kernel "$KERNEL"
said "demo64: this kernel needs a 64-bit processor" "a 32-bit processor is refused in one line"
match "32-bit mode" "the entry is in 32-bit mode"
ended 3 "as one failure"

# all NAME OPTION...: all checks pass.
all()
{
	name=$1
	shift
	run_guest 300 --kernel "$KERNEL" "$@"
	said "demo64: all checks passed" "all checks pass: $name"
	ended 1 "debug-exit 0 is status 1: $name"
}

all "zen2" --cpu zen2
[ "$(grep -c FAIL "$TMP/out")" -eq 0 ] && [ "$(grep -c PASS "$TMP/out")" -ge 65 ]
ok $? "65 checks and no failure" "$(grep FAIL "$TMP/out")"
all "all that the host offers, by PVH" --cpu max,+lm --entry pvh
all "haswell, verified" --cpu haswell,+lm --verify-tc
all "the first 64-bit processor" --cpu athlon64
run_guest 300 --cpu zen2 --kernel "$KERNEL" --append exit=poweroff
said "demo64: all checks passed" "all checks pass with exit=poweroff"
ended 0 "power off is status 0"

run_guest 300 --cpu zen2 --clock icount --kernel "$KERNEL"
said "demo64: all checks passed" "all checks pass with --clock icount"
cp "$TMP/out" "$TMP/first"
run_guest 300 --cpu zen2 --clock icount --kernel "$KERNEL"
[ -s "$TMP/first" ] && cmp -s "$TMP/out" "$TMP/first"
ok $? "two runs with --clock icount print the same" "$(diff "$TMP/first" "$TMP/out" | head -5)"

for way in trap callout; do
	got=$(timeout 400 "$VITRINE" shell --no-rc --serial stdio --cpu zen2 --verify-tc -c "policy all $way" -c continue --kernel "$KERNEL" \
		</dev/null 2>&1 | tr -d '\r')
	case $got in
	*"demo64: all checks passed"*"guest exited: status 1"*) r=0 ;;
	*) r=1 ;;
	esac
	ok $r "all checks pass with every sensitive instruction by $way, verified" "$(echo "$got" | grep -v PASS | tail -5)"
done
got=$(timeout 400 "$VITRINE" shell --no-rc --serial stdio --cpu zen2 -c "adapt off" -c continue --kernel "$KERNEL" </dev/null 2>&1 | tr -d '\r')
case $got in
*"demo64: all checks passed"*) r=0 ;;
*) r=1 ;;
esac
ok $r "all checks pass without adaptation" "$(echo "$got" | grep -v PASS | tail -5)"
for n in 1 3; do
	run_guest 400 --cpu zen2 --tu-max $n --kernel "$KERNEL"
	said "demo64: all checks passed" "all checks pass with units of $n"
done
