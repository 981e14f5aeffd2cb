# SPDX-License-Identifier: GPL-3.0-or-later
# A static 32-bit program without a C library: the same file runs on the host and in
# the guests, and `make bench` compares (bench/run).
BENCH_FLAGS = -m32 -march=i686 -std=gnu17 -O2 -Wall -Wextra -ffreestanding -fno-pic -static -nostdlib \
	-fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables \
	$(GUEST_NO_LOOP_CALLS) -Wl,-m,elf_i386 -Wl,--build-id=none
bench_sources = %D%/main.c %D%/compute.c %D%/kernel.c %D%/large.c %D%/sys.c
bench_headers = %D%/bench.h %D%/sys.h
traffic = %D%/traffic.c %D%/traffic.h %D%/sys.c %D%/sys.h
nano_native_sources = %D%/nano-native.c %D%/sys.c guests/nano/measure.c guests/nano/insn.c
memory_parts = %D%/memory/run %D%/memory/lab.py %D%/memory/dbench.py %D%/memory/alone.py %D%/memory/cost.py %D%/memory/swap.py %D%/memory/sharing.py %D%/memory/sharing.gp %D%/memory/work.py %D%/memory/sampling.py %D%/memory/sampling.gp %D%/memory/balloon.py %D%/memory/balloon.gp %D%/memory/double_paging.py %D%/memory/double-paging.gp %D%/memory/watch.py %D%/memory/tax.py %D%/memory/tax.gp %D%/memory/overcommit.py %D%/memory/overcommit.gp
EXTRA_DIST += $(bench_sources) $(bench_headers) %D%/run %D%/programs.sh %D%/nano %D%/traps %D%/vmx %D%/vmx-ops %D%/exits %D%/nested %D%/dashboard %D%/nano-native.c %D%/nano-paper.tsv %D%/net.c %D%/disk.c %D%/traffic.c %D%/traffic.h %D%/io %D%/disks %D%/toucher.c $(memory_parts)
CLEANFILES += %D%/net %D%/disk %D%/toucher %D%/bench %D%/bench64 %D%/bench64-fixed %D%/nano-native bench-nano.out/* bench-nano64.out/* bench-memory.out/*

# The same for 64-bit guests, position independent as programs are there.
BENCH64_FLAGS = -m64 -std=gnu17 -O2 -Wall -Wextra -ffreestanding -fpie -static-pie -nostdlib -fno-stack-protector \
	-fcf-protection=none -fno-asynchronous-unwind-tables $(GUEST_NO_LOOP_CALLS) -Wl,--build-id=none,-z,noexecstack

%D%/bench64: $(bench_sources) $(bench_headers)
	$(AM_V_GEN)$(MKDIR_P) %D% && out=`pwd`/%D%/bench64 && cd $(top_srcdir) && \
	$(GUEST_CC) $(BENCH64_FLAGS) -I. -o $$out $(bench_sources)

# The same at a fixed place, where bench/vmx-ops finds its marks.
%D%/bench64-fixed: $(bench_sources) $(bench_headers)
	$(AM_V_GEN)$(MKDIR_P) %D% && out=`pwd`/%D%/bench64-fixed && cd $(top_srcdir) && \
	$(GUEST_CC) $(BENCH64_FLAGS) -fno-pie -no-pie -static -I. -o $$out $(bench_sources)

%D%/bench: $(bench_sources) $(bench_headers)
	$(AM_V_GEN)$(MKDIR_P) %D% && out=`pwd`/%D%/bench && cd $(top_srcdir) && \
	$(GUEST_CC) $(BENCH_FLAGS) -I. -o $$out $(bench_sources)

%D%/nano-native: $(nano_native_sources) $(bench_headers) guests/nano/nano.h
	$(AM_V_GEN)$(MKDIR_P) %D% && out=`pwd`/%D%/nano-native && cd $(top_srcdir) && \
	$(GUEST_CC) $(BENCH_FLAGS) -I. -o $$out $(nano_native_sources)

%D%/net: %D%/net.c $(traffic)
	$(AM_V_GEN)$(MKDIR_P) %D% && out=`pwd`/%D%/net && cd $(top_srcdir) && \
	$(GUEST_CC) $(BENCH_FLAGS) -I. -o $$out %D%/net.c %D%/traffic.c %D%/sys.c

%D%/disk: %D%/disk.c $(traffic)
	$(AM_V_GEN)$(MKDIR_P) %D% && out=`pwd`/%D%/disk && cd $(top_srcdir) && \
	$(GUEST_CC) $(BENCH_FLAGS) -I. -o $$out %D%/disk.c %D%/traffic.c %D%/sys.c

%D%/toucher: %D%/toucher.c $(traffic)
	$(AM_V_GEN)$(MKDIR_P) %D% && out=`pwd`/%D%/toucher && cd $(top_srcdir) && \
	$(GUEST_CC) $(BENCH_FLAGS) -I. -o $$out %D%/toucher.c %D%/traffic.c %D%/sys.c

# Hosted I/O: world switches, idle time, the network (bench/io) and disks (bench/disks) against TCG.
bench-io: all %D%/net %D%/disk
	$(top_srcdir)/%D%/io -v ./vitrine -n %D%/net
	$(top_srcdir)/%D%/disks -v ./vitrine -k %D%/disk

# Memory of one and several VMs, after Waldspurger: bench/memory. PARTS names some of its parts.
bench-memory: all %D%/toucher
	$(top_srcdir)/%D%/memory/run -v ./vitrine -t %D%/toucher $(PARTS)

bench: all %D%/bench
	$(SHELL) $(top_srcdir)/%D%/run -v ./vitrine -b %D%/bench

# The same of a 64-bit guest: native and guests run 64-bit programs.
bench64: all %D%/bench64
	$(SHELL) $(top_srcdir)/%D%/run -f cloud-amd64 -v ./vitrine -b %D%/bench64

# Cost of single instructions: bench/nano.
bench-nano: all %D%/nano-native
	$(SHELL) $(top_srcdir)/%D%/nano -v ./vitrine -n %D%/nano-native -k guests/nano/nano.elf
bench-nano64: all
	$(SHELL) $(top_srcdir)/%D%/nano -v ./vitrine --64

# Number of traps that adaptation removes: bench/traps.
bench-traps: all
	$(SHELL) $(top_srcdir)/%D%/traps -v ./vitrine

# Round trips of VM exits (bench/vmx); operations under the engines bt and vtx, with their exits and traps (bench/vmx-ops);
# exits of flat code under all engines, kvm among them (bench/exits);
# a nested guest under Linux' KVM (bench/nested).
bench-vmx: all guests/hyper/hyper.elf guests/nano/nano.elf guests/nano64/nano64.elf guests/kvm/kvm %D%/bench %D%/bench64-fixed
	$(SHELL) $(top_srcdir)/%D%/vmx -v ./vitrine -k guests/hyper/hyper.elf
	$(top_srcdir)/%D%/vmx-ops -v ./vitrine -n guests/nano/nano.elf -b %D%/bench
	$(top_srcdir)/%D%/vmx-ops -v ./vitrine -f cloud-amd64 -n guests/nano64/nano64.elf -b %D%/bench64-fixed
	$(SHELL) $(top_srcdir)/%D%/exits -v ./vitrine
	$(SHELL) $(top_srcdir)/%D%/nested -v ./vitrine -k guests

# Round trips in 64-bit mode.
bench-vmx64: all guests/hyper64/hyper64.elf
	$(SHELL) $(top_srcdir)/%D%/vmx -v ./vitrine -k guests/hyper64/hyper64.elf

# Cost of a refreshing dashboard for the guest: bench/dashboard.
bench-dashboard: all
	$(top_srcdir)/%D%/dashboard -v ./vitrine

.PHONY: bench bench64 bench-io bench-memory bench-nano bench-nano64 bench-traps bench-vmx bench-vmx64 bench-dashboard
