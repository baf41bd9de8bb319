/* event/event.c - writes the life-cycle lines and counts. No line holds a secret or message text. */
#include "config.h"

#include "event/event.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

#include "util/buf.h"
#include "util/crypto.h"
#include "util/log.h"

enum {
	SHOWN = 400
};

static const struct {
	const char *name;   /* SES's event type */
	const char *status; /* Postfix's word in status= */
} kinds[EVENT_KINDS] = {
	[EVENT_SEND] = { "Send", "" },
	[EVENT_REJECT] = { "Reject", "reject" },
	[EVENT_DELIVERY] = { "Delivery", "sent" },
	[EVENT_BOUNCE] = { "Bounce", "bounced" },
	[EVENT_DELAY] = { "DeliveryDelay", "deferred" },
	[EVENT_REMOVED] = { "Removed", "" },
};

static _Atomic uint64_t counts[EVENT_KINDS];
static _Atomic uint64_t class_counts[EVENT_KINDS][FAILURE_CLASSES];
static char hash_key[64];
static size_t hash_key_len;
static _Atomic int show_recipients = LOG_RECIPIENTS_FULL;

void
event_configure(enum config_log_recipients recipients, struct span secret)
{
	struct span key = span_first(secret, sizeof hash_key);

	memcpy(hash_key, key.p, key.len);
	hash_key_len = key.len;
	show_recipients = recipients;
}

uint64_t
event_count(enum event_kind kind)
{
	return counts[kind];
}

uint64_t
event_class_count(enum event_kind kind, enum failure_class failure)
{
	return class_counts[kind][failure];
}

const char *
event_name(enum event_kind kind)
{
	return kinds[kind].name;
}

void
event_queue_id(uint64_t sequence, char out[EVENT_QUEUE_ID_LEN])
{
	(void)snprintf(out, EVENT_QUEUE_ID_LEN, "%010" PRIX64, sequence);
}

/* An address as the operator wants it in the log. */
static char *
show_address(const char *address, char out[SHOWN])
{
	struct span a = span_of(address);
	size_t at = span_find_last(a, '@');
	unsigned char digest[SHA256_LEN];
	char hex[2 * SHA256_LEN + 1];

	switch (atomic_load(&show_recipients)) {
	case LOG_RECIPIENTS_DOMAIN:
		(void)snprintf(out, SHOWN, "*");
		(void)log_safe(span_skip(a, at), out + 1, SHOWN - 1);
		break;
	case LOG_RECIPIENTS_HASH:
		if (crypto_hmac_sha256(span_make(hash_key, hash_key_len), a, digest) != RC_OK)
			memset(digest, 0, sizeof digest);
		crypto_hex(digest, sizeof digest, hex);
		(void)snprintf(out, SHOWN, "%.16s", hex);
		(void)log_safe(span_skip(a, at), out + 16, SHOWN - 16);
		break;
	default:
		(void)log_safe(a, out, SHOWN);
	}
	return out;
}

static void
add_tags(const struct event_send *e, struct buf *text)
{
	char safe[SHOWN];

	for (size_t i = 0; i < e->tag_count; i++) {
		buf_addf(text, "%s%s", i == 0 ? ", tags=" : ";", e->tags[i].name);
		buf_addf(text, "=%s", log_safe(span_of(e->tags[i].value), safe, sizeof safe));
	}
}

void
event_send(const struct event_send *e)
{
	char qid[EVENT_QUEUE_ID_LEN], id[MESSAGE_ID_LEN + 1], component[80], from[SHOWN],
	    mid[SHOWN];
	struct buf tags = BUF_EMPTY;

	counts[EVENT_SEND]++;
	if (!log_wants(LOG_LEVEL_INFO))
		return;
	event_queue_id(e->sequence, qid);
	message_id_format(e->id, id);
	(void)snprintf(component, sizeof component, "%s/smtpd", e->listener);
	if (e->mechanism[0] != '\0')
		log_line(LOG_LEVEL_INFO, component,
		    "%s: client=%s, sasl_method=%s, sasl_username=%s", qid, e->client, e->mechanism,
		    e->credential);
	else
		log_line(LOG_LEVEL_INFO, component, "%s: client=%s", qid, e->client);
	log_line(LOG_LEVEL_INFO, "cleanup", "%s: message-id=<%s>%s%s", qid, id,
	    e->original_message_id[0] != '\0' ? ", original-message-id=" : "",
	    log_safe(span_of(e->original_message_id), mid, sizeof mid));
	add_tags(e, &tags);
	log_line(LOG_LEVEL_INFO, "qmgr",
	    "%s: from=<%s>, size=%" PRIu64 ", nrcpt=%zu (queue active), account=%s%s%s%s", qid,
	    log_safe(span_of(e->sender), from, sizeof from), e->size, e->recipients, e->account,
	    e->configuration_set[0] != '\0' ? ", configuration-set=" : "", e->configuration_set,
	    tags.failed || buf_len(&tags) == 0 ? "" : buf_cstr(&tags));
	buf_free(&tags);
}

void
event_reject(const struct event_reject *e)
{
	char component[80], from[SHOWN];

	counts[EVENT_REJECT]++;
	(void)snprintf(component, sizeof component, "%s/smtpd", e->listener);
	log_line(LOG_LEVEL_INFO, component,
	    "NOQUEUE: reject: END-OF-MESSAGE from %s: %s; from=<%s> account=%s proto=ESMTP",
	    e->client, e->reply, log_safe(span_of(e->sender), from, sizeof from), e->account);
}

