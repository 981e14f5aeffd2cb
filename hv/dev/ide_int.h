/* SPDX-License-Identifier: GPL-3.0-or-later
 * Private to the IDE controller: ide.c (registers, interrupts), ide_data.c (how data move), ata.c (disks),
 * atapi.c (CDs). All of it is GPR-only code (base/gpr.h); the block layer is called through ide_submit()
 * alone. */
#ifndef HV_DEV_IDE_INT_H
#define HV_DEV_IDE_INT_H
#include "hv/boot/drives.h"
#include "hv/pci.h"

enum { IDE_CHANNELS = 2, IDE_DRIVES = IDE_MAX };
enum { IDE_PIO_BYTES = 8192, IDE_DMA_BYTES = 128 << 10, IDE_MULTIPLE = IDE_PIO_BYTES / BLOCK_SECTOR };

enum { ST_ERR = 1, ST_DRQ = 8, ST_DSC = 0x10, ST_DF = 0x20, ST_DRDY = 0x40, ST_BSY = 0x80 };
enum { ERR_DIAG_OK = 1, ERR_ABRT = 4, ERR_IDNF = 0x10, ERR_UNC = 0x40 };
enum { SEL_DEV = 0x10, SEL_LBA = 0x40, SEL_FIXED = 0xa0 };
enum { BM_ACTIVE = 1, BM_ERROR = 2, BM_INTR = 4, IDE_PRD_MAX = 0x10000 };
enum { REASON_COD = 1, REASON_IO = 2 }; /* in the count register of a packet command */

enum ide_kind { IDE_NONE, IDE_ATA, IDE_ATAPI };
/* What the command in progress waits for. */
enum ide_phase {
	IDE_IDLE,
	IDE_PIO_IN,  /* the guest reads the buffer */
	IDE_PIO_OUT, /* the guest writes it */
	IDE_PACKET,  /* the guest writes a packet into it */
	IDE_DMA,     /* the bus master is started */
	IDE_HOST,    /* the host */
	IDE_PHASES
};

struct ide;
struct ide_drive {
	struct ide *ide;
	struct block *block;
	uint8_t unit; /* 2 x channel + device */
	uint8_t kind;
	/* task file; hob_: what was there before the last write (48-bit commands) */
	uint8_t feature, count, lbal, lbam, lbah, select, status, error;
	uint8_t hob_feature, hob_count, hob_lbal, hob_lbam, hob_lbah;
	uint8_t intrq;
	/* set by commands */
	uint8_t multiple, heads, spt, mode, write_cache;
	/* the command in progress */
	uint8_t command, phase, dma, in; /* DMA: by bus master; IN: towards the guest */
	uint64_t at;			 /* next byte of the medium */
	uint32_t left;			 /* bytes still to transfer, with those in flight */
	uint32_t now;			 /* bytes in flight, or in the buffer */
	uint32_t pos, stop; /* place in the buffer; where the guest is to stop for an interrupt */
	/* packet commands */
	uint32_t limit;		/* bytes the guest takes at a time */
	uint8_t reply;		/* what goes to the guest is in the buffer, not on the medium */
	uint8_t key, asc, ascq; /* sense data of the last command */
	uint8_t loaded;		/* the tray is closed */
	struct block_request req;
};

struct ide_channel {
	uint8_t selected, control;
	uint8_t bm_command, bm_status;
	uint32_t bm_table;
	/* The walk through the table, while the bus master is active. */
	uint32_t prd_next, prd_at, prd_left;
	uint8_t prd_last;
	uint64_t commands, dma_bytes, pio_bytes, irqs;
};

struct ide {
	struct dev d;
	struct pci_function pci;
	struct ide_channel ch[IDE_CHANNELS];
	struct ide_drive drive[IDE_DRIVES];
	uint8_t pio[IDE_CHANNELS][IDE_PIO_BYTES];
	uint8_t dma[IDE_CHANNELS][IDE_DMA_BYTES]; /* of the request that is with the host */
};

/* ---- ide.c ---- */
static inline struct ide_channel *ide_channel(struct ide_drive *d)
{
	return &d->ide->ch[d->unit / 2];
}
static inline uint8_t *ide_pio(struct ide_drive *d)
{
	return d->ide->pio[d->unit / 2];
}
static inline uint8_t *ide_dma(struct ide_drive *d)
{
	return d->ide->dma[d->unit / 2];
}
void ide_interrupt(struct ide_drive *d);

/* ---- ide_data.c ---- */
/* The command ends: with an error, unless ERROR is 0. */
void ide_finish(struct ide_drive *d, uint8_t error);
/* Have the host do OP for N bytes at d->at. */
void ide_submit(struct ide_drive *d, enum block_op op, void *buf, uint32_t n);
/* Transfer d->left bytes from d->at of the medium, as d->dma and d->in say, and end the command. */
void ide_transfer(struct ide_drive *d);
/* Send the N bytes in the PIO buffer to the guest, likewise. */
void ide_send(struct ide_drive *d, uint32_t n);
/* Expect N bytes of the guest's in the PIO buffer. */
void ide_expect(struct ide_drive *d, enum ide_phase phase, uint32_t n);
/* Forget the request that is with the host, if any. */
void ide_cancel(struct ide_drive *d);
/* Let the bus master move data if it is active and D, which waits for it, is selected. */
void ide_master_serve(struct ide_drive *d);
/* The bus master's end; HOW: 0 or BM_ERROR. */
void ide_master_stop(struct ide_channel *c, uint8_t how);
/* An access of SIZE bytes to the data register. */
uint32_t ide_data_in(struct ide_drive *d, unsigned size);
void ide_data_out(struct ide_drive *d, unsigned size, uint32_t val);

/* ---- ata.c, atapi.c ---- */
void ata_reset(struct ide_drive *d);
void ata_command(struct ide_drive *d);
/* The host has done OP; ERROR: an errno value. The command ends, unless more is to be done. */
void ata_done(struct ide_drive *d, enum block_op op, int error);
/* Is the write in progress to be durable when it is complete? */
bool ata_through(const struct ide_drive *d);
/* Is the command in progress one that brings ranges to discard? They are in the DMA buffer, d->left bytes:
 * discard the next one from d->pos on, or end the command. */
bool ata_is_trim(const struct ide_drive *d);
void ata_trim(struct ide_drive *d);
/* How much of d->left goes through the PIO buffer at once. */
uint32_t ata_chunk(const struct ide_drive *d);
void atapi_reset(struct ide_drive *d);
void atapi_command(struct ide_drive *d);
void atapi_packet(struct ide_drive *d);
/* The command ends; KEY 0: well. Sense data by SCSI Primary Commands. */
void atapi_finish(struct ide_drive *d, uint8_t key, uint8_t asc);
/* Put TEXT into N bytes at P with the bytes of each word exchanged, padded with blanks. */
void ata_text(uint8_t *p, const char *text, unsigned n);
#endif
