#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# gdb with the symbols of Debian's 64-bit cloud kernel (LONG=1, as its package has 280 MB): from start_kernel into a
# system call, its frames and arguments, jiffies, the list of tasks by its own structures, detach and reconnect.
. "$(dirname "$0")/gdblib.sh"
[ -n "${LONG:-}" ] || skip_all "set LONG=1"
need_gdb
need linux-cloud-amd64 busybox-amd64 vmlinux-cloud-amd64
gdb -nx -batch -ex 'set architecture i386:x86-64' >/dev/null 2>&1 || skip_all "gdb knows no x86-64"
gdb -nx -batch -ex 'python 1' >/dev/null 2>&1 || skip_all "a gdb without Python"
version=$(file -b "$CACHE/linux-cloud-amd64" | sed -n 's/.*version \([^ ]*\) .*/\1/p')
grep -qaF "Linux version $version " "$CACHE/vmlinux-cloud-amd64" || skip_all "vmlinux-cloud-amd64 is of another kernel than $version"
echo 'while :; do cat /proc/uptime >/dev/null; done' >"$TMP/busy.sh"
"$TOP_SRCDIR/guests/mkinitramfs" -f cloud-amd64 -o "$TMP/initrd" "$CACHE" "$TMP/busy.sh" 2>"$TMP/err" || skip_all "no initramfs"
plan 15

GUEST_LIMIT=1000 start_guest --memory 256M --kernel "$CACHE/linux-cloud-amd64" --initrd "$TMP/initrd" \
	--append "console=ttyS0 panic=-1 nokaslr run=busy.sh" --wait-gdb
GDB_LIMIT=900 run_gdb "$CACHE/vmlinux-cloud-amd64" <<END
set confirm off
target remote $SOCK
break start_kernel
continue
backtrace
print linux_banner
delete
break kernel_init
continue
backtrace 2
delete
tbreak __x64_sys_read
continue
backtrace 4
print regs->orig_ax
finish
watch jiffies_64
continue
backtrace 1
delete
tbreak entry_SYSCALL_64
continue
stepi
x/i \$pc
stepi
stepi
stepi
info registers gs_base
python
t = gdb.parse_and_eval('&init_task')
offset = [f.bitpos // 8 for f in t.type.target().fields() if f.name == 'tasks'][0]
at, names = t['tasks']['next'], []
while at != t['tasks'].address and len(names) < 300:
    p = gdb.Value(int(at) - offset).cast(t.type)
    names.append((int(p['pid']), p['comm'].string()))
    at = at['next']
print('tasks', len(names) > 20, names[0][1], names[1])
end
detach
target remote $SOCK
print init_task.comm
backtrace 1
monitor info linux
monitor threads tasks
thread apply all -q -s backtrace
kill
END
shows 'Breakpoint 1, start_kernel ()' "start_kernel"
shows '#1 .* secondary_startup_64' "its caller"
shows 'linux_banner> "Linux version 6' "a variable"
shows '#1 .* ret_from_fork ()' "a kernel thread's frames"
shows '#2  do_syscall_64 (' "a system call's frames"
shows '#3 .* entry_SYSCALL_64 ()' "to its entry"
shows 'Value returned is' "finish"
shows '^New value = [0-9]' "jiffies change"
shows '#0  tick_do_update_jiffies64' "where"
shows 'mov *%rsp,%gs:' "a step over SWAPGS"
shows 'gs_base  *0xffff88' "which has worked"
shows "tasks True init (2, 'kthreadd')" "the list of tasks"
shows '#[0-9]* .*in kthreadd (' "the stack of each task, with monitor threads tasks"
shows '#[0-9]* .*in rcu_gp_kthread (' "by its saved registers"
shows '"swapper/0' "reads after a detach and another connection"
