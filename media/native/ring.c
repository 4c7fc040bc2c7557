/* See ring.h. */
#include "ring.h"

#include <stdatomic.h>
#include <string.h>

/* taken: bytes of the ring, a multiple of 8; number of a filler: FILLER. */
typedef struct {
    uint32_t taken, number, generation, length;
    double at;
    plane_address address;
    uint32_t kind;
} entry;

static const uint32_t FILLER = UINT32_MAX;
enum { ALIGNED = 8 };

uint64_t ring_memory(uint64_t bytes)
{
    return sizeof(ring_counts) + bytes;
}

ring ring_in(uint8_t *memory, uint64_t bytes)
{
    return (ring){(ring_counts *)(void *)memory, memory + sizeof(ring_counts), bytes};
}

static entry *entry_at(const ring *ring, uint64_t place)
{
    return (entry *)(void *)(ring->entries + (place & (ring->bytes - 1)));
}

int ring_put(const ring *ring, const plane_heard_t *packet)
{
    uint64_t before = atomic_load_explicit(&ring->counts->written, memory_order_relaxed), written = before;
    uint64_t taken = (sizeof(entry) + packet->length + ALIGNED - 1) / ALIGNED * ALIGNED;
    uint64_t left = ring->bytes - (written & (ring->bytes - 1)), filled = left < taken ? left : 0;
    entry *made;
    if (written + filled + taken - atomic_load_explicit(&ring->counts->read, memory_order_acquire) > ring->bytes) {
        atomic_fetch_add_explicit(&ring->counts->lost, 1, memory_order_relaxed);
        return -1;
    }
    if (filled) {
        made = entry_at(ring, written);
        made->taken = (uint32_t)filled; /* 8 bytes of it are there: all is a multiple of 8 */
        made->number = FILLER;
        written += filled;
    }
    made = entry_at(ring, written);
    *made = (entry){(uint32_t)taken, packet->number, packet->generation, packet->length,
                    packet->at,      packet->address, packet->kind};
    memcpy(made + 1, packet->data, packet->length);
    atomic_store(&ring->counts->written, written + taken);
    /* The reader looks at `written` after it has moved `read`: one of us sees what the other did. */
    return atomic_load(&ring->counts->read) == before;
}

int ring_next(const ring *ring, plane_heard_t *packet)
{
    for (;;) {
        uint64_t read = atomic_load_explicit(&ring->counts->read, memory_order_relaxed);
        const entry *oldest = entry_at(ring, read);
        if (read == atomic_load(&ring->counts->written))
            return 0;
        if (oldest->number == FILLER) {
            ring_done(ring);
            continue;
        }
        *packet = (plane_heard_t){oldest->number, oldest->generation, oldest->length, oldest->kind,
                                  oldest->at,     oldest->address,    (const uint8_t *)(oldest + 1)};
        return 1;
    }
}

void ring_done(const ring *ring)
{
    uint64_t read = atomic_load_explicit(&ring->counts->read, memory_order_relaxed);
    atomic_store(&ring->counts->read, read + entry_at(ring, read)->taken);
}
