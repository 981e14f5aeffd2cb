#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The same of a 64-bit Debian.
flavour=amd64 machine="--cpu zen2"
. "$(dirname "$0")/rootfs.sh"
