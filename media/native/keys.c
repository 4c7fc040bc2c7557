/* See keys.h. */
#include "keys.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_SESSIONS = 16, /* of a leg in each direction; the oldest goes */
    MOST_SOURCES = 64,  /* SSRCs of one key */
    SUITES = 4,
    LONGEST_STEP = 0x7FFF, /* RFC 3711 section 3.3.1: farther than this would be taken for the past */
    HEADER_BYTES = 12,
    TAG_BYTES = 16,
};

int64_t keys_index(int64_t highest, uint16_t sequence)
{
    uint16_t step = (uint16_t)(sequence - (uint16_t)highest);
    if (highest < 0)
        return sequence;
    if (step <= LONGEST_STEP)
        return highest + step;
    return highest + step - 0x10000 > sequence ? highest + step - 0x10000 : sequence;
}

#ifdef PLANE_SRTP
#include <srtp2/srtp.h>

/* index: of its newest packet; floor: what a process before us had used; placed: libsrtp knows its rollover
 * counter. */
typedef struct {
    uint32_t ssrc;
    int64_t index, floor;
    int placed;
} source;

struct session {
    session *next;
    uint64_t fingerprint;
    srtp_t srtp;
    uint32_t rtp_tag_bytes, rtcp_tag_bytes, mki_bytes;
    uint8_t mki[PLANE_MKI_BYTES];
    int known; /* of the sources */
    source sources[MOST_SOURCES];
};

