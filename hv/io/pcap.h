/* SPDX-License-Identifier: GPL-3.0-or-later
 * Captures in the format that tcpdump and wireshark read. */
#ifndef HV_IO_PCAP_H
#define HV_IO_PCAP_H
#include "base/types.h"

struct pcap;
/* Write to the file PATH. NULL with one line in ERR. */
struct pcap *pcap_open(const char *path, char *err, size_t errlen);
/* Add a frame. Records that the file does not take are lost, whole. */
void pcap_write(struct pcap *p, const uint8_t *frame, uint32_t len);
void pcap_flush(struct pcap *p);
void pcap_close(struct pcap *p); /* NULL is fine */
#endif
