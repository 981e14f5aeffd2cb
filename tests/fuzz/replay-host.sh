#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Replay the fuzz corpus of a host's handshake and of VMs' control connections.
cd "${TOP_BUILDDIR:=.}" || exit 99
exec timeout 600 tests/fuzz/fuzz_host "${TOP_SRCDIR:-.}"/tests/fuzz/corpus-host/*
