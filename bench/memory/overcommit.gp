# SPDX-License-Identifier: GPL-3.0-or-later
# Five VMs that boot at once with 60 % more memory than there is; beside what the paper gives of its figure 8: after
# the first peak less than 20 MB were swapped out.
set terminal svg size 720,420
set output out."/overcommit.svg"
set xlabel "s"
set ylabel "MB"
set yrange [0:*]
set key top left
plot out."/overcommit.tsv" using 1:5 with lines title "in use", "" using 1:6 with lines title "on shared frames", \
     "" using 1:9 with lines title "in balloons", "" using 1:10 with lines title "swapped out", \
     20 with lines dashtype 2 title "paper: swapped out after the peak, at most"
