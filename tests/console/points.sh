#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Watchpoints, events, trace, commands, run-until, call stack, bulk memory and profile on the
# embedded guest: output of the shell, and its errors.
. "$(dirname "$0")/../guests/guestlib.sh"
need
plan 42

# vit OPTION...: run the commands on standard input; the shell's output is in $TMP/out.
vit()
{
	shell_script --serial null "$@" demo
}

vit <<'END'
watch ticks
watch passed 4 if [passed] == 2
info break
continue
delete
continue
END
match '^watch 1 at 0x[0-9a-f]{8} ticks, 4 bytes$' "watch names the address"
match '^watchpoint 2 at 0x[0-9a-f]{8} <run' "a conditional watchpoint stops in the function that writes"
match 'old value 0x1, new value 0x2$' "it shows the old and the new value"
match '^guest exited' "deleted watchpoints stop nothing"

vit <<'END'
trace check_flags "caller %a, %d of %08x, %s%%" *(u32*)$esp, -5, 0xbeef, cmdline
tbreak check_flags
continue
-delete 2
break print if $esp != 0
commands 3 "print 40 + 2; backtrace 1"
continue
info break
delete
run-until $pc == check_bcd
run-until [ticks] >= 0 max 3
-run-until 0 max 100
END
match '^caller run\+0x[0-9a-f]+, -5 of 0000beef, demo%$' "trace prints its values"
match '^breakpoint 3 at .* <print>' "and does not stop"
match '^42  0x2a' "commands are executed at the stop"
match '^#0 0x[0-9a-f]{8} print$' "all of them"
match 'trace  yes .* check_flags +[01] ' "info break lists the trace"
match 'run-until at .* <check_bcd' "run-until an address"
match 'did not hold within 100 instructions' "run-until with a limit"

vit <<'END'
break trap
continue
backtrace
delete
break trap if ([[$esp+4]+60] & 3) == 3
continue
backtrace
END
tr '\n' ' ' <"$TMP/out" >"$TMP/line"
grep -q '#1 [^#]*trap_entry[^#]*(cfi) #2 [^#]*div_here (cfi) #3 [^#]*catch_fault[^#]*(cfi) #4 [^#]*check_divide[^#]*(cfi)' "$TMP/line"
ok $? "backtrace goes through an exception to what it interrupted" "$(detail)"
grep -q '#1 [^#]*trap_entry[^#]*(cfi) #2 0x0040[0-9a-f]* [^#]*(cfi)' "$TMP/line"
ok $? "in a process too" "$(detail)"

vit <<'END'
break-on exception pf
continue
backtrace
delete
break-on int 0x80
continue
delete
break-on irq
continue
delete
break-on port 0x20 to 0x21
continue
delete
break-on cr 3
continue
info break
END
match '^event 1 at .* <stub_14>' "break-on exception stops at the handler"
match '^exception #PF .*at 0x[0-9a-f]{8} <' "and shows its origin"
match '^#[1-9] .* check_[a-z_]*page' "backtrace leads to the access"
match '^int 0x80 at 0x' "break-on int"
match '^irq 0x20 at 0x' "break-on irq"
match '^port 0x2[01] (written with|read as) 0x' "break-on port"
match '^cr 3 written with 0x[0-9a-f]+ at ' "break-on cr"
match '^ +5  event  yes .* cr 3 +1 ' "info break counts events"

vit <<'END'
break-on callout iret
continue
delete
break-on fragment check_flags to check_flags + 0x20
continue
delete
break-on mode v86
continue
delete
break-on mode
continue
delete
break-on callout if $event == 999
continue
END
match '^callout iret at 0x' "break-on callout"
match '^fragment 0xc[0-9a-f]*, [0-9]+ instructions?, at 0x.* <check_flags' "break-on fragment"
match '^mode v86 at 0x00007000' "break-on mode v86"
match '^mode paging at 0xc' "and back"
match '^guest exited' "an event whose condition is false stops nothing"

vit <<END
break run
continue
dump $TMP/mem \$esp 64
load $TMP/mem \$esp
find kernel_main 0x10000 "checks passed"
-find kernel_main 16 "not there at all"
sendkey ctrl-alt-delete ret a
-sendkey nosuchkey
-break-on weather
-break-on exception 99
-break-on callout nosuch
-watch 0xfffffffe 4
-trace run "%d"
-trace run "%q" 1
END
match '^64 bytes written to 0x' "load writes what dump wrote"
[ "$(wc -c <"$TMP/mem")" -eq 64 ]
ok $? "dump made a file of that length"
[ "$(grep -cE '^0x[0-9a-f]{8}' "$TMP/out")" -ge 1 ]
ok $? "find finds a text" "$(detail)"
match "no key 'nosuchkey'" "sendkey names an unknown key"
match 'break-on: expected exception, irq' "break-on lists its kinds"
match 'needs more values' "trace counts its values"
match 'unknown conversion' "trace checks its conversions"

vit --append loop <<END
profile 1 file $TMP/folded
END
match '^ +[0-9]+ +[0-9.]+ +[a-z_(]+' "profile lists symbols"
grep -qE '^[^ ].* [0-9]+$' "$TMP/folded"
ok $? "and writes folded stacks" "$(head -3 "$TMP/folded")"

# Physical breakpoints: at the code that runs before paging, and through the linear address of a kernel.
physical=$(nm "${TOP_BUILDDIR:-$TOP_SRCDIR/build}/guests/demo/demo.elf" | sed -n 's/^c0\(.*\) T kernel_main$/\1/p')
vit <<END
break -p 0x10000d
break -p 0x$physical
tbreak -p 0x$physical if \$eax != 0xdeadbeef
info break
reset
continue
continue
info break
xp/1i 0x$physical
delete 2
reset
continue
continue
-break -p -1
END
match '^break 1 at physical 0x0010000d$' "a physical breakpoint is said to be one"
match "^ +2  break +yes +0x00$physical .* yes\$" "info break lists it"
match '^breakpoint 1 at 0x0010000d' "it stops code that runs before paging is on"
match "^breakpoint 2 at 0xc0$physical <kernel_main>" "and code at another linear address"
[ "$(grep -cE "^ +2  break .*  1  " "$TMP/out")" -eq 1 ] && ! grep -q '^ .* tbreak .*  1  ' "$TMP/out"
ok $? "hits count, a temporary one goes" "$(cat "$TMP/out")"
match '^guest exited' "it stops nothing when it is deleted"
match 'is not a physical address of this guest' "an address that is none is refused"
