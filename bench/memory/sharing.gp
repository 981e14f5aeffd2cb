# SPDX-License-Identifier: GPL-3.0-or-later
# Sharing between identical VMs, beside what the paper gives of its figure 4: its ends.
set terminal svg size 640,420
set output out."/sharing.svg"
set xlabel "VMs"
set ylabel "% of the memory they have written"
set yrange [0:100]
set key top left
$paper << END
10 67 60
END
plot out."/sharing.tsv" using 1:6 with linespoints title "shared", "" using 1:7 with linespoints title "reclaimed", \
     $paper using 1:2 with points title "paper: shared", $paper using 1:3 with points title "paper: reclaimed"
