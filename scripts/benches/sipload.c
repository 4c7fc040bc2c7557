/* sipload: SIP load on loopback, for scripts/bench. One thread, one JSON line on standard output.
 *
 *   sipload register --target 127.0.0.1:5060 --first 10000 --users 10000 [--window 32] [--rate 500]
 *       each user registers once: REGISTER, challenge, REGISTER with credentials, 200
 *   sipload calls --target 127.0.0.1:5060 --first 10000 --users 5000 --callees 15000 --rate 1000 --seconds 10
 *       open loop: a call starts every 1/rate second whether or not the earlier ones fare well.
 *       INVITE, challenge, ACK, INVITE with credentials, 180, 200, ACK, hold, BYE, 200. Both ends are here;
 *       the callees (as many as the users) must be registered before, with `register` and the same --port
 *       --transport tls:17101 --connections 50 (or tcp:, ws:): calls over that many connections a side. The
 *       callees register over theirs first; neither this nor the handshakes are part of what is measured
 *   sipload phones --target 127.0.0.1:5060 --first 10000 --users 10000 --sources 10000 --seconds 60
 *       each phone registers from an address of its own (127.1.0.0/16), as if from behind a NAT; then it answers
 *       what it is asked and sends a double CRLF every 30 s (RFC 5626 section 3.5.1). Only this is measured
 *   sipload flood --target 127.0.0.1:5060 --rate 20000 --sources 1000 --seconds 20
 *       REGISTER without credentials from that many addresses (127.2.0.0/16), whatever is answered
 *   sipload first --target 127.0.0.1:5060 --seconds 30
 *       OPTIONS every 2 ms until something answers; gives the instant on CLOCK_MONOTONIC
 *   sipload mirror --target 127.0.0.1:5060 --seconds 60 [--drop-every 30]
 *       the least that can stand for a PBX: challenges, then passes datagrams on; shows the load's own ceiling,
 *       and its retransmissions when datagrams are dropped
 *
 * A user EXT has the password pwEXT. Sockets: PORT calls, PORT+1 is called and registers, PORT+2 probes, PORT+3
 * floods.
 * What is being measured never shares a retransmission or a pause with what measures it: the probe's answers
 * carry the kernel's time of arrival. Only 127.0.0.0/8 is ever sent to, whatever a peer writes in its Contact.
 *
 * The machines below (times in RFC 3261's T1 = 500 ms, T2 = 4 s):
 *
 *   call:  INVITING --401/407--> INVITING --2xx--> HOLDING --hold over--> ENDING --2xx--> done
 *              | 3xx-6xx, 64*T1                      | BYE from the peer     | 3xx-6xx, 64*T1
 *              v                                     v                       v
 *            failed                                failed                  failed
 *   leg (called side):  ANSWERED --ACK--> CONFIRMED --BYE--> done;  ANSWERED repeats its 200 until the ACK
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_DATAGRAM = 8192,
    MAX_MESSAGE = 2048, /* what we write ourselves */
    MAX_HEADERS = 64,
    MAX_USERS = 100000,
    MAX_CALLS = 32768, /* at one time, and as many called legs */
    MAX_PIDS = 64,
    MAX_WINDOW = 4096,
    MAX_FD = 20000,
    MAX_CONNECTIONS = 1000, /* a side */
    MAX_SOURCES = 16000,
    STREAM_BYTES = 1 << 16,      /* unread of one connection */
    UNSENT_BYTES = 4 << 20,      /* of one connection; beyond it messages are lost, and their calls fail */
    EVENTS_A_TURN = 256,
    LEG_BUCKETS = 65536,
    PROBES = 16384,          /* 32 s of one every 2 ms */
    READS_A_TURN = 64,       /* so that no socket starves the timers */
    TIMERS_A_TURN = 32,      /* so that a late start catches up without starving the sockets */
    CHALLENGES_A_REQUEST = 2 /* the second is for a nonce gone stale */
};

static const double T1 = 0.5, T2 = 4.0, TRANSACTION_SECONDS = 32.0, PROBE_SECONDS = 0.002, REST_SECONDS = 1.0, KEEP_ALIVE_SECONDS = 30.0;

static struct {
    const char *command, *domain, *algorithm;
    struct sockaddr_in target;
    int first, users, callees, window, port, seconds, drop_every, sources, connections, stream_port;
    enum transport { UDP, TCP, TLS, WS } transport;
    double rate, hold_seconds, drain_seconds;
    bool reuse_nonce, probe;
    int pids[MAX_PIDS], pid_count;
} options = {.domain = "localhost",
             .algorithm = "MD5",
             .first = 10000,
             .users = 1,
             .callees = 15000,
             .window = 32,
             .port = 17000,
             .seconds = 10,
             .sources = 1,
             .connections = 50,
             .hold_seconds = 0.5,
             .drain_seconds = 5};

static struct {
    long started, succeeded, timeouts, retransmissions, challenged, hung_up, unanswerable, no_room, legs_unacknowledged;
    long by_status[700];
    long probes_sent, probes_answered;
    long asked, kept_alive, flooded, flood_answered, disconnected, unsent;
    double busiest_turn_seconds;
} counts;

static const char *const VIA[] = {"UDP", "TCP", "TLS", "WS"};
static const char *const CONTACT[] = {"", ";transport=tcp", ";transport=tls", ";transport=ws"};

static volatile sig_atomic_t interrupted;

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("sipload: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(2);
}

static double clock_seconds(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double now(void) { return clock_seconds(CLOCK_MONOTONIC); }

/* ---- text: a bounded buffer that is appended to, and a slice of somebody else's ---- */

struct text {
    char *start;
    size_t used, size;
};

struct slice {
    const char *start;
    int length;
};

#define SLICE(s) (s).length, (s).start /* for "%.*s" */

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(text->start + text->used, text->size - text->used, format, arguments);
    va_end(arguments);
    if (written < 0 || text->used + (size_t)written >= text->size) fail("a message passes %zu bytes", text->size);
    text->used += (size_t)written;
}

static bool equals(struct slice slice, const char *word) {
    return slice.length == (int)strlen(word) && strncasecmp(slice.start, word, (size_t)slice.length) == 0;
}

static bool copy(struct slice slice, char *to, size_t size) {
    if ((size_t)slice.length >= size) return false;
    memcpy(to, slice.start, (size_t)slice.length);
    to[slice.length] = 0;
    return true;
}

static struct slice trimmed(const char *start, const char *end) {
    while (start < end && (*start == ' ' || *start == '\t')) start++;
    while (end > start && (end[-1] == ' ' || end[-1] == '\t')) end--;
    return (struct slice){start, (int)(end - start)};
}

/* ---- message: one datagram, split in headers; nothing is copied ---- */

struct message {
    int status; /* 0 in a request */
    struct slice method, uri;
    struct {
        struct slice name, value;
    } headers[MAX_HEADERS];
    int header_count;
};

static bool parse_first_line(struct message *message, const char *start, const char *end) {
    const char *first_space = memchr(start, ' ', (size_t)(end - start));
    if (!first_space) return false;
    if (end - start > 12 && memcmp(start, "SIP/2.0 ", 8) == 0) {
        message->status = atoi(start + 8);
        return message->status >= 100 && message->status < 700;
    }
    const char *last_space = memrchr(start, ' ', (size_t)(end - start));
    if (last_space == first_space) return false;
    message->status = 0;
    message->method = (struct slice){start, (int)(first_space - start)};
    message->uri = (struct slice){first_space + 1, (int)(last_space - first_space - 1)};
    return true;
}

/* data ends in a zero byte. The body is left alone: no peer's media is ever sent to. */
static bool parse(struct message *message, const char *data) {
    const char *end = strstr(data, "\r\n");
    if (!end || !parse_first_line(message, data, end)) return false;
    message->header_count = 0;
    for (const char *line = end + 2; *line && *line != '\r'; line = end + 2) {
        end = strstr(line, "\r\n");
        if (!end || message->header_count == MAX_HEADERS) return false;
        const char *colon = memchr(line, ':', (size_t)(end - line));
        if (!colon) return false;
        message->headers[message->header_count].name = trimmed(line, colon);
        message->headers[message->header_count++].value = trimmed(colon + 1, end);
    }
    return true;
}

/* The nth header of that name or compact form (RFC 3261 section 7.3.3); length 0 if there is none. */
static struct slice header(const struct message *message, const char *name, const char *compact, int nth) {
    for (int i = 0; i < message->header_count; i++) {
        struct slice given = message->headers[i].name;
        if ((equals(given, name) || (*compact && equals(given, compact))) && nth-- == 0) return message->headers[i].value;
    }
    return (struct slice){"", 0};
}

/* The value of name=value in a list of parameters, without its quotes; length 0 if there is none. */
static struct slice parameter(struct slice list, const char *name) {
    const char *end = list.start + list.length;
    size_t name_length = strlen(name);
    bool quoted = false;
    for (const char *p = list.start; p + name_length < end; p++) {
        if (*p == '"') quoted = !quoted;
        bool starts = p == list.start || strchr(" ,;\t", p[-1]);
        if (quoted || !starts || p[name_length] != '=' || strncasecmp(p, name, name_length) != 0) continue;
        const char *value = p + name_length + 1, *stop = value;
        if (value < end && *value == '"') {
            value++;
            stop = memchr(value, '"', (size_t)(end - value));
            return (struct slice){value, stop ? (int)(stop - value) : 0};
        }
        while (stop < end && !strchr(" ,;\t>", *stop)) stop++;
        return (struct slice){value, (int)(stop - value)};
    }
    return (struct slice){"", 0};
}

