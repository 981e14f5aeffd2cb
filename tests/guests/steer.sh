#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Steering the translation of the embedded guests: probes, patches, settings saved and loaded, pins, histories of
# fragments, adaptation by cause. Probes are compared with trace, which stops and evaluates; in-line
# conditions with equivalent ones that are too complex to be in line.
. "$(dirname "$0")/guestlib.sh"
need
plan 67

# vit GUEST OPTION...: run the commands on standard input; output of the shell in $TMP/out.
vit()
{
	guest=$1
	shift
	shell_script --serial "file:$TMP/serial" --verify-tc "$@" "$guest"
}

# cell COLUMN N: the number in the N-th row with that JSON key.
cell()
{
	sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p" "$TMP/out" | sed -n "$2p"
}

# ---- probes ----

values='$eax + 3 * 2, $esp >> 4 & 0xff, [$esp] == 0 || $ecx > 5, $eax ? -$ecx : ~$edx, (i8)$eax, *(u16*)$esp, !$ebx && $esi != 3, $al % 7'
more='$esp - 1 <= $ebp, 0x61 ^ $eflags, $pc, $cs_base + $cr0, 5 / ($ebx | 1), $ebp ? $ebp < $esp ? 1 : 2 : 3, *(i32)$esp, [ticks]'
vit demo <<END
trace print "T %d %x %d %d %d %u %d %d" $values
probe print "P %d %x %d %d %d %u %d %d" $values
trace print "U %d %x %x %x %d %d %d %u, %a" $more, [\$esp]
probe print "Q %d %x %x %x %d %d %d %u" $more
probe print "S %s: %a" [\$esp + 4], [\$esp]
probe print "E %u" \$esp
continue
info probes
END
sed -n 's/^T //p' "$TMP/out" >"$TMP/traced"
sed -n 's/^P //p' "$TMP/out" >"$TMP/probed"
[ "$(wc -l <"$TMP/traced")" -gt 50 ] && cmp -s "$TMP/traced" "$TMP/probed"
ok $? "a probe prints the same line as trace" "$(diff "$TMP/traced" "$TMP/probed" | head -6)"
sed -n 's/^U \(.*\),.*/\1/p' "$TMP/out" >"$TMP/traced"
sed -n 's/^Q //p' "$TMP/out" >"$TMP/probed"
[ "$(wc -l <"$TMP/traced")" -gt 50 ] && cmp -s "$TMP/traced" "$TMP/probed"
ok $? "with other operators and registers, too" "$(diff "$TMP/traced" "$TMP/probed" | head -6)"
match '^S .*: run\+0x' "a probe's line takes text and symbols"
match '^guest exited: status 1' "the guest's own checks pass meanwhile"

# A place in the stack that some of the calls are below, and others above.
esp=$(sed -n 's/^E //p' "$TMP/out" | sort -un | sed -n 2p)

n=0
for cond in '$eax == 10' '$eax != 10' "\$esp < $esp" "\$esp >= $esp" '$ebx > $eax' '$esi <= 0' \
	'$eax > 9 && $eax < 0xc0106000' '$edi && $eax' '!$edi && $eax != 10 && $esp > 5'; do
	echo "probe print if $cond"
	echo "probe print if ($cond) & 1"
	n=$((n + 1))
done >"$TMP/conditions"
head -8 "$TMP/conditions" >"$TMP/first"
tail -n +9 "$TMP/conditions" | sed 's/ print/ run/' | head -8 >"$TMP/second"
tail -n 2 "$TMP/conditions" | sed 's/ print/ check_flags/' >"$TMP/third"
vit demo <<END
source $TMP/first
source $TMP/second
source $TMP/third
continue
info probes -j
END
grep -o '"matched": *[0-9]*' "$TMP/out" | sed -n 'p;n' >"$TMP/inline"
grep -o '"matched": *[0-9]*' "$TMP/out" | sed -n 'n;p' >"$TMP/called"
[ "$(wc -l <"$TMP/inline")" -eq $n ] && cmp -s "$TMP/inline" "$TMP/called"
ok $? "$n conditions match as often in line as by callout" "$(paste "$TMP/inline" "$TMP/called")"
[ "$(grep -c '"way": *"inline"' "$TMP/out")" -eq $((n - 1)) ]
ok $? "conditions that compare registers with constants are in line" "$(detail)"
sort -u "$TMP/inline" | wc -l | grep -qvx 1
ok $? "and not all the same" "$(cat "$TMP/inline")"

