/* Whether a packet of G.711 or comfort noise says anything: what a conference's gate leaves out need not be
 * given to the loop. See `media/loudness.py`, which says the same.
 */
#ifndef BEFFROI_LOUDNESS_H
#define BEFFROI_LOUDNESS_H
#include <stdint.h>

/* Fill the tables; before threads start. */
void loudness_begin(void);
/* Say whether a payload of this type (RFC 3551 table 4) is PCMU, PCMA or comfort noise below -50 dBov. Of
 * another type nobody can say so here: it isn't quiet. */
int loudness_is_quiet(uint8_t payload_type, const uint8_t *payload, uint32_t length);
#endif
