# SPDX-License-Identifier: GPL-3.0-or-later
# Guest memory, with an oracle of its own for every answer: a second page walker, and the
# kernel's view of what is mapped and populated.
if HAVE_CHECK
UNIT_TESTS += %D%/test_block %D%/test_block_threads %D%/test_guest_moves %D%/test_guest_moves_out %D%/test_line %D%/test_layout %D%/test_long %D%/test_mirror %D%/test_move %D%/test_nested %D%/test_pool %D%/test_refused %D%/test_root %D%/test_share %D%/test_soft %D%/test_states %D%/test_walk %D%/test_window %D%/test_alloc %D%/test_sample %D%/test_reclaim
mm_world = %D%/oracle.c %D%/oracle.h %D%/world.c %D%/world.h
mm_libs = mm/libmm.a x86/libx86.a base/libbase.a $(CHECK_LIBS) $(EXT_LIBS)
%C%_test_block_SOURCES = %D%/test_block.c %D%/block_vm.c %D%/block_vm.h %D%/small_pages.h
%C%_test_block_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_block_LDADD = $(mm_libs)
%C%_test_block_threads_SOURCES = %D%/test_block_threads.c %D%/block_vm.c %D%/block_vm.h
%C%_test_block_threads_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_block_threads_LDADD = $(mm_libs)
%C%_test_pool_SOURCES = %D%/test_pool.c %D%/small_pages.h
%C%_test_pool_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_pool_LDADD = $(mm_libs)
%C%_test_alloc_SOURCES = %D%/test_alloc.c
%C%_test_alloc_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_alloc_LDADD = $(mm_libs)
%C%_test_reclaim_SOURCES = %D%/test_reclaim.c $(mm_world)
%C%_test_reclaim_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_reclaim_LDADD = $(mm_libs)
%C%_test_sample_SOURCES = %D%/test_sample.c $(mm_world)
%C%_test_sample_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_sample_LDADD = $(mm_libs)
%C%_test_walk_SOURCES = %D%/test_walk.c %D%/oracle.c %D%/oracle.h
%C%_test_walk_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_walk_LDADD = $(mm_libs)
%C%_test_window_SOURCES = %D%/test_window.c $(mm_world)
%C%_test_window_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_window_LDADD = $(mm_libs)
%C%_test_root_SOURCES = %D%/test_root.c $(mm_world)
%C%_test_root_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_root_LDADD = $(mm_libs)
%C%_test_line_SOURCES = %D%/test_line.c $(mm_world)
%C%_test_line_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_line_LDADD = $(mm_libs)
%C%_test_layout_SOURCES = %D%/test_layout.c $(mm_world)
%C%_test_layout_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_layout_LDADD = $(mm_libs)
%C%_test_long_SOURCES = %D%/test_long.c $(mm_world)
%C%_test_long_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_long_LDADD = $(mm_libs)
%C%_test_nested_SOURCES = %D%/test_nested.c $(mm_world)
%C%_test_nested_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_nested_LDADD = $(mm_libs)
%C%_test_soft_SOURCES = %D%/test_soft.c $(mm_world)
%C%_test_soft_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_soft_LDADD = $(mm_libs)
%C%_test_mirror_SOURCES = %D%/test_mirror.c $(mm_world)
%C%_test_mirror_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_mirror_LDADD = $(mm_libs)
%C%_test_move_SOURCES = %D%/test_move.c $(mm_world)
%C%_test_move_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_move_LDADD = $(mm_libs)
%C%_test_share_SOURCES = %D%/test_share.c $(mm_world)
%C%_test_share_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_share_LDADD = $(mm_libs)
%C%_test_states_SOURCES = %D%/test_states.c $(mm_world)
%C%_test_states_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_states_LDADD = $(mm_libs)
# The host's calls may be refused here.
%C%_test_refused_SOURCES = %D%/test_refused.c $(mm_world)
%C%_test_refused_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_refused_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=mmap,--wrap=mprotect
%C%_test_refused_LDADD = $(mm_libs)
# The whole machine on the translator.
%C%_test_guest_moves_SOURCES = %D%/test_guest_moves.c
%C%_test_guest_moves_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_guest_moves_LDADD = hv/libhv.a bt/libbt.a cpu/libcpu.a mm/libmm.a x86/libx86.a base/libbase.a \
	guests/libguests.a $(CHECK_LIBS) $(EXT_LIBS)
%C%_test_guest_moves_out_SOURCES = %D%/test_guest_moves_out.c
%C%_test_guest_moves_out_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_guest_moves_out_LDADD = $(%C%_test_guest_moves_LDADD)
endif
