/* mail/message_id.c - makes, writes and reads message ids.
 * In:   region, time and random bytes; or 60 characters.   Out: the id as 24 bytes, or its text.
 * Always true: an id has one text, and a text that parses is that of its id. */
#include "config.h"

#include "mail/message_id.h"

#include <string.h>

#define TIME_MASK UINT64_C(0xffffffffffff)

static const struct {
	const char *name;
	uint16_t prefix;
} regions[] = {
	{ "us-east-1", 0x0100 },
	{ "us-west-2", 0x0101 },
	{ "eu-west-1", 0x0102 },
	{ "ap-northeast-1", 0x0106 },
	{ "eu-central-1", 0x0107 },
	{ "eu-north-1", 0x0110 },
};

uint16_t
message_id_region_prefix(struct span region)
{
	uint32_t hash =
	    2166136261u; /* FNV-1a: the value stays the same over versions and machines */

	for (size_t i = 0; i < ARRAY_LEN(regions); i++)
		if (span_eq(region, span_of(regions[i].name)))
			return regions[i].prefix;
	for (size_t i = 0; i < region.len; i++)
		hash = (hash ^ (unsigned char)region.p[i]) * 16777619u;
	return (
	    uint16_t)(0x8000u | ((hash ^ hash >> 16) & 0x7fffu)); /* never that of a known region */
}

void
message_id_make(uint16_t region, int64_t unix_ms, const uint8_t random[16], struct message_id *out)
{
	out->stamp = (uint64_t)region << 48 | ((uint64_t)unix_ms & TIME_MASK);
	memcpy(out->uuid, random, sizeof out->uuid);
	out->uuid[6] =
	    (uint8_t)((out->uuid[6] & 0x0f) | 0x40); /* version 4 (RFC 9562 section 5.4) */
	out->uuid[8] = (uint8_t)((out->uuid[8] & 0x3f) | 0x80);
}

void
message_id_format(const struct message_id *id, char out[MESSAGE_ID_LEN + 1])
{
	static const char digits[] = "0123456789abcdef";
	static const char suffix[] = "-000000";
	char *at = out;

	for (int shift = 60; shift >= 0; shift -= 4)
		*at++ = digits[id->stamp >> shift & 15];
	for (size_t i = 0; i < sizeof id->uuid; i++) {
		if (i == 0 || i == 4 || i == 6 || i == 8 || i == 10)
			*at++ = '-';
		*at++ = digits[id->uuid[i] >> 4];
		*at++ = digits[id->uuid[i] & 15];
	}
	memcpy(at, suffix, sizeof suffix);
}

/* Lower case only: the text is a key in tables. */
static int
hex_value(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

enum rc
message_id_parse(struct span text, struct message_id *out)
{
	static const char shape[] = "xxxxxxxxxxxxxxxx-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx-000000";
	struct message_id id = { 0, { 0 } };
	size_t digits = 0;

	if (text.len != MESSAGE_ID_LEN)
		return RC_BAD;
	for (size_t i = 0; i < text.len; i++) {
		int value = hex_value(text.p[i]);

		if (shape[i] != 'x') {
			if (text.p[i] != shape[i])
				return RC_BAD;
			continue;
		}
		if (value < 0)
			return RC_BAD;
		if (digits < 16)
			id.stamp = id.stamp << 4 | (uint64_t)value;
		else
			id.uuid[digits / 2 - 8] = (uint8_t)(id.uuid[digits / 2 - 8] << 4 | value);
		digits++;
	}
	*out = id;
	return RC_OK;
}

int64_t
message_id_time_ms(const struct message_id *id)
{
	return (int64_t)(id->stamp & TIME_MASK);
}
