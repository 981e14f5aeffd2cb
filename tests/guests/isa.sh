#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Instructions that a processor may lack (tests/guests/isa/isa.S): what the model's CPUID does not offer is #UD, a
# hint is a NOP, with the verifier and without it. No instruction ends the machine.
. "$(dirname "$0")/guestlib.sh"
need
GUEST=${TOP_BUILDDIR:-$TOP_SRCDIR/build}/tests/guests/isa.elf
[ -s "$GUEST" ] || skip_all "no isa.elf (make check builds it)"

# isa MODEL [OPTION...]: one line for each instruction in $TMP/out.
isa()
{
	model=$1
	shift
	run_guest 60 --no-reboot --memory 16M --cpu "$model" "$@" --kernel "$GUEST"
}

# all RESULT WHAT INSTRUCTION...: one result: each of them had that result.
all()
{
	want=$1 what=$2
	shift 2
	wrong=
	for insn in "$@"; do
		grep -qx "$insn $want" "$TMP/out" || wrong="$wrong $(grep "^$insn " "$TMP/out" || echo "$insn ?"),"
	done
	[ -z "$wrong" ]
	ok $? "$model $how: $what: $want" "$wrong"
}

p6_hints="prefetch prefetchw prefetchwt1 prefetch_7 rdsspd endbr32 bndmk bndcl bndcu bndmov bndldx cldemote"
old_hints="nop rep_fld1 repne_mov rep_mov xacquire_lock_add repne_pause rep_cpuid"
hints="$old_hints $p6_hints"
never="kmovw kmovw_load kandw vpdpbusd vaesenc_ymm vpclmulqdq_ymm gf2p8mulb aesenc128kl encodekey128 tdcall xstore
	rep_xcryptecb rep_montmul rep_xsha1 incsspd clwb clflushopt clzero ptwrite movdiri enqcmd pfadd xend
	vmcall syscall vfmaddps_fma4 blcs_xop evex_vaddps"
after_sse="addpd rep_movsd size_movdqu haddps pshufb ptest crc32 popcnt aesenc movbe clflush"
after_avx="vaddps vpaddd_ymm vpaddd_xmm vfmadd andn shlx xgetbv_1"

plan 36
for how in "" --verify-tc; do
	isa host $how
	ended 1 "the guest ends $how"
	said "isa: done" "EIP 80000000h $how"
	all ok hints $hints
	all 06 "never offered" $never
	if grep -qw rdpid /proc/cpuinfo; then all ok RDPID rdpid; else all 06 "no RDPID" rdpid; fi
	cp "$TMP/out" "$TMP/host$how"

	isa pentium3 $how
	all ok "hints, up to SSE" $hints rdtsc cmovz fcomi emms pmaxub_mmx addps rep_bsf rep_bsr
	all 06 "from SSE2 on" $never $after_sse $after_avx

	isa pentium3,+sse2 $how
	all ok SSE2 addps addpd rep_movsd size_movdqu
	all 06 "from SSE3 on" haddps $after_avx

	isa 486 $how
	said "isa: done" "486: the guest ends $how"
	all ok "prefixes without effect, BSF" $old_hints rep_bsf rep_bsr
	all 06 "from the Pentium on" $p6_hints $never rdtsc rep_cmpxchg8b cmovz fcomi emms pmaxub_mmx addps $after_sse $after_avx

	isa host,-avx2 $how
	all 06 "AVX2" vpaddd_ymm
	[ "$(grep '^vpaddd_xmm' "$TMP/out")" = "$(grep '^vpaddd_xmm' "$TMP/host$how")" ]
	ok $? "VPADDD of XMM registers is AVX $how" "$(grep vpaddd "$TMP/out")"
	isa host,-xsave $how
	all 06 "AVX" vaddps vpaddd_ymm vpaddd_xmm vfmadd xgetbv_1
	if grep -qx "xgetbv_1 ok" "$TMP/host$how"; then
		isa host,-xgetbv1 $how
		all 13 "XGETBV with ECX=1" xgetbv_1
	else
		ok 0 "XGETBV with ECX=1 $how # SKIP the host has none"
	fi
	isa host,-bmi2,-aes $how
	all 06 "BMI2, AES" shlx aesenc vaesenc_ymm
	! grep -qi verifier "$TMP/err"
	ok $? "the verifier had nothing to refuse $how" "$(cat "$TMP/err")"
done
