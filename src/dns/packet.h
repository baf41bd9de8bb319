/* dns/packet.h - reads a DNS answer (RFC 1035): pure, for bytes nobody vouches for. */
#ifndef DNS_PACKET_H
#define DNS_PACKET_H

#include "dns/resolver.h"
#include "util/buf.h"

enum {
	PACKET_RECORDS_MAX = 100,
	PACKET_NAME_MAX = 256 /* of a name as text, with NUL */
};

struct packet_answer {
	int rcode;
	struct span records[PACKET_RECORDS_MAX]; /* into `mem`; names inside are not compressed */
	size_t count;
	uint32_t
	    ttl_s; /* the smallest on the way; of a negative answer: the SOA's; else UINT32_MAX */
	struct buf mem; /* owned */
};

/* The records of `type` that the question's name owns, or the end of its chain of CNAMEs (8 at most). Others
 * are passed over. RC_BAD: not an answer, or broken anywhere before its end. */
MUST_CHECK enum rc packet_parse(struct span packet, enum dns_type type, struct packet_answer *out);
void packet_answer_free(struct packet_answer *answer);

/* Record data of an MX: preference and a host name in lower case ("" is the root: null MX). RC_BAD: broken, or
 * a name that is not a host name (other characters, an IP address in text). */
MUST_CHECK enum rc packet_parse_mx(
    struct span rdata, unsigned *preference, char name[PACKET_NAME_MAX]);

/* Letters, digits, hyphen, underscore in labels of 1 to 63, 253 in all; not an IP address in text. */
bool packet_is_host_name(struct span name);

#endif
