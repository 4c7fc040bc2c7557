/* Threads that move RTP. What they decide is said, in Python, by `media/engines/stream.py`: the two engines
 * pass the same tests.
 *
 *     thread 0 ── epoll ── sockets of its streams ──> recvmmsg ─┐             ┌─> sendmmsg
 *     thread 1 ── epoll ── sockets of its streams ──> recvmmsg ─┴─ the lock ──┴─> sendmmsg
 *     Python   ── plane_route, plane_speak, plane_read, … ────────/
 *
 * One lock guards all streams. It is held while packets are looked at and rewritten, about a tenth of a
 * microsecond each, and never during a system call, which is where the time goes. A stream is read by one
 * thread and never freed while threads run: ending a call changes what it does, not where it is. So a thread
 * that read a packet just before the end finds a stream without a leg, and drops the packet.
 *
 * Between the legs everything is in clear. What the loop is to hear of a leg goes into a ring (ring.h), as does
 * what only the loop can encrypt: where there was no OpenSSL, a leg with keys is PLANE_SEALED, and its packets
 * come through the loop in both directions.
 *
 * A stream's record lies in memory that outlives the process. The process may be killed between any two
 * instructions; `settle` keeps the compiler from moving the write that makes the others count.
 */
#define _GNU_SOURCE
#include "plane.h"

#include "keys.h"
#include "loudness.h"
#include "ring.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_THREADS = 64,
    BATCH = 16,             /* datagrams read from a socket at once */
    BATCHES = 4,            /* of them in a turn: a flood on one port delays the others little */
    TURN = 256,             /* sockets that epoll names at once */
    EVENTS = 4096,          /* waiting for Python; a power of two */
    HEADER_BYTES = 12,      /* RFC 3550 section 5.1 */
    PAUSE_NS = 250000,      /* between turns of a thread that is busy */
    MOST_PACKETS = 500,     /* of one leg in a second: ten times what a telephone sends */
    CNAME_BYTES = 64,
    RING_BYTES = 1 << 20,   /* for the loop: a tenth of a second of 1,000 legs; a power of two */
    SHORTEST_REPORT = 8,
    WE_SPEAK = -1,          /* the source of what a leg hears, beside SSRCs */
    ANOTHER_PROCESS = -2,
    MOST_TAPINGS = 2, /* as in media/engine.py */
    TAPED_BY_LEG = 1,
    TAPED_TO_LEG = 2,
};
static const double LATCH_SECONDS = 10.0;
static const double REPORT_SECONDS = 0.5; /* a leg's reports are not heard more often */
static const double ASKING_SECONDS = 0.02; /* … where one may ask for a whole picture */
static const uint32_t ALIVE = 0x70524C59;

typedef struct {
    socklen_t length; /* 0: no address */
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } at;
} address;

/* What must outlive the process. Numbers of RTP are kept as they go out or came in. */
typedef struct {
    uint32_t alive;
    /* what the leg hears: one SSRC of ours; source: whose packets are shifted into it now */
    uint32_t ssrc, timestamp, timestamp_shift;
    uint16_t sequence, sequence_shift;
    int64_t source;
    double sent_at;
    uint64_t packets_sent, octets_sent;
    /* what it says, RFC 3550 appendix A */
    int64_t heard_ssrc;
    uint64_t packets, octets, received, lost_before;
    uint64_t cycles;
    uint32_t base, highest, transit;
    double jitter_ticks, heard_at;
    uint64_t third_party, invalid, limited;
    address heard_from;
    /* RFC 3711 section 3.2.1: which keys, the newest index of each, and how many reports were sent */
    uint64_t our_key, their_key;
    int64_t sent_index, heard_index;
    uint32_t reports;
} record;

_Static_assert(sizeof(record) <= PLANE_RECORD_BYTES, "a record has its place in media/engines/inheritance.py");

/* The last key event heard (RFC 4733). */
typedef struct {
    int heard;
    uint8_t event;
    uint16_t duration;
    uint32_t timestamp;
} key_event;

/* What a leg is on the tape for: a recording, the tracks of what it says and of what it is told by us;
 * untaped: packets that the tape had no room for. Free when it has no track. */
typedef struct {
    uint32_t recording, by_leg, to_leg, untaped;
} taping;

struct plane_stream {
    plane *plane;
    record *record;
    uint32_t number;
    int rtp, rtcp;
    int ipv6;
    int claimed, echoes, plays;
    uint32_t generation; /* how many legs have had it */
    plane_stream *peer;
    uint32_t peer_generation;
    address destination, rtcp_destination;
    double latch_until;
    uint8_t payload_types[128], events[128];
    uint32_t clock_rate;
    int hearing, mux, datagrams, pictures, security;
    session *out, *in;                     /* in force */
    session *kept_outgoing, *kept_incoming; /* all that the leg has had */
    double watched_since, reports_from;
    int64_t told_ssrc; /* what our last report was about, and how much of it there was */
    uint64_t told_expected, told_received;
    int silence_told;
    key_event key;
    double second_ends;
    uint32_t budget; /* packets that may still come in this second */
    int taped; /* TAPED_BY_LEG, TAPED_TO_LEG: whether any of these has such a track */
    taping tapings[MOST_TAPINGS];
    char cname[CNAME_BYTES];
};

typedef struct {
    plane *plane;
    int epoll;
    pthread_t thread;
    /* one turn's datagrams, where they came from, and where they go */
    uint8_t data[BATCH][PLANE_DATAGRAM_BYTES];
    address from[BATCH], to[BATCH];
    struct iovec read[BATCH], written[BATCH];
    struct mmsghdr received[BATCH], sent[BATCH];
} worker;

struct plane {
    pthread_mutex_t lock;
    uint8_t *memory;
    int wanted, running;
    int stop, told; /* eventfds: to the threads, to Python */
    worker *workers[MAX_THREADS];
    plane_stream *streams[PLANE_RECORDS];
    plane_event events[EVENTS];
    uint32_t first_event, last_event;
    ring heard, tape; /* the tape has no entries where nobody records */
    int in_hand; /* the reader has the oldest packet of the ring */
    int untold;  /* events or packets were added since `told` was written */
};

static void settle(void)
{
    atomic_signal_fence(memory_order_seq_cst);
}

static double now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static uint8_t *put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
    return at + 2;
}

static uint8_t *put32(uint8_t *at, uint32_t value)
{
    return put16(put16(at, value >> 16), value & 0xFFFF);
}

/* -- addresses ---------------------------------------------------------------------------------- */

