/* The data plane: RTP from socket to socket in threads of C, behind `media/engines/native.py`.
 *
 * A stream is one port pair and stays for the life of the plane; what changes is whether a leg has it
 * (`plane_claim`, `plane_release`) and what it does (`plane_route`). All times are monotonic seconds.
 * cffi reads this file without its preprocessor lines.
 */
#ifndef BEFFROI_PLANE_H
#define BEFFROI_PLANE_H
#include <stdint.h>

typedef struct plane plane;
typedef struct plane_stream plane_stream;

/* Grows with every change of this file that Python has to know of: `native.ABI`. */
enum { PLANE_ABI = 6 };
enum { PLANE_RECORD_BYTES = 256, PLANE_RECORDS = 65536, PLANE_DATAGRAM_BYTES = 4096 };
enum { PLANE_NOT_RELAYED = 128, PLANE_NO_TYPE = 255 };
enum { PLANE_DIGIT = 1, PLANE_HEARD = 2 };
enum { PLANE_HEAR_NOTHING, PLANE_HEAR_COPY, PLANE_HEAR_TAKE, PLANE_HEAR_LOUD };
/* How a leg speaks: in clear, encrypted by the plane, or encrypted by who reads `plane_next_heard`. */
enum { PLANE_CLEAR, PLANE_SECURED, PLANE_SEALED };
/* What a packet is that the loop is given: for it to hear, to be opened, to be sealed and sent,
 * or a report of the leg's (RTCP). */
enum { PLANE_TO_HEAR, PLANE_TO_OPEN, PLANE_TO_SEAL, PLANE_TO_REPORT };
/* The suites of RFC 4568 and 7714, which `plane_suites` has a bit for each. */
enum { PLANE_AES_CM_80, PLANE_AES_CM_32, PLANE_AES_128_GCM, PLANE_AES_256_GCM };
enum { PLANE_KEY_BYTES = 46, PLANE_MKI_BYTES = 128 };

/* host: network order, 4 or 16 bytes of it used; family: 4 or 6, 0 for no address. */
typedef struct {
    uint8_t host[16];
    uint16_t port;
    uint16_t family;
} plane_address;

/* What one side encrypts with. fingerprint: says which key it is; key: master key and salt; mki: in each packet. */
typedef struct {
    uint64_t fingerprint;
    uint32_t suite;
    uint32_t mki_bytes;
    uint8_t mki[128];
    uint8_t key[46];
} plane_key;

/* What a stream does from now on. payload_types: what its peer knows each number by, PLANE_NO_TYPE for a
 * number that the leg doesn't send, PLANE_NOT_RELAYED for one that only the loop hears; events: 1 for each number of a telephone-event. security: PLANE_CLEAR,
 * PLANE_SECURED or PLANE_SEALED, the last two with keys. The rest as in `wire`. */
typedef struct {
    plane_address rtp;
    plane_address rtcp;
    int nat;
    int latch;
    int again;
    int watch;
    int mux;
    int datagrams;
    int pictures;
    int security;
    uint32_t clock_rate;
    uint8_t payload_types[128];
    uint8_t events[128];
    plane_key ours;
    plane_key theirs;
} plane_route_t;

/* How far the keys of a sealed stream were used by a process before this one, see `KeyState`. */
typedef struct {
    uint64_t ours;
    uint64_t theirs;
    int64_t sent;
    int64_t heard;
    uint32_t heard_ssrc;
    uint32_t reports;
    uint32_t ssrc;
} plane_keys_used_t;

/* One datagram to be sent. */
typedef struct {
    uint8_t data[4096];
    uint32_t length;
    plane_address to;
} plane_packet;

/* remote: where the leg is heard from, or will be sent to. silent_seconds: -1 when it was never heard. */
typedef struct {
    plane_address remote;
    uint64_t packets;
    uint64_t octets;
    uint64_t packets_sent;
    uint64_t lost;
    uint64_t third_party;
    uint64_t invalid;
    uint64_t limited;
    double jitter_ticks;
    double silent_seconds;
} plane_counts_t;

/* kind: PLANE_DIGIT (digit: its place in `dtmf.DIGITS`) or PLANE_HEARD. */
typedef struct {
    uint32_t number;
    uint32_t generation;
    uint8_t kind;
    uint8_t digit;
} plane_event;

/* A packet for the loop. kind: PLANE_TO_HEAR …; address: where it came from, or where it is to go; data: there
 * until the next one is asked for. */
typedef struct {
    uint32_t number;
    uint32_t generation;
    uint32_t length;
    uint32_t kind;
    double at;
    plane_address address;
    const uint8_t *data;
} plane_heard_t;

/* The suites that this plane encrypts with, as bits; 0 where it was compiled without OpenSSL. */
unsigned plane_suites(void);
/* A plane over PLANE_RECORDS records of memory that may outlive the process; NULL and errno. */
plane *plane_new(uint8_t *memory, int threads);
/* Start the threads; 0, or an errno. */
int plane_start(plane *plane);
/* End the threads and forget all streams; their sockets are the caller's to close, after this. */
void plane_free(plane *plane);
/* The descriptor that is readable when there are events, and the next one of them: 0 when there is none. */
int plane_events_fd(const plane *plane);
int plane_next_event(plane *plane, plane_event *event);
/* The next packet for the loop, 0 when there is none; `plane_events_fd` tells of these as well. */
int plane_next_heard(plane *plane, plane_heard_t *packet);
/* Have `plane_events_fd` readable again: what there is wasn't all read. */
void plane_wake(const plane *plane);
/* How many packets for the loop were lost because it didn't read. */
uint64_t plane_lost(const plane *plane);

