/* A ring of packets in memory that two processes may share: written by threads that hold one lock, read by
 * one reader who needs none. A ring that is full loses what comes, and counts it.
 *
 *     written ─────────────────────────┐
 *     read ───────┐                    v
 *     | free ...  | entry | entry | …  | free ... |      entries never cross the end: a filler ends the turn
 */
#ifndef BEFFROI_RING_H
#define BEFFROI_RING_H
#include "plane.h"

enum { TAPE_BYTES = 1 << 25 }; /* for a recorder: more than two seconds of 500 calls; a power of two */

/* Both count bytes from the beginning, and never turn back. */
typedef struct {
    _Alignas(64) _Atomic uint64_t written;
    _Alignas(64) _Atomic uint64_t read;
    _Alignas(64) _Atomic uint64_t lost;
} ring_counts;

/* Where this process finds a ring. bytes: of its entries, a power of two. */
typedef struct {
    ring_counts *counts;
    uint8_t *entries;
    uint64_t bytes;
} ring;

/* The ring in memory of this size, which is all zeros when nobody has used it yet. */
ring ring_in(uint8_t *memory, uint64_t bytes);
/* What memory a ring takes whose entries take so many bytes. */
uint64_t ring_memory(uint64_t bytes);
/* Add what `packet` says, `packet->data` copied. Returns 1 when the reader had read all and may be asleep, 0 when
 * it has something to read anyway, -1 when there was no room. */
int ring_put(const ring *ring, const plane_heard_t *packet);
/* The oldest packet, which stays until `ring_done`; 0 when there is none. */
int ring_next(const ring *ring, plane_heard_t *packet);
void ring_done(const ring *ring);
#endif
