# SPDX-License-Identifier: GPL-3.0-or-later
# A static 32-bit program without a C library: the same file runs on the host and in
# the guests. `make bench` compares; bench/run says how.
BENCH_FLAGS = -m32 -march=i686 -std=gnu17 -O2 -Wall -Wextra -ffreestanding -fno-pic -no-pie -static -nostdlib \
	-fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables \
	-fno-tree-loop-distribute-patterns -Wl,-m,elf_i386 -Wl,--build-id=none
bench_sources = %D%/main.c %D%/compute.c %D%/kernel.c
bench_headers = %D%/bench.h %D%/sys.h
EXTRA_DIST += $(bench_sources) $(bench_headers) %D%/run
CLEANFILES += %D%/bench

%D%/bench: $(bench_sources) $(bench_headers)
	$(AM_V_GEN)$(MKDIR_P) %D% && out=`pwd`/%D%/bench && cd $(top_srcdir) && \
	$(CC) $(BENCH_FLAGS) -I. -o $$out $(bench_sources)

bench: all %D%/bench
	$(SHELL) $(top_srcdir)/%D%/run -v ./vitrine -b %D%/bench
.PHONY: bench
