/* mail/message_id.h - SES's message id: 4 hex region, 12 hex milliseconds, a UUID, a suffix.
 *
 * In memory an id is 24 bytes; its text is 60 characters:
 *	0107017033dbb64d-be13a01e-dbf1-44b7-b876-3622165dacc1-000000 */
#ifndef MAIL_MESSAGE_ID_H
#define MAIL_MESSAGE_ID_H

#include "util/rc.h"
#include "util/span.h"

#define MESSAGE_ID_LEN 60

struct message_id {
	uint64_t stamp; /* region prefix << 48 | Unix milliseconds */
	uint8_t uuid[16];
};

/* `region`: the two-byte prefix, 0x0100 for us-east-1. `random`: 16 random bytes; version and variant bits
 * are set here. */
void message_id_make(
    uint16_t region, int64_t unix_ms, const uint8_t random[16], struct message_id *out);
void message_id_format(const struct message_id *id, char out[MESSAGE_ID_LEN + 1]);
MUST_CHECK enum rc message_id_parse(struct span text, struct message_id *out);
int64_t message_id_time_ms(const struct message_id *id);

/* The prefix of a region's name as SES has it; a stable 16-bit hash for unknown regions. */
uint16_t message_id_region_prefix(struct span region);

#endif
