/* submit/check.c - is this content a message at all? Pure apart from memory: the same bytes, the same answer. */
#include "config.h"

#include "submit/internal.h"

#include "mail/address.h"

enum {
	LINE_MAX_OCTETS = 998
};

/* Fields that hold addresses, checked as SES checks them (554 with the parser's text). */
static const struct span address_fields[] = { SPAN_LIT("From"), SPAN_LIT("Sender"), SPAN_LIT("To"),
	SPAN_LIT("Cc"), SPAN_LIT("Bcc"), SPAN_LIT("Reply-To"), SPAN_LIT("Return-Path") };

static void
ignore_mailbox(void *arg, const struct mailbox *box)
{
	(void)arg;
	(void)box;
}

static enum rc
check_addresses(const struct header *header, struct why *why)
{
	for (size_t i = 0; i < header->count; i++)
		for (size_t k = 0; k < ARRAY_LEN(address_fields); k++) {
			enum rc rc = RC_OK;

			if (span_ieq(header->fields[i].name, address_fields[k]))
				rc = address_list_parse(
				    header->fields[i].value, ignore_mailbox, NULL, why);
			if (rc != RC_OK)
				return rc;
		}
	return RC_OK;
}

static enum rc
check_loops(const struct header *header, struct why *why)
{
	const struct header_field *hops = header_find(header, SPAN_LIT(HOP_FIELD));
	size_t received = 0;
	uint64_t count;

	for (size_t i = 0; i < header->count; i++)
		received += span_ieq(header->fields[i].name, SPAN_LIT("Received"));
	if (received > RECEIVED_MAX ||
	    (hops != NULL &&
		(!span_uint(span_trim(hops->value), HOPS_MAX, &count) || count >= HOPS_MAX)))
		return why_set(why, RC_BAD, 554, "5.4.6 Too many hops: this message is in a loop");
	return RC_OK;
}

static enum rc
check_lines(const struct submission *s, struct why *why)
{
	static const char *const names[] = { [DOT_FAULT_BARE_CR] = "bare CR",
		[DOT_FAULT_BARE_LF] = "bare LF",
		[DOT_FAULT_NUL] = "NUL" };

	if (s->fault != DOT_FAULT_NONE)
		return why_set(why, RC_BAD, 554,
		    "Transaction failed: %s in the message at offset %llu: lines must end in CR "
		    "LF.",
		    names[s->fault], (unsigned long long)s->fault_at);
	if (s->longest_line > LINE_MAX_OCTETS)
		return why_set(why, RC_BAD, 554,
		    "Transaction failed: Line longer than %d octets: encode the content as "
		    "quoted-printable or base64.",
		    LINE_MAX_OCTETS);
	return RC_OK;
}

enum rc
check_content(struct submission *s, const struct config *config, struct why *why)
{
	enum rc rc;

	if (s->too_long || s->size > (uint64_t)config->smtp.max_message_bytes)
		return why_set(why, RC_BAD, 552, "Message is too long.");
	rc = check_lines(s, why);
	if (rc == RC_OK)
		rc = header_scan(buf_span(&s->body), &s->header, why);
	if (rc == RC_OK)
		rc = header_check_duplicates(&s->header, why);
	if (rc == RC_OK && header_find(&s->header, SPAN_LIT("From")) == NULL)
		rc = why_set(
		    why, RC_BAD, 554, "Transaction failed: Missing required header 'From'.");
	if (rc == RC_OK)
		rc = check_addresses(&s->header, why);
	if (rc == RC_OK)
		rc = check_loops(&s->header, why);
	if (rc == RC_OK && s->recipient_count > (size_t)config->smtp.max_recipients)
		rc = why_set(why, RC_BAD, 554, "Transaction failed: Recipient count exceeds %d.",
		    (int)config->smtp.max_recipients);
	return rc;
}
