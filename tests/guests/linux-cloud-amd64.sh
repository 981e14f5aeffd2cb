#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Debian's linux-image-cloud-amd64 boots to a shell and runs programs, 64-bit and 32-bit ones.
. "$(dirname "$0")/linuxlib.sh"
linux_test cloud-amd64 --cpu zen2
