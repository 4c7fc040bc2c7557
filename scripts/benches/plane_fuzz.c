/* The C data plane (media/native/plane.c) beset: compiled with sanitizers by plane_fuzz.py.
 *
 *     plane_fuzz packets COUNT      strange datagrams and routes, given one by one; prints how many
 *     plane_fuzz threads SECONDS    four threads relay what four others send, while calls begin and end;
 *                                   prints how many packets legs were heard with
 */
#define _GNU_SOURCE
#include "plane.c"

#include <stdio.h>
#include <sys/mman.h>

enum { STREAMS = 16, SENDERS = 4, FIRST = 20000 };

static uint64_t state = 20261122;
static plane_stream *streams[STREAMS];
static struct sockaddr_in places[STREAMS];
static atomic_int over;

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

/* One of the things that Python may say of a stream. */
static void change(plane_stream *stream, double now, plane_packet *packet)
{
    plane_route_t route = {.nat = (int)chance(2), .latch = (int)chance(2), .again = (int)chance(2)};
    plane_counts_t counts;
    uint8_t payload[160] = {0};
    switch (chance(8)) {
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
        break;
    case 4:
        plane_report(stream, now, packet);
        plane_silence(stream, 1.0, now);
        break;
    case 5:
        plane_read(stream, &counts, now);
        break;
    default:
        route.rtp = route.rtcp = somewhere();
        route.watch = (int)chance(2);
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
    }
    if (length)
        data[length - 1] = (uint8_t)chance(256);
    return length;
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
        uint8_t data[PLANE_DATAGRAM_BYTES] = {0};
        now += 0.001 * (double)chance(30);
        if (!chance(20))
            change(streams[chance(STREAMS)], now, &packet);
        length = datagram(data);
        exact = malloc(length); /* of this very size: one byte too far is found */
        if (!exact && length)
            stop("malloc");
        memcpy(exact, data, length);
        plane_receive(streams[chance(STREAMS)], exact, length, &from, now, &packet);
        free(exact);
        while (!chance(4) && plane_next_event(plane, &event))
            continue;
    }
    plane_free(plane);
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