static int same_host(const address *one, const address *other)
{
    if (!one->length || !other->length || one->at.any.sa_family != other->at.any.sa_family)
        return 0;
    if (one->at.any.sa_family == AF_INET)
        return one->at.in.sin_addr.s_addr == other->at.in.sin_addr.s_addr;
    return !memcmp(&one->at.in6.sin6_addr, &other->at.in6.sin6_addr, sizeof one->at.in6.sin6_addr);
}

static int same(const address *one, const address *other)
{
    if (one->length != other->length || !one->length || one->at.any.sa_family != other->at.any.sa_family)
        return 0;
    if (one->at.any.sa_family == AF_INET)
        return one->at.in.sin_port == other->at.in.sin_port &&
               one->at.in.sin_addr.s_addr == other->at.in.sin_addr.s_addr;
    return one->at.in6.sin6_port == other->at.in6.sin6_port &&
           one->at.in6.sin6_scope_id == other->at.in6.sin6_scope_id &&
           !memcmp(&one->at.in6.sin6_addr, &other->at.in6.sin6_addr, 16);
}

static address from_plain(const plane_address *plain)
{
    address made;
    memset(&made, 0, sizeof made);
    if (plain->family == 4) {
        made.length = sizeof made.at.in;
        made.at.in.sin_family = AF_INET;
        made.at.in.sin_port = htons(plain->port);
        memcpy(&made.at.in.sin_addr, plain->host, 4);
    } else if (plain->family == 6) {
        made.length = sizeof made.at.in6;
        made.at.in6.sin6_family = AF_INET6;
        made.at.in6.sin6_port = htons(plain->port);
        memcpy(&made.at.in6.sin6_addr, plain->host, 16);
    }
    return made;
}

static void to_plain(const address *from, plane_address *plain)
{
    memset(plain, 0, sizeof *plain);
    if (!from->length)
        return;
    if (from->at.any.sa_family == AF_INET) {
        plain->family = 4;
        plain->port = ntohs(from->at.in.sin_port);
        memcpy(plain->host, &from->at.in.sin_addr, 4);
    } else {
        plain->family = 6;
        plain->port = ntohs(from->at.in6.sin6_port);
        memcpy(plain->host, &from->at.in6.sin6_addr, 16);
    }
}

/* The address one port above, the same one when there is none. */
static address beside(address place)
{
    in_port_t *port = place.at.any.sa_family == AF_INET ? &place.at.in.sin_port : &place.at.in6.sin6_port;
    if (place.length && *port != htons(65535))
        *port = htons((uint16_t)(ntohs(*port) + 1));
    return place;
}

/* -- what a leg says ---------------------------------------------------------------------------- */

/* Where the payload is; 0 when CSRCs, extension or padding are longer than the packet. */
static int payload_bounds(const uint8_t *data, uint32_t length, uint32_t *start, uint32_t *end)
{
    *start = HEADER_BYTES + 4u * (data[0] & 0x0F);
    *end = length;
    if (data[0] & 0x10) {
        if (*start + 4 > length)
            return 0;
        *start += 4 + 4u * get16(data + *start + 2);
    }
    if (data[0] & 0x20) {
        uint32_t padding = data[length - 1];
        if (!padding || padding > length)
            return 0;
        *end -= padding;
    }
    return *start <= *end;
}

/* Say whether it is an RTP packet that may be relayed (RFC 3550 appendix A.1). */
static int is_rtp(const uint8_t *data, uint32_t length)
{
    uint32_t start, end;
    if (length < HEADER_BYTES || length >= PLANE_DATAGRAM_BYTES || (data[0] & 0xC0) != 0x80)
        return 0;
    return data[0] == 0x80 || payload_bounds(data, length, &start, &end);
}

static void tell(plane *plane, const plane_stream *stream, int kind, int digit)
{
    if (plane->last_event - plane->first_event == EVENTS)
        return; /* Python is stuck: what it doesn't know of a key is the smaller evil */
    plane->events[plane->last_event++ % EVENTS] =
        (plane_event){stream->number, stream->generation, (uint8_t)kind, (uint8_t)digit};
    plane->untold = 1;
}

/* RFC 4733: report a key at its first packet, once. See `media/dtmf.py`. */
static void hear_event(plane *plane, plane_stream *stream, const uint8_t *data, uint32_t length)
{
    key_event *key = &stream->key;
    uint32_t start, end, timestamp = get32(data + 4), age = timestamp - key->timestamp;
    uint8_t event;
    uint16_t duration;
    if (!payload_bounds(data, length, &start, &end) || end - start < 4 || data[start] >= 16)
        return;
    event = data[start];
    duration = get16(data + start + 2);
    if (key->heard) {
        if (!age) {
            if (duration > key->duration)
                key->duration = duration;
            return;
        }
        if (age >= 0x80000000) /* a late packet of an earlier key */
            return;
        /* 2.5.1.3: an event longer than 8 s goes on in a new segment, right behind the last one. */
        if (event == key->event && !(data[1] & 0x80) && age == key->duration && age == 0xFFFF) {
            key->timestamp = timestamp;
            key->duration = duration;
            return;
        }
    }
    *key = (key_event){1, event, duration, timestamp};
    tell(plane, stream, PLANE_DIGIT, event);
}

static uint64_t highest_of(const record *record)
{
    return record->cycles + record->highest;
}

static uint64_t expected_of(const record *record)
{
    return highest_of(record) - record->base + 1;
}

static uint64_t lost_of(const record *record)
{
    uint64_t expected;
    if (record->heard_ssrc < 0)
        return record->lost_before;
    expected = expected_of(record);
    return record->lost_before + (expected > record->received ? expected - record->received : 0);
}

/* RFC 3550 appendix A: count one packet. arrival: in ticks of the payload's clock. */
static void count(record *record, const uint8_t *data, uint32_t length, uint32_t arrival)
{
    uint16_t sequence = get16(data + 2);
    uint32_t transit = arrival - get32(data + 4), ssrc = get32(data + 8), difference;
    record->packets++;
    record->octets += length - HEADER_BYTES;
    if (record->heard_ssrc != (int64_t)ssrc) {
        record->lost_before = lost_of(record);
        record->base = record->highest = sequence;
        record->cycles = 0;
        record->received = 1;
        record->transit = transit;
        settle();
        record->heard_ssrc = ssrc;
        return;
    }
    record->received++;
    if ((uint16_t)(sequence - record->highest) < 0x8000) {
        if (sequence < record->highest)
            record->cycles += 0x10000;
        record->highest = sequence;
    }
    /* A.8, with the difference taken modulo the clock; a jump of the sender's clock isn't jitter. */
    difference = transit - record->transit;
    record->transit = transit;
    if (difference >= 0x80000000)
        difference = 0 - difference;
    if (difference < 80000)
        record->jitter_ticks += (difference - record->jitter_ticks) / 16;
}