/* What stands between < and >, or before the parameters of an address without them (RFC 3261 section 20.10). */
static struct slice address_uri(struct slice address) {
    const char *open = memchr(address.start, '<', (size_t)address.length), *end = address.start + address.length;
    if (!open) {
        const char *semicolon = memchr(address.start, ';', (size_t)address.length);
        return trimmed(address.start, semicolon ? semicolon : end);
    }
    const char *close = memchr(open, '>', (size_t)(end - open));
    return (struct slice){open + 1, close ? (int)(close - open - 1) : 0};
}

static struct slice address_tag(struct slice address) {
    const char *close = memrchr(address.start, '>', (size_t)address.length);
    if (!close) return parameter(address, "tag");
    return parameter((struct slice){close + 1, (int)(address.start + address.length - close - 1)}, "tag");
}

/* ---- timer: an intrusive heap, earliest first ---- */

struct timer {
    double at;
    int place; /* in the heap, from 1; 0 when not set */
    void (*fire)(void *owner);
    void *owner;
};

static struct timer *heap[2 * MAX_CALLS + MAX_WINDOW + 16];
static int heap_count;

static void put(struct timer *timer, int place) {
    heap[place] = timer;
    timer->place = place;
}

static void sift(struct timer *timer, int place) {
    while (place > 1 && heap[place / 2]->at > timer->at) {
        put(heap[place / 2], place);
        place /= 2;
    }
    for (int child; (child = 2 * place) <= heap_count; place = child) {
        if (child < heap_count && heap[child + 1]->at < heap[child]->at) child++;
        if (heap[child]->at >= timer->at) break;
        put(heap[child], place);
    }
    put(timer, place);
}

static void clear_timer(struct timer *timer) {
    if (!timer->place) return;
    struct timer *last = heap[heap_count--];
    int place = timer->place;
    timer->place = 0;
    if (last != timer) sift(last, place);
}

static void set_timer(struct timer *timer, double at, void (*fire)(void *), void *owner) {
    timer->at = at;
    timer->fire = fire;
    timer->owner = owner;
    sift(timer, timer->place ? timer->place : ++heap_count);
}

static void fire_timers(void) {
    double due = now();
    for (int i = 0; i < TIMERS_A_TURN && heap_count && heap[1]->at <= due; i++) {
        struct timer *timer = heap[1];
        clear_timer(timer);
        timer->fire(timer->owner);
    }
}

/* ---- sockets ---- */

enum side { NOBODY, CALLING, CALLED, PROBING, FLOODING };

static int caller_socket, callee_socket, probe_socket;
static unsigned char sides[MAX_FD]; /* whose socket or connection it is */
static int poller;                  /* epoll of all that isn't one of these three */

static bool is_loopback(const struct sockaddr_in *address) { return ntohl(address->sin_addr.s_addr) >> 24 == 127; }

static int open_socket(uint32_t host, int port, enum side side) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, bytes = side == PROBING || host == INADDR_LOOPBACK ? 16 << 20 : 1 << 16;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (fd < 0 || fd >= MAX_FD) fail("no more than %d sockets", MAX_FD);
    address.sin_addr.s_addr = htonl(host);
    sides[fd] = (unsigned char)side;
    /* root may pass the system's limit; without it the limit is still better than the default */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes)) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address)) fail("can't bind %s:%d: %s", inet_ntoa(address.sin_addr), port, strerror(errno));
    return fd;
}

static void watch(int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event)) fail("can't watch a socket: %s", strerror(errno));
}

/* So many sockets, each at an address of its own in network/16. */
static int *open_sources(uint32_t network, int port, enum side side) {
    int *fds = calloc((size_t)options.sources, sizeof *fds);
    if (!fds) fail("no memory for %d sources", options.sources);
    for (int i = 0; i < options.sources; i++) watch(fds[i] = open_socket(network + (uint32_t)(i / 250) * 256 + (uint32_t)(i % 250) + 1, port, side));
    return fds;
}

/* ---- connections: TCP, TLS, WebSocket (RFC 7118); messages are cut out of the stream (RFC 3261 section 18.3) ---- */

struct connection {
    int fd;
    bool gone;
    SSL *ssl;
    char in[STREAM_BYTES + 1], *out;
    size_t in_used, out_used;
};

static struct connection *connection_of[MAX_FD];
static int *callers, *callees; /* the connections of each side */
static int unsent_connections;

static void lose(struct connection *connection) {
    if (!connection->gone) counts.disconnected++;
    connection->gone = true;
    epoll_ctl(poller, EPOLL_CTL_DEL, connection->fd, NULL);
}

static ssize_t read_some(struct connection *connection, char *to, size_t size) {
    if (!connection->ssl) return read(connection->fd, to, size);
    int length = SSL_read(connection->ssl, to, (int)size);
    if (length > 0) return length;
    errno = SSL_get_error(connection->ssl, length) == SSL_ERROR_WANT_READ ? EAGAIN : EPIPE;
    return -1;
}

static ssize_t write_some(struct connection *connection, const char *data, size_t size) {
    if (!connection->ssl) return write(connection->fd, data, size);
    int length = SSL_write(connection->ssl, data, (int)size);
    if (length > 0) return length;
    errno = SSL_get_error(connection->ssl, length) == SSL_ERROR_WANT_WRITE ? EAGAIN : EPIPE;
    return -1;
}

static void send_unsent(struct connection *connection) {
    size_t sent = 0;
    while (sent < connection->out_used && !connection->gone) {
        ssize_t length = write_some(connection, connection->out + sent, connection->out_used - sent);
        if (length > 0) sent += (size_t)length;
        else if (errno == EAGAIN) break;
        else lose(connection);
    }
    memmove(connection->out, connection->out + sent, connection->out_used - sent);
    connection->out_used -= sent;
    if (!connection->out_used) unsent_connections--;
}

/* RFC 6455 section 5.2: one text frame, masked as a client must, with a key of zero. */
static size_t frame(char *to, size_t length) {
    if (options.transport != WS) return 0;
    if (length < 126) {
        memcpy(to, (char[]){(char)0x81, (char)(0x80 | length), 0, 0, 0, 0}, 6);
        return 6;
    }
    memcpy(to, (char[]){(char)0x81, (char)(0x80 | 126), (char)(length >> 8), (char)length, 0, 0, 0, 0}, 8);
    return 8;
}

static void stream(struct connection *connection, const char *data, size_t length) {
    if (connection->gone) return;
    if (connection->out_used + length + 8 > UNSENT_BYTES) {
        counts.unsent++;
        return;
    }
    bool waiting = connection->out_used > 0;
    connection->out_used += frame(connection->out + connection->out_used, length);
    memcpy(connection->out + connection->out_used, data, length);
    connection->out_used += length;
    if (waiting) return;
    unsent_connections++;
    send_unsent(connection);
}

static void open_websocket(int fd) {
    char data[1024];
    size_t used = 0;
    int length = snprintf(data, sizeof data,
                          "GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Key: c2lwbG9hZCBvbiBsb29wYg==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n\r\n",
                          options.stream_port);
    if (write(fd, data, (size_t)length) != length) fail("the WebSocket can't be asked for");
    while (used < sizeof data - 1 && !memmem(data, used, "\r\n\r\n", 4)) {
        ssize_t more = read(fd, data + used, 1); /* no byte of what follows */
        if (more <= 0) fail("the WebSocket was refused");
        used += (size_t)more;
    }
    data[used] = 0;
    if (!strstr(data, " 101 ")) fail("the WebSocket was refused: %.60s", data);
}

static int connect_one(enum side side, SSL_CTX *tls) {
    struct connection *connection = calloc(1, sizeof *connection);
    struct sockaddr_in to = options.target;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    to.sin_port = htons((uint16_t)options.stream_port);
    if (!connection || !(connection->out = malloc(UNSENT_BYTES)) || fd < 0 || fd >= MAX_FD) fail("no room for a connection");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (struct sockaddr *)&to, sizeof to)) fail("can't connect to port %d: %s", options.stream_port, strerror(errno));
    if (tls) {
        connection->ssl = SSL_new(tls);
        if (!connection->ssl || !SSL_set_fd(connection->ssl, fd) || SSL_connect(connection->ssl) != 1) fail("the TLS handshake failed");
    }
    if (options.transport == WS) open_websocket(fd);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    connection->fd = fd;
    connection_of[fd] = connection;
    sides[fd] = (unsigned char)side;
    watch(fd);
    return fd;
}

static int *connect_side(enum side side, SSL_CTX *tls) {
    int *fds = calloc((size_t)options.connections, sizeof *fds);
    if (!fds) fail("no memory for %d connections", options.connections);
    for (int i = 0; i < options.connections; i++) fds[i] = connect_one(side, tls);
    return fds;
}

static void connect_all(void) {
    /* The program's pair is its own, made a moment ago: there is nobody to check it with. */
    SSL_CTX *tls = options.transport == TLS ? SSL_CTX_new(TLS_client_method()) : NULL;
    if (options.transport == TLS && !tls) fail("no TLS here");
    if (tls) SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    callers = connect_side(CALLING, tls);
    callees = connect_side(CALLED, tls);
}

