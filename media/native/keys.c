/* See keys.h. */
#include "keys.h"

#include <stdlib.h>
#include <string.h>

enum {
    MOST_SESSIONS = 16, /* of a leg in each direction; the oldest goes */
    MOST_SOURCES = 64,  /* SSRCs of one key */
    SUITES = 4,
    LONGEST_STEP = 0x7FFF, /* RFC 3711 section 3.3.1: farther than this would be taken for the past */
    WINDOW = 128,          /* indexes behind the newest one that may still come */
    HEADER_BYTES = 12,
    REPORT_HEADER_BYTES = 8,
    BLOCK_BYTES = 16,
    SALT_BYTES = 14,
    MAC_KEY_BYTES = 20,    /* of HMAC-SHA1, whose tag is as long before it is cut */
    RTCP_TAG_BYTES = 10,   /* RFC 4568 section 6.2.2: whatever RTP has */
    GCM_TAG_BYTES = 16,    /* RFC 7714 section 8.2: an MKI comes behind it */
    KEYS_LONGEST = 32,
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
#include <openssl/crypto.h>
#include <openssl/evp.h>

/* index: of its newest packet, -1 for none; floor: what a process before us had used; seen: which of the
 * WINDOW indexes up to the newest one came, the newest in the lowest bit (RFC 3711 section 3.3.2); reported: index
 * of the newest report heard, which none comes late behind. */
typedef struct {
    uint32_t ssrc;
    int64_t index, floor;
    unsigned __int128 seen;
    int64_t reported;
} source;

/* reports: index of the newest one; macs are NULL where the cipher authenticates. */
struct session {
    session *next;
    uint64_t fingerprint;
    int counter_mode;
    uint32_t tag_bytes, mki_bytes; /* tag_bytes: behind an MKI in RTP; RTCP has RTCP_TAG_BYTES */
    uint8_t mki[PLANE_MKI_BYTES];
    EVP_CIPHER_CTX *rtp, *rtcp;
    EVP_MAC_CTX *rtp_mac, *rtcp_mac;
    uint8_t rtp_salt[SALT_BYTES], rtcp_salt[SALT_BYTES];
    uint32_t reports;
    int known; /* of the sources */
    source sources[MOST_SOURCES];
};

unsigned keys_suites(void)
{
    return (1u << SUITES) - 1;
}

static void xor_into(uint8_t *at, uint64_t value, int bytes)
{
    while (bytes--) {
        at[bytes] ^= (uint8_t)value;
        value >>= 8;
    }
}

/* RFC 3711 section 4.3.1, with a derivation rate of 0; RFC 7714 section 11: the salt of 96 bits is filled up. */
static int derive(const uint8_t *master, uint32_t key_bytes, uint32_t salt_bytes, uint8_t label, uint8_t *made,
                  uint32_t bytes)
{
    static const uint8_t zeros[KEYS_LONGEST] = {0};
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    uint8_t block[BLOCK_BYTES] = {0};
    int length = 0, done;
    memcpy(block, master + key_bytes, salt_bytes);
    block[7] ^= label;
    done = context &&
           EVP_EncryptInit_ex(context, key_bytes == 16 ? EVP_aes_128_ctr() : EVP_aes_256_ctr(), NULL, master,
                              block) &&
           EVP_EncryptUpdate(context, made, &length, zeros, (int)bytes);
    EVP_CIPHER_CTX_free(context);
    return done;
}

static EVP_MAC_CTX *new_mac(const uint8_t *key)
{
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *made = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
    char digest[] = "SHA1";
    const OSSL_PARAM parameters[] = {{"digest", OSSL_PARAM_UTF8_STRING, digest, sizeof digest - 1, 0},
                                     {NULL, 0, NULL, 0, 0}};
    EVP_MAC_free(hmac);
    if (made && !EVP_MAC_init(made, key, MAC_KEY_BYTES, parameters)) {
        EVP_MAC_CTX_free(made);
        return NULL;
    }
    return made;
}

/* Make the ciphers of RTP (first_label 0) or RTCP (3). Returns 0 when it can't be done. */
static int prepare(const session *session, const plane_key *key, int outgoing, uint8_t first_label,
                   EVP_CIPHER_CTX **cipher, EVP_MAC_CTX **mac, uint8_t *salt)
{
    uint32_t key_bytes = key->suite == PLANE_AES_256_GCM ? 32 : 16, salt_bytes = session->counter_mode ? 14 : 12;
    uint8_t encryption[KEYS_LONGEST], authentication[KEYS_LONGEST];
    const EVP_CIPHER *kind = session->counter_mode ? EVP_aes_128_ctr()
                             : key_bytes == 16     ? EVP_aes_128_gcm()
                                                   : EVP_aes_256_gcm();
    return derive(key->key, key_bytes, salt_bytes, first_label, encryption, key_bytes) &&
           derive(key->key, key_bytes, salt_bytes, (uint8_t)(first_label + 1), authentication, MAC_KEY_BYTES) &&
           derive(key->key, key_bytes, salt_bytes, (uint8_t)(first_label + 2), salt, salt_bytes) &&
           (*cipher = EVP_CIPHER_CTX_new()) &&
           EVP_CipherInit_ex(*cipher, kind, NULL, encryption, NULL, outgoing || session->counter_mode) &&
           (!session->counter_mode || (*mac = new_mac(authentication)));
}

static void drop(session *session)
{
    EVP_CIPHER_CTX_free(session->rtp);
    EVP_CIPHER_CTX_free(session->rtcp);
    EVP_MAC_CTX_free(session->rtp_mac);
    EVP_MAC_CTX_free(session->rtcp_mac);
    OPENSSL_cleanse(session->rtp_salt, sizeof session->rtp_salt);
    free(session);
}

void keys_forget(session **kept)
{
    while (*kept) {
        session *one = *kept;
        *kept = one->next;
        drop(one);
    }
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

static session *keep(session **kept, const plane_key *key, int outgoing)
{
    session *made, **last = kept;
    if (key->suite >= SUITES || key->mki_bytes > PLANE_MKI_BYTES || !(made = calloc(1, sizeof *made)))
        return NULL;
    made->fingerprint = key->fingerprint;
    made->counter_mode = key->suite == PLANE_AES_CM_80 || key->suite == PLANE_AES_CM_32;
    made->tag_bytes = key->suite == PLANE_AES_CM_80 ? 10 : key->suite == PLANE_AES_CM_32 ? 4 : 0;
    made->mki_bytes = key->mki_bytes;
    memcpy(made->mki, key->mki, key->mki_bytes);
    if (!prepare(made, key, outgoing, 0, &made->rtp, &made->rtp_mac, made->rtp_salt) ||
        !prepare(made, key, outgoing, 3, &made->rtcp, &made->rtcp_mac, made->rtcp_salt)) {
        drop(made);
        return NULL;
    }
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
    if (made || !(made = keep(kept, key, 1)))
        return made;
    made->known = 1;
    made->sources[0] = (source){ssrc, left ? left->index : -1, left ? left->index : -1, 0, -1};
    made->reports = left ? left->reports : 0;
    return made;
}

session *keys_incoming(session **kept, const plane_key *key, const keys_place *left)
{
    session *made = found(kept, key->fingerprint);
    if (made || !(made = keep(kept, key, 0)) || !left || left->index < 0)
        return made;
    made->sources[made->known++] = (source){left->ssrc, left->index, left->index, 0, -1};
    return made;
}

int64_t keys_newest(const session *session)
{
    return session->sources[0].index;
}

static uint32_t ssrc_of(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* What is known of a packet's source; the place of a new one, NULL when there are too many. */
static source *source_of(session *session, uint32_t ssrc)
{
    for (int i = 0; i < session->known; i++)
        if (session->sources[i].ssrc == ssrc)
            return &session->sources[i];
    if (session->known == MOST_SOURCES)
        return NULL;
    session->sources[session->known] = (source){ssrc, -1, -1, 0, -1};
    return &session->sources[session->known];
}

/* RFC 3711 section 3.3.2: say whether an index may be used, as it never was. */
static int is_fresh(const source *source, int64_t index)
{
    if (index <= source->floor)
        return 0;
    if (index > source->index)
        return 1;
    return source->index - index < WINDOW && !(source->seen >> (source->index - index) & 1);
}

static void note(source *source, int64_t index)
{
    if (index > source->index) {
        int64_t step = source->index < 0 ? WINDOW : index - source->index;
        source->seen = step < WINDOW ? source->seen << step : 0;
        source->index = index;
    }
    source->seen |= (unsigned __int128)1 << (source->index - index);
}

/* Where the payload of an RTP packet begins; 0 when its header is longer than the packet. */
static uint32_t header_bytes(const uint8_t *data, uint32_t length)
{
    uint32_t start = HEADER_BYTES + 4u * (data[0] & 0x0F);
    if (length < HEADER_BYTES || (data[0] & 0xC0) != 0x80)
        return 0;
    if (data[0] & 0x10) {
        if (start + 4 > length)
            return 0;
        start += 4 + 4u * (uint32_t)(data[start + 2] << 8 | data[start + 3]);
    }
    return start <= length ? start : 0;
}

/* RFC 3711 section 4.1.1: encrypt or decrypt in place. */
static int count_through(EVP_CIPHER_CTX *cipher, const uint8_t *salt, uint32_t ssrc, uint64_t index, uint8_t *data,
                         uint32_t length)
{
    uint8_t block[BLOCK_BYTES] = {0};
    int made;
    memcpy(block, salt, SALT_BYTES);
    xor_into(block + 4, ssrc, 4);
    xor_into(block + 8, index, 6);
    return EVP_CipherInit_ex(cipher, NULL, NULL, NULL, block, -1) &&
           EVP_CipherUpdate(cipher, data, &made, data, (int)length);
}

/* RFC 3711 section 4.2: the tag of data and of what follows it in thought. */
static int authenticate(EVP_MAC_CTX *mac, const uint8_t *data, uint32_t length, const uint8_t *more,
                        uint32_t more_bytes, uint8_t *tag)
{
    size_t made;
    return EVP_MAC_init(mac, NULL, 0, NULL) && EVP_MAC_update(mac, data, length) &&
           EVP_MAC_update(mac, more, more_bytes) && EVP_MAC_final(mac, tag, &made, MAC_KEY_BYTES);
}

/* RFC 7714 section 8.1 and 9.1: begin with the nonce and with what is authenticated and stays in clear. */
static int begin_gcm(EVP_CIPHER_CTX *cipher, const uint8_t *salt, uint32_t ssrc, uint64_t index,
                     const uint8_t *header, uint32_t length, const uint8_t *more, uint32_t more_bytes)
{
    uint8_t nonce[12];
    int made;
    memcpy(nonce, salt, sizeof nonce);
    xor_into(nonce + 2, ssrc, 4);
    xor_into(nonce + 6, index, 6);
    return EVP_CipherInit_ex(cipher, NULL, NULL, NULL, nonce, -1) &&
           EVP_CipherUpdate(cipher, NULL, &made, header, (int)length) &&
           (!more_bytes || EVP_CipherUpdate(cipher, NULL, &made, more, (int)more_bytes));
}

static int seal_gcm(EVP_CIPHER_CTX *cipher, uint8_t *data, uint32_t length)
{
    int made;
    return EVP_CipherUpdate(cipher, data, &made, data, (int)length) &&
           EVP_CipherFinal_ex(cipher, data + length, &made) &&
           EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, GCM_TAG_BYTES, data + length);
}

static int open_gcm(EVP_CIPHER_CTX *cipher, uint8_t *data, uint32_t length)
{
    int made;
    return EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, GCM_TAG_BYTES, data + length) &&
           EVP_CipherUpdate(cipher, data, &made, data, (int)length) &&
           EVP_CipherFinal_ex(cipher, data + length, &made) > 0;
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
    uint32_t tail = session->mki_bytes + session->tag_bytes;
    uint8_t *at = data + *length - tail;
    if (*length < tail || memcmp(at, session->mki, session->mki_bytes))
        return 0;
    memmove(at, at + session->mki_bytes, session->tag_bytes);
    *length -= session->mki_bytes;
    return 1;
}

int keys_seal(session *session, uint8_t *data, uint32_t *length)
{
    uint32_t start;
    source *source;
    int64_t index;
    uint8_t rollovers[4] = {0}, tag[MAC_KEY_BYTES];
    if (!session || *length > KEYS_MOST_BYTES || !(start = header_bytes(data, *length)))
        return 0;
    source = &session->sources[0];
    index = keys_index(source->index, (uint16_t)(data[2] << 8 | data[3]));
    if (ssrc_of(data + 8) != source->ssrc || !is_fresh(source, index))
        return 0; /* RFC 3711 section 9.1: also a number that was encrypted before */
    note(source, index);
    if (session->counter_mode) {
        xor_into(rollovers, (uint64_t)index >> 16, 4);
        if (!count_through(session->rtp, session->rtp_salt, source->ssrc, (uint64_t)index, data + start,
                           *length - start) ||
            !authenticate(session->rtp_mac, data, *length, rollovers, 4, tag))
            return 0;
        memcpy(data + *length, tag, session->tag_bytes);
        *length += session->tag_bytes;
    } else {
        if (!begin_gcm(session->rtp, session->rtp_salt, source->ssrc, (uint64_t)index, data, start, NULL, 0) ||
            !seal_gcm(session->rtp, data + start, *length - start))
            return 0;
        *length += GCM_TAG_BYTES;
    }
    insert_mki(session, data, length, session->tag_bytes);
    return 1;
}

int keys_seal_report(session *session, uint8_t *data, uint32_t *length)
{
    uint8_t trailer[4] = {0}, tag[MAC_KEY_BYTES];
    uint32_t ssrc;
    if (!session || *length < REPORT_HEADER_BYTES || *length > KEYS_MOST_BYTES)
        return 0;
    ssrc = ssrc_of(data + 4);
    xor_into(trailer, 0x80000000u | ++session->reports, 4); /* section 3.4: the highest bit says "encrypted" */
    if (session->counter_mode) {
        if (!count_through(session->rtcp, session->rtcp_salt, ssrc, session->reports, data + REPORT_HEADER_BYTES,
                           *length - REPORT_HEADER_BYTES) ||
            !authenticate(session->rtcp_mac, data, *length, trailer, 4, tag))
            return 0;
        memcpy(data + *length, trailer, 4);
        memcpy(data + *length + 4, tag, RTCP_TAG_BYTES);
        *length += 4 + RTCP_TAG_BYTES;
        insert_mki(session, data, length, RTCP_TAG_BYTES);
        return 1;
    }
    if (!begin_gcm(session->rtcp, session->rtcp_salt, ssrc, session->reports, data, REPORT_HEADER_BYTES, trailer,
                   4) ||
        !seal_gcm(session->rtcp, data + REPORT_HEADER_BYTES, *length - REPORT_HEADER_BYTES))
        return 0;
    memcpy(data + *length + GCM_TAG_BYTES, trailer, 4);
    *length += GCM_TAG_BYTES + 4;
    insert_mki(session, data, length, 0);
    return 1;
}

int keys_open(session *session, uint8_t *data, uint32_t *length, int64_t *index)
{
    uint32_t start, end, tag_bytes;
    source *source;
    uint8_t rollovers[4] = {0}, tag[MAC_KEY_BYTES];
    if (!session || (session->mki_bytes && !remove_mki(session, data, length)))
        return 0;
    tag_bytes = session->counter_mode ? session->tag_bytes : GCM_TAG_BYTES;
    if (*length < HEADER_BYTES + tag_bytes || *length > KEYS_MOST_BYTES)
        return 0;
    end = *length - tag_bytes;
    if (!(start = header_bytes(data, end)) || !(source = source_of(session, ssrc_of(data + 8))))
        return 0;
    *index = keys_index(source->index, (uint16_t)(data[2] << 8 | data[3]));
    if (!is_fresh(source, *index))
        return 0;
    if (session->counter_mode) {
        xor_into(rollovers, (uint64_t)*index >> 16, 4);
        if (!authenticate(session->rtp_mac, data, end, rollovers, 4, tag) ||
            CRYPTO_memcmp(tag, data + end, tag_bytes) ||
            !count_through(session->rtp, session->rtp_salt, source->ssrc, (uint64_t)*index, data + start,
                           end - start))
            return 0;
    } else if (!begin_gcm(session->rtp, session->rtp_salt, source->ssrc, (uint64_t)*index, data, start, NULL, 0) ||
               !open_gcm(session->rtp, data + start, end - start)) {
        return 0;
    }
    if (source == &session->sources[session->known])
        session->known++;
    note(source, *index);
    *length = end;
    return 1;
}

/* RFC 3711 section 3.4: header, what is encrypted, the index under the bit that says so, MKI, tag; RFC 7714
 * section 9 has the tag before the index. */
int keys_open_report(session *session, uint8_t *data, uint32_t *length)
{
    uint32_t end, tail, index;
    source *source;
    uint8_t tag[MAC_KEY_BYTES], *trailer;
    if (!session)
        return 0;
    tail = 4 + session->mki_bytes + (session->counter_mode ? RTCP_TAG_BYTES : GCM_TAG_BYTES);
    if (*length < REPORT_HEADER_BYTES + tail || *length > KEYS_MOST_BYTES || (data[0] & 0xC0) != 0x80)
        return 0;
    end = *length - tail; /* of what is encrypted */
    trailer = data + end + (session->counter_mode ? 0 : GCM_TAG_BYTES);
    index = ssrc_of(trailer) & 0x7FFFFFFF;
    source = source_of(session, ssrc_of(data + 4));
    if (!(trailer[0] & 0x80) || !source || (int64_t)index <= source->reported ||
        memcmp(trailer + 4, session->mki, session->mki_bytes))
        return 0;
    if (session->counter_mode) {
        if (!authenticate(session->rtcp_mac, data, end, trailer, 4, tag) ||
            CRYPTO_memcmp(tag, trailer + 4 + session->mki_bytes, RTCP_TAG_BYTES) ||
            !count_through(session->rtcp, session->rtcp_salt, source->ssrc, index, data + REPORT_HEADER_BYTES,
                           end - REPORT_HEADER_BYTES))
            return 0;
    } else if (!begin_gcm(session->rtcp, session->rtcp_salt, source->ssrc, index, data, REPORT_HEADER_BYTES, trailer,
                          4) ||
               !open_gcm(session->rtcp, data + REPORT_HEADER_BYTES, end - REPORT_HEADER_BYTES)) {
        return 0;
    }
    if (source == &session->sources[session->known])
        session->known++;
    source->reported = index;
    *length = end;
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

int keys_open_report(session *session, uint8_t *data, uint32_t *length)
{
    (void)session, (void)data, (void)length;
    return 0;
}
#endif