vit demo <<'END'
-probe print "%d"
-probe print "%d" $icount
-probe print if $nosuch
-probe print if 1 +
-probe print "%s %s %s" 1, 2, 3
-probe 0x100000000
probe print if [1] == 2
probe print "%d" 1 / ($eax - $eax)
probe print "%x" [1]
-unprobe 77
continue
info probes
unprobe at print
-unprobe at print
info probes -j
END
match 'needs more values than are given' "a probe counts its values"
match 'icount is not available to probes' "a value that probes do not have is refused"
match 'nosuch is not a register or variable' "a register that is none"
match 'at most 8 values and 2 strings' "too many strings"
match '^division by zero' "a division by zero is said, not done"
match '^cannot read memory at 0x1$' "memory that cannot be read is said"
match 'no probe 77' "unprobe names what is not there"
match '\[1\] == 2' "info probes shows the condition"
[ "$(grep -c '^{.*"matched"' "$TMP/out")" -eq 0 ]
ok $? "unprobe removes all probes at an address" "$(detail)"

# ---- patches ----

vit demo <<'END'
tbreak kernel_main
continue
set {short}passed = 7
expect {short}passed == 7
set {short}passed = 0
set $was = *(u32)check_flags
patch-code print asm "ret"
-expect *(u8)print == 0xc3
patch-code check_flags asm "push ebx; mov ebx, 1; pop ebx; cmp eax, eax; jz 1f; ud2; 1: jmp check_bcd"
expect *(u32)check_flags == $was
info patches
tbreak print
continue
finish
tbreak check_bcd
continue
ccf check_flags
unpatch 1
unpatch 2
-unpatch 2
continue
info patches -j
END
match 'expect: .*print == 0xc3 is false' "the guest does not see a patch"
match '^ +2 .*jmp 0xc[0-9a-f]*; ([0-9]+ nops|nop) ' "assembly text is filled up with nops"
match 'push ebx  \(patch 2\)' "ccf shows patched code"
match '^finish at .*<kernel_main' "finish goes by the patched code, too"
match '^breakpoint 3 at .*<check_bcd>' "a patch that jumps to a symbol gets there"
match 'no patch 2' "a patch is undone once"

vit demo <<'END'
-patch-code print asm "foo eax"
-patch-code print asm "call nosuch_function"
-patch-code print asm ".fill 1000"
-patch-code print 9g
patch-code print asm16 "mov ax, 0x1234"
info patches
END
match "as: no such instruction: .foo" "as says what is wrong"
match "ld: undefined reference to .nosuch_function" "so does ld"
match 'more than 240 bytes' "too much code"
match 'pairs of hex digits' "no hex digits"
match 'b83412' "16-bit code on request"
timeout 100 env PATH=/nonexistent "$VITRINE" shell --no-rc --serial null -c 'patch-code print asm "ret"' demo \
	>"$TMP/out" 2>&1 </dev/null
match 'needs GNU as' "without an assembler it says so"

# ---- saved and loaded ----

vit demo <<END
policy rdtsc trap
adapt threshold device 3
adapt off divide
patch-code check_bcd asm "nop; ret"
probe print "a %d" \$eax if \$eax > 3
probe run
pin check_flags
site check_remap callout
patches save $TMP/saved
info patches -j
info probes -j
info causes -j
info pins -j
info policy -j
END
grep '^{' "$TMP/out" >"$TMP/before"
vit demo <<END
source $TMP/saved
info patches -j
info probes -j
info causes -j
info pins -j
info policy -j
END
grep '^{.*:' "$TMP/out" | tail -n "$(wc -l <"$TMP/before")" >"$TMP/after"
[ "$(wc -l <"$TMP/before")" -gt 20 ] && cmp -s "$TMP/before" "$TMP/after"
ok $? "settings saved and sourced are the same" "$(diff "$TMP/before" "$TMP/after" | head -5)"
grep -q '^probe 0x.* "a %d" \$eax if \$eax > 3$' "$TMP/saved"
ok $? "as a script of commands" "$(cat "$TMP/saved")"
vit demo <<'END'
-patches save /nonexistent/file
END
match 'No such file' "a file that cannot be written"

# A saved patch applies only where the guest still has the bytes it replaced; the script may be run twice.
vit demo <<END
tbreak check_bcd
continue
patch-code print asm "push ebp; push edi"
pin print
tbreak check_remap
continue
patches save $TMP/over
source $TMP/over
source $TMP/over
info patches -j
END
[ "$(grep -c '^{"number"' "$TMP/out")" -eq 1 ] && grep -q '"over":"5557","fragments":0' "$TMP/out"
ok $? "a saved patch sourced again is the same patch, and requires the guest's bytes" "$(detail)"
match 'already pinned' "a pin sourced again says so"
sed -i 's/over 5557/over 5657/; s/ 5557 / c3 /' "$TMP/over"
vit demo <<END
source $TMP/over
break check_flags
continue
info patches -j
unpatch 1
patch-code print ret over 55
disassemble/2 print
x/1xb print
delete
break check_bcd
continue
info patches -j
END
grep '^{"number"' "$TMP/out" >"$TMP/rows"
[ "$(grep -c '"fragments":0}' "$TMP/rows")" -eq 1 ] && sed -n 1p "$TMP/rows" | grep -q '"fragments":0}'
ok $? "other code is not changed" "$(cat "$TMP/rows")"
match ' c3 +ret  \(patch 2\)' "disassemble shows the code as it runs"
match '^0xc0.* 0x55$' "x the byte as the guest has it"
sed -n 2p "$TMP/rows" | grep -qE '"over":"55","fragments":[1-9]'
ok $? "code with the bytes named is patched" "$(cat "$TMP/rows")"