/* Say whether a datagram from another address than the leg's can't be the leg's. */
static int is_third_party(const plane_stream *stream, const address *from, double now)
{
    /* Also when the window closed unused: then the leg is where its SDP says, or nowhere. */
    return now > stream->latch_until && (stream->record->heard_from.length || !same(from, &stream->destination));
}

/* Remember where the leg is. */
static void latch(plane_stream *stream, const address *from)
{
    record *record = stream->record;
    stream->latch_until = -1.0;
    record->heard_from.length = 0;
    settle();
    record->heard_from.at = from->at;
    settle();
    record->heard_from.length = from->length;
    if (stream->destination.length && !same(&stream->destination, from)) {
        /* A NAT gives RTCP a port of its own that we can't know: the one beside is a guess. */
        stream->destination = *from;
        stream->rtcp_destination = stream->mux ? *from : beside(*from);
    }
}

/* Say whether the leg may send one more packet in this second, and note that it was heard. */
static int is_within_rate(plane_stream *stream, double now)
{
    if (now >= stream->second_ends) {
        stream->second_ends = now + 1.0;
        stream->budget = MOST_PACKETS;
    }
    if (!stream->budget) {
        stream->record->limited++;
        return 0;
    }
    stream->budget--;
    stream->record->heard_at = now;
    return 1;
}

/* Give the loop a packet of a stream, or one that it is to send to `place`. */
static void give(plane_stream *stream, uint32_t kind, const uint8_t *data, uint32_t length, const address *place,
                 double now)
{
    plane_heard_t packet = {
        .number = stream->number, .generation = stream->generation, .length = length, .kind = kind, .at = now,
        .data = data};
    to_plain(place, &packet.address);
    if (ring_put(&stream->plane->heard, &packet) > 0)
        stream->plane->untold = 1;
}

/* Put a packet by a recorded leg, or to it, on the tape, once for each of its recordings; one that finds no room
 * is counted, and the next one says so. */
static void tape_packet(plane_stream *stream, int direction, const uint8_t *data, uint32_t length, double now)
{
    for (int i = 0; i < MOST_TAPINGS; i++) {
        taping *taping = &stream->tapings[i];
        uint32_t track = direction == TAPED_BY_LEG ? taping->by_leg : taping->to_leg;
        plane_heard_t packet = {.number = taping->recording, .generation = taping->untaped, .length = length,
                                .kind = track, .at = now, .data = data};
        if (track == TAPE_NO_TRACK)
            continue;
        if (ring_put(&stream->plane->tape, &packet) < 0)
            taping->untaped++;
        else
            taping->untaped = 0;
    }
}

static void tape_nothing(plane_stream *stream)
{
    stream->taped = 0;
    for (int i = 0; i < MOST_TAPINGS; i++)
        stream->tapings[i] = (taping){.by_leg = TAPE_NO_TRACK, .to_leg = TAPE_NO_TRACK};
}

static int is_free(const taping *taping)
{
    return taping->by_leg == TAPE_NO_TRACK && taping->to_leg == TAPE_NO_TRACK;
}

/* What a leg is on the tape for as this recording, else a free place; NULL when there is neither. */
static taping *taping_of(plane_stream *stream, uint32_t recording)
{
    taping *found = NULL;
    for (int i = 0; i < MOST_TAPINGS; i++) {
        taping *taping = &stream->tapings[i];
        if (is_free(taping))
            found = taping;
        else if (taping->recording == recording)
            return taping;
    }
    return found;
}

/* Count a packet that was encrypted. RFC 3711 section 3.3.1: its index is its source's, also for who is killed
 * in between. index: -1 where the loop has decrypted it. */
static void count_secured(record *record, const uint8_t *data, uint32_t length, int64_t index, uint32_t arrival)
{
    int64_t newest = record->heard_ssrc == (int64_t)get32(data + 8) ? record->heard_index : -1;
    if (index < 0)
        index = keys_index(newest, get16(data + 2));
    if (newest < 0)
        record->heard_index = -1;
    settle();
    count(record, data, length, arrival);
    settle();
    if (index > newest)
        record->heard_index = index;
}

/* -- what a leg hears --------------------------------------------------------------------------- */

/* Ticks since the newest packet, at least one packet of 20 ms. */
static uint32_t gap(const record *record, uint32_t clock_rate, double now)
{
    int64_t ticks;
    if (record->sent_at < 0)
        return 0;
    ticks = (int64_t)((now - record->sent_at) * clock_rate);
    return (uint32_t)(ticks > (int64_t)clock_rate / 50 ? ticks : (int64_t)clock_rate / 50);
}

/* Rewrite a packet in place as the next of the leg's stream, a gap in time becoming one in timestamps. */
static void rewrite(record *record, uint8_t *data, uint32_t length, uint8_t payload_type, uint32_t clock_rate,
                    double now)
{
    uint16_t sequence = get16(data + 2);
    uint32_t timestamp = get32(data + 4), ssrc = get32(data + 8);
    uint8_t marker = data[1] & 0x80;
    if (record->source != (int64_t)ssrc) {
        record->sequence_shift = (uint16_t)(record->sequence + 1 - sequence);
        record->timestamp_shift = record->timestamp + gap(record, clock_rate, now) - timestamp;
        settle();
        record->source = ssrc;
        marker = 0x80;
    }
    sequence = (uint16_t)(sequence + record->sequence_shift);
    timestamp += record->timestamp_shift;
    if ((uint16_t)(sequence - record->sequence) < 0x8000) {
        record->sequence = sequence;
        record->timestamp = timestamp;
        record->sent_at = now;
    }
    record->packets_sent++;
    record->octets_sent += length - HEADER_BYTES;
    data[1] = marker | payload_type;
    put32(put32(put16(data + 2, sequence), timestamp), record->ssrc);
}

/* Say whether a packet of a leg says nothing that the loop would have to hear. */
static int is_quiet(const uint8_t *data, uint32_t length)
{
    uint32_t start, end;
    return is_rtp(data, length) && payload_bounds(data, length, &start, &end) &&
           loudness_is_quiet(data[1] & 0x7F, data + start, end - start);
}

/* Say whether a packet is to be relayed, and let the loop hear it. */
static int is_for_peer(plane_stream *stream, const uint8_t *data, uint32_t length, double now)
{
    if (stream->silence_told) {
        stream->silence_told = 0;
        tell(stream->plane, stream, PLANE_HEARD, 0);
    }
    if (stream->hearing == PLANE_HEAR_NOTHING)
        return 1;
    if (stream->hearing != PLANE_HEAR_LOUD || !is_quiet(data, length))
        give(stream, PLANE_TO_HEAR, data, length, &stream->record->heard_from, now);
    return stream->hearing == PLANE_HEAR_COPY;
}