static const struct {
    srtp_profile_t profile;
    uint32_t rtp_tag_bytes, rtcp_tag_bytes;
} SUITE[SUITES] = {
    [PLANE_AES_CM_80] = {srtp_profile_aes128_cm_sha1_80, 10, 10},
    [PLANE_AES_CM_32] = {srtp_profile_aes128_cm_sha1_32, 4, 10}, /* RFC 4568 section 6.2.2: RTCP keeps 80 bits */
    [PLANE_AES_128_GCM] = {srtp_profile_aead_aes_128_gcm, 0, 0}, /* RFC 7714 section 8.2: MKI behind the tag */
    [PLANE_AES_256_GCM] = {srtp_profile_aead_aes_256_gcm, 0, 0},
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static unsigned suites;

static srtp_t new_srtp(unsigned suite, uint8_t *key, srtp_ssrc_type_t direction, uint32_t ssrc)
{
    srtp_policy_t policy;
    srtp_t made = NULL;
    memset(&policy, 0, sizeof policy);
    if (suite >= SUITES || srtp_crypto_policy_set_from_profile_for_rtp(&policy.rtp, SUITE[suite].profile) ||
        srtp_crypto_policy_set_from_profile_for_rtcp(&policy.rtcp, SUITE[suite].profile))
        return NULL;
    policy.ssrc = (srtp_ssrc_t){direction, ssrc};
    policy.key = key;
    return srtp_create(&made, &policy) ? NULL : made;
}

/* Not every libsrtp2 was made with AES-GCM: each suite is tried once. */
static void try_suites(void)
{
    uint8_t key[PLANE_KEY_BYTES] = {0};
    if (srtp_init())
        return;
    for (unsigned suite = 0; suite < SUITES; suite++) {
        srtp_t made = new_srtp(suite, key, ssrc_any_inbound, 0);
        if (made && !srtp_dealloc(made))
            suites |= 1u << suite;
    }
}

unsigned keys_suites(void)
{
    pthread_once(&once, try_suites);
    return suites;
}

static void drop(session *session)
{
    srtp_dealloc(session->srtp);
    free(session);
}

/* The session of a key among those kept, moved to the front; NULL when there is none. */
static session *found(session **kept, uint64_t fingerprint)
{
    for (session **at = kept; *at; at = &(*at)->next) {
        session *one = *at;
        if (one->fingerprint != fingerprint)
            continue;
        *at = one->next;
        one->next = *kept;
        return *kept = one;
    }
    return NULL;
}

static session *keep(session **kept, const plane_key *key, srtp_ssrc_type_t direction, uint32_t ssrc)
{
    session *made = calloc(1, sizeof *made), **last = kept;
    plane_key own = *key; /* libsrtp wants to be able to write to it */
    if (!made)
        return NULL;
    made->srtp = key->suite < SUITES && key->mki_bytes <= PLANE_MKI_BYTES && (keys_suites() >> key->suite & 1)
                     ? new_srtp(key->suite, own.key, direction, ssrc)
                     : NULL;
    if (!made->srtp) {
        free(made);
        return NULL;
    }
    made->fingerprint = key->fingerprint;
    made->rtp_tag_bytes = SUITE[key->suite].rtp_tag_bytes;
    made->rtcp_tag_bytes = SUITE[key->suite].rtcp_tag_bytes;
    made->mki_bytes = key->mki_bytes;
    memcpy(made->mki, key->mki, key->mki_bytes);
    made->next = *kept;
    *kept = made;
    for (int sessions = 0; *last; last = &(*last)->next)
        if (sessions++ == MOST_SESSIONS) {
            keys_forget(last);
            break;
        }
    return made;
}

session *keys_outgoing(session **kept, const plane_key *key, uint32_t ssrc, const keys_place *left)
{
    session *made = found(kept, key->fingerprint);
    if (made || !(made = keep(kept, key, ssrc_specific, ssrc)))
        return made;
    made->known = 1;
    made->sources[0] = (source){ssrc, -1, -1, 1};
    if (left) {
        made->sources[0] = (source){ssrc, left->index, left->index, left->index < 0};
        for (uint32_t report = 0; report <= left->reports; report++) {
            /* libsrtp has no other way to set the index of SRTCP (RFC 3711 section 3.4). */
            uint8_t empty[64] = {0x80, 201, 0, 1, (uint8_t)(ssrc >> 24), (uint8_t)(ssrc >> 16),
                                 (uint8_t)(ssrc >> 8), (uint8_t)ssrc};
            int length = 8;
            srtp_protect_rtcp(made->srtp, empty, &length);
        }
    }
    return made;
}

session *keys_incoming(session **kept, const plane_key *key, const keys_place *left)
{
    session *made = found(kept, key->fingerprint);
    srtp_policy_t policy;
    plane_key own = *key;
    if (made || !(made = keep(kept, key, ssrc_any_inbound, 0)) || !left || left->index < 0)
        return made;
    memset(&policy, 0, sizeof policy);
    srtp_crypto_policy_set_from_profile_for_rtp(&policy.rtp, SUITE[key->suite].profile);
    srtp_crypto_policy_set_from_profile_for_rtcp(&policy.rtcp, SUITE[key->suite].profile);
    policy.ssrc = (srtp_ssrc_t){ssrc_specific, left->ssrc};
    policy.key = own.key;
    if (!srtp_add_stream(made->srtp, &policy))
        made->sources[made->known++] = (source){left->ssrc, left->index, left->index, 0};
    return made;
}

int64_t keys_newest(const session *session)
{
    return session->sources[0].index;
}

void keys_forget(session **kept)
{
    while (*kept) {
        session *one = *kept;
        *kept = one->next;
        drop(one);
    }
}

static uint32_t ssrc_of(const uint8_t *data)
{
    return (uint32_t)data[8] << 24 | (uint32_t)data[9] << 16 | (uint32_t)data[10] << 8 | data[11];
}

/* What is known of a packet's source; the place of a new one, NULL when there are too many. */
static source *source_of(session *session, uint32_t ssrc)
{
    for (int i = 0; i < session->known; i++)
        if (session->sources[i].ssrc == ssrc)
            return &session->sources[i];
    if (session->known == MOST_SOURCES)
        return NULL;
    session->sources[session->known] = (source){ssrc, -1, -1, 1};
    return &session->sources[session->known];
}

/* Say what rollover counter the packet has, where libsrtp can't know it. Returns 0 for one used before. */
static int place(const session *session, const source *source, int64_t index)
{
    if (index <= source->floor)
        return 0;
    return source->placed || index < 0x10000 ||
           !srtp_set_stream_roc(session->srtp, source->ssrc, (uint32_t)(index >> 16));
}

/* RFC 3711 section 3.1: the MKI stands before the tag. */
static void insert_mki(const session *session, uint8_t *data, uint32_t *length, uint32_t tag_bytes)
{
    uint8_t *end = data + *length - tag_bytes;
    memmove(end + session->mki_bytes, end, tag_bytes);
    memcpy(end, session->mki, session->mki_bytes);
    *length += session->mki_bytes;
}

static int remove_mki(const session *session, uint8_t *data, uint32_t *length)
{
    uint32_t tail = session->mki_bytes + session->rtp_tag_bytes;
    uint8_t *at = data + *length - tail;
    if (*length < tail || memcmp(at, session->mki, session->mki_bytes))
        return 0;
    memmove(at, at + session->mki_bytes, session->rtp_tag_bytes);
    *length -= session->mki_bytes;
    return 1;
}

int keys_seal(session *session, uint8_t *data, uint32_t *length)
{
    int made = (int)*length;
    source *source;
    int64_t index;
    if (!session || *length < HEADER_BYTES || *length > KEYS_MOST_BYTES)
        return 0;
    source = &session->sources[0];
    index = keys_index(source->index, (uint16_t)(data[2] << 8 | data[3]));
    if (ssrc_of(data) != source->ssrc || !place(session, source, index) ||
        srtp_protect(session->srtp, data, &made)) /* also when this number was encrypted before */
        return 0;
    source->placed = 1;
    if (index > source->index)
        source->index = index;
    *length = (uint32_t)made;
    insert_mki(session, data, length, session->rtp_tag_bytes);
    return 1;
}

int keys_seal_report(session *session, uint8_t *data, uint32_t *length)
{
    int made = (int)*length;
    if (!session || *length > KEYS_MOST_BYTES || srtp_protect_rtcp(session->srtp, data, &made))
        return 0;
    *length = (uint32_t)made;
    insert_mki(session, data, length, session->rtcp_tag_bytes);
    return 1;
}

int keys_open(session *session, uint8_t *data, uint32_t *length, int64_t *index)
{
    int made;
    source *source;
    if (!session || (session->mki_bytes && !remove_mki(session, data, length)) || *length < HEADER_BYTES ||
        *length > KEYS_MOST_BYTES || !(source = source_of(session, ssrc_of(data))))
        return 0;
    *index = keys_index(source->index, (uint16_t)(data[2] << 8 | data[3]));
    made = (int)*length;
    if (!place(session, source, *index) || srtp_unprotect(session->srtp, data, &made))
        return 0;
    if (source == &session->sources[session->known])
        session->known++;
    source->placed = 1;
    if (*index > source->index)
        source->index = *index;
    *length = (uint32_t)made;
    return 1;
}

#else

unsigned keys_suites(void)
{
    return 0;
}

session *keys_outgoing(session **kept, const plane_key *key, uint32_t ssrc, const keys_place *left)
{
    (void)kept, (void)key, (void)ssrc, (void)left;
    return NULL;
}

session *keys_incoming(session **kept, const plane_key *key, const keys_place *left)
{
    (void)kept, (void)key, (void)left;
    return NULL;
}

void keys_forget(session **kept)
{
    (void)kept;
}

int64_t keys_newest(const session *session)
{
    (void)session;
    return -1;
}

int keys_seal(session *session, uint8_t *data, uint32_t *length)
{
    (void)session, (void)data, (void)length;
    return 0;
}

int keys_seal_report(session *session, uint8_t *data, uint32_t *length)
{
    (void)session, (void)data, (void)length;
    return 0;
}

int keys_open(session *session, uint8_t *data, uint32_t *length, int64_t *index)
{
    (void)session, (void)data, (void)length, (void)index;
    return 0;
}
#endif
