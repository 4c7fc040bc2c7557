/* SRTP (RFC 3711, 7714) with the ciphers of OpenSSL 3, where its headers were at hand: without them there are
 * no suites. Not by libsrtp2: Debian's stands on NSS, which looks each packet's key up in a list of all keys
 * (with 1,000 legs some 140 us a packet, where this takes 3 for two legs), and can't be told where a stream was.
 *
 * A session is one key in one direction. It stays for as long as a leg has its stream, whatever key is in
 * force meanwhile: a key that is used from its beginning twice is broken. Packets are changed in place, and
 * may grow by KEYS_MOST_GROWTH. Who calls holds the plane's lock.
 */
#ifndef BEFFROI_KEYS_H
#define BEFFROI_KEYS_H
#include "plane.h"

enum { KEYS_MOST_BYTES = 2048, KEYS_MOST_GROWTH = 16 + PLANE_MKI_BYTES };

typedef struct session session;

/* Where a process before this one had a session. index: rollover counter and sequence number of the newest
 * packet, -1 for none. */
typedef struct {
    uint32_t ssrc;
    int64_t index;
    uint32_t reports;
} keys_place;

/* Bits of the suites that work here. */
unsigned keys_suites(void);
/* The session of a key among those kept, made when there is none; NULL when it can't be made. ssrc: of
 * packets that go out; left: NULL for a session that begins. */
session *keys_outgoing(session **kept, const plane_key *key, uint32_t ssrc, const keys_place *left);
session *keys_incoming(session **kept, const plane_key *key, const keys_place *left);
void keys_forget(session **kept);
/* The index of the newest packet that went out, -1 for none. */
int64_t keys_newest(const session *session);
/* Encrypt a packet or a report; 0 when it may not be sent. */
int keys_seal(session *session, uint8_t *data, uint32_t *length);
int keys_seal_report(session *session, uint8_t *data, uint32_t *length);
/* Check and decrypt a packet; 0 when it isn't authentic, or came before. index: what it is then. */
int keys_open(session *session, uint8_t *data, uint32_t *length, int64_t *index);
/* The same for a report. */
int keys_open_report(session *session, uint8_t *data, uint32_t *length);
/* The index of a packet next to the highest one, -1 for none (RFC 3711 section 3.3.1 and appendix A). */
int64_t keys_index(int64_t highest, uint16_t sequence);
#endif
