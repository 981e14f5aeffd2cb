#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Replay the fuzz corpus of the balloon devices.
cd "${TOP_BUILDDIR:=.}" || exit 99
exec timeout 600 tests/fuzz/fuzz_balloon "${TOP_SRCDIR:-.}"/tests/fuzz/corpus-balloon/*