static int caller_fd(int user) { return callers ? callers[user % options.connections] : caller_socket; }

static int callee_fd(int user) { return callees ? callees[user % options.connections] : callee_socket; }

/* The bytes of the first whole message, and where it starts; 0 while there is none. */
static size_t whole_message(struct connection *connection, char **start) {
    char *data = connection->in, *end = data + connection->in_used;
    *end = 0;
    if (options.transport == WS) {
        unsigned char *head = (unsigned char *)data;
        if (end - data < 4) return 0;
        if (head[0] != 0x81 || head[1] > 126) fail("a WebSocket frame that is no SIP message: %02x %02x", head[0], head[1]);
        size_t length = head[1] == 126 ? (size_t)(head[2] << 8 | head[3]) : head[1];
        *start = data + (head[1] == 126 ? 4 : 2);
        return (size_t)(end - *start) >= length ? length : 0;
    }
    while (data < end && (*data == '\r' || *data == '\n')) data++; /* 7.5, and a pong of RFC 5626 */
    *start = data;
    char *blank = strstr(data, "\r\n\r\n"), *length = strcasestr(data, "\r\nContent-Length:");
    if (!blank || !length || length > blank) return 0;
    size_t whole = (size_t)(blank + 4 - data) + (size_t)atoi(length + 17);
    return (size_t)(end - data) >= whole ? whole : 0;
}

static void read_connection(struct connection *connection, void (*take)(int, const char *, const struct sockaddr_in *, double)) {
    ssize_t more;
    while ((more = read_some(connection, connection->in + connection->in_used, STREAM_BYTES - connection->in_used)) > 0) {
        size_t length;
        char *start;
        connection->in_used += (size_t)more;
        while (connection->in_used && (length = whole_message(connection, &start))) {
            char saved = start[length];
            start[length] = 0;
            take(connection->fd, start, &options.target, 0);
            start[length] = saved;
            connection->in_used -= (size_t)(start + length - connection->in);
            memmove(connection->in, start + length, connection->in_used);
        }
        if (connection->in_used == STREAM_BYTES) fail("a message longer than %d bytes", STREAM_BYTES);
    }
    if (more == 0 || errno != EAGAIN) lose(connection);
}

static void transmit(int fd, const char *data, size_t length, const struct sockaddr_in *to) {
    if (connection_of[fd]) {
        stream(connection_of[fd], data, length);
        return;
    }
    if (!is_loopback(to)) fail("refuses to send to %s: loopback only", inet_ntoa(to->sin_addr));
    /* a datagram that can't leave is a lost one, and retransmission mends it */
    (void)sendto(fd, data, length, 0, (const struct sockaddr *)to, sizeof *to);
}

/* HOST:PORT, or HOST for port 5060. Literal loopback addresses only: nothing is ever resolved. */
static bool parse_loopback(struct slice text, struct sockaddr_in *address) {
    char host[64];
    const char *colon = memchr(text.start, ':', (size_t)text.length);
    struct slice name = {text.start, colon ? (int)(colon - text.start) : text.length};
    int port = colon ? atoi(colon + 1) : 5060;
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (!copy(name, host, sizeof host) || port < 1 || port > 65535) return false;
    if (strcmp(host, "localhost") == 0) strcpy(host, "127.0.0.1");
    return inet_aton(host, &address->sin_addr) && is_loopback(address);
}

/* Where a sip: URI leads: what follows the @ or the scheme, up to the parameters. */
static bool uri_address(struct slice uri, struct sockaddr_in *address) {
    if (uri.length < 5 || strncasecmp(uri.start, "sip:", 4) != 0) return false;
    const char *end = uri.start + uri.length, *at = memchr(uri.start, '@', (size_t)uri.length);
    const char *host = at ? at + 1 : uri.start + 4, *stop = host;
    while (stop < end && !strchr(";?>", *stop)) stop++;
    return parse_loopback((struct slice){host, (int)(stop - host)}, address);
}

/* ---- exchange: a request in flight and its retransmission (RFC 3261 sections 17.1.1 and 17.1.2) ---- */

struct exchange {
    char data[MAX_MESSAGE];
    size_t length;
    int fd;
    struct sockaddr_in to;
    double next_seconds, cap_seconds, gives_up_at;
    bool proceeding; /* 17.1.1.2: a provisional answer ends the retransmissions of an INVITE */
};

static void start_exchange(struct exchange *exchange, int fd, const struct sockaddr_in *to, bool invite, bool answer) {
    exchange->fd = fd;
    exchange->to = *to;
    /* 17.1.1.2, 17.1.2.2: nothing is repeated over a connection, but for the 2xx of an INVITE (13.3.1.4) */
    exchange->next_seconds = connection_of[fd] && !answer ? 2 * TRANSACTION_SECONDS : T1;
    exchange->cap_seconds = invite ? TRANSACTION_SECONDS : T2; /* 17.1.1.2: Timer A has no cap; 17.1.2.2: Timer E has T2 */
    exchange->gives_up_at = now() + TRANSACTION_SECONDS;
    exchange->proceeding = false;
    transmit(fd, exchange->data, exchange->length, to);
}

static double exchange_deadline(const struct exchange *exchange) {
    double again = now() + exchange->next_seconds;
    return exchange->proceeding || again > exchange->gives_up_at ? exchange->gives_up_at : again;
}

/* Sends again; false when 64*T1 have passed. */
static bool repeat_exchange(struct exchange *exchange) {
    if (now() >= exchange->gives_up_at) return false;
    counts.retransmissions++;
    transmit(exchange->fd, exchange->data, exchange->length, &exchange->to);
    exchange->next_seconds *= 2;
    if (exchange->next_seconds > exchange->cap_seconds) exchange->next_seconds = exchange->cap_seconds;
    return true;
}

/* ---- digest (RFC 7616, RFC 8760): every user keeps its last challenge ---- */

struct challenge {
    char realm[96], nonce[256], opaque[192];
    bool known, quality, proxy;
    unsigned count;
};

static struct challenge *challenges; /* one for each user */
static EVP_MD *digest_function;
static EVP_MD_CTX *digest_context;

static void prepare_digest(void) {
    digest_function = EVP_MD_fetch(NULL, options.algorithm, NULL);
    digest_context = EVP_MD_CTX_new();
    if (!digest_function || !digest_context) fail("this OpenSSL has no %s", options.algorithm);
    challenges = calloc((size_t)options.users, sizeof *challenges);
    if (!challenges) fail("no memory for %d users", options.users);
}

