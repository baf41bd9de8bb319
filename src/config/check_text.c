/* config/check_text.c - small validators of names, hosts and addresses as they stand in the configuration.
 * Pure: no look-ups, no files. */
#include <config.h>

#include "config/check_text.h"

#include <arpa/inet.h>

#include "util/endpoint.h"
#include "util/network.h"

enum {
	NAME_MAX_LEN = 64,
	TAG_PART_MAX = 255, /* as X-SES-MESSAGE-TAGS has it */
	KEY_ID_MIN = 16,
	KEY_ID_MAX = 128,
	HOST_MAX_LEN = 253,
	LABEL_MAX_LEN = 63,
	LOCAL_MAX_LEN = 64,
	TEXT_MAX_LEN = 1024,
	PATH_MAX_LEN = 1024
};

static bool
all(struct span text, bool (*is)(char))
{
	for (size_t i = 0; i < text.len; i++)
		if (!is(text.p[i]))
			return false;
	return true;
}

static bool
is_name_char(char c)
{
	return ascii_is_alnum(c) || c == '_' || c == '-';
}

static bool
is_value_char(char c)
{
	return is_name_char(c) || c == '.' || c == '@';
}

static bool
is_tag(struct span text)
{
	size_t mark = span_find(text, '=');
	struct span name = span_first(text, mark), value = span_skip(text, mark + 1);

	return mark < text.len && name.len > 0 && name.len <= TAG_PART_MAX && value.len > 0 &&
	       value.len <= TAG_PART_MAX && all(name, is_name_char) && all(value, is_value_char);
}

static bool
is_local_char(char c)
{
	return ascii_is_alnum(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~.", c) != NULL);
}

/* Length of the UTF-8 sequence at the start, 0 when it is none. */
static size_t
utf8_length(struct span s)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char first = (unsigned char)s.p[0];
	size_t len = first < 0x80 ? 1 : first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	uint32_t code;

	if (len <= 1)
		return len;
	if (len > s.len || first > 0xf4)
		return 0;
	code = first & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if ((c & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (c & 0x3f);
	}
	return code < least[len] || (code >= 0xd800 && code < 0xe000) || code > 0x10ffff ? 0 : len;
}

/* UTF-8 without control characters. */
static bool
is_text(struct span s)
{
	if (s.len > TEXT_MAX_LEN)
		return false;
	while (s.len > 0) {
		size_t len = utf8_length(s);

		if (len == 0 || (unsigned char)s.p[0] < 0x20 || s.p[0] == 0x7f)
			return false;
		s = span_skip(s, len);
	}
	return true;
}

static bool
is_label(struct span label)
{
	for (size_t i = 0; i < label.len; i++)
		if (!ascii_is_alnum(label.p[i]) && label.p[i] != '-')
			return false;
	return label.len >= 1 && label.len <= LABEL_MAX_LEN && label.p[0] != '-' &&
	       label.p[label.len - 1] != '-';
}

static bool
is_address_of(int family, struct span text)
{
	char copy[INET6_ADDRSTRLEN];
	unsigned char bytes[sizeof(struct in6_addr)];

	return span_copy(text, copy, sizeof copy) && inet_pton(family, copy, bytes) == 1;
}

static bool
is_address(struct span text)
{
	return is_address_of(AF_INET, text) || is_address_of(AF_INET6, text);
}

/* Not an IPv4 address, which has the form of a host name. */
static bool
is_hostname(struct span text)
{
	struct span rest = text, label;

	if (text.len == 0 || text.len > HOST_MAX_LEN || is_address_of(AF_INET, text))
		return false;
	while (span_next(&rest, '.', &label))
		if (!is_label(label))
			return false;
	return true;
}

static bool
is_identity(struct span text)
{
	size_t mark = span_find_last(text, '@');
	struct span local = span_first(text, mark);

	if (mark == text.len)
		return is_hostname(text);
	return local.len >= 1 && local.len <= LOCAL_MAX_LEN && all(local, is_local_char) &&
	       local.p[0] != '.' && local.p[local.len - 1] != '.' &&
	       memmem(local.p, local.len, "..", 2) == NULL &&
	       is_hostname(span_skip(text, mark + 1));
}

static bool
is_destination(struct span text)
{
	if (span_eq(text, SPAN_LIT("*")))
		return true;
	return is_hostname(text.len > 0 && text.p[0] == '.' ? span_skip(text, 1) : text);
}

static bool
is_dns_server(struct span text)
{
	size_t mark = span_find(text, '@');
	uint64_t port = 1;

	return is_address(span_first(text, mark)) &&
	       (mark == text.len ||
		   (span_uint(span_skip(text, mark + 1), 65535, &port) && port > 0));
}

static bool
is_socket(struct span text)
{
	struct sockaddr_storage address;
	socklen_t len;

	return endpoint_parse(text, &address, &len);
}

bool
text_is(enum schema_type type, struct span text)
{
	if (text.len == 0 || !is_text(text))
		return false;
	switch (type) {
	case SCHEMA_NAME:
		return text.len <= NAME_MAX_LEN && all(text, is_name_char);
	case SCHEMA_TAG:
		return is_tag(text);
	case SCHEMA_KEY_ID:
		return text.len >= KEY_ID_MIN && text.len <= KEY_ID_MAX &&
		       all(text, ascii_is_alnum);
	case SCHEMA_PATH:
		return text.p[0] == '/' && text.len <= PATH_MAX_LEN;
	case SCHEMA_SNI: /* "default" has the form of a host name, too */
	case SCHEMA_HOSTNAME:
		return is_hostname(text);
	case SCHEMA_HOST:
		return is_hostname(text) || is_address(text);
	case SCHEMA_DESTINATION:
		return is_destination(text);
	case SCHEMA_IDENTITY:
		return is_identity(text);
	case SCHEMA_ADDRESS:
		return is_address(text);
	case SCHEMA_IPV4:
		return is_address_of(AF_INET, text);
	case SCHEMA_IPV6:
		return is_address_of(AF_INET6, text);
	case SCHEMA_NETWORK:
		return network_parse(text, &(struct network){ .bits = 0 });
	case SCHEMA_DNS_SERVER:
		return is_dns_server(text);
	case SCHEMA_SOCKET:
		return is_socket(text);
	default: /* SCHEMA_TEXT, SCHEMA_SECRET */
		return true;
	}
}

bool
text_is_loopback(const char *text)
{
	struct in6_addr v6;

	/* 127.0.0.0/8 has no shorter form that inet_pton takes. */
	return strncmp(text, "127.", 4) == 0 ||
	       (inet_pton(AF_INET6, text, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6));
}

void
text_fold(enum schema_type type, char *text)
{
	char *mark = strrchr(text, '@');

	if (type != SCHEMA_SNI && type != SCHEMA_DESTINATION && type != SCHEMA_IDENTITY)
		return;
	for (char *p = type == SCHEMA_IDENTITY && mark != NULL ? mark : text; *p != '\0'; p++)
		*p = ascii_lower(*p);
}
