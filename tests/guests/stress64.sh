#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The 64-bit stress guest: page tables, address spaces and rights change at random; its own walk of the tables says what
# each access does. LONG=1: ten times as many seeds. STRESS64_SEED is the first (1).
. "$(dirname "$0")/guestlib.sh"
KERNEL=${STRESS64:-$(dirname "$VITRINE")/guests/stress64/stress64.elf}
need
[ -s "$KERNEL" ] || skip_all "no $KERNEL"
seed=${STRESS64_SEED:-1}
rounds=1
[ -z "${LONG:-}" ] || rounds=10
plan $((6 + 4 * rounds))

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