/* Who hears the leg now, NULL for nobody. */
static plane_stream *listener(plane_stream *stream)
{
    plane_stream *peer = stream->echoes ? stream : stream->peer;
    if (!peer || !peer->claimed || peer->plays || !peer->destination.length)
        return NULL;
    /* A peer that has another leg by now isn't the one that was meant. */
    return peer == stream || peer->generation == stream->peer_generation ? peer : NULL;
}

/* The next packet of the leg's stream is rewritten: encrypt it as the leg expects it. Returns 0 when it isn't
 * to be sent, or not from here. */
static int seal(plane_stream *stream, uint8_t *data, uint32_t *length, double now)
{
    record *record = stream->record;
    int64_t index;
    if (stream->security == PLANE_CLEAR)
        return 1;
    index = keys_index(record->sent_index, get16(data + 2));
    if (index > record->sent_index)
        record->sent_index = index;
    if (stream->security == PLANE_SECURED)
        return keys_seal(stream->out, data, length);
    give(stream, PLANE_TO_SEAL, data, *length, &stream->destination, now);
    return 0;
}

/* What isn't RTP is passed on as it is, to who speaks the same. */
static plane_stream *pass_on(plane_stream *stream, uint8_t *data, uint32_t length, const address *from, int known,
                             double now)
{
    record *record = stream->record;
    plane_stream *peer;
    if (!length || length >= PLANE_DATAGRAM_BYTES) {
        record->invalid++;
        return NULL;
    }
    if (!known)
        latch(stream, from);
    if (!is_within_rate(stream, now))
        return NULL;
    record->packets++;
    record->octets += length;
    if (!is_for_peer(stream, data, length, now) || !(peer = listener(stream)) || !peer->datagrams)
        return NULL;
    peer->record->packets_sent++;
    peer->record->octets_sent += length;
    return peer;
}

/* RFC 3550 section 6.4: what a leg reports is for the loop, and goes no further. One of a leg with keys must be
 * its own before it is read; what comes too often isn't even decrypted. */
static void hear_report(plane_stream *stream, uint8_t *data, uint32_t length, const address *from, double now)
{
    if (now < stream->reports_from || length < SHORTEST_REPORT || length >= PLANE_DATAGRAM_BYTES || stream->datagrams)
        return;
    if (stream->security == PLANE_SECURED && !keys_open_report(stream->in, data, &length))
        return;
    stream->reports_from = now + (stream->pictures ? ASKING_SECONDS : REPORT_SECONDS);
    give(stream, PLANE_TO_REPORT, data, length, from, now);
}

/* One datagram of a leg, the lock held. Returns the stream whose leg is to get it, rewritten, at `to`.
 * opened: it was encrypted, and no longer is. */
static plane_stream *relay(plane_stream *stream, uint8_t *data, uint32_t *length, const address *from, double now,
                           int opened, address *to)
{
    record *record = stream->record;
    plane_stream *peer;
    uint8_t number, payload_type;
    int known = same(from, &record->heard_from), authentic = 1;
    int64_t index = -1;
    uint32_t arrival;
    if (!stream->claimed)
        return NULL; /* a new call never hears the end of an old one */
    if (!known && is_third_party(stream, from, now)) {
        record->third_party++;
        return NULL;
    }
    if (stream->datagrams) {
        peer = pass_on(stream, data, *length, from, known, now);
        if (peer)
            *to = peer->destination;
        return peer;
    }
    number = data[1] & 0x7F;
    payload_type = stream->payload_types[number];
    if (stream->security != PLANE_CLEAR && payload_type != PLANE_NO_TYPE && !opened) {
        if (stream->security == PLANE_SEALED) {
            give(stream, PLANE_TO_OPEN, data, *length, from, now);
            return NULL;
        }
        authentic = keys_open(stream->in, data, length, &index);
    }
    if (!authentic || payload_type == PLANE_NO_TYPE || !is_rtp(data, *length)) {
        /* RFC 5761 section 4: these numbers are of reports. */
        if (!stream->mux || number < 64 || number > 95 || *length < SHORTEST_REPORT || (data[0] & 0xC0) != 0x80)
            record->invalid++;
        else if (known)
            hear_report(stream, data, *length, from, now);
        return NULL;
    }
    if (!known)
        latch(stream, from);
    if (!is_within_rate(stream, now))
        return NULL;
    arrival = (uint32_t)(uint64_t)(now * stream->clock_rate);
    if (stream->security == PLANE_CLEAR)
        count(record, data, *length, arrival);
    else
        count_secured(record, data, *length, index, arrival);
    if (stream->events[number])
        hear_event(stream->plane, stream, data, *length);
    if (stream->taped & TAPED_BY_LEG)
        tape_packet(stream, TAPED_BY_LEG, data, *length, now);
    if (!is_for_peer(stream, data, *length, now) || payload_type == PLANE_NOT_RELAYED ||
        !(peer = listener(stream)) || peer->datagrams)
        return NULL;
    rewrite(peer->record, data, *length, payload_type, peer->clock_rate, now);
    *to = peer->destination;
    return seal(peer, data, length, now) ? peer : NULL;
}

/* -- threads ------------------------------------------------------------------------------------ */

/* Let Python know that there are events, the lock not held. */
static void wake(const plane *plane)
{
    uint64_t one = 1;
    ssize_t written = write(plane->told, &one, sizeof one);
    (void)written; /* EAGAIN: it has been told often enough */
}

/* Have epoll name a stream when packets come to its RTP socket: once, so that it need not look again. */
static int arm(const worker *worker, plane_stream *stream, int operation)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = (uint64_t)(uintptr_t)stream};
    return epoll_ctl(worker->epoll, operation, stream->rtp, &event);
}

static void send_all(int rtp, struct mmsghdr *messages, int wanted)
{
    for (int done = 0; done < wanted;) {
        int sent;
        if (wanted - done == 1) {
            const struct msghdr *last = &messages[done].msg_hdr;
            sendto(rtp, last->msg_iov->iov_base, last->msg_iov->iov_len, MSG_DONTWAIT, last->msg_name,
                   last->msg_namelen);
            return; /* a full buffer, an address without a route: RTP loses packets */
        }
        sent = sendmmsg(rtp, messages + done, (unsigned)(wanted - done), MSG_DONTWAIT);
        done += sent > 0 ? sent : 1; /* the one that failed is lost */
    }
}

