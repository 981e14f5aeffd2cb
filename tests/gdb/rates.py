# SPDX-License-Identifier: GPL-3.0-or-later
# Run inside gdb by rates.sh, attached to the embedded guest: prints rates as "RATE NAME PER-SECOND" lines.
import time

import gdb


def rate(name, command, n):
    start = time.time()
    gdb.execute(command, to_string=True)
    print("RATE %s %.0f" % (name, n / (time.time() - start)))


gdb.execute("set pagination off")
gdb.execute("set confirm off")
gdb.execute("hbreak kernel_main", to_string=True)
gdb.execute("continue", to_string=True)
rate("stepi", "stepi 5000", 5000)
gdb.execute("delete")
gdb.execute("break putch", to_string=True)
gdb.execute("ignore $bpnum 1000", to_string=True)
rate("break", "continue", 1001)
gdb.execute("delete")
gdb.execute("kill")