static void hash_hex(const struct text *text, char hex[65]) {
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (!EVP_DigestInit_ex2(digest_context, digest_function, NULL) || !EVP_DigestUpdate(digest_context, text->start, text->used) ||
        !EVP_DigestFinal_ex(digest_context, bytes, &length) || length > 32)
        fail("%s failed", options.algorithm);
    for (unsigned i = 0; i < length; i++) {
        hex[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    hex[2 * length] = 0;
}

/* Takes the challenge of our algorithm; a server may offer several, one a header (RFC 8760 section 2.4). */
static bool accept_challenge(const struct message *message, struct challenge *challenge) {
    bool proxy = message->status == 407;
    for (int nth = 0;; nth++) {
        struct slice value = header(message, proxy ? "Proxy-Authenticate" : "WWW-Authenticate", "", nth);
        if (!value.length) return false;
        struct slice algorithm = parameter(value, "algorithm");
        if (!equals(algorithm.length ? algorithm : (struct slice){"MD5", 3}, options.algorithm)) continue;
        challenge->proxy = proxy;
        challenge->quality = parameter(value, "qop").length > 0;
        challenge->count = 0;
        challenge->known = copy(parameter(value, "realm"), challenge->realm, sizeof challenge->realm) &&
                           copy(parameter(value, "nonce"), challenge->nonce, sizeof challenge->nonce) &&
                           copy(parameter(value, "opaque"), challenge->opaque, sizeof challenge->opaque);
        return challenge->known;
    }
}

/* RFC 7616 section 3.4.1, with qop=auth where the server knows it. */
static void add_credentials(struct text *request, struct challenge *challenge, int extension, const char *method, const char *uri) {
    char buffer[1024], ha1[65], ha2[65], response[65];
    struct text input = {buffer, 0, sizeof buffer};
    add(&input, "%d:%s:pw%d", extension, challenge->realm, extension);
    hash_hex(&input, ha1);
    input.used = 0;
    add(&input, "%s:%s", method, uri);
    hash_hex(&input, ha2);
    input.used = 0;
    challenge->count++;
    add(&input, "%s:%s:", ha1, challenge->nonce);
    if (challenge->quality) add(&input, "%08x:%08x:auth:", challenge->count, challenge->count);
    add(&input, "%s", ha2);
    hash_hex(&input, response);
    add(request, "%s: Digest username=\"%d\", realm=\"%s\", nonce=\"%s\", uri=\"%s\", response=\"%s\", algorithm=%s",
        challenge->proxy ? "Proxy-Authorization" : "Authorization", extension, challenge->realm, challenge->nonce, uri, response,
        options.algorithm);
    if (challenge->quality) add(request, ", qop=auth, nc=%08x, cnonce=\"%08x\"", challenge->count, challenge->count);
    if (*challenge->opaque) add(request, ", opaque=\"%s\"", challenge->opaque);
    add(request, "\r\n");
}

/* ---- processor time of the processes under measure ---- */

/* Nanoseconds run by all threads of a process; /proc/PID/stat would round each one to 10 ms. */
static double process_seconds(int pid) {
    char path[300];
    double seconds = 0;
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *tasks = opendir(path);
    if (!tasks) return 0; /* it died: the calls it took with it are counted as failures */
    for (struct dirent *task; (task = readdir(tasks));) {
        unsigned long long nanoseconds;
        if (task->d_name[0] == '.') continue; /* ".." would be the main thread once more */
        snprintf(path, sizeof path, "/proc/%d/task/%.20s/schedstat", pid, task->d_name);
        FILE *file = fopen(path, "re");
        if (!file) continue;
        if (fscanf(file, "%llu", &nanoseconds) == 1) seconds += (double)nanoseconds * 1e-9;
        fclose(file);
    }
    closedir(tasks);
    return seconds;
}

static double seconds_before[MAX_PIDS], watched_from;

static void read_processes(double seconds[MAX_PIDS]) {
    for (int i = 0; i < options.pid_count; i++) seconds[i] = process_seconds(options.pids[i]);
}

static void watch_processes(void) {
    watched_from = now();
    read_processes(seconds_before);
}

/* "cpu_us": {"PID": microseconds since watch_processes, ...} */
static void print_processes(void) {
    double after[MAX_PIDS];
    read_processes(after);
    printf(", \"watched_seconds\": %.3f, \"cpu_us\": {", now() - watched_from);
    for (int i = 0; i < options.pid_count; i++)
        printf("%s\"%d\": %.0f", i ? ", " : "", options.pids[i], (after[i] - seconds_before[i]) * 1e6);
    printf("}");
}

/* ---- registrations: a window of them, and a start every 1/rate second if there is a rate ---- */

struct registration {
    int user; /* counted from 0 */
    int cseq, challenges;
    bool busy;
    struct exchange exchange;
    struct timer timer;
};

static struct registration registrations[MAX_WINDOW];
static int next_user, first_registered;
static int *phones; /* the sockets that they register from, where each has one of its own */
static double start_of_run;
static struct timer start_timer;

static void start_registration(struct registration *registration);

static void end_registration(struct registration *registration) {
    clear_timer(&registration->timer);
    registration->busy = false;
    if (options.rate <= 0 && next_user < options.users) start_registration(registration);
}

static void registration_due(void *owner) {
    struct registration *registration = owner;
    if (!repeat_exchange(&registration->exchange)) {
        counts.timeouts++;
        end_registration(registration);
        return;
    }
    set_timer(&registration->timer, exchange_deadline(&registration->exchange), registration_due, registration);
}

/* 10.2: the Call-ID and the To are the user's; the Contact is the called side's socket. */
static void send_register(struct registration *registration) {
    struct challenge *challenge = &challenges[registration->user];
    struct text out = {registration->exchange.data, 0, MAX_MESSAGE};
    char uri[128];
    int extension = first_registered + registration->user, slot = (int)(registration - registrations), port = options.port + 1;
    snprintf(uri, sizeof uri, "sip:%s", options.domain);
    registration->cseq++;
    add(&out, "REGISTER %s SIP/2.0\r\nVia: SIP/2.0/%s 127.0.0.1:%d;rport;branch=z9hG4bKr%x-%x-%x\r\nMax-Forwards: 70\r\n", uri, VIA[options.transport], port, slot,
        registration->user, registration->cseq);
    add(&out, "From: <sip:%d@%s>;tag=r%x\r\nTo: <sip:%d@%s>\r\n", extension, options.domain, registration->user, extension, options.domain);
    add(&out, "Call-ID: r-%x-%x-%x@127.0.0.1\r\nCSeq: %d REGISTER\r\n", slot, registration->user, getpid(), registration->cseq);
    add(&out, "Contact: <sip:%d@127.0.0.1:%d%s>\r\nExpires: 3600\r\nUser-Agent: sipload\r\n", extension, port, CONTACT[options.transport]);
    if (challenge->known) add_credentials(&out, challenge, extension, "REGISTER", uri);
    add(&out, "Content-Length: 0\r\n\r\n");
    registration->exchange.length = out.used;
    start_exchange(&registration->exchange, phones ? phones[registration->user % options.sources] : callee_fd(registration->user), &options.target, false, false);
    set_timer(&registration->timer, exchange_deadline(&registration->exchange), registration_due, registration);
}

static void start_registration(struct registration *registration) {
    registration->user = next_user++;
    registration->cseq = 0;
    registration->challenges = 0;
    registration->busy = true;
    counts.started++;
    send_register(registration);
}

static void registration_answered(const struct message *message, struct slice call_id) {
    int slot, user, cseq = atoi(header(message, "CSeq", "", 0).start);
    if (sscanf(call_id.start, "r-%x-%x-", (unsigned *)&slot, (unsigned *)&user) != 2 || slot < 0 || slot >= options.window) return;
    struct registration *registration = &registrations[slot];
    if (!registration->busy || registration->user != user || registration->cseq != cseq || message->status < 200) return;
    if (message->status == 401 || message->status == 407) {
        counts.challenged++;
        if (registration->challenges++ < CHALLENGES_A_REQUEST && accept_challenge(message, &challenges[user])) {
            send_register(registration);
            return;
        }
    }
    if (message->status < 300) counts.succeeded++;
    else counts.by_status[message->status]++;
    end_registration(registration);
}

static void start_due_registration(void *owner) {
    (void)owner;
    if (next_user >= options.users) return;
    for (int slot = 0; slot < options.window; slot++)
        if (!registrations[slot].busy) {
            start_registration(&registrations[slot]);
            break;
        }
    set_timer(&start_timer, start_of_run + next_user / options.rate, start_due_registration, NULL);
}

static bool registrations_done(void) { return counts.succeeded + counts.timeouts >= options.users || (next_user >= options.users && !heap_count); }

/* ---- calls: the calling side ---- */

enum call_state { FREE, INVITING, HOLDING, ENDING };

struct call {
    enum call_state state;
    unsigned serial;
    int user, callee, cseq, challenges;
    double invited_at; /* the INVITE that carried credentials */
    char remote_tag[128], remote_target[256], routes[1024];
    struct sockaddr_in next_hop;
    struct exchange exchange;
    struct timer timer;
};

static struct call *calls;
static int free_calls[MAX_CALLS], free_call_count, live_calls;
static long calls_planned;
static unsigned last_serial;
static uint32_t *setup_us;

static void free_call(struct call *call) {
    clear_timer(&call->timer);
    call->state = FREE;
    live_calls--;
    free_calls[free_call_count++] = (int)(call - calls);
}

static void fail_call(struct call *call, int status) {
    if (status) counts.by_status[status]++;
    else counts.timeouts++;
    free_call(call);
}

static void add_offer(struct text *out, int port) {
    char body[400];
    struct text sdp = {body, 0, sizeof body};
    add(&sdp, "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %d RTP/AVP 8 0 101\r\n", port);
    add(&sdp, "a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\n");
    add(out, "Content-Type: application/sdp\r\nContent-Length: %zu\r\n\r\n%s", sdp.used, sdp.start);
}

/* The headers that every request of a call has, up to the CSeq. */
static void add_call_headers(struct text *out, const struct call *call, const char *method, const char *uri, int cseq) {
    int slot = (int)(call - calls), extension = options.first + call->user;
    add(out, "%s %s SIP/2.0\r\nVia: SIP/2.0/%s 127.0.0.1:%d;rport;branch=z9hG4bK%x-%x-%x%s\r\nMax-Forwards: 70\r\n", method, uri,
        VIA[options.transport], options.port, call->serial, getpid(), cseq, strcmp(method, "ACK") == 0 ? "a" : "");
    add(out, "From: <sip:%d@%s>;tag=c%x\r\n", extension, options.domain, call->serial);
    add(out, "To: <sip:%d@%s>%s%s\r\n", call->callee, options.domain, *call->remote_tag ? ";tag=" : "", call->remote_tag);
    add(out, "Call-ID: c-%x-%x-%x@127.0.0.1\r\nCSeq: %d %s\r\n", slot, call->serial, getpid(), cseq, method);
}

static void call_due(void *owner);

static void send_invite(struct call *call) {
    struct challenge *challenge = &challenges[call->user];
    struct text out = {call->exchange.data, 0, MAX_MESSAGE};
    int extension = options.first + call->user;
    char uri[128];
    snprintf(uri, sizeof uri, "sip:%d@%s", call->callee, options.domain);
    add_call_headers(&out, call, "INVITE", uri, ++call->cseq);
    add(&out, "Contact: <sip:%d@127.0.0.1:%d%s>\r\nUser-Agent: sipload\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\n", extension, options.port,
        CONTACT[options.transport]);
    if (challenge->known && (options.reuse_nonce || call->challenges)) {
        add_credentials(&out, challenge, extension, "INVITE", uri);
        call->invited_at = now();
    }
    add_offer(&out, 40000);
    call->exchange.length = out.used;
    start_exchange(&call->exchange, caller_fd(call->user), &options.target, true, false);
    set_timer(&call->timer, exchange_deadline(&call->exchange), call_due, call);
}

/* 13.2.2.4: the ACK of a 2xx follows the dialog's route, and is sent again for each 2xx that comes again. */
static void send_ack(const struct call *call, int cseq) {
    char data[MAX_MESSAGE];
    struct text out = {data, 0, sizeof data};
    add_call_headers(&out, call, "ACK", call->remote_target, cseq);
    add(&out, "%sContent-Length: 0\r\n\r\n", call->routes);
    transmit(caller_fd(call->user), data, out.used, &call->next_hop);
}

/* 17.1.1.3: made from the answer alone, so that a late 4xx of a call already over is quieted too. */
static void acknowledge_failure(int fd, const struct message *message) {
    char data[MAX_MESSAGE];
    struct text out = {data, 0, sizeof data};
    struct slice to = header(message, "To", "t", 0), from = header(message, "From", "f", 0);
    struct slice branch = parameter(header(message, "Via", "v", 0), "branch"), call_id = header(message, "Call-ID", "i", 0);
    add(&out, "ACK %.*s SIP/2.0\r\nVia: SIP/2.0/%s 127.0.0.1:%d;rport;branch=%.*s\r\n", SLICE(address_uri(to)), VIA[options.transport], options.port,
        SLICE(branch));
    add(&out, "Max-Forwards: 70\r\nFrom: %.*s\r\nTo: %.*s\r\nCall-ID: %.*s\r\nCSeq: %d ACK\r\nContent-Length: 0\r\n\r\n", SLICE(from), SLICE(to),
        SLICE(call_id), atoi(header(message, "CSeq", "", 0).start));
    transmit(fd, data, out.used, &options.target);
}

static void send_bye(struct call *call) {
    struct text out = {call->exchange.data, 0, MAX_MESSAGE};
    add_call_headers(&out, call, "BYE", call->remote_target, ++call->cseq);
    add(&out, "%sContent-Length: 0\r\n\r\n", call->routes);
    call->exchange.length = out.used;
    call->state = ENDING;
    start_exchange(&call->exchange, caller_fd(call->user), &call->next_hop, false, false);
    set_timer(&call->timer, exchange_deadline(&call->exchange), call_due, call);
}

static void call_due(void *owner) {
    struct call *call = owner;
    if (call->state == HOLDING) {
        send_bye(call);
        return;
    }
    if (!repeat_exchange(&call->exchange)) {
        fail_call(call, 0);
        return;
    }
    set_timer(&call->timer, exchange_deadline(&call->exchange), call_due, call);
}

/* 12.1.2: the route set is the Record-Route in reverse order; all of ours are loose routers. */
static bool learn_dialog(struct call *call, const struct message *message) {
    struct text routes = {call->routes, 0, sizeof call->routes};
    struct slice target = address_uri(header(message, "Contact", "m", 0)), hop = target;
    int recorded = 0;
    while (recorded < MAX_HEADERS && header(message, "Record-Route", "", recorded).length) recorded++;
    call->routes[0] = 0;
    for (int i = recorded - 1; i >= 0; i--) {
        struct slice route = header(message, "Record-Route", "", i);
        if (routes.used + (size_t)route.length + 16 > routes.size) return false;
        if (i == recorded - 1) hop = address_uri(route);
        add(&routes, "Route: %.*s\r\n", SLICE(route));
    }
    return copy(address_tag(header(message, "To", "t", 0)), call->remote_tag, sizeof call->remote_tag) &&
           copy(target, call->remote_target, sizeof call->remote_target) && uri_address(hop, &call->next_hop);
}

static void invite_succeeded(struct call *call, const struct message *message) {
    if (!learn_dialog(call, message)) {
        counts.unanswerable++; /* a Contact or a route that isn't on loopback, or none */
        free_call(call);
        return;
    }
    setup_us[counts.succeeded++] = (uint32_t)((now() - call->invited_at) * 1e6);
    call->state = HOLDING;
    send_ack(call, call->cseq);
    set_timer(&call->timer, now() + options.hold_seconds, call_due, call);
}

static void invite_answered(struct call *call, const struct message *message, int cseq) {
    if (message->status < 200) {
        if (call->state == INVITING && cseq == call->cseq && !call->exchange.proceeding) {
            call->exchange.proceeding = true;
            set_timer(&call->timer, call->exchange.gives_up_at, call_due, call);
        }
    } else if (message->status < 300) {
        if (call->state == INVITING && cseq == call->cseq) invite_succeeded(call, message);
        else if (call->state == HOLDING || call->state == ENDING) send_ack(call, cseq);
    } else if (call->state == INVITING && cseq == call->cseq) {
        bool challenged = message->status == 401 || message->status == 407;
        counts.challenged += challenged;
        if (challenged && call->challenges++ < CHALLENGES_A_REQUEST && accept_challenge(message, &challenges[call->user])) send_invite(call);
        else fail_call(call, message->status);
    }
}

static void call_answered(int fd, const struct message *message, struct slice call_id) {
    unsigned slot, serial;
    struct slice cseq = header(message, "CSeq", "", 0);
    bool invite = memmem(cseq.start, (size_t)cseq.length, "INVITE", 6) != NULL;
    if (invite && message->status >= 300) acknowledge_failure(fd, message);
    if (sscanf(call_id.start, "c-%x-%x-", &slot, &serial) != 2 || slot >= MAX_CALLS) return;
    struct call *call = &calls[slot];
    if (call->state == FREE || call->serial != serial) return;
    if (invite) {
        invite_answered(call, message, atoi(cseq.start));
    } else if (call->state == ENDING && message->status >= 200 && atoi(cseq.start) == call->cseq) {
        if (message->status < 300) free_call(call);
        else fail_call(call, message->status);
    }
}

static void start_call(void *owner) {
    (void)owner;
    long number = counts.started++;
    if (counts.started < calls_planned && !interrupted)
        set_timer(&start_timer, start_of_run + (double)counts.started / options.rate, start_call, NULL);
    if (!free_call_count) {
        counts.no_room++;
        return;
    }
    struct call *call = &calls[free_calls[--free_call_count]];
    live_calls++;
    call->state = INVITING;
    call->serial = ++last_serial;
    call->user = (int)(number % options.users);
    call->callee = options.callees + call->user;
    call->cseq = call->challenges = 0;
    call->remote_tag[0] = 0;
    send_invite(call);
}

/* ---- legs: the called side ---- */

struct leg {
    char call_id[160];
    bool used, confirmed;
    int next_in_bucket; /* or in the free list; -1 at the end */
    struct exchange answer;
    struct timer timer;
};

static struct leg *legs;
static int leg_buckets[LEG_BUCKETS], free_leg;

static unsigned leg_bucket(struct slice call_id) {
    unsigned hash = 2166136261u; /* FNV-1a */
    for (int i = 0; i < call_id.length; i++) hash = (hash ^ (unsigned char)call_id.start[i]) * 16777619u;
    return hash % LEG_BUCKETS;
}

static struct leg *find_leg(struct slice call_id) {
    for (int i = leg_buckets[leg_bucket(call_id)]; i >= 0; i = legs[i].next_in_bucket)
        if ((int)strlen(legs[i].call_id) == call_id.length && memcmp(legs[i].call_id, call_id.start, (size_t)call_id.length) == 0) return &legs[i];
    return NULL;
}

static struct leg *take_leg(struct slice call_id) {
    if (free_leg < 0 || (size_t)call_id.length >= sizeof legs->call_id) return NULL;
    struct leg *leg = &legs[free_leg];
    int *bucket = &leg_buckets[leg_bucket(call_id)], place = free_leg;
    free_leg = leg->next_in_bucket;
    copy(call_id, leg->call_id, sizeof leg->call_id);
    leg->used = true;
    leg->confirmed = false;
    leg->next_in_bucket = *bucket;
    *bucket = place;
    return leg;
}

static void release_leg(struct leg *leg) {
    int place = (int)(leg - legs), *link = &leg_buckets[leg_bucket((struct slice){leg->call_id, (int)strlen(leg->call_id)})];
    while (*link != place) link = &legs[*link].next_in_bucket;
    *link = leg->next_in_bucket;
    leg->next_in_bucket = free_leg;
    free_leg = place;
    leg->used = false;
    clear_timer(&leg->timer);
}

/* 8.2.6.2: Via, From, To, Call-ID and CSeq as they came, a tag of ours in To; 12.1.1: Record-Route too. */
static void add_answer(struct text *out, const struct message *request, const char *status, int socket_port) {
    add(out, "SIP/2.0 %s\r\n", status);
    for (int i = 0; i < request->header_count; i++) {
        struct slice name = request->headers[i].name;
        if (equals(name, "Via") || equals(name, "v") || equals(name, "Record-Route"))
            add(out, "%.*s: %.*s\r\n", SLICE(name), SLICE(request->headers[i].value));
    }
    struct slice to = header(request, "To", "t", 0);
    add(out, "From: %.*s\r\nTo: %.*s%s\r\n", SLICE(header(request, "From", "f", 0)), SLICE(to), address_tag(to).length ? "" : ";tag=callee");
    add(out, "Call-ID: %.*s\r\nCSeq: %.*s\r\n", SLICE(header(request, "Call-ID", "i", 0)), SLICE(header(request, "CSeq", "", 0)));
    add(out, "Contact: <sip:sipload@127.0.0.1:%d%s>\r\n", socket_port, CONTACT[options.transport]);
}

static void answer_simply(int fd, int port, const struct message *request, const char *status, const struct sockaddr_in *to) {
    char data[MAX_MESSAGE];
    struct text out = {data, 0, sizeof data};
    add_answer(&out, request, status, port);
    add(&out, "Content-Length: 0\r\n\r\n");
    transmit(fd, data, out.used, to);
}

/* 13.3.1.4: the 200 of an INVITE is sent again until its ACK comes. */
static void leg_due(void *owner) {
    struct leg *leg = owner;
    if (leg->confirmed) release_leg(leg); /* no BYE ever came: the call's own side has counted it */
    else if (repeat_exchange(&leg->answer)) set_timer(&leg->timer, exchange_deadline(&leg->answer), leg_due, leg);
    else {
        counts.legs_unacknowledged++;
        release_leg(leg);
    }
}

static void leg_invited(int fd, const struct message *request, struct slice call_id, const struct sockaddr_in *from) {
    struct leg *leg = find_leg(call_id);
    if (leg) { /* 17.2.1: the request came again, so does the answer */
        transmit(fd, leg->answer.data, leg->answer.length, from);
        return;
    }
    leg = take_leg(call_id);
    if (!leg) { /* the caller's side counts the 503 */
        answer_simply(fd, options.port + 1, request, "503 Service Unavailable", from);
        return;
    }
    answer_simply(fd, options.port + 1, request, "180 Ringing", from);
    struct text out = {leg->answer.data, 0, MAX_MESSAGE};
    add_answer(&out, request, "200 OK", options.port + 1);
    add_offer(&out, 40002);
    leg->answer.length = out.used;
    start_exchange(&leg->answer, fd, from, false, true);
    set_timer(&leg->timer, exchange_deadline(&leg->answer), leg_due, leg);
}

static void leg_requested(int fd, const struct message *request, const struct sockaddr_in *from) {
    struct slice call_id = header(request, "Call-ID", "i", 0);
    if (equals(request->method, "INVITE")) {
        leg_invited(fd, request, call_id, from);
        return;
    }
    struct leg *leg = find_leg(call_id);
    if (equals(request->method, "ACK")) {
        if (!leg || leg->confirmed) return;
        leg->confirmed = true;
        set_timer(&leg->timer, now() + options.hold_seconds + TRANSACTION_SECONDS, leg_due, leg);
        return;
    }
    if (leg && equals(request->method, "BYE")) release_leg(leg);
    /* a BYE that comes again is answered alike: this stands for 17.2.2's Completed state */
    answer_simply(fd, options.port + 1, request, "200 OK", from);
}

/* What a PBX asks of the calling side in a dialog: only a BYE changes anything. */
static void caller_requested(int fd, const struct message *request, const struct sockaddr_in *from) {
    unsigned slot, serial;
    struct slice call_id = header(request, "Call-ID", "i", 0);
    if (equals(request->method, "ACK")) return;
    bool simple = equals(request->method, "BYE") || equals(request->method, "OPTIONS");
    answer_simply(fd, options.port, request, simple ? "200 OK" : "501 Not Implemented", from);
    if (!equals(request->method, "BYE") || sscanf(call_id.start, "c-%x-%x-", &slot, &serial) != 2 || slot >= MAX_CALLS) return;
    if (calls[slot].serial != serial || calls[slot].state != HOLDING) return;
    counts.hung_up++;
    free_call(&calls[slot]);
}

/* ---- probe: a steady OPTIONS; the longest wait for its answer is the peer's longest pause ---- */

static struct {
    double sent_at; /* wall clock, as the kernel's time of arrival is */
    bool waiting;
} probes[PROBES];
static uint32_t *probe_us;
static long probe_room;
static double last_answered_sent_at;
static bool probing;
static struct timer probe_timer;

static void send_options(int number) {
    char data[MAX_MESSAGE];
    struct text out = {data, 0, sizeof data};
    int port = options.port + 2;
    add(&out, "OPTIONS sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%d;rport;branch=z9hG4bKp%x-%x\r\nMax-Forwards: 70\r\n", options.domain, port,
        number, getpid());
    add(&out, "From: <sip:%d@%s>;tag=p%x\r\nTo: <sip:%s>\r\nCall-ID: p-%x-%x@127.0.0.1\r\n", options.first, options.domain, number, options.domain,
        number, getpid());
    add(&out, "CSeq: 1 OPTIONS\r\nContact: <sip:%d@127.0.0.1:%d>\r\nAccept: application/sdp\r\nContent-Length: 0\r\n\r\n", options.first, port);
    transmit(probe_socket, data, out.used, &options.target);
}

static void probe_due(void *owner) {
    (void)owner;
    if (!probing) return;
    int place = (int)(counts.probes_sent % PROBES);
    probes[place].sent_at = clock_seconds(CLOCK_REALTIME);
    probes[place].waiting = true;
    send_options((int)counts.probes_sent++);
    /* from now, not from the last instant: a late probe isn't followed by a burst of them */
    set_timer(&probe_timer, now() + PROBE_SECONDS, probe_due, NULL);
}

static void probe_answered(struct slice call_id, double arrived_at) {
    unsigned number;
    if (sscanf(call_id.start, "p-%x-", &number) != 1 || (long)number >= counts.probes_sent || (long)number + PROBES <= counts.probes_sent) return;
    if (!probes[number % PROBES].waiting || counts.probes_answered >= probe_room) return;
    double sent_at = probes[number % PROBES].sent_at, wait = arrived_at - sent_at;
    probes[number % PROBES].waiting = false;
    if (sent_at > last_answered_sent_at) last_answered_sent_at = sent_at;
    probe_us[counts.probes_answered++] = wait > 0 ? (uint32_t)(wait * 1e6) : 0;
}

/* Seconds that the oldest probe sent after the last answered one has waited: a peer that fell silent for good. */
static double silent_seconds(void) {
    double longest = 0, time = clock_seconds(CLOCK_REALTIME);
    for (int i = 0; i < PROBES; i++)
        if (probes[i].waiting && probes[i].sent_at > last_answered_sent_at && time - probes[i].sent_at > longest) longest = time - probes[i].sent_at;
    return longest;
}

/* ---- the loop ---- */

static void dispatch(int fd, const char *data, const struct sockaddr_in *from, double arrived_at) {
    static struct message message;
    if (!is_loopback(from) || !parse(&message, data)) return;
    struct slice call_id = header(&message, "Call-ID", "i", 0);
    enum side side = (enum side)sides[fd];
    if (message.status) {
        if (side == PROBING && message.status >= 200) probe_answered(call_id, arrived_at);
        else if (side == CALLED) registration_answered(&message, call_id);
        else if (side == CALLING) call_answered(fd, &message, call_id);
        else if (side == FLOODING) counts.flood_answered++;
    } else if (side == CALLED && legs) leg_requested(fd, &message, from);
    else if (side == CALLING && calls) caller_requested(fd, &message, from);
    else if (side == CALLED) { /* a keep-alive */
        counts.asked++;
        answer_simply(fd, options.port + 1, &message, "200 OK", from);
    }
}

static void drain(int fd, void (*take)(int, const char *, const struct sockaddr_in *, double)) {
    static char data[MAX_DATAGRAM];
    for (int i = 0; i < READS_A_TURN; i++) {
        struct sockaddr_in from;
        char control[CMSG_SPACE(sizeof(struct timespec))];
        struct iovec vector = {data, sizeof data - 1};
        struct msghdr packet = {&from, sizeof from, &vector, 1, control, sizeof control, 0};
        ssize_t length = recvmsg(fd, &packet, 0);
        if (length < 0) return;
        data[length] = 0;
        double arrived_at = 0;
        struct cmsghdr *stamp = CMSG_FIRSTHDR(&packet);
        if (stamp && stamp->cmsg_type == SO_TIMESTAMPNS) {
            struct timespec t;
            memcpy(&t, CMSG_DATA(stamp), sizeof t);
            arrived_at = (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
        }
        take(fd, data, &from, arrived_at);
    }
}

static void read_others(void) {
    struct epoll_event events[EVENTS_A_TURN];
    int count = epoll_wait(poller, events, EVENTS_A_TURN, 0);
    for (int i = 0; i < count; i++) {
        int fd = events[i].data.fd;
        if (connection_of[fd]) read_connection(connection_of[fd], dispatch);
        else drain(fd, dispatch);
    }
}

/* Waits for a datagram or the next timer, whichever is first, and serves both. */
static void turn(double until) {
    struct pollfd sockets[4] = {{caller_socket, POLLIN, 0}, {callee_socket, POLLIN, 0}, {probe_socket, POLLIN, 0}, {poller, POLLIN, 0}};
    double at = heap_count && heap[1]->at < until ? heap[1]->at : until, wait = at - now();
    if (wait < 0) wait = 0;
    struct timespec timeout = {(time_t)wait, (long)((wait - (double)(time_t)wait) * 1e9)};
    if (ppoll(sockets, 4, &timeout, NULL) < 0) return;
    double woken_at = now();
    for (int i = 0; i < 3; i++)
        if (sockets[i].revents) drain(sockets[i].fd, dispatch);
    if (sockets[3].revents) read_others();
    for (int fd = 0; unsent_connections && fd < MAX_FD; fd++)
        if (connection_of[fd] && connection_of[fd]->out_used && !connection_of[fd]->gone) send_unsent(connection_of[fd]);
    fire_timers();
    double busy = now() - woken_at;
    if (busy > counts.busiest_turn_seconds) counts.busiest_turn_seconds = busy;
}

/* ---- what each command does, and its line of JSON ---- */

static int by_value(const void *a, const void *b) {
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static double percentile_ms(const uint32_t *sorted_us, long count, double share) {
    if (!count) return 0;
    return sorted_us[(long)((double)(count - 1) * share)] / 1e3;
}

static void print_failures(void) {
    bool first = true;
    printf(", \"failed_by_status\": {");
    for (int status = 0; status < 700; status++)
        if (counts.by_status[status]) {
            printf("%s\"%d\": %ld", first ? "" : ", ", status, counts.by_status[status]);
            first = false;
        }
    printf("}, \"disconnected\": %ld, \"unsent\": %ld, \"timeouts\": %ld, \"retransmissions\": %ld, \"challenged\": %ld", counts.disconnected, counts.unsent, counts.timeouts, counts.retransmissions,
           counts.challenged);
    printf(", \"own_busiest_turn_ms\": %.2f", counts.busiest_turn_seconds * 1e3);
}

static long refusals(void) {
    long sum = 0;
    for (int status = 0; status < 700; status++) sum += counts.by_status[status];
    return sum;
}

/* What the program does afterwards, its records of the last calls above all, is part of their cost. */
static void rest(void) {
    for (double until = now() + REST_SECONDS; now() < until && !interrupted;) turn(until);
}

/* Registers options.users users from `first` on, a window of them at a time. */
static void register_all(int first, double until) {
    double rate = options.rate;
    options.rate = 0; /* that of the calls */
    first_registered = first;
    for (int slot = 0; slot < options.window && next_user < options.users; slot++) start_registration(&registrations[slot]);
    while (!registrations_done() && now() < until && !interrupted) turn(until);
    options.rate = rate;
}

static int run_register(void) {
    callee_socket = open_socket(INADDR_LOOPBACK, options.port + 1, CALLED);
    first_registered = options.first;
    double own = process_seconds(getpid());
    watch_processes();
    start_of_run = now();
    double until = start_of_run + options.seconds;
    if (options.rate > 0) start_due_registration(NULL);
    else
        for (int slot = 0; slot < options.window && next_user < options.users; slot++) start_registration(&registrations[slot]);
    while (!registrations_done() && now() < until && !interrupted) turn(until);
    double seconds = now() - start_of_run;
    rest();
    printf("{\"command\": \"register\", \"started\": %ld, \"succeeded\": %ld, \"failed\": %ld, \"seconds\": %.3f, \"per_second\": %.0f",
           counts.started, counts.succeeded, options.users - counts.succeeded, seconds, (double)counts.succeeded / seconds);
    printf(", \"asked_per_second\": %.1f", options.rate);
    print_failures();
    print_processes();
    printf(", \"own_cpu_us\": %.0f}\n", (process_seconds(getpid()) - own) * 1e6);
    return counts.succeeded == options.users ? 0 : 1;
}

static void prepare_calls(void) {
    calls = calloc(MAX_CALLS, sizeof *calls);
    legs = calloc(MAX_CALLS, sizeof *legs);
    calls_planned = (long)(options.rate * options.seconds);
    setup_us = calloc((size_t)calls_planned + 1, sizeof *setup_us);
    probe_room = (long)((options.seconds + options.drain_seconds + 1) / PROBE_SECONDS);
    probe_us = calloc((size_t)probe_room, sizeof *probe_us);
    if (!calls || !legs || !setup_us || !probe_us) fail("no memory");
    /* the last freed is the next used, so a light load stays in few pages */
    for (int i = MAX_CALLS - 1; i >= 0; i--) free_calls[free_call_count++] = i;
    for (int i = 0; i < MAX_CALLS; i++) legs[i].next_in_bucket = i + 1 < MAX_CALLS ? i + 1 : -1;
    for (int i = 0; i < LEG_BUCKETS; i++) leg_buckets[i] = -1;
}

static void print_calls(double launch_seconds, double own_seconds) {
    long unfinished = live_calls;
    long failed = refusals() + counts.timeouts + counts.hung_up + counts.unanswerable + counts.no_room + unfinished;
    qsort(setup_us, (size_t)counts.succeeded, sizeof *setup_us, by_value);
    qsort(probe_us, (size_t)counts.probes_answered, sizeof *probe_us, by_value);
    double longest = percentile_ms(probe_us, counts.probes_answered, 1), silent = silent_seconds() * 1e3;
    printf("{\"command\": \"calls\", \"started\": %ld, \"answered\": %ld, \"failed\": %ld, \"unfinished\": %ld, \"hung_up\": %ld", counts.started,
           counts.succeeded, failed, unfinished, counts.hung_up);
    printf(", \"unanswerable\": %ld, \"no_room\": %ld, \"unacknowledged\": %ld", counts.unanswerable, counts.no_room, counts.legs_unacknowledged);
    printf(", \"seconds\": %.3f, \"per_second\": %.1f, \"asked_per_second\": %.1f", launch_seconds,
           (double)counts.started / launch_seconds, options.rate);
    printf(", \"setup_ms\": {\"p50\": %.2f, \"p99\": %.2f, \"longest\": %.2f}", percentile_ms(setup_us, counts.succeeded, 0.5),
           percentile_ms(setup_us, counts.succeeded, 0.99), percentile_ms(setup_us, counts.succeeded, 1));
    printf(", \"probe\": {\"sent\": %ld, \"answered\": %ld, \"p50_ms\": %.2f, \"p99_ms\": %.2f, \"longest_ms\": %.2f}", counts.probes_sent,
           counts.probes_answered, percentile_ms(probe_us, counts.probes_answered, 0.5), percentile_ms(probe_us, counts.probes_answered, 0.99),
           longest > silent ? longest : silent);
    print_failures();
    print_processes();
    printf(", \"own_cpu_us\": %.0f}\n", own_seconds * 1e6);
}

static int run_calls(void) {
    caller_socket = open_socket(INADDR_LOOPBACK, options.port, CALLING);
    callee_socket = open_socket(INADDR_LOOPBACK, options.port + 1, CALLED);
    probe_socket = open_socket(INADDR_LOOPBACK, options.port + 2, PROBING);
    prepare_calls();
    if (options.transport != UDP) {
        connect_all();
        register_all(options.callees, now() + 60);
        if (counts.succeeded < options.users) fail("only %ld of %d callees could register", counts.succeeded, options.users);
        memset(&counts, 0, sizeof counts);
        memset(challenges, 0, (size_t)options.users * sizeof *challenges);
    }
    double own = process_seconds(getpid());
    watch_processes();
    start_of_run = now();
    probing = options.probe;
    probe_due(NULL);
    start_call(NULL);
    while (counts.started < calls_planned && !interrupted) turn(now() + 1);
    double launch_seconds = now() - start_of_run;
    probing = false;
    double until = now() + options.drain_seconds + options.hold_seconds;
    while (live_calls && now() < until && !interrupted) turn(now() + 0.01);
    rest();
    print_calls(launch_seconds, process_seconds(getpid()) - own);
    return 0;
}

/* ---- phones that are registered, and kept so ---- */

static struct timer keep_alive_timer;

static void keep_alive_due(void *owner) {
    transmit(phones[counts.kept_alive++ % options.sources], "\r\n\r\n", 4, &options.target);
    set_timer(&keep_alive_timer, keep_alive_timer.at + KEEP_ALIVE_SECONDS / options.sources, keep_alive_due, owner);
}

static int run_phones(void) {
    phones = open_sources(0x7f010000, options.port + 1, CALLED);
    register_all(options.first, now() + 60);
    long registered = counts.succeeded;
    counts.asked = 0;
    watch_processes();
    double began = now();
    set_timer(&keep_alive_timer, began, keep_alive_due, NULL);
    while (now() < began + options.seconds && !interrupted) turn(began + options.seconds);
    printf("{\"command\": \"phones\", \"started\": %d, \"succeeded\": %ld, \"failed\": %ld, \"seconds\": %.3f, \"per_second\": %.1f", options.users,
           registered, options.users - registered, now() - began, (double)counts.asked / (now() - began));
    printf(", \"asked_per_second\": 0, \"asked\": %ld, \"kept_alive\": %ld", counts.asked, counts.kept_alive);
    print_failures();
    print_processes();
    printf("}\n");
    return registered == options.users ? 0 : 1;
}

/* ---- flood: REGISTER without end from everywhere ---- */

static void flood_one(int fd, long number) {
    char data[MAX_MESSAGE];
    struct text out = {data, 0, sizeof data};
    int extension = options.first + (int)(number % options.users);
    add(&out, "REGISTER sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%d;rport;branch=z9hG4bKf%lx\r\nMax-Forwards: 70\r\n", options.domain, options.port + 3, number);
    add(&out, "From: <sip:%d@%s>;tag=f%lx\r\nTo: <sip:%d@%s>\r\nCall-ID: f-%lx-%x\r\nCSeq: 1 REGISTER\r\n", extension, options.domain, number, extension,
        options.domain, number, getpid());
    add(&out, "Contact: <sip:%d@127.0.0.1:%d>\r\nExpires: 3600\r\nContent-Length: 0\r\n\r\n", extension, options.port + 3);
    transmit(fd, data, out.used, &options.target);
}

static int run_flood(void) {
    int *fds = open_sources(0x7f020000, options.port + 3, FLOODING);
    double began = now(), own = process_seconds(getpid());
    while (now() < began + options.seconds && !interrupted) {
        long due = (long)((now() - began) * options.rate);
        while (counts.flooded < due) {
            flood_one(fds[counts.flooded % options.sources], counts.flooded);
            counts.flooded++;
        }
        turn(now() + 0.001);
    }
    printf("{\"command\": \"flood\", \"sent\": %ld, \"answered\": %ld, \"seconds\": %.3f, \"own_cpu_us\": %.0f}\n", counts.flooded, counts.flood_answered,
           now() - began, (process_seconds(getpid()) - own) * 1e6);
    return 0;
}

static bool first_answered;

static void take_first(int fd, const char *data, const struct sockaddr_in *from, double arrived_at) {
    (void)fd;
    (void)from;
    (void)arrived_at;
    first_answered |= strncmp(data, "SIP/2.0 ", 8) == 0 && atoi(data + 8) >= 200;
}

static int run_first(void) {
    probe_socket = open_socket(INADDR_LOOPBACK, options.port + 2, PROBING);
    double until = now() + options.seconds;
    for (int number = 0; !first_answered && now() < until && !interrupted; number++) {
        struct pollfd wait = {probe_socket, POLLIN, 0};
        struct timespec timeout = {0, (long)(PROBE_SECONDS * 1e9)};
        send_options(number);
        if (ppoll(&wait, 1, &timeout, NULL) > 0) drain(probe_socket, take_first);
    }
    printf("{\"command\": \"first\", \"answered\": %s, \"answered_at\": %.6f}\n", first_answered ? "true" : "false", now());
    return first_answered ? 0 : 1;
}

/* ---- mirror ---- */

static struct sockaddr_in mirror_caller, mirror_callee;
static long mirror_taken;

static void mirror_take(int fd, const char *data, const struct sockaddr_in *from, double arrived_at) {
    static struct message message;
    (void)arrived_at;
    if (options.drop_every && ++mirror_taken % options.drop_every == 0) return;
    if (!is_loopback(from) || !parse(&message, data)) return;
    if (message.status) { /* only the called side answers us */
        transmit(fd, data, strlen(data), &mirror_caller);
        return;
    }
    if (equals(message.method, "ACK")) return;
    bool known = header(&message, "Authorization", "", 0).length > 0;
    if (equals(message.method, "INVITE") && known) {
        mirror_caller = *from;
        transmit(fd, data, strlen(data), &mirror_callee);
    } else if (equals(message.method, "OPTIONS") || known) {
        if (known) mirror_callee = *from;
        answer_simply(fd, ntohs(options.target.sin_port), &message, "200 OK", from);
    } else {
        answer_simply(fd, ntohs(options.target.sin_port), &message,
                      "401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"mirror\", nonce=\"0123456789abcdef\", qop=\"auth\"", from);
    }
}

static int run_mirror(void) {
    int fd = open_socket(INADDR_LOOPBACK, ntohs(options.target.sin_port), NOBODY);
    double until = now() + options.seconds;
    while (now() < until && !interrupted) {
        struct pollfd wait = {fd, POLLIN, 0};
        if (poll(&wait, 1, 100) > 0) drain(fd, mirror_take);
    }
    return 0;
}

/* ---- the command line ---- */

static void interrupt(int signal_number) {
    (void)signal_number;
    interrupted = 1;
}

static double number_between(const char *text, double least, double most, const char *name) {
    char *end;
    double value = strtod(text, &end);
    if (*end || end == text || !(value >= least && value <= most)) fail("--%s wants a number from %g to %g, not \"%s\"", name, least, most, text);
    return value;
}

static void read_pids(char *list) {
    for (char *rest = NULL, *word = strtok_r(list, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
        if (options.pid_count == MAX_PIDS) fail("--pids takes at most %d processes", MAX_PIDS);
        options.pids[options.pid_count++] = (int)number_between(word, 1, 4194304, "pids");
    }
}

static void read_domain(const char *text) {
    if (!*text || strlen(text) > 63 || strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789.-") != strlen(text))
        fail("--domain wants a host name in lower case, not \"%s\"", text);
    options.domain = text;
}

/* NAME:PORT, such as tls:5061. */
static void read_transport(const char *text) {
    static const char *const names[] = {"udp", "tcp", "tls", "ws"};
    const char *colon = strchr(text, ':');
    for (int i = TCP; colon && i <= WS; i++)
        if (strlen(names[i]) == (size_t)(colon - text) && strncmp(text, names[i], (size_t)(colon - text)) == 0) {
            options.transport = (enum transport)i;
            options.stream_port = (int)number_between(colon + 1, 1, 65535, "transport");
            return;
        }
    fail("--transport wants tcp:PORT, tls:PORT or ws:PORT, not \"%s\"", text);
}

static void read_option(int letter, char *text) {
    switch (letter) {
    case 't':
        if (!parse_loopback((struct slice){text, (int)strlen(text)}, &options.target)) fail("--target wants a loopback address, not \"%s\"", text);
        break;
    case 'd': read_domain(text); break;
    case 'f': options.first = (int)number_between(text, 1, 99999999, "first"); break;
    case 'n': options.users = (int)number_between(text, 1, MAX_USERS, "users"); break;
    case 'c': options.callees = (int)number_between(text, 1, 99999999, "callees"); break;
    case 'w': options.window = (int)number_between(text, 1, MAX_WINDOW, "window"); break;
    case 'p': options.port = (int)number_between(text, 1024, 65533, "port"); break;
    case 's': options.seconds = (int)number_between(text, 1, 86400, "seconds"); break;
    case 'r': options.rate = number_between(text, 0.1, 50000, "rate"); break;
    case 'o': options.hold_seconds = number_between(text, 0, 600000, "hold-ms") / 1e3; break;
    case 'D': options.drain_seconds = number_between(text, 0, 120, "drain-seconds"); break;
    case 'P': read_pids(text); break;
    case 'x': options.drop_every = (int)number_between(text, 2, 1000000, "drop-every"); break;
    case 'S': options.sources = (int)number_between(text, 1, MAX_SOURCES, "sources"); break;
    case 'C': options.connections = (int)number_between(text, 1, MAX_CONNECTIONS, "connections"); break;
    case 'T': read_transport(text); break;
    case '2': options.algorithm = "SHA-256"; break;
    case 'R': options.reuse_nonce = true; break;
    case 'b': options.probe = true; break;
    default: fail("see the top of sipload.c for the command line");
    }
}

static void read_command_line(int count, char **words) {
    static const struct option known[] = {
        {"target", 1, NULL, 't'},      {"domain", 1, NULL, 'd'}, {"first", 1, NULL, 'f'},       {"users", 1, NULL, 'n'},   {"callees", 1, NULL, 'c'},
        {"window", 1, NULL, 'w'},      {"port", 1, NULL, 'p'},   {"seconds", 1, NULL, 's'},     {"rate", 1, NULL, 'r'},    {"hold-ms", 1, NULL, 'o'},
        {"drain-seconds", 1, NULL, 'D'}, {"pids", 1, NULL, 'P'},   {"sha256", 0, NULL, '2'},      {"reuse-nonce", 0, NULL, 'R'}, {"probe", 0, NULL, 'b'},
        {"drop-every", 1, NULL, 'x'},  {"sources", 1, NULL, 'S'}, {"connections", 1, NULL, 'C'}, {"transport", 1, NULL, 'T'},
        {0}};
    for (int letter; (letter = getopt_long(count, words, "", known, NULL)) != -1;) read_option(letter, optarg);
    if (optind != count - 1) fail("one command: register, calls, phones, flood, first or mirror");
    options.command = words[optind];
    if (!options.target.sin_port) fail("--target is needed");
    if ((strcmp(options.command, "calls") == 0 || strcmp(options.command, "flood") == 0) && options.rate <= 0) fail("%s needs --rate", options.command);
}

int main(int count, char **words) {
    read_command_line(count, words);
    struct sigaction on_interrupt = {.sa_handler = interrupt};
    sigaction(SIGINT, &on_interrupt, NULL);
    sigaction(SIGTERM, &on_interrupt, NULL);
    prctl(PR_SET_TIMERSLACK, 1); /* the default adds 50 us to each wait */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    signal(SIGPIPE, SIG_IGN);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    poller = epoll_create1(EPOLL_CLOEXEC);
    caller_socket = callee_socket = probe_socket = -1;
    prepare_digest();
    if (strcmp(options.command, "register") == 0) return run_register();
    if (strcmp(options.command, "calls") == 0) return run_calls();
    if (strcmp(options.command, "phones") == 0) return run_phones();
    if (strcmp(options.command, "flood") == 0) return run_flood();
    if (strcmp(options.command, "first") == 0) return run_first();
    if (strcmp(options.command, "mirror") == 0) return run_mirror();
    fail("unknown command \"%s\": register, calls, phones, flood, first or mirror", options.command);
}
