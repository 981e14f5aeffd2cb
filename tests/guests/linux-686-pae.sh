#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Debian's linux-image-686-pae boots to a shell and runs programs.
. "$(dirname "$0")/linuxlib.sh"
linux_test 686-pae
