#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Replay the fuzz corpus of the serial console's terminal.
cd "${TOP_BUILDDIR:=.}" || exit 99
exec timeout 600 tests/fuzz/fuzz_vt "${TOP_SRCDIR:-.}"/tests/fuzz/corpus-vt/*