# ---- adaptation by cause, pins, histories ----

vit bench-nano --append "rounds=1" <<'END'
adapt threshold all 1
adapt calm code-write 1000
count on
continue
info adapt -j
info causes -j
info savings -j
END
# forget_apic runs once: its promoted form never does.
for cause in window-miss device divide code-write; do
	grep "\"promoted for $cause:" "$TMP/out" | grep -v '"symbol":"forget_apic' | grep -vE '"before": *[1-9][0-9]*.*"after": *[0-9]+' >"$TMP/without"
	grep -q "\"promoted for $cause:" "$TMP/out" && [ ! -s "$TMP/without" ]
	ok $? "promotions of $cause show the cycles before and after" "$(head -3 "$TMP/without")"
done
grep -q '"demoted for code-write' "$TMP/out"
ok $? "a page that is no longer written is demoted" "$(detail)"
grep -qE '"entries_before": *[1-9].*"saved": *[1-9]' "$TMP/out"
ok $? "cycles saved are counted" "$(detail)"

vit bench-nano --append "rounds=1" <<'END'
adapt threshold all 1
adapt off device
continue
info adapt -j
END
! grep -q 'promoted for device' "$TMP/out"
ok $? "a cause that is off promotes no site" "$(detail)"

vit demo <<'END'
adapt threshold all 1
tbreak check_remap
continue
pin check_remap+0x38
pin check_remap+0x68
count on
continue
ccf-history check_remap+0x68
info adapt
END
match 'check_remap\+0x68.* lives, pinned' "a pinned fragment lives on"
! grep -q 'check_remap+0x68 *promoted' "$TMP/out"
ok $? "adaptation leaves it alone" "$(detail)"

vit demo <<'END'
tbreak check_bcd
continue
retranslate run
-site console_init trap
-site console_init in-tc ccf
site console_init trap ccf
info sites -j
pick $io ccf pc sort=-callouts
site $io trap ccf
tbreak check_code_other_page
continue
ccf $io
pick $sites sites pc sort=-pc
expect $sites >= console_init
-pick $sites sites verdict
-pick $eax sites pc
-retranslate 0x10
-pin 0x100000000
-adapt off weather
-adapt threshold device
-adapt threshold device 0
-adapt span device -1
-adapt calm all 99999999999999999999
-site 0 trap
-site console_init in-tc ccf
site 0xc0000000 in-tc
info sites
site 0xc0000000 default
patch-code print 55
-unpatch 1x
-unpatch 4294967297
-unprobe 0
info patches
adapt off
adapt on device
info causes -j
adapt default
info adapt
info causes -j
END
match '^site: not a sensitive instruction' "site wants a sensitive instruction"
match '^[1-9][0-9]* sensitive instructions$' "site takes all of a fragment"
[ "$(grep -c '"way": *"trap"' "$TMP/out")" -gt 4 ]
ok $? "info sites shows them" "$(detail)"
match '^1 fragment dropped, 1 retranslated$' "retranslate makes it at once"
match 'mov r10d, \[r10\]' "with the trap in it"
match "pick: column '.*' has no number" "pick wants a number"
match 'pick: the first argument must be a \$variable' "and a variable"
match 'no fragment covers 0x10' "retranslate wants a fragment"
match 'is not an address of this guest' "an address that is none"
match 'no such cause' "a cause that is none"
match 'usage: adapt' "adapt says what it takes"
match '1 to 65535' "a threshold that is none"
[ "$(grep -c 'expected a number of host cycles' "$TMP/out")" -eq 2 ]
ok $? "invalid host cycles are refused" "$(detail)"
match 'address 0 always' "a site that cannot be"
match 'no fragment at that address has a sensitive instruction' "ways that no instruction there can take"
match '^0xc0000000 .* in-tc +not translated' "what is chosen for code to come is said to be not translated"
match 'no patch 4294967297' "the number of a patch is taken as it is"
match '^ +1 +0x.* print .*push ebp' "and a patch stays until it is named"
match 'no probe 0 ' "nor is 0 the number of a probe"
grep -o '"cause":"[a-z-]*","on":[a-z]*' "$TMP/out" >"$TMP/causes"
[ "$(head -5 "$TMP/causes" | grep -c true)" -eq 1 ] && head -5 "$TMP/causes" | grep -q '"device","on":true'
ok $? "after all were turned off, one alone is turned on" "$(cat "$TMP/causes")"
[ "$(tail -5 "$TMP/causes" | grep -c true)" -eq 5 ] && grep -q 'divide switched off by the user' "$TMP/out"
ok $? "adapt default turns them on, and the log has both" "$(detail)"
