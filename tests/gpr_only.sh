#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# GPR-only code (base/gpr.h) runs while a guest's x87 and vector registers are live: the built
# code must not use them, nor call code that may.
. "${TOP_SRCDIR:=.}/tests/taplib.sh"
cd "${TOP_BUILDDIR:=.}" || exit 99
libraries="base/libbasegpr.a x86/libx86gpr.a mm/libmmgpr.a cpu/libcpu.a vtx/libvtx.a vmm/libvmm.a svm/libsvm.a bt/libbtgpr.a hv/libhvgpr.a"
command -v objdump >/dev/null || skip_all "no objdump"

# Columns: object (*: any), what it may call outside, why that is safe.
allowed()
{
	cat <<-END
	* mmap system call
	* munmap system call
	* mprotect system call
	* madvise system call
	line.o ioctl system call
	line.o syscall only when the machine is made
	line.o close only when the machine is made
	window.o close only when the machine ends
	line.o getenv only when the machine is made
	line.o strcmp only when the machine is made
	line.o fallocate system call
	* __errno_location address of a thread's variable
	* log_mask data
	clock.o clock_gettime the vDSO's, which the kernel builds without vector registers
	clock.o timer_settime system call
	clock.o timer_create only when the machine is made
	clock.o timer_delete only when the machine ends
	clock.o nanosleep only when the machine is made
	clock.o syscall system call
	clock.o sched_getcpu reads memory that the kernel keeps for the thread
	clock.o __libc_current_sigrtmin only when the machine is made
	timing.o stub_callout an address
	timing.o stub_callout_timed an address
	timing.o stub_callout_fpu an address
	timing.o stub_callout_fpu_timed an address
	gpr_log.o log_vemit between vectors_away and vectors_back
	ide.o drive_ide only when the machine is made
	ide.o pci_add only when the machine is made
	ide.o pci_remove only when the machine ends
	ide_data.o block_submit through the door
	ide_data.o block_cancel through the door
	* block_size only reads a number
	* block_read_only only reads a flag
	i8254.o board_ratio only for views of a stopped machine
	cache.o memfd_create only when the cache is made
	cache.o ftruncate only when the cache is made
	cache.o close only when the cache goes
	cache.o snprintf only when the cache is made
	jump.o getrlimit only when the cache is made
	vmm.o calloc only when the vCPU is made
	vmm.o snprintf only when the vCPU is made
	vmm.o free only when the vCPU ends
	vmm.o vmx_controls_new only when the vCPU is made
	vmm.o vmx_controls_free only when the vCPU ends
	shadow.o calloc only when the vCPU is made
	shadow.o free only when the vCPU ends
	virtio_net.o pci_rom only when the machine is made
	virtio_net.o nic_join only when the machine is made
	virtio_net.o nic_leave only when the machine ends
	virtio_balloon.o virtio_open only when the machine is made
	virtio_balloon.o virtio_fini only when the machine ends
	virtio_net.o virtio_open only when the machine is made
	virtio_net.o virtio_fini only when the machine ends
	i440fx.o pci_add only when the machine is made
	i440fx.o pci_remove only when the machine ends
	pcnet.o pci_add only when the machine is made
	pcnet.o pci_rom only when the machine is made
	pcnet.o pci_remove only when the machine ends
	pcnet.o nic_join only when the machine is made
	pcnet.o nic_leave only when the machine ends
	vga.o pci_add only when the machine is made
	vga.o pci_remove only when the machine ends
	piix.o pci_add only when the machine is made
	piix.o pci_remove only when the machine ends
	block.o mm_policy_init only when memory is made
	pool.o calloc only when memory is made
	pool.o free only when memory goes
	block.o memfd_create only when memory is made
	block.o ftruncate only when memory is made
	block.o fcntl only when memory is made
	block.o fstat only when memory is made
	block.o close only when memory is made, or goes
	block.o poll system call
	share.o sched_yield system call
	scan.o lseek system call
	recover.o lseek only in the host's process
	recover.o nanosleep only in the host's process
	recover.o close only in the host's process
	pool.o syscall only when memory is made
	pool.o getpid only when memory is made
	pool.o snprintf only when memory is made
	pool.o open only when memory is made
	pool.o read only when memory is made
	pool.o close only when memory goes
	move.o pwrite system call
	pool.o fallocate system call
	views.o strtoull only for views
	views.o view_cow data
	views_share.o strtoull only for views
	swap.o pread system call
	swap.o pwrite system call
	swap.o close only when memory goes
	vm.o calloc only when memory is made
	vm.o free only when memory goes
	vm.o memfd_create only when memory is made
	vm.o ftruncate only when memory is made
	vm.o close only when memory goes
	vm.o lseek only while the machine is stopped
	vm.o fstat only for figures
	window.o calloc only when the MMU is made
	window.o free only when the MMU goes
	END
}

# registers FILE...: print instructions on x87, MMX, SSE or AVX state, except those that save all of it, and
# those that change nothing but x87 pointers.
registers()
{
	objdump -d --no-show-raw-insn "$@" | awk '
	/file format/ {
		object = $1
		next
	}
	/^[0-9a-f]+ <.*>:$/ { fn = $2; next }
	fn == "<co_x87_pointers>:" && $2 ~ /^(fnstenv|fldenv|fldcw)$/ { next }
	{
		op = $2
		if (/%[xyz]?mm[0-9]/ || /%st/ || op ~ /^f[a-z]/ && op != "fninit" || op ~ /^v[^e]/ && op != "vzeroupper")
			print object, fn, $0
	}'
}

# calls FILE...: print the symbols that no GPR-only library defines and no row allows. Sanitizers may call
# code before main and code that never returns; __asan_stack_malloc_N only under detect_stack_use_after_return=1.
calls()
{
	before_main='__asan_(init|version_mismatch_check_v[0-9]+|(un)?register_globals)|__gcov_.*'
	at_the_end='__asan_(report_.*|handle_no_return)|__ubsan_handle_(.*_abort|builtin_unreachable|missing_return)'
	on_request='__asan_(stack_(malloc|free)_.*|option_detect_stack_use_after_return)'
	allowed >"$tmp/allowed"
	nm -A --defined-only $libraries | awk 'NF == 3 { print $3 }' >"$tmp/own"
	nm -A -u "$@" | awk -v allowed="$tmp/allowed" -v own="$tmp/own" \
		-v tools="^(_GLOBAL_OFFSET_TABLE_|$before_main|$at_the_end|$on_request)$" '
	BEGIN {
		while ((getline line <allowed) > 0) {
			split(line, f)
			may[f[1], f[2]] = 1
		}
		while ((getline line <own) > 0)
			may["*", line] = 1
	}
	NF < 2 || $(NF - 1) != "U" || $NF ~ tools { next }
	{
		object = $1
		sub(/:$/, "", object)
		sub(/.*[:\/]/, "", object)
		sub(/^.*_a-/, "", object)
		if (!(("*", $NF) in may) && !((object, $NF) in may))
			print object " calls " $NF
	}'
}

tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
plan 4
bad=$(registers $libraries)
[ -z "$bad" ]
ok $? "GPR-only code does not touch x87 or vector registers" "$bad"
bad=$(calls $libraries)
[ -z "$bad" ]
ok $? "GPR-only code calls only functions known not to use them" "$bad"
# In a device that is not GPR-only both must be noticed, or the tests above prove nothing.
[ -n "$(registers hv/dev/mc146818.o)" ]
ok $? "vector registers are noticed where they are used"
[ -n "$(calls hv/dev/mc146818.o)" ]
ok $? "calls outside are noticed"
