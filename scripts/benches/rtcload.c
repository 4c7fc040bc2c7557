/* Browsers and phones that only send and receive sound: the load of `scripts/bench webrtc`.
 *
 *     rtcload SECONDS LOG [FRAMES]... < lines of "SOCKET PORT SSRC TYPE STEP SOUND WATCHED SUITE OURS THEIRS CHECK"
 *
 * Each line is a party, with a socket that it inherits (ICE and DTLS are through) and 127.0.0.1:PORT, where it
 * sends a packet of payload type TYPE each 20 ms, STEP ticks apart. SOUND: -1 for 160 bytes that carry the
 * instant at which they were sent, else which FRAMES (a file of frames, each after its length in two bytes) it
 * repeats. SUITE: of plane.h, with OURS (hexadecimal) to encrypt and THEIRS to decrypt; -1 for plain RTP.
 * CHECK: a STUN request (hexadecimal) that is repeated each 2.5 s, "-" for none. The kernel says when a packet
 * reached a party's socket. What parties with WATCHED 1 send and receive goes into LOG, for what only a decoder
 * hears. The first second isn't counted, but in `missing`: what the sequence numbers of all that was heard lack.
 * Prints one JSON object, and a line of it for each party.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "keys.h"

enum { MOST_PARTIES = 1024, MOST_FILES = 4, HEADER = 12, BATCH = 8, RECEIVE_BUFFER = 1 << 20, HEX = 256 };
enum { TIMED_BYTES = 160, PACKET_BYTES = 1500, CHECK_BYTES = 256 };
enum { PERIOD_NS = 20000000 };
static const int64_t SECOND = 1000000000, CHECK_NS = 2500000000;
static const uint64_t OURS = 0x72746321;

typedef struct {
    uint8_t *data;
    size_t *at; /* of each frame, and where the last one ends */
    size_t count;
} frames;

typedef struct {
    int socket, type, sound, watched, secured;
    struct sockaddr_in to;
    int64_t due, check_due;
    uint16_t sequence;
    uint32_t timestamp, step, ssrc, said;
    uint8_t check[CHECK_BYTES];
    size_t check_bytes;
    session *speaks, *hears;
    uint64_t sent, received, strange;
    int64_t heard, lowest, highest; /* sequence numbers since the first one, and how many came */
} party;

/* What LOG holds, little-endian; `bytes` of payload follow. */
typedef struct {
    int64_t at_ns;
    uint32_t party;
    uint16_t sequence, received;
    uint32_t bytes, nothing;
} record;

static party parties[MOST_PARTIES];
static frames files[MOST_FILES];
static int count;
static uint32_t *delays;
static size_t measured, room;
static int64_t counted_from, counted_to;
static FILE *log_file;

static int64_t now_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * SECOND + now.tv_nsec;
}

static void stop(const char *why)
{
    fprintf(stderr, "rtcload: %s: %s\n", why, strerror(errno));
    exit(2);
}

static void note(const party *who, int64_t at, uint16_t sequence, int received, const uint8_t *payload, size_t bytes)
{
    record made = {at, (uint32_t)(who - parties), sequence, (uint16_t)received, (uint32_t)bytes, 0};
    if (fwrite(&made, sizeof made, 1, log_file) != 1 || (bytes && fwrite(payload, bytes, 1, log_file) != 1))
        stop("log");
}

static void send_packet(party *from)
{
    uint8_t packet[PACKET_BYTES + KEYS_MOST_GROWTH] = {0x80, (uint8_t)from->type};
    uint32_t length = HEADER;
    int64_t now = now_ns(CLOCK_REALTIME);
    uint16_t number = from->sequence++, sequence = htons(number);
    uint32_t timestamp = htonl(from->timestamp), ssrc = htonl(from->ssrc);
    from->timestamp += from->step;
    memcpy(packet + 2, &sequence, 2);
    memcpy(packet + 4, &timestamp, 4);
    memcpy(packet + 8, &ssrc, 4);
    if (from->sound < 0) {
        memset(packet + HEADER, 0xd5, TIMED_BYTES);
        memcpy(packet + HEADER, &OURS, 8);
        memcpy(packet + HEADER + 8, &now, 8);
        length += TIMED_BYTES;
    } else {
        const frames *file = &files[from->sound];
        size_t frame = from->said++ % file->count, bytes = file->at[frame + 1] - file->at[frame];
        memcpy(packet + HEADER, file->data + file->at[frame], bytes);
        length += (uint32_t)bytes;
    }
    if (from->speaks && !keys_seal(from->speaks, packet, &length))
        stop("encrypt");
    if (sendto(from->socket, packet, length, 0, (void *)&from->to, sizeof from->to) != (ssize_t)length)
        return;
    if (now >= counted_from && now < counted_to)
        from->sent++;
    if (from->watched)
        note(from, now, number, 0, NULL, 0);
}

