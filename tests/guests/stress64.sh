#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The 64-bit stress guest: page tables, address spaces and rights change at random; its own walk of the tables says what
# each access does. LONG=1: ten times as many seeds, and ten minutes (STRESS64_SECONDS) each plain, with adaptation switched
# every 50 ms, and with isolated page tables, in level memory. STRESS64_SEED is the first (1).
. "$(dirname "$0")/guestlib.sh"
. "$(dirname "$0")/stresslib.sh"
KERNEL=${STRESS64:-$(dirname "$VITRINE")/guests/stress64/stress64.elf}
need
[ -s "$KERNEL" ] || skip_all "no $KERNEL"
seed=${STRESS64_SEED:-1}
rounds=1
long=0
if [ -n "${LONG:-}" ]; then rounds=10 long=6; fi
plan $((6 + 4 * rounds + long))

if command -v qemu-system-x86_64 >/dev/null; then
	timeout 120 qemu-system-x86_64 -accel tcg -cpu max -m 64 -display none -monitor none -serial stdio -no-reboot -nodefaults \
		-device isa-debug-exit,iobase=0xf4 -kernel "$KERNEL" -append "seed=$seed" </dev/null 2>/dev/null | tr -d '\r' >"$TMP/out"
	said "stress64: all as expected" "the model agrees with QEMU"
else
	skip "the model agrees with QEMU" "no qemu-system-x86_64"
fi
for model in max zen2 haswell athlon64; do
	n=0
	while [ $n -lt $rounds ]; do
		run_guest 300 --memory 64M --cpu $model --kernel "$KERNEL" --append "seed=$seed"
		said "stress64: all as expected" "$model, seed $seed"
		n=$((n + 1))
		seed=$((seed + 1))
	done
done
# What a walk by the processor sets before the retry of an access is mapped.
run_guest 300 --memory 64M --cpu zen2 --kernel "$KERNEL" --append "seed=3"
said "stress64: all as expected" "zen2, accessed bits of all levels"
for model in max zen2; do
	run_guest 300 --memory 64M --cpu $model --verify-tc --kernel "$KERNEL" --append "seed=8 odd"
	said "stress64: all as expected" "$model, user pages in the upper half, SMAP without SMEP"
done
for model in nehalem max; do
	run_guest 300 --memory 64M --cpu $model --verify-tc --kernel "$KERNEL" --append "seed=5 kpti"
	said "stress64: all as expected" "$model, isolated page tables"
done

# lasting MODE NAME OPTION...: ten minutes while stress.py does MODE.
lasting()
{
	mode=$1 name=$2
	shift 2
	meddled "$mode" "$seconds" --memory 64M --kernel "$KERNEL" "$@"
	said "stress64: all as expected" "$seconds s $name"
	level "memory stays level $name"
}

[ -n "${LONG:-}" ] || exit 0
seconds=${STRESS64_SECONDS:-600}
if command -v python3 >/dev/null; then
	lasting watch "plain" --cpu max --append "seed=$seed seconds=$seconds"
	lasting toggle "with adaptation off and on every 50 ms" --cpu max --append "seed=$((seed + 1)) seconds=$seconds"
	lasting watch "with isolated page tables" --cpu haswell --append "seed=$((seed + 2)) seconds=$seconds kpti"
else
	for n in 1 2 3 4 5 6; do
		skip "ten minutes" "no python3"
	done
fi