/* Send on what was read from a stream's socket. */
static void serve(worker *worker, plane_stream *stream, int got, double now)
{
    plane *plane = worker->plane;
    int rtp = -1, sending = 0, untold;
    pthread_mutex_lock(&plane->lock);
    for (int i = 0; i < got; i++) {
        uint32_t length = worker->received[i].msg_len;
        plane_stream *peer;
        worker->from[i].length = worker->received[i].msg_hdr.msg_namelen;
        peer = relay(stream, worker->data[i], &length, &worker->from[i], now, 0, &worker->to[i]);
        if (!peer)
            continue;
        rtp = peer->rtp; /* one for all: who hears the leg doesn't change under the lock */
        worker->written[sending] = (struct iovec){worker->data[i], length};
        worker->sent[sending].msg_hdr = (struct msghdr){.msg_name = &worker->to[i].at,
                                                        .msg_namelen = worker->to[i].length,
                                                        .msg_iov = &worker->written[sending],
                                                        .msg_iovlen = 1};
        sending++;
    }
    untold = plane->untold;
    plane->untold = 0;
    pthread_mutex_unlock(&plane->lock);
    send_all(rtp, worker->sent, sending);
    if (untold)
        wake(plane);
}

/* Read a socket until it is empty, which epoll expects of us, but not for ever. */
static void drain(worker *worker, plane_stream *stream)
{
    for (int batches = 0; batches < BATCHES; batches++) {
        int got;
        for (int i = 0; i < BATCH; i++)
            worker->received[i].msg_hdr.msg_namelen = sizeof worker->from[i].at;
        got = recvmmsg(stream->rtp, worker->received, BATCH, MSG_DONTWAIT, NULL);
        if (got > 0)
            serve(worker, stream, got, now_seconds());
        if (got < BATCH)
            return;
    }
    arm(worker, stream, EPOLL_CTL_MOD); /* what is left is told again, after all others */
}

/* Reports on a port of their own: behind a NAT they may come from any port of the leg's. */
static void hear_reports(worker *worker, plane_stream *stream)
{
    plane *plane = worker->plane;
    uint8_t *data = worker->data[0];
    for (int i = 0; i < BATCH; i++) {
        address from = {.length = sizeof from.at};
        ssize_t length =
            recvfrom(stream->rtcp, data, PLANE_DATAGRAM_BYTES, MSG_DONTWAIT, &from.at.any, &from.length);
        double now = now_seconds();
        int untold;
        if (length < 0)
            return;
        pthread_mutex_lock(&plane->lock);
        if (stream->claimed && same_host(&from, &stream->record->heard_from))
            hear_report(stream, data, (uint32_t)length, &from, now);
        untold = plane->untold;
        plane->untold = 0;
        pthread_mutex_unlock(&plane->lock);
        if (untold)
            wake(plane);
    }
}

static void *work(void *argument)
{
    worker *worker = argument;
    struct epoll_event ready[TURN];
    const struct timespec pause = {0, PAUSE_NS};
    double begun = 0.0, now;
    int crowded = 0, count;
    prctl(PR_SET_TIMERSLACK, 1000ul); /* nanoseconds */
    for (;;) {
        if (crowded) /* let packets gather: to be woken for each costs as much as to move it */
            nanosleep(&pause, NULL);
        count = epoll_wait(worker->epoll, ready, TURN, -1);
        now = now_seconds();
        crowded = now - begun < 3e-9 * PAUSE_NS;
        begun = now;
        if (count < 0 && errno != EINTR)
            return NULL;
        for (int i = 0; i < count; i++) {
            /* The lowest bit says that it is the RTCP socket. */
            plane_stream *stream = (plane_stream *)(uintptr_t)(ready[i].data.u64 & ~(uint64_t)1);
            if (!stream)
                return NULL; /* plane_free */
            if (ready[i].data.u64 & 1)
                hear_reports(worker, stream);
            else
                drain(worker, stream);
        }
    }
}

static worker *new_worker(plane *plane)
{
    worker *made = calloc(1, sizeof *made);
    struct epoll_event stop = {.events = EPOLLIN, .data.u64 = 0};
    if (!made)
        return NULL;
    made->plane = plane;
    made->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (made->epoll < 0 || epoll_ctl(made->epoll, EPOLL_CTL_ADD, plane->stop, &stop)) {
        if (made->epoll >= 0)
            close(made->epoll);
        free(made);
        return NULL;
    }
    for (int i = 0; i < BATCH; i++) {
        made->read[i] = (struct iovec){made->data[i], PLANE_DATAGRAM_BYTES};
        made->received[i].msg_hdr =
            (struct msghdr){.msg_name = &made->from[i].at, .msg_iov = &made->read[i], .msg_iovlen = 1};
    }
    return made;
}