static void take(party *by, struct msghdr *message, uint8_t *packet, uint32_t length)
{
    int64_t at = 0, arrived = 0, index;
    uint64_t mark = 0;
    uint16_t sequence;
    if (length < HEADER || packet[0] >> 6 != 2 || (packet[1] >= 192 && packet[1] < 224))
        return; /* STUN, DTLS, RTCP */
    if (by->hears && !keys_open(by->hears, packet, &length, &index)) {
        by->strange++;
        return;
    }
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec stamp;
            memcpy(&stamp, CMSG_DATA(c), sizeof stamp);
            arrived = stamp.tv_sec * SECOND + stamp.tv_nsec;
        }
    memcpy(&sequence, packet + 2, 2);
    sequence = ntohs(sequence);
    index = by->heard++ ? by->highest + (int16_t)(sequence - (uint16_t)by->highest) : sequence;
    by->highest = by->heard > 1 && by->highest > index ? by->highest : index;
    by->lowest = by->heard > 1 && by->lowest < index ? by->lowest : index;
    if (by->watched)
        note(by, arrived, sequence, 1, packet + HEADER, length - HEADER);
    if (length >= HEADER + 16)
        memcpy(&mark, packet + HEADER, 8);
    if (mark != OURS) {
        if (arrived >= counted_from && arrived < counted_to)
            by->received++;
        return;
    }
    memcpy(&at, packet + HEADER + 8, 8);
    if (at < counted_from || at >= counted_to)
        return;
    by->received++;
    if (measured < room)
        delays[measured++] = arrived > at ? (uint32_t)((arrived - at) / 100) : 0;
}

static void receive(party *at)
{
    static uint8_t data[BATCH][2048], control[BATCH][128];
    struct iovec parts[BATCH];
    struct mmsghdr messages[BATCH];
    int got;
    for (int i = 0; i < BATCH; i++) {
        parts[i] = (struct iovec){data[i], sizeof data[i]};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i],
                                              .msg_iovlen = 1,
                                              .msg_control = control[i],
                                              .msg_controllen = sizeof control[i]};
    }
    got = recvmmsg(at->socket, messages, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < got; i++)
        take(at, &messages[i].msg_hdr, data[i], messages[i].msg_len);
}

static int by_size(const void *one, const void *other)
{
    uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;
    return a < b ? -1 : a > b;
}

static double share(double part)
{
    return measured ? delays[(size_t)(part * (double)(measured - 1))] / 10.0 : -1.0;
}

static size_t read_hex(const char *text, uint8_t *into, size_t most)
{
    size_t bytes = strlen(text) / 2;
    if (bytes > most)
        stop("too long");
    for (size_t i = 0; i < bytes; i++)
        if (sscanf(text + 2 * i, "%2hhx", &into[i]) != 1)
            stop("hexadecimal");
    return bytes;
}

static plane_key read_key(const char *text, int suite)
{
    plane_key made = {.fingerprint = 1, .suite = (uint32_t)suite};
    read_hex(text, made.key, sizeof made.key);
    return made;
}

static frames read_frames(const char *path)
{
    frames made = {malloc(1 << 22), malloc((1 << 16) * sizeof(size_t)), 0};
    FILE *file = fopen(path, "rb");
    uint8_t length[2];
    size_t used = 0;
    if (!file || !made.data || !made.at)
        stop(path);
    while (fread(length, 2, 1, file) == 1 && made.count < (1 << 16) - 1) {
        size_t bytes = (size_t)length[0] << 8 | length[1];
        if (bytes > PACKET_BYTES - HEADER || used + bytes > 1 << 22 || fread(made.data + used, bytes, 1, file) != 1)
            stop(path);
        made.at[made.count++] = used;
        used += bytes;
    }
    made.at[made.count] = used;
    fclose(file);
    if (!made.count)
        stop(path);
    return made;
}

