#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The gdb stub's fuzz corpus once more, without a fuzzer.
cd "${TOP_BUILDDIR:=.}" || exit 99
exec timeout 600 tests/fuzz/fuzz_gdb "${TOP_SRCDIR:-.}"/tests/fuzz/corpus-gdb/*
