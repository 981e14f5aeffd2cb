# SPDX-License-Identifier: GPL-3.0-or-later
# Runs in the nested guest, which has no ACPI to power off.
i=0
while [ $i -lt 200 ]; do echo "line $((i * 7919 % 2003))"; i=$((i + 1)); done >/tmp/text
echo "nested: sha256 $(sha256sum /tmp/text | cut -d' ' -f1), $(uname -r)"
reboot -f
