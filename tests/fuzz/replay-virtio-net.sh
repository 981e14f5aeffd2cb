#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Replay the fuzz corpus of the virtio network device.
cd "${TOP_BUILDDIR:=.}" || exit 99
exec timeout 600 tests/fuzz/fuzz_virtio_net "${TOP_SRCDIR:-.}"/tests/fuzz/corpus-virtio-net/*