/* Watch a pair of bound, non-blocking sockets; NULL and errno. cname: for RTCP, at most 63 bytes are used. */
plane_stream *plane_add(plane *plane, uint32_t number, int rtp, int rtcp, const char *cname);
/* Give the stream to a leg: as it was in the record when `again` and there is one, otherwise as new, with
 * these numbers. Returns its generation, which its events carry. */
uint32_t plane_claim(plane_stream *stream, int again, uint32_t ssrc, uint32_t sequence, uint32_t timestamp);
void plane_release(plane_stream *stream);
/* peer: who hears the leg, NULL for nobody. Returns 0 when its keys can't be used: then it is neither heard
 * nor spoken to. */
int plane_route(plane_stream *stream, const plane_route_t *route, plane_stream *peer, double now);
/* How far the keys of the stream were used, as the record says. */
void plane_keys_used(plane_stream *stream, plane_keys_used_t *used);
/* Give the leg's packets to the loop as well, or only to the loop, or of these only what isn't quiet. */
void plane_hear(plane_stream *stream, int hearing);
void plane_echo(plane_stream *stream, int on);
/* Where packets of streams that are recorded go as well: memory of `tape_memory` bytes, all zeros at first, that
 * a recorder's process reads. */
void plane_tape(plane *plane, uint8_t *memory);
/* Put the leg's packets on the tape as this track of a recording, and what we play to it ourselves as that one;
 * TAPE_NO_TRACK for neither. A leg may be there for two recordings at once: a third has no place. Recording 0
 * with no track ends them all. */
void plane_record(plane_stream *stream, uint32_t recording, uint32_t by_leg, uint32_t to_leg);
/* While it is on, the leg hears only what `plane_speak` says. */
void plane_play(plane_stream *stream, int on);
/* The next packet of our own, a pause when length is 0; 0 when there is nothing to be sent. Advance_ticks of
 * UINT32_MAX are those of the time since the last one. */
uint32_t plane_speak(plane_stream *stream, const uint8_t *payload, uint32_t length, int marker,
                     uint32_t advance_ticks, int payload_type, double now, plane_packet *packet);
/* Send one packet of our own to all these legs. */
void plane_speak_to_all(plane_stream *const *streams, uint32_t count, const uint8_t *payload, uint32_t length,
                        int marker, uint32_t advance_ticks, int payload_type, double now, plane_packet *packet);
/* A report for the leg (RFC 3550 section 6.4); 0 when there is nowhere to send it. sender: the SSRC of the leg's
 * newest report, -1 for none; last_report, delay: what ours says of that one (LSR, DLSR). asks: what goes behind it,
 * see `media/pictures.py`: 0 for nothing, 1 for PLI, 2 for FIR with this number. */
uint32_t plane_report(plane_stream *stream, int64_t sender, uint32_t last_report, uint32_t delay, int asks, uint32_t number,
                      double now, plane_packet *packet);
/* Send what the two before made; 0, or an errno. */
int plane_transmit(plane_stream *stream, const plane_packet *packet, int rtcp);
/* For how long a leg that is watched has been silent when that is to be told, -1 otherwise. */
double plane_silence(plane_stream *stream, double silence_seconds, double now);
void plane_read(plane_stream *stream, plane_counts_t *counts, double now);
/* Do what a thread does with one datagram, but for the sending: the number of the stream whose leg is to get
 * `packet` from its port, -1 when nobody is. opened: it was encrypted, and is what PLANE_TO_OPEN has become. */
int64_t plane_receive(plane_stream *stream, const uint8_t *data, uint32_t length, const plane_address *from,
                      double now, int opened, plane_packet *packet);

/* -- the recorder's end of a tape (tape.c) -- */
enum { TAPE_RECORDINGS = 65536, TAPE_TRACKS = 64, TAPE_NO_TRACK = 255 };
/* What one recording has on the tape: `length` bytes from `start`, entries of `recording/proof/entries.py`.
 * tracks: a bit for each that has packets; missed: packets that found no room before these; first, last: when
 * its packets came, Unix microseconds. */
typedef struct {
    uint32_t recording;
    uint32_t packets;
    uint32_t missed;
    uint32_t start;
    uint32_t length;
    uint64_t tracks;
    int64_t first;
    int64_t last;
} tape_group;
typedef struct tape tape;
/* What a tape takes of memory. */
uint64_t tape_memory(void);
/* The end that reads it; NULL and errno. There is one reader at a time. */
tape *tape_open(uint8_t *memory);
void tape_close(tape *tape);
/* Take what is on the tape, as much as has room; returns how many recordings have something, 0 when there is
 * nothing. offset_us: what makes Unix microseconds of monotonic ones. */
uint32_t tape_read(tape *tape, int64_t offset_us, uint8_t *out, uint32_t room, tape_group *groups, uint32_t most);
#endif
