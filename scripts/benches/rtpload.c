/* Phones that only send and receive RTP: the load of `scripts/bench media`.
 *
 *     rtpload FIRST_PORT SECONDS [THEIR_KEY OUR_KEY] < lines of "PHONE PORT"
 *
 * Phone N is at 127.0.0.1:FIRST_PORT + 2 N and sends 172 bytes each 20 ms to PORT, also on 127.0.0.1. Every
 * payload carries the instant at which it was sent; the kernel says when a packet reached the socket of the
 * phone that hears it, so that our own turns are not in the delay. The first second is not counted.
 * With keys (hexadecimal, AES_CM_128_HMAC_SHA1_80) phones encrypt with the first and expect the second.
 * Prints one JSON object: packets sent, received, delays in microseconds, and the longest stall of ours.
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

enum { MOST_PHONES = 8192, PACKET = 172, HEADER = 12, PERIOD_NS = 20000000, BATCH = 8, RECEIVE_BUFFER = 1 << 20 };
enum { KEY_BYTES = 30 };
static const int64_t SECOND = 1000000000;
static const uint64_t OURS = 0x72747021;

typedef struct {
    int socket;
    struct sockaddr_in to;
    int64_t due;
    uint16_t sequence;
    uint32_t timestamp;
    session *speaks, *hears; /* NULL in clear */
} phone;

static phone phones[MOST_PHONES];
static int count;
static uint32_t *delays;
static size_t measured, room;
static uint64_t sent, received;
static int64_t counted_from, counted_to;

static int64_t now_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * SECOND + now.tv_nsec;
}

static void stop(const char *why)
{
    fprintf(stderr, "rtpload: %s: %s\n", why, strerror(errno));
    exit(2);
}

static void send_packet(phone *from)
{
    uint8_t packet[PACKET + KEYS_MOST_GROWTH] = {0x80, 8};
    uint32_t length = PACKET;
    int64_t now = now_ns(CLOCK_REALTIME);
    uint16_t sequence = htons(from->sequence++);
    uint32_t timestamp = htonl(from->timestamp), ssrc = htonl((uint32_t)(from - phones) + 1);
    from->timestamp += 160;
    memcpy(packet + 2, &sequence, 2);
    memcpy(packet + 4, &timestamp, 4);
    memcpy(packet + 8, &ssrc, 4);
    memcpy(packet + HEADER, &OURS, 8);
    memcpy(packet + HEADER + 8, &now, 8);
    if (from->speaks && !keys_seal(from->speaks, packet, &length))
        stop("encrypt");
    if (sendto(from->socket, packet, length, 0, (void *)&from->to, sizeof from->to) == (ssize_t)length &&
        now >= counted_from && now < counted_to)
        sent++;
}

static void take(const phone *by, const struct msghdr *message, uint8_t *packet, uint32_t length)
{
    int64_t at = 0, arrived = 0;
    uint64_t mark = 0;
    int64_t index;
    if ((by->hears && !keys_open(by->hears, packet, &length, &index)) || length != PACKET)
        return;
    memcpy(&mark, packet + HEADER, 8);
    memcpy(&at, packet + HEADER + 8, 8);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR((struct msghdr *)message, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec stamp;
            memcpy(&stamp, CMSG_DATA(c), sizeof stamp);
            arrived = stamp.tv_sec * SECOND + stamp.tv_nsec;
        }
    if (mark != OURS || !arrived || at < counted_from || at >= counted_to)
        return;
    received++;
    if (measured < room)
        delays[measured++] = arrived > at ? (uint32_t)((arrived - at) / 100) : 0;
}

static void receive(const phone *at)
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

/* A key written in hexadecimal. */
static plane_key read_key(const char *text)
{
    plane_key made = {.fingerprint = 1, .suite = PLANE_AES_CM_80};
    for (int i = 0; i < KEY_BYTES; i++)
        if (sscanf(text + 2 * i, "%2hhx", &made.key[i]) != 1)
            stop("a key");
    return made;
}

int main(int argc, char **argv)
{
    int first = argc > 1 ? atoi(argv[1]) : 0, seconds = argc > 2 ? atoi(argv[2]) : 0, epoll, next = 0;
    int number, port;
    int64_t begun, ends, turn, stall = 0;
    struct epoll_event ready[256];
    if (first < 1024 || seconds < 1 || (epoll = epoll_create1(0)) < 0)
        return fprintf(stderr, "usage: rtpload FIRST_PORT SECONDS [KEYS] < lines of \"PHONE PORT\"\n"), 2;
    while (scanf("%d %d", &number, &port) == 2) {
        phone *made = &phones[count];
        struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(first + 2 * number))};
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = made};
        int on = 1, bytes = RECEIVE_BUFFER;
        if (count++ == MOST_PHONES)
            return fprintf(stderr, "rtpload: more than %d phones\n", MOST_PHONES), 2;
        local.sin_addr.s_addr = made->to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        made->to.sin_family = AF_INET;
        made->to.sin_port = htons((uint16_t)port);
        made->timestamp = (uint32_t)number * 12345;
        if (argc == 5) {
            plane_key theirs = read_key(argv[3]), ours = read_key(argv[4]);
            made->speaks = keys_outgoing(&made->speaks, &theirs, (uint32_t)count, NULL);
            made->hears = keys_incoming(&made->hears, &ours, NULL);
        }
        made->socket = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (made->socket < 0 || bind(made->socket, (void *)&local, sizeof local))
            stop("bind");
        setsockopt(made->socket, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
        setsockopt(made->socket, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, made->socket, &event))
            stop("epoll_ctl");
    }
    if (!count)
        return fprintf(stderr, "rtpload: no phone\n"), 2;
    room = (size_t)count * 50 * (size_t)(seconds + 1);
    delays = malloc(room * sizeof *delays);
    if (!delays)
        stop("malloc");
    begun = now_ns(CLOCK_MONOTONIC);
    counted_from = now_ns(CLOCK_REALTIME) + SECOND;
    counted_to = counted_from + seconds * SECOND;
    ends = begun + (seconds + 2) * SECOND; /* the last packets have a second to arrive */
    for (int i = 0; i < count; i++)
        phones[i].due = begun + (int64_t)PERIOD_NS * i / count;
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
        while (phones[next].due <= now && now < ends - SECOND) {
            send_packet(&phones[next]);
            phones[next].due += PERIOD_NS;
            next = (next + 1) % count;
        }
        wait.tv_sec = 0;
        wait.tv_nsec = phones[next].due > now && phones[next].due - now < 1000000 ? phones[next].due - now : 1000000;
        found = epoll_pwait2(epoll, ready, 256, &wait, NULL);
        for (int i = 0; i < found; i++)
            receive(ready[i].data.ptr);
    }
    qsort(delays, measured, sizeof *delays, by_size);
    printf("{\"sent\": %llu, \"received\": %llu, \"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, "
           "\"longest_us\": %.1f, \"own_stall_us\": %.1f}\n",
           (unsigned long long)sent, (unsigned long long)received, share(0.5), share(0.99), share(0.999), share(1.0),
           (double)stall / 1000);
    return 0;
}