plane *plane_new(uint8_t *memory, int threads)
{
    plane *made = calloc(1, sizeof *made);
    uint8_t *heard;
    if (!made)
        return NULL;
    heard = mmap(NULL, ring_memory(RING_BYTES), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (heard == MAP_FAILED) {
        free(made);
        return NULL;
    }
    loudness_begin();
    pthread_mutex_init(&made->lock, NULL);
    made->heard = ring_in(heard, RING_BYTES);
    made->memory = memory;
    made->stop = eventfd(0, EFD_CLOEXEC);
    made->told = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    for (made->wanted = 0; made->wanted < threads && made->wanted < MAX_THREADS; made->wanted++)
        if (!(made->workers[made->wanted] = new_worker(made)))
            break;
    if (made->stop >= 0 && made->told >= 0 && made->wanted && made->wanted >= threads)
        return made;
    plane_free(made);
    return NULL;
}

int plane_start(plane *plane)
{
    sigset_t all, before;
    int error = 0;
    sigfillset(&all); /* signals are for Python's thread */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (!error && plane->running < plane->wanted) {
        worker *worker = plane->workers[plane->running];
        error = pthread_create(&worker->thread, NULL, work, worker);
        if (!error) {
            pthread_setname_np(worker->thread, "beffroi-rtp");
            plane->running++;
        }
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

void plane_free(plane *plane)
{
    uint64_t one = 1;
    ssize_t written = write(plane->stop, &one, sizeof one); /* nobody reads it: it wakes all threads */
    (void)written;
    for (int i = 0; i < plane->running; i++)
        pthread_join(plane->workers[i]->thread, NULL);
    for (int i = 0; i < plane->wanted; i++) {
        close(plane->workers[i]->epoll);
        free(plane->workers[i]);
    }
    for (int i = 0; i < PLANE_RECORDS; i++)
        if (plane->streams[i]) {
            keys_forget(&plane->streams[i]->kept_outgoing);
            keys_forget(&plane->streams[i]->kept_incoming);
            free(plane->streams[i]);
        }
    munmap(plane->heard.counts, ring_memory(RING_BYTES));
    if (plane->stop >= 0)
        close(plane->stop);
    if (plane->told >= 0)
        close(plane->told);
    pthread_mutex_destroy(&plane->lock);
    free(plane);
}

int plane_events_fd(const plane *plane)
{
    return plane->told;
}

int plane_next_event(plane *plane, plane_event *event)
{
    int found;
    uint64_t told;
    pthread_mutex_lock(&plane->lock);
    found = plane->first_event != plane->last_event;
    if (found)
        *event = plane->events[plane->first_event++ % EVENTS];
    pthread_mutex_unlock(&plane->lock);
    if (!found && read(plane->told, &told, sizeof told) > 0)
        return plane_next_event(plane, event); /* one may have come just before the read */
    return found;
}

int plane_next_heard(plane *plane, plane_heard_t *packet)
{
    if (plane->in_hand)
        ring_done(&plane->heard);
    return plane->in_hand = ring_next(&plane->heard, packet);
}

void plane_wake(const plane *plane)
{
    wake(plane);
}

uint64_t plane_lost(const plane *plane)
{
    return atomic_load_explicit(&plane->heard.counts->lost, memory_order_relaxed);
}

unsigned plane_suites(void)
{
    return keys_suites();
}

/* -- streams ------------------------------------------------------------------------------------ */

plane_stream *plane_add(plane *plane, uint32_t number, int rtp, int rtcp, const char *cname)
{
    worker *worker = plane->workers[number / 2 % (uint32_t)plane->wanted];
    plane_stream *made = calloc(1, sizeof *made);
    struct epoll_event event = {.events = EPOLLIN};
    if (!made)
        return NULL;
    if (number / 2 >= PLANE_RECORDS || plane->streams[number / 2]) {
        free(made);
        errno = EINVAL;
        return NULL;
    }
    made->plane = plane;
    made->number = number;
    made->record = (record *)(void *)(plane->memory + (size_t)(number / 2) * PLANE_RECORD_BYTES);
    made->ipv6 = number >= 0x10000;
    made->rtp = rtp;
    made->rtcp = rtcp;
    made->clock_rate = 8000;
    tape_nothing(made);
    strncpy(made->cname, cname, CNAME_BYTES - 1);
    event.data.u64 = (uint64_t)(uintptr_t)made | 1;
    if (epoll_ctl(worker->epoll, EPOLL_CTL_ADD, rtcp, &event)) {
        free(made);
        return NULL;
    }
    plane->streams[number / 2] = made;
    if (arm(worker, made, EPOLL_CTL_ADD)) {
        epoll_ctl(worker->epoll, EPOLL_CTL_DEL, rtcp, NULL);
        return NULL; /* a thread may have it in hand: freed with the plane */
    }
    return made;
}

/* The record of a leg that nobody has heard yet. */
static void begin_record(record *record, uint32_t ssrc, uint32_t sequence, uint32_t timestamp)
{
    memset(record, 0, sizeof *record);
    record->ssrc = ssrc;
    record->sequence = (uint16_t)sequence;
    record->timestamp = timestamp;
    record->source = WE_SPEAK;
    record->heard_ssrc = -1;
    record->sent_at = record->heard_at = -1.0;
    record->sent_index = record->heard_index = -1;
    settle();
    record->alive = ALIVE;
}

static void forget_keys(plane_stream *stream)
{
    stream->security = PLANE_CLEAR;
    stream->out = stream->in = NULL;
    keys_forget(&stream->kept_outgoing);
    keys_forget(&stream->kept_incoming);
}

uint32_t plane_claim(plane_stream *stream, int again, uint32_t ssrc, uint32_t sequence, uint32_t timestamp)
{
    record *record = stream->record;
    pthread_mutex_lock(&stream->plane->lock);
    forget_keys(stream);
    if (again && record->alive == ALIVE) {
        /* What spoke then goes on by its own numbers; for us it is as if another one had spoken. */
        if (record->source == WE_SPEAK)
            record->source = ANOTHER_PROCESS;
    } else {
        record->alive = 0;
        settle();
        begin_record(record, ssrc, sequence, timestamp);
    }
    stream->generation++;
    stream->claimed = 1;
    stream->echoes = stream->plays = stream->silence_told = 0;
    stream->hearing = stream->mux = stream->datagrams = stream->pictures = 0;
    stream->peer = NULL;
    stream->destination.length = stream->rtcp_destination.length = 0;
    stream->latch_until = stream->watched_since = stream->reports_from = -1.0;
    stream->told_ssrc = -1;
    tape_nothing(stream);
    stream->key.heard = 0;
    stream->second_ends = -1.0;
    memset(stream->payload_types, PLANE_NO_TYPE, sizeof stream->payload_types);
    memset(stream->events, 0, sizeof stream->events);
    pthread_mutex_unlock(&stream->plane->lock);
    return stream->generation;
}

void plane_release(plane_stream *stream)
{
    pthread_mutex_lock(&stream->plane->lock);
    stream->claimed = 0;
    tape_nothing(stream);
    stream->generation++;
    stream->record->alive = 0;
    forget_keys(stream);
    pthread_mutex_unlock(&stream->plane->lock);
}

/* Say where the leg is: where its SDP says, or behind NAT where it was heard from. */
static void place(plane_stream *stream, const plane_route_t *route, double now)
{
    address *heard_from = &stream->record->heard_from;
    int found = heard_from->length != 0;
    address known = found ? *heard_from : stream->destination;
    if (!route->rtp.family) {
        /* Hold by an address of zeros: nothing is sent, and the leg may still send from where it was. */
        stream->destination.length = stream->rtcp_destination.length = 0;
    } else if (route->nat && known.length) {
        stream->destination = known;
        stream->rtcp_destination = stream->mux ? known : beside(known);
    } else {
        stream->destination = from_plain(&route->rtp);
        stream->rtcp_destination = from_plain(stream->mux ? &route->rtp : &route->rtcp);
        *heard_from = stream->destination;
    }
    if (route->latch && !(route->again && found)) {
        heard_from->length = 0;
        stream->latch_until = now + LATCH_SECONDS;
    }
}

/* Let a leg's keys be in force, going on where a process before this one left them. Returns 0 when they can't
 * be: then nothing passes. */
static int secure(plane_stream *stream, const plane_route_t *route)
{
    record *record = stream->record;
    keys_place sent = {record->ssrc, record->sent_index, record->reports};
    keys_place heard = {(uint32_t)record->heard_ssrc, record->heard_index, 0};
    int went_on = record->our_key == route->ours.fingerprint, goes_on = record->their_key == route->theirs.fingerprint;
    stream->security = route->security;
    stream->out = stream->in = NULL;
    if (route->security == PLANE_CLEAR)
        return 1;
    if (route->security == PLANE_SECURED) {
        stream->out = keys_outgoing(&stream->kept_outgoing, &route->ours, record->ssrc, went_on ? &sent : NULL);
        stream->in = keys_incoming(&stream->kept_incoming, &route->theirs, goes_on ? &heard : NULL);
    }
    if (!went_on) {
        record->our_key = 0;
        settle();
        record->sent_index = stream->out ? keys_newest(stream->out) : -1;
        record->reports = 0;
        settle();
        record->our_key = route->ours.fingerprint;
    }
    if (!goes_on) {
        record->their_key = 0;
        settle();
        record->heard_index = -1;
        settle();
        record->their_key = route->theirs.fingerprint;
    }
    return route->security == PLANE_SEALED || (stream->out && stream->in);
}

int plane_route(plane_stream *stream, const plane_route_t *route, plane_stream *peer, double now)
{
    int secured;
    pthread_mutex_lock(&stream->plane->lock);
    stream->peer = peer;
    stream->peer_generation = peer ? peer->generation : 0;
    stream->mux = route->mux;
    stream->datagrams = route->datagrams;
    stream->pictures = route->pictures;
    place(stream, route, now);
    secured = secure(stream, route);
    memcpy(stream->payload_types, route->payload_types, sizeof stream->payload_types);
    if (route->mux)
        memset(stream->payload_types + 64, PLANE_NO_TYPE, 32); /* RFC 5761 section 4: these are RTCP's then */
    memcpy(stream->events, route->events, sizeof stream->events);
    stream->clock_rate = route->clock_rate;
    if (!route->watch) {
        stream->watched_since = -1.0;
        stream->silence_told = 0;
    } else if (stream->watched_since < 0) {
        stream->watched_since = now;
    }
    pthread_mutex_unlock(&stream->plane->lock);
    return secured;
}

void plane_keys_used(plane_stream *stream, plane_keys_used_t *used)
{
    const record *record = stream->record;
    pthread_mutex_lock(&stream->plane->lock);
    *used = (plane_keys_used_t){record->our_key,     record->their_key,
                                record->sent_index,  record->heard_ssrc < 0 ? -1 : record->heard_index,
                                (uint32_t)record->heard_ssrc, record->reports, record->ssrc};
    pthread_mutex_unlock(&stream->plane->lock);
}

void plane_hear(plane_stream *stream, int hearing)
{
    pthread_mutex_lock(&stream->plane->lock);
    stream->hearing = hearing;
    pthread_mutex_unlock(&stream->plane->lock);
}

void plane_tape(plane *plane, uint8_t *memory)
{
    pthread_mutex_lock(&plane->lock);
    plane->tape = ring_in(memory, TAPE_BYTES);
    pthread_mutex_unlock(&plane->lock);
}

void plane_record(plane_stream *stream, uint32_t recording, uint32_t by_leg, uint32_t to_leg)
{
    taping *place;
    pthread_mutex_lock(&stream->plane->lock);
    place = taping_of(stream, recording);
    if (!recording && by_leg == TAPE_NO_TRACK && to_leg == TAPE_NO_TRACK)
        tape_nothing(stream);
    else if (place && stream->claimed && stream->plane->tape.counts)
        *place = (taping){recording, by_leg, to_leg, is_free(place) ? 0 : place->untaped};
    stream->taped = 0;
    for (int i = 0; i < MOST_TAPINGS; i++)
        stream->taped |= (stream->tapings[i].by_leg != TAPE_NO_TRACK ? TAPED_BY_LEG : 0) |
                         (stream->tapings[i].to_leg != TAPE_NO_TRACK ? TAPED_TO_LEG : 0);
    pthread_mutex_unlock(&stream->plane->lock);
}

void plane_echo(plane_stream *stream, int on)
{
    pthread_mutex_lock(&stream->plane->lock);
    stream->echoes = on;
    pthread_mutex_unlock(&stream->plane->lock);
}

void plane_play(plane_stream *stream, int on)
{
    pthread_mutex_lock(&stream->plane->lock);
    stream->plays = on;
    pthread_mutex_unlock(&stream->plane->lock);
}

uint32_t plane_speak(plane_stream *stream, const uint8_t *payload, uint32_t length, int marker,
                     uint32_t advance_ticks, int payload_type, double now, plane_packet *packet)
{
    record *record = stream->record;
    int untold;
    packet->length = 0;
    if (length > PLANE_DATAGRAM_BYTES - HEADER_BYTES)
        return 0;
    pthread_mutex_lock(&stream->plane->lock);
    if (stream->datagrams) {
        /* who speaks no RTP isn't spoken to */
    } else if (stream->destination.length && !length) {
        record->timestamp += advance_ticks;
    } else if (stream->destination.length) {
        if (record->source != WE_SPEAK || record->sent_at < 0 || advance_ticks == UINT32_MAX) {
            /* The first one after another source starts a talk spurt, later by the time passed. */
            marker = 1;
            advance_ticks = gap(record, stream->clock_rate, now);
            record->source = WE_SPEAK;
        }
        record->sequence++;
        record->timestamp += advance_ticks;
        record->sent_at = now;
        record->packets_sent++;
        record->octets_sent += length;
        packet->data[0] = 0x80;
        packet->data[1] = (uint8_t)((payload_type & 0x7F) | (marker ? 0x80 : 0));
        put32(put32(put16(packet->data + 2, record->sequence), record->timestamp), record->ssrc);
        memcpy(packet->data + HEADER_BYTES, payload, length);
        packet->length = HEADER_BYTES + length;
        to_plain(&stream->destination, &packet->to);
        /* What is converted for the leg is its peer's, and on the peer's track as it was received. */
        if (stream->taped & TAPED_TO_LEG && stream->plays)
            tape_packet(stream, TAPED_TO_LEG, packet->data, packet->length, now);
        if (!seal(stream, packet->data, &packet->length, now))
            packet->length = 0;
    }
    untold = stream->plane->untold;
    stream->plane->untold = 0;
    pthread_mutex_unlock(&stream->plane->lock);
    if (untold)
        wake(stream->plane);
    return packet->length;
}

void plane_speak_to_all(plane_stream *const *streams, uint32_t count, const uint8_t *payload, uint32_t length,
                        int marker, uint32_t advance_ticks, int payload_type, double now, plane_packet *packet)
{
    for (uint32_t i = 0; i < count; i++)
        if (plane_speak(streams[i], payload, length, marker, advance_ticks, payload_type, now, packet))
            plane_transmit(streams[i], packet, 0);
}

/* RFC 3550 section 6.5: the CNAME, ended by one to four zero bytes. */
static uint8_t *describe(uint8_t *at, uint32_t ssrc, const char *cname)
{
    size_t text = strlen(cname), chunk = (6 + text) / 4 * 4 + 4;
    at[0] = 0x81;
    at[1] = 202;
    put32(put16(at + 2, (uint32_t)chunk / 4), ssrc);
    memset(at + 8, 0, chunk - 4);
    at[8] = 1;
    at[9] = (uint8_t)text;
    memcpy(at + 10, cname, text);
    return at + 4 + chunk;
}

/* What asks for a whole picture: PLI (RFC 4585 section 6.3.1), or FIR (RFC 5104 section 4.3.1). */
static uint8_t *ask(uint8_t *at, int asks, uint32_t sender, uint32_t ssrc, uint32_t number)
{
    int fir = asks == 2;
    at[0] = fir ? 0x84 : 0x81;
    at[1] = 206;
    at = put32(put16(at + 2, fir ? 4 : 2), sender);
    return fir ? put32(put32(put32(at, 0), ssrc), number << 24) : put32(at, ssrc);
}

/* RFC 3550 appendix A.3: what was lost since our last report, of 256. */
static uint32_t fraction_lost(plane_stream *stream)
{
    const record *record = stream->record;
    int known = stream->told_ssrc == record->heard_ssrc;
    int64_t expected = (int64_t)(expected_of(record) - (known ? stream->told_expected : 0));
    int64_t lost = expected - (int64_t)(record->received - (known ? stream->told_received : 0));
    stream->told_ssrc = record->heard_ssrc;
    stream->told_expected = expected_of(record);
    stream->told_received = record->received;
    if (expected <= 0 || lost <= 0)
        return 0;
    return lost * 256 / expected < 255 ? (uint32_t)(lost * 256 / expected) : 255;
}

/* RFC 3550 section 6.4: see `media/rtcp.py` for what is left at zero and why. */
uint32_t plane_report(plane_stream *stream, int64_t sender, uint32_t last_report, uint32_t delay, int asks, uint32_t number,
                      double now, plane_packet *packet)
{
    record *record = stream->record;
    uint8_t *start = packet->data, *at = start + 4;
    uint64_t lost, clock = (uint64_t)(now * 4294967296.0);
    packet->length = 0;
    pthread_mutex_lock(&stream->plane->lock);
    if (stream->rtcp_destination.length && !stream->datagrams) {
        start[0] = record->heard_ssrc < 0 ? 0x80 : 0x81;
        start[1] = record->packets_sent ? 200 : 201;
        at = put32(at, record->ssrc);
        if (record->packets_sent) {
            at = put32(put32(at, (uint32_t)(clock >> 32)), (uint32_t)clock);
            at = put32(at, record->timestamp);
            at = put32(put32(at, (uint32_t)record->packets_sent), (uint32_t)record->octets_sent);
        }
        if (record->heard_ssrc >= 0) {
            lost = lost_of(record);
            at = put32(at, (uint32_t)record->heard_ssrc);
            at = put32(at, fraction_lost(stream) << 24 | (lost < 0x7FFFFF ? (uint32_t)lost : 0x7FFFFF));
            at = put32(put32(at, (uint32_t)highest_of(record)), (uint32_t)record->jitter_ticks);
            at = sender == record->heard_ssrc ? put32(put32(at, last_report), delay) : put32(put32(at, 0), 0);
        }
        put16(start + 2, (uint32_t)(at - start) / 4 - 1);
        at = describe(at, record->ssrc, stream->cname);
        if (asks && record->heard_ssrc >= 0)
            at = ask(at, asks, record->ssrc, (uint32_t)record->heard_ssrc, number);
        packet->length = (uint32_t)(at - start);
        to_plain(&stream->rtcp_destination, &packet->to);
        if (stream->security != PLANE_CLEAR)
            record->reports++;
        if (stream->security == PLANE_SECURED && !keys_seal_report(stream->out, start, &packet->length))
            packet->length = 0;
    }
    pthread_mutex_unlock(&stream->plane->lock);
    return packet->length;
}

int plane_transmit(plane_stream *stream, const plane_packet *packet, int rtcp)
{
    address to = from_plain(&packet->to);
    if (packet->length > PLANE_DATAGRAM_BYTES)
        return EMSGSIZE;
    if (sendto(rtcp && !stream->mux ? stream->rtcp : stream->rtp, packet->data, packet->length, MSG_DONTWAIT, &to.at.any,
               to.length) < 0)
        return errno;
    return 0;
}

double plane_silence(plane_stream *stream, double silence_seconds, double now)
{
    double silent = -1.0;
    pthread_mutex_lock(&stream->plane->lock);
    if (stream->watched_since >= 0 && !stream->silence_told) {
        double heard_at = stream->record->heard_at;
        silent = now - (heard_at > stream->watched_since ? heard_at : stream->watched_since);
        if (silent >= silence_seconds)
            stream->silence_told = 1;
        else
            silent = -1.0;
    }
    pthread_mutex_unlock(&stream->plane->lock);
    return silent;
}

void plane_read(plane_stream *stream, plane_counts_t *counts, double now)
{
    const record *record = stream->record;
    pthread_mutex_lock(&stream->plane->lock);
    to_plain(record->heard_from.length ? &record->heard_from : &stream->destination, &counts->remote);
    counts->packets = record->packets;
    counts->octets = record->octets;
    counts->packets_sent = record->packets_sent;
    counts->lost = lost_of(record);
    counts->third_party = record->third_party;
    counts->invalid = record->invalid;
    counts->limited = record->limited;
    counts->jitter_ticks = record->jitter_ticks;
    counts->silent_seconds = record->heard_at < 0 ? -1.0 : now > record->heard_at ? now - record->heard_at : 0.0;
    pthread_mutex_unlock(&stream->plane->lock);
}

int64_t plane_receive(plane_stream *stream, const uint8_t *data, uint32_t length, const plane_address *from,
                      double now, int opened, plane_packet *packet)
{
    address source = from_plain(from), to = {.length = 0};
    plane_stream *peer;
    int untold;
    if (length > PLANE_DATAGRAM_BYTES)
        length = PLANE_DATAGRAM_BYTES; /* as a read cuts it */
    memcpy(packet->data, data, length);
    packet->length = length;
    pthread_mutex_lock(&stream->plane->lock);
    peer = relay(stream, packet->data, &packet->length, &source, now, opened, &to);
    untold = stream->plane->untold;
    stream->plane->untold = 0;
    pthread_mutex_unlock(&stream->plane->lock);
    if (untold)
        wake(stream->plane);
    to_plain(&to, &packet->to);
    return peer ? (int64_t)peer->number : -1;
}
