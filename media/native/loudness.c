/* See loudness.h. */
#include "loudness.h"

enum { PCMU = 0, PCMA = 8, COMFORT_NOISE = 13 };
static const uint64_t QUIET_LEVEL = 100; /* root mean square of 16-bit samples, -50 dBov */
static const uint8_t QUIET_DBOV = 50;
static uint32_t squares[2][256]; /* of each code's sample, mu-law and A-law */

/* ITU-T G.711: three bits of exponent, four of mantissa; mu-law is sent inverted, A-law with each second bit. */
static uint32_t ulaw_size(uint8_t code)
{
    uint8_t plain = (uint8_t)~code;
    return ((((plain & 15u) << 3) + 132) << (plain >> 4 & 7)) - 132;
}

static uint32_t alaw_size(uint8_t code)
{
    uint8_t plain = code ^ 0x55, exponent = plain >> 4 & 7;
    uint32_t size = ((plain & 15u) << 4) + 8;
    return exponent ? (size + 256) << (exponent - 1) : size;
}

void loudness_begin(void)
{
    for (int code = 0; code < 256; code++) {
        uint32_t ulaw = ulaw_size((uint8_t)code), alaw = alaw_size((uint8_t)code);
        squares[0][code] = ulaw * ulaw;
        squares[1][code] = alaw * alaw;
    }
}

int loudness_is_quiet(uint8_t payload_type, const uint8_t *payload, uint32_t length)
{
    const uint32_t *of = squares[payload_type == PCMA];
    uint64_t energy = 0;
    if (payload_type == COMFORT_NOISE)
        return length && (payload[0] & 0x7F) > QUIET_DBOV; /* RFC 3389 section 3.1: in -dBov */
    if (payload_type != PCMU && payload_type != PCMA)
        return 0;
    for (uint32_t i = 0; i < length; i++)
        energy += of[payload[i]];
    return energy < QUIET_LEVEL * QUIET_LEVEL * length;
}
