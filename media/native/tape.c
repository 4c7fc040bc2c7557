/* The recorder's end of a tape: packets of many streams, put together by recording.
 *
 *     ring:  a1 b1 a2 c1 b2 ...     ──tape_read──>     a1 a2 | b1 b2 | c1
 *
 * Each packet becomes an entry as it will lie in the recording's file (recording/proof/entries.py):
 *     1, track, length (16 bits), low half of its Unix microseconds (32 bits), the packet     all big-endian
 */
#include "ring.h"

#include <stdlib.h>
#include <string.h>

enum { ENTRY_BYTES = 8, A_PACKET = 1, MOST_PACKETS = 8192, NOBODY = 0xFFFF };

typedef struct {
    uint32_t at, length, group;
} kept;

struct tape {
    ring ring;
    uint8_t *data; /* entries in the order of the ring */
    uint32_t room;
    kept packets[MOST_PACKETS];
    uint16_t groups[TAPE_RECORDINGS]; /* where a recording's group is, NOBODY for none */
};

uint64_t tape_memory(void)
{
    return ring_memory(TAPE_BYTES);
}

tape *tape_open(uint8_t *memory)
{
    tape *made = malloc(sizeof *made);
    if (!made)
        return NULL;
    made->ring = ring_in(memory, TAPE_BYTES);
    made->data = NULL;
    made->room = 0;
    memset(made->groups, 0xFF, sizeof made->groups);
    return made;
}

void tape_close(tape *tape)
{
    free(tape->data);
    free(tape);
}

/* Make an entry of a packet at `at`. */
static void enter(uint8_t *at, const plane_heard_t *packet, int64_t unix_us)
{
    uint32_t low = (uint32_t)unix_us;
    at[0] = A_PACKET;
    at[1] = (uint8_t)packet->kind;
    at[2] = (uint8_t)(packet->length >> 8);
    at[3] = (uint8_t)packet->length;
    at[4] = (uint8_t)(low >> 24);
    at[5] = (uint8_t)(low >> 16);
    at[6] = (uint8_t)(low >> 8);
    at[7] = (uint8_t)low;
    memcpy(at + ENTRY_BYTES, packet->data, packet->length);
}

uint32_t tape_read(tape *tape, int64_t offset_us, uint8_t *out, uint32_t room, tape_group *groups, uint32_t most)
{
    uint32_t packets = 0, found = 0, used = 0, start = 0;
    plane_heard_t packet;
    if (tape->room < room) {
        uint8_t *data = realloc(tape->data, room);
        if (!data)
            return 0;
        tape->data = data;
        tape->room = room;
    }
    while (packets < MOST_PACKETS && ring_next(&tape->ring, &packet)) {
        uint32_t place = packet.number % TAPE_RECORDINGS, length = ENTRY_BYTES + packet.length;
        int64_t unix_us = (int64_t)(packet.at * 1e6) + offset_us;
        tape_group *group;
        if (used + length > room || (tape->groups[place] == NOBODY && found == most))
            break; /* it is the first of the next time */
        if (tape->groups[place] == NOBODY) {
            groups[found] = (tape_group){.recording = packet.number, .first = unix_us};
            tape->groups[place] = (uint16_t)found++;
        }
        group = &groups[tape->groups[place]];
        group->packets++;
        group->missed += packet.generation;
        group->length += length;
        group->tracks |= (uint64_t)1 << packet.kind % TAPE_TRACKS;
        group->last = unix_us;
        enter(tape->data + used, &packet, unix_us);
        tape->packets[packets++] = (kept){used, length, tape->groups[place]};
        used += length;
        ring_done(&tape->ring);
    }
    for (uint32_t i = 0; i < found; i++) {
        groups[i].start = start;
        start += groups[i].length;
        groups[i].length = 0; /* grows back as its entries are put together */
        tape->groups[groups[i].recording % TAPE_RECORDINGS] = NOBODY;
    }
    for (uint32_t i = 0; i < packets; i++) {
        tape_group *group = &groups[tape->packets[i].group];
        memcpy(out + group->start + group->length, tape->data + tape->packets[i].at, tape->packets[i].length);
        group->length += tape->packets[i].length;
    }
    return found;
}
