/* The C data plane (media/native) beset: compiled with sanitizers by plane_fuzz.py.
 *
 *     plane_fuzz packets COUNT      strange datagrams and routes, given one by one; prints how many
 *     plane_fuzz threads SECONDS    four threads relay what four others send, while calls begin and end;
 *                                   prints how many packets legs were heard with
 */
#define _GNU_SOURCE
#include "plane.c"

#include <stdio.h>
#include <sys/mman.h>

enum { STREAMS = 16, SENDERS = 4, FIRST = 20000, KEYS = 5 };
static const uint32_t SSRC = 0x01010101; /* of those who encrypt */

static uint64_t state = 20261122;
static plane_stream *streams[STREAMS];
static struct sockaddr_in places[STREAMS];
static atomic_int over;
static session *phones; /* with each of the keys */

static uint64_t chance(uint64_t most)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % most;
}

static void stop(const char *why)
{
    perror(why);
    exit(2);
}

static int bound(struct sockaddr_in *place)
{
    socklen_t length = sizeof *place;
    int made = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    *place = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (made < 0 || bind(made, (void *)place, sizeof *place) || getsockname(made, (void *)place, &length))
        stop("bind");
    return made;
}

static plane *begin(int threads)
{
    struct sockaddr_in unused;
    uint8_t *memory = mmap(NULL, (size_t)PLANE_RECORDS * PLANE_RECORD_BYTES, PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    plane *made = memory == MAP_FAILED ? NULL : plane_new(memory, threads);
    if (!made)
        stop("plane_new");
    for (int i = 0; i < STREAMS; i++) {
        int rtp = bound(&places[i]), rtcp = bound(&unused);
        streams[i] = plane_add(made, (uint32_t)(FIRST + 2 * i), rtp, rtcp, "beffroi@127.0.0.1");
        if (!streams[i])
            stop("plane_add");
    }
    return made;
}

static plane_address somewhere(void)
{
    plane_address made = {.host = {127, 0, 0, 1}, .port = (uint16_t)(9000 + chance(3)), .family = 4};
    if (!chance(20))
        made.family = 6;
    if (!chance(20))
        made.family = 0;
    return made;
}

/* One of few keys, so that legs meet their own again. */
static plane_key some_key(void)
{
    uint64_t number = 1 + chance(KEYS);
    plane_key made = {.fingerprint = number, .suite = (uint32_t)(number % 4)};
    memset(made.key, (int)number, sizeof made.key);
    if (number == KEYS) {
        made.mki_bytes = 3;
        memcpy(made.mki, "key", 3);
    }
    return made;
}

/* One of the things that Python may say of a stream. */
static void change(plane_stream *stream, double now, plane_packet *packet)
{
    plane_route_t route = {.nat = (int)chance(2), .latch = (int)chance(2), .again = (int)chance(2)};
    plane_counts_t counts;
    uint8_t payload[160] = {0};
    switch (chance(9)) {
    case 0:
        plane_release(stream);
        break;
    case 1:
        plane_claim(stream, (int)chance(2), (uint32_t)chance(UINT32_MAX), (uint32_t)chance(65536), 1);
        break;
    case 2:
        plane_echo(stream, (int)chance(2));
        break;
    case 3:
        plane_play(stream, (int)chance(2));
        plane_speak(stream, payload, (uint32_t)chance(161), (int)chance(2), 160, 8, now, packet);
        plane_speak_to_all(streams, (uint32_t)chance(4), payload, (uint32_t)chance(161), 0, 160, 8, now, packet);
        break;
    case 4:
        plane_report(stream, (int64_t)chance(3) - 1, 7, 7, (int)chance(3), (uint32_t)chance(256), now, packet);
        plane_silence(stream, 1.0, now);
        break;
    case 5:
        plane_read(stream, &counts, now);
        break;
    case 6:
        plane_hear(stream, (int)chance(4));
        break;
    default:
        route.rtp = route.rtcp = somewhere();
        route.watch = (int)chance(2);
        route.mux = !chance(4);
        route.datagrams = !chance(8);
        route.pictures = (int)chance(2);
        route.security = chance(2) ? PLANE_CLEAR : chance(4) ? PLANE_SECURED : PLANE_SEALED;
        route.ours = some_key();
        route.theirs = some_key();
        route.clock_rate = chance(2) ? 8000 : 48000;
        for (int i = 0; i < 128; i++)
            route.payload_types[i] = (uint8_t)(chance(3) ? i : PLANE_NO_TYPE);
        route.events[101] = 1;
        plane_route(stream, &route, chance(8) ? streams[chance(STREAMS)] : NULL, now);
    }
}

static uint32_t datagram(uint8_t *data)
{
    uint32_t length = (uint32_t)(chance(50) ? chance(200) : chance(PLANE_DATAGRAM_BYTES + 1));
    for (uint32_t i = 0; i < length && i < 40; i++)
        data[i] = (uint8_t)chance(256);
    if (length >= HEADER_BYTES && chance(10)) {
        data[0] = (uint8_t)(chance(4) ? 0x80 : 0x80 | chance(64));
        data[1] = (uint8_t)(chance(2) ? 8 : 101);
        memset(data + 4, (int)chance(2), 8);
        data[length - 1] = (uint8_t)chance(256);
        if (chance(2) && length < KEYS_MOST_BYTES) {
            static uint16_t sequence;
            plane_key key = some_key();
            data[0] = 0x80;
            put16(data + 2, ++sequence);
            put32(data + 8, SSRC);
            if (chance(4)) {
                keys_seal(keys_outgoing(&phones, &key, SSRC, NULL), data, &length);
            } else {
                data[1] = 200;
                put32(data + 4, SSRC);
                keys_seal_report(keys_outgoing(&phones, &key, SSRC, NULL), data, &length);
            }
        }
    }
    return length;
}

/* Read what is for the loop, which opens one half of what it is to open. */
static void listen_some(plane *plane, double now, plane_packet *packet)
{
    plane_heard_t heard;
    while (plane_next_heard(plane, &heard)) {
        uint32_t sum = 0;
        for (uint32_t i = 0; i < heard.length; i++)
            sum += heard.data[i];
        if (heard.kind == PLANE_TO_OPEN && sum % 2)
            plane_receive(plane->streams[heard.number / 2], heard.data, heard.length, &heard.address, now, 1, packet);
        if (!chance(10))
            return;
    }
}

static uint64_t packets(uint64_t wanted)
{
    plane *plane = begin(1);
    plane_packet packet;
    plane_event event;
    double now = 1000.0;
    for (uint64_t done = 0; done < wanted; done++) {
        plane_address from = somewhere();
        uint32_t length;
        uint8_t *exact;
        uint8_t data[PLANE_DATAGRAM_BYTES + KEYS_MOST_GROWTH] = {0};
        now += 0.001 * (double)chance(30);
        if (!chance(20))
            change(streams[chance(STREAMS)], now, &packet);
        length = datagram(data);
        exact = malloc(length); /* of this very size: one byte too far is found */
        if (!exact && length)
            stop("malloc");
        memcpy(exact, data, length);
        plane_receive(streams[chance(STREAMS)], exact, length, &from, now, 0, &packet);
        free(exact);
        if (!chance(4))
            listen_some(plane, now, &packet);
        while (!chance(4) && plane_next_event(plane, &event))
            continue;
    }
    plane_free(plane);
    keys_forget(&phones);
    return wanted;
}

static void *send_some(void *unused)
{
    uint8_t packet[172] = {0x80, 8};
    struct sockaddr_in place;
    int from = bound(&place);
    (void)unused;
    for (uint32_t n = 0; !atomic_load(&over); n++) {
        packet[1] = n % 7 ? 8 : 101;
        put16(packet + 2, n);
        put32(packet + 4, n * 160);
        sendto(from, packet, sizeof packet, 0, (void *)&places[n % STREAMS], sizeof places[0]);
    }
    close(from);
    return NULL;
}

static uint64_t threads(int seconds)
{
    plane *plane = begin(4);
    pthread_t senders[SENDERS];
    plane_packet packet;
    plane_event event;
    uint64_t heard = 0;
    double ends = now_seconds() + seconds;
    if (plane_start(plane))
        stop("plane_start");
    for (int i = 0; i < SENDERS; i++)
        pthread_create(&senders[i], NULL, send_some, NULL);
    while (now_seconds() < ends) {
        for (int i = 0; i < STREAMS; i++) {
            plane_counts_t counts;
            change(streams[i], now_seconds(), &packet);
            plane_transmit(streams[i], &packet, 0);
            plane_read(streams[i], &counts, now_seconds());
            if (!chance(10)) {
                heard += counts.packets;
                plane_release(streams[i]);
            }
        }
        while (plane_next_event(plane, &event))
            continue;
        listen_some(plane, now_seconds(), &packet);
    }
    atomic_store(&over, 1);
    for (int i = 0; i < SENDERS; i++)
        pthread_join(senders[i], NULL);
    plane_free(plane);
    return heard;
}

int main(int argc, char **argv)
{
    uint64_t done;
    if (argc != 3)
        return fprintf(stderr, "usage: plane_fuzz packets COUNT | threads SECONDS\n"), 2;
    done = strcmp(argv[1], "threads") ? packets(strtoull(argv[2], NULL, 10)) : threads(atoi(argv[2]));
    printf("%llu\n", (unsigned long long)done);
    return 0;
}
