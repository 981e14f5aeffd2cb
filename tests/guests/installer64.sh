#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The same of Debian's installer for amd64.
installer=installer64 flavour=amd64
. "$(dirname "$0")/installer.sh"