void
event_bad_content(const struct event_bad_content *e)
{
	char component[80], from[SHOWN], found[SHOWN], id[MESSAGE_ID_LEN + 1];

	counts[EVENT_REJECT]++;
	message_id_format(e->id, id);
	(void)snprintf(component, sizeof component, "%s/smtpd", e->listener);
	log_line(LOG_LEVEL_INFO, component,
	    "NOQUEUE: reject: END-OF-MESSAGE from %s: Bad content (%s); from=<%s> account=%s "
	    "proto=ESMTP message-id=<%s> nrcpt=%zu",
	    e->client, log_safe(span_of(e->found), found, sizeof found),
	    log_safe(span_of(e->sender), from, sizeof from), e->account, id, e->recipients);
}

/* 0.012 s as "0.01", 1.2 s as "1.2", 92 s as "92": what Postfix prints. */
static void
format_delay(int64_t us, char *out, size_t size)
{
	double s = us > 0 ? (double)us / 1e6 : 0;

	if (s < 0.005)
		(void)snprintf(out, size, "0");
	else if (s < 1)
		(void)snprintf(out, size, "%.2f", s);
	else if (s < 10)
		(void)snprintf(out, size, "%.1f", s);
	else
		(void)snprintf(out, size, "%.0f", s);
}

static void
format_relay(const struct event_recipient *e, char *out, size_t size)
{
	char host[SHOWN];

	if (e->address[0] == '\0')
		(void)snprintf(out, size, "none");
	else
		(void)snprintf(out, size, "%s[%s]:%u",
		    log_safe(span_of(e->host), host, sizeof host), e->address, e->port);
}

/* Behind the reply, where readers of Postfix's log do not look. */
static void
format_class(const struct event_recipient *e, char *out, size_t size)
{
	const struct failure_info *info = failure_info(e->failure);

	if (e->kind == EVENT_BOUNCE)
		(void)snprintf(out, size, ", class=%s, bounce-type=%s/%s", info->word,
		    info->bounce_type, info->bounce_subtype);
	else if (e->kind == EVENT_DELAY)
		(void)snprintf(
		    out, size, ", class=%s, delay-type=%s", info->word, info->delay_type);
	else
		(void)snprintf(out, size, "%s", "");
}

void
event_recipient(const struct event_recipient *e)
{
	char qid[EVENT_QUEUE_ID_LEN], to[SHOWN], relay[SHOWN + 80], reply[700],
	    id[MESSAGE_ID_LEN + 1];
	char total[16], part[4][16], class[120];
	struct log_field fields[6];

	counts[e->kind]++;
	class_counts[e->kind][e->failure]++;
	if (!log_wants(LOG_LEVEL_INFO))
		return;
	event_queue_id(e->sequence, qid);
	message_id_format(e->id, id);
	format_relay(e, relay, sizeof relay);
	format_class(e, class, sizeof class);
	format_delay(
	    e->queued_us + e->waited_us + e->setup_us + e->transmit_us, total, sizeof total);
	format_delay(e->queued_us, part[0], sizeof part[0]);
	format_delay(e->waited_us, part[1], sizeof part[1]);
	format_delay(e->setup_us, part[2], sizeof part[2]);
	format_delay(e->transmit_us, part[3], sizeof part[3]);
	fields[0] = (struct log_field){ "QUEUE_ID", qid };
	fields[1] = (struct log_field){ "ACCOUNT", e->account };
	fields[2] = (struct log_field){ "DSN", e->status };
	fields[3] = (struct log_field){ "STATUS", kinds[e->kind].status };
	fields[4] = (struct log_field){ "MESSAGE_ID", id };
	fields[5] = (struct log_field){ "CLASS", failure_info(e->failure)->word };
	log_line_fields(LOG_LEVEL_INFO, "smtp", fields, ARRAY_LEN(fields),
	    "%s: to=<%s>, relay=%s, delay=%s, delays=%s/%s/%s/%s, dsn=%s, status=%s (%s)%s%s%s",
	    qid, show_address(e->recipient, to), relay, total, part[0], part[1], part[2], part[3],
	    e->status, kinds[e->kind].status, log_safe(span_of(e->reply), reply, sizeof reply),
	    e->tls_version[0] != '\0' ? ", tls=" : "", e->tls_version, class);
}

void
event_removed(uint64_t sequence, const struct message_id *id)
{
	char qid[EVENT_QUEUE_ID_LEN];

	(void)id;
	counts[EVENT_REMOVED]++;
	event_queue_id(sequence, qid);
	log_line(LOG_LEVEL_INFO, "qmgr", "%s: removed", qid);
}

void
event_auth_failed(const char *listener, const char *client, const char *mechanism, struct span user,
    const char *reason)
{
	char component[80], name[SHOWN];

	(void)snprintf(component, sizeof component, "%s/smtpd", listener);
	log_line(LOG_LEVEL_WARNING, component,
	    "%s: SASL %s authentication failed: authentication failure, sasl_username=%s, "
	    "reason=%s",
	    client, mechanism, log_safe(user, name, sizeof name), reason);
}