int main(int argc, char **argv)
{
    int seconds = argc > 2 ? atoi(argv[1]) : 0, epoll, next = 0, socket, port, type, sound, watched, suite;
    unsigned ssrc, step;
    int64_t begun, ends, turn, stall = 0;
    uint64_t sent = 0, received = 0;
    int64_t missing = 0;
    struct epoll_event ready[256];
    static char ours[HEX], theirs[HEX], check[2 * CHECK_BYTES + 1];
    if (seconds < 1 || argc > 3 + MOST_FILES || (epoll = epoll_create1(0)) < 0)
        return fprintf(stderr, "usage: rtcload SECONDS LOG [FRAMES]... < parties\n"), 2;
    for (int i = 3; i < argc; i++)
        files[i - 3] = read_frames(argv[i]);
    if (!(log_file = fopen(argv[2], "wb")))
        stop(argv[2]);
    while (scanf("%d %d %u %d %u %d %d %d %255s %255s %512s", &socket, &port, &ssrc, &type, &step, &sound, &watched,
                 &suite, ours, theirs, check) == 11) {
        party *made = &parties[count];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = made};
        int on = 1, bytes = RECEIVE_BUFFER;
        if (count++ == MOST_PARTIES || sound >= argc - 3)
            return fprintf(stderr, "rtcload: too many parties, or no such file\n"), 2;
        *made = (party){.socket = socket, .type = type, .step = step, .sound = sound, .watched = watched, .ssrc = ssrc};
        made->to.sin_family = AF_INET;
        made->to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        made->to.sin_port = htons((uint16_t)port);
        made->timestamp = ssrc;
        if (suite >= 0) {
            plane_key speaks = read_key(ours, suite), hears = read_key(theirs, suite);
            made->speaks = keys_outgoing(&made->speaks, &speaks, ssrc, NULL);
            made->hears = keys_incoming(&made->hears, &hears, NULL);
            if (!made->speaks || !made->hears)
                stop("keys");
        }
        if (check[0] != '-')
            made->check_bytes = read_hex(check, made->check, CHECK_BYTES);
        if (setsockopt(socket, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on))
            stop("socket");
        setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event))
            stop("epoll_ctl");
    }
    if (!count)
        return fprintf(stderr, "rtcload: no party\n"), 2;
    room = (size_t)count * 50 * (size_t)(seconds + 1);
    if (!(delays = malloc(room * sizeof *delays)))
        stop("malloc");
    begun = now_ns(CLOCK_MONOTONIC);
    counted_from = now_ns(CLOCK_REALTIME) + SECOND;
    counted_to = counted_from + seconds * SECOND;
    ends = begun + (seconds + 2) * SECOND; /* the last packets have a second to arrive */
    for (int i = 0; i < count; i++) {
        parties[i].due = begun + (int64_t)PERIOD_NS * i / count;
        parties[i].check_due = begun + CHECK_NS * i / count;
    }
    turn = begun;
    for (;;) {
        int64_t now = now_ns(CLOCK_MONOTONIC);
        struct timespec wait;
        int found;
        if (now > ends)
            break;
        if (now - turn > stall)
            stall = now - turn;
        turn = now;
        while (parties[next].due <= now && now < ends - SECOND) {
            party *from = &parties[next];
            send_packet(from);
            if (from->check_bytes && from->check_due <= now) {
                sendto(from->socket, from->check, from->check_bytes, 0, (void *)&from->to, sizeof from->to);
                from->check_due += CHECK_NS;
            }
            from->due += PERIOD_NS;
            next = (next + 1) % count;
        }
        wait.tv_sec = 0;
        wait.tv_nsec = parties[next].due > now && parties[next].due - now < 1000000 ? parties[next].due - now : 1000000;
        found = epoll_pwait2(epoll, ready, 256, &wait, NULL);
        for (int i = 0; i < found; i++)
            receive(ready[i].data.ptr);
    }
    if (fclose(log_file))
        stop("log");
    qsort(delays, measured, sizeof *delays, by_size);
    for (int i = 0; i < count; i++) {
        sent += parties[i].sent;
        received += parties[i].received;
        missing += parties[i].heard ? parties[i].highest - parties[i].lowest + 1 - parties[i].heard : 0;
    }
    printf("{\"sent\": %llu, \"received\": %llu, \"missing\": %lld, \"p50_us\": %.1f, \"p95_us\": %.1f, \"p99_us\": %.1f, "
           "\"longest_us\": %.1f, \"own_stall_us\": %.1f, \"parties\": [",
           (unsigned long long)sent, (unsigned long long)received, (long long)missing, share(0.5), share(0.95), share(0.99), share(1.0),
           (double)stall / 1000);
    for (int i = 0; i < count; i++)
        printf("%s[%llu, %llu, %llu]", i ? ",\n " : "", (unsigned long long)parties[i].sent,
               (unsigned long long)parties[i].received, (unsigned long long)parties[i].strange);
    printf("]}\n");
    return 0;
}
