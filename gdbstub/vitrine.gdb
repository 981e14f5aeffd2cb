# SPDX-License-Identifier: GPL-3.0-or-later
# Macros for a session with vitrine's gdb stub: source this file, then `target remote ...`.
# vitrine_gdb.py beside it adds more, where gdb has Python.

define arch
  if $argc == 0
    monitor arch
  else
    monitor arch $arg0
    unset tdesc filename
    maintenance flush register-cache
  end
end
document arch
arch [i386|i8086|i386:x86-64]: change the target description, and fetch it again.
With i8086 code is decoded as 16-bit and $eip is linear (CS base + IP), so that $pc, breakpoints and
x/i $pc are right in real mode. $ip is the offset in CS.
end

define resync
  maintenance flush register-cache
  maintenance flush dcache
  frame
end
document resync
resync: drop gdb's cached registers and memory, after another front end (the shell) or a
monitor command has run or changed the guest.
end

define ccf
  if $argc == 0
    monitor info ccf sort=-in limit=20
  else
    monitor ccf $arg0
  end
end
document ccf
ccf [ADDRESS]: list the most entered fragments, or show guest and host code of the one at ADDRESS.
end

define physical
  if $argc == 0
    maintenance packet qqemu.PhyMemMode
  else
    maintenance packet Qqemu.PhyMemMode:$arg0
    maintenance flush dcache
  end
end
document physical
physical 1 | physical 0: addresses are physical, or linear again.
end

define stepirq
  if $arg0
    maintenance packet Qqemu.sstep=0x1
  else
    maintenance packet Qqemu.sstep=0x7
  end
end
document stepirq
stepirq 1 | stepirq 0: allow interrupts during single steps, or hold them back (the default).
end

define walk
  monitor page $arg0
end
document walk
walk ADDRESS: show the guest's page walk for a linear address, entry by entry.
end
