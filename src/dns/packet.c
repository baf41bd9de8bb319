/* dns/packet.c - DNS answers and MX records from bytes nobody vouches for.
 * In:   a packet, or the data of one record.   Out: record data with names unpacked, or RC_BAD.
 * Always true: never reads past the packet; a compression pointer leads backwards only, so names end; at most
 * PACKET_RECORDS_MAX records are kept and no more than 64 KiB of them. */
#include "config.h"

#include "dns/packet.h"

#include <arpa/inet.h>

enum {
	HEADER_LEN = 12,
	WIRE_NAME_MAX = 255,
	TYPE_CNAME = 5,
	TYPE_SOA = 6,
	CLASS_IN = 1,
	CHAIN_MAX = 8,
	RECORDS_MEM_MAX = 65536
};

/* A name in wire form, lower case, not compressed. */
struct wire_name {
	unsigned char bytes[WIRE_NAME_MAX];
	size_t len;
};

struct record {
	struct wire_name owner;
	unsigned type, class;
	uint32_t ttl;
	size_t data_at, data_len;
};

static unsigned
get16(const char *p)
{
	return (unsigned)(unsigned char)p[0] << 8 | (unsigned char)p[1];
}

static uint32_t
get32(const char *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

/* Append one label with its length byte. */
static bool
add_label(struct wire_name *name, struct span label)
{
	if (label.len + 1 > sizeof name->bytes - name->len)
		return false;
	name->bytes[name->len++] = (unsigned char)label.len;
	for (size_t i = 0; i < label.len; i++)
		name->bytes[name->len++] = (unsigned char)ascii_lower(label.p[i]);
	return true;
}

/* The name at *at; *at goes behind it. */
static bool
read_name(struct span packet, size_t *at, struct wire_name *out)
{
	size_t pos = *at, limit = packet.len;
	bool jumped = false;

	out->len = 0;
	for (;;) {
		unsigned len;

		if (pos >= packet.len)
			return false;
		len = (unsigned char)packet.p[pos];
		if ((len & 0xc0) == 0xc0) {
			size_t target;

			if (packet.len - pos < 2)
				return false;
			target = get16(packet.p + pos) & 0x3fff;
			if (!jumped)
				*at = pos + 2;
			limit = jumped ? limit : pos;
			/* backwards each time, or two pointers could chase each other */
			if (target >= limit)
				return false;
			limit = pos = target;
			jumped = true;
			continue;
		}
		if (len > 63 || len > packet.len - pos - 1)
			return false;
		if (!add_label(out, span_make(packet.p + pos + 1, len)))
			return false;
		pos += 1 + len;
		if (len == 0)
			break;
	}
	if (!jumped)
		*at = pos;
	return true;
}

static bool
name_eq(const struct wire_name *a, const struct wire_name *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

static bool
read_record(struct span packet, size_t *at, struct record *out)
{
	const char *p;

	if (!read_name(packet, at, &out->owner) || packet.len - *at < 10)
		return false;
	p = packet.p + *at;
	out->type = get16(p);
	out->class = get16(p + 2);
	out->ttl = get32(p + 4);
	out->data_len = get16(p + 8);
	out->data_at = *at + 10;
	if (out->data_len > packet.len - out->data_at)
		return false;
	*at = out->data_at + out->data_len;
	return true;
}

/* A name that is the data of a record, or ends it, and nothing behind it. */
static bool
read_data_name(struct span packet, const struct record *record, size_t skip, struct wire_name *out)
{
	size_t at = record->data_at + skip, end = record->data_at + record->data_len;

	return skip <= record->data_len && read_name(packet, &at, out) && at == end;
}

static bool
keep_record(struct span packet, const struct record *record, struct packet_answer *out)
{
	struct wire_name name;
	size_t start = buf_len(&out->mem);

	if (out->count == PACKET_RECORDS_MAX)
		return true;
	if (record->type == DNS_MX) {
		if (!read_data_name(packet, record, 2, &name))
			return false;
		buf_add(&out->mem, packet.p + record->data_at, 2);
		buf_add(&out->mem, name.bytes, name.len);
	} else {
		buf_add(&out->mem, packet.p + record->data_at, record->data_len);
	}
	if (out->mem.failed)
		return false;
	/* the memory may still move: only the lengths are final */
	out->records[out->count++] = span_make(NULL, buf_len(&out->mem) - start);
	return true;
}

static void
lower_ttl(struct packet_answer *out, uint32_t ttl)
{
	/* RFC 2181 8: the top bit set means zero */
	if ((ttl & UINT32_C(0x80000000)) != 0)
		ttl = 0;
	if (ttl < out->ttl_s)
		out->ttl_s = ttl;
}

/* One walk over the answer section: take what `owner` has; a CNAME of it changes `owner`. */
static bool
walk_answers(struct span packet, size_t at, unsigned count, enum dns_type type,
    struct wire_name *owner, bool *moved, struct packet_answer *out)
{
	struct record record;

	*moved = false;
	for (unsigned i = 0; i < count; i++) {
		if (!read_record(packet, &at, &record))
			return false;
		if (*moved || record.class != CLASS_IN || !name_eq(&record.owner, owner))
			continue;
		if (record.type == TYPE_CNAME) {
			if (!read_data_name(packet, &record, 0, owner))
				return false;
			lower_ttl(out, record.ttl);
			*moved = true;
		} else if (record.type == (unsigned)type) {
			if (!keep_record(packet, &record, out))
				return false;
			lower_ttl(out, record.ttl);
		}
	}
	return true;
}

static bool
follow(struct span packet, size_t at, unsigned count, enum dns_type type, struct wire_name *owner,
    struct packet_answer *out)
{
	bool moved = true;

	for (int hops = 0; moved; hops++) {
		if (hops > CHAIN_MAX)
			return false;
		if (!walk_answers(packet, at, count, type, owner, &moved, out))
			return false;
	}
	return true;
}

static bool
skip_records(struct span packet, size_t *at, unsigned count)
{
	struct record record;

	while (count-- > 0)
		if (!read_record(packet, at, &record))
			return false;
	return true;
}

/* RFC 2308 5: a negative answer lives for the SOA's TTL or its last field, whichever is less. */
static bool
read_negative_ttl(struct span packet, size_t at, unsigned count, struct packet_answer *out)
{
	struct record record;

	while (count-- > 0) {
		if (!read_record(packet, &at, &record))
			return false;
		if (record.type != TYPE_SOA || record.data_len < 22)
			continue;
		lower_ttl(out, record.ttl);
		lower_ttl(out, get32(packet.p + record.data_at + record.data_len - 4));
	}
	return true;
}

static bool
parse(struct span packet, enum dns_type type, struct packet_answer *out)
{
	struct wire_name owner;
	unsigned answers, authorities;
	size_t at = HEADER_LEN, behind;

	if (packet.len < HEADER_LEN || (packet.p[2] & 0x80) == 0 || get16(packet.p + 4) != 1)
		return false;
	out->rcode = packet.p[3] & 0x0f;
	answers = get16(packet.p + 6);
	authorities = get16(packet.p + 8);
	if (!read_name(packet, &at, &owner) || packet.len - at < 4 ||
	    get16(packet.p + at) != (unsigned)type || get16(packet.p + at + 2) != CLASS_IN)
		return false;
	at += 4;
	behind = at;
	if (!follow(packet, at, answers, type, &owner, out) ||
	    !skip_records(packet, &behind, answers))
		return false;
	return out->count > 0 || read_negative_ttl(packet, behind, authorities, out);
}

enum rc
packet_parse(struct span packet, enum dns_type type, struct packet_answer *out)
{
	const char *p;

	memset(out, 0, sizeof *out);
	out->ttl_s = UINT32_MAX;
	buf_init(&out->mem, RECORDS_MEM_MAX);
	if (!parse(packet, type, out)) {
		packet_answer_free(out);
		return RC_BAD;
	}
	p = buf_span(&out->mem).p;
	for (size_t i = 0; i < out->count; i++) {
		out->records[i].p = p;
		p += out->records[i].len;
	}
	return RC_OK;
}

void
packet_answer_free(struct packet_answer *answer)
{
	buf_free(&answer->mem);
	answer->count = 0;
}

bool
packet_is_host_name(struct span name)
{
	unsigned char address[16];
	struct span label;
	char text[254];

	if (name.len == 0 || !span_copy(name, text, sizeof text) ||
	    inet_pton(AF_INET, text, address) == 1)
		return false;
	while (span_next(&name, '.', &label)) {
		if (label.len == 0 || label.len > 63)
			return false;
		for (size_t i = 0; i < label.len; i++)
			if (!ascii_is_alnum(label.p[i]) && label.p[i] != '-' && label.p[i] != '_')
				return false;
	}
	return true;
}

/* A dot inside a label (or a NUL, a line end) would turn into another name: such names fail as a whole. */
static bool
name_to_text(const struct wire_name *wire, char out[PACKET_NAME_MAX])
{
	size_t at = 0, len = 0;

	while (wire->bytes[at] != 0) {
		size_t label = wire->bytes[at++];

		if (len > 0)
			out[len++] = '.';
		for (; label > 0; label--, at++) {
			if (wire->bytes[at] == '.' || wire->bytes[at] == '\0')
				return false;
			out[len++] = (char)wire->bytes[at];
		}
	}
	out[len] = '\0';
	return len == 0 || packet_is_host_name(span_make(out, len));
}

enum rc
packet_parse_mx(struct span rdata, unsigned *preference, char name[PACKET_NAME_MAX])
{
	struct record record = { .data_len = rdata.len };
	struct wire_name wire;

	name[0] = '\0';
	if (rdata.len < 3 || !read_data_name(rdata, &record, 2, &wire) ||
	    wire.len != rdata.len - 2 /* there is nothing here to point to */ ||
	    !name_to_text(&wire, name)) {
		name[0] = '\0';
		return RC_BAD;
	}
	*preference = get16(rdata.p);
	return RC_OK;
}
