/* fuzz/fuzz_address.c - each mailbox lies in the value, behind the one before, and is an address by itself. */
#include "config.h"

#include "fuzz/fuzz.h"
#include "mail/address.h"

struct seen {
	struct span value;
	const char *from; /* the next mailbox begins here or later */
	size_t count;
};

static void
on_mailbox(void *arg, const struct mailbox *box)
{
	struct seen *seen = arg;
	const char *end = seen->value.p + seen->value.len;
	struct mailbox again;
	struct span address;

	MUST(box->whole.p >= seen->from && box->whole.len <= (size_t)(end - box->whole.p));
	MUST(box->local.p >= box->whole.p && box->domain.p == box->local.p + box->local.len + 1);
	MUST(box->domain.p + box->domain.len <= box->whole.p + box->whole.len);
	MUST(address_local_ok(box->local));
	MUST(address_domain_ok(box->domain, false) || address_literal_ok(box->domain));
	address = span_make(box->local.p, box->local.len + 1 + box->domain.len);
	MUST(address_parse(address, &again, NULL) == RC_OK);
	MUST(span_eq(again.local, box->local) && span_eq(again.domain, box->domain));
	seen->from = box->whole.p + box->whole.len;
	seen->count++;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span value = span_make((const char *)data, size);
	struct seen seen = { value, value.p, 0 };
	struct why why = WHY_EMPTY;
	struct mailbox box;
	enum rc rc = address_list_parse(value, on_mailbox, &seen, &why);

	MUST(rc == RC_OK || rc == RC_BAD);
	MUST((rc == RC_BAD) == (why.code == 554));
	MUST(seen.count <= ADDRESS_LIST_MAX);
	if (rc == RC_BAD)
		MUST(span_starts(span_of(why.text), SPAN_LIT("Transaction failed: ")));
	if (address_parse(value, &box, NULL) == RC_OK) {
		/* One address is a list of one. */
		MUST(rc == RC_OK && seen.count == 1);
		MUST(box.local.len + 1 + box.domain.len == value.len);
	}
	(void)address_domain_ok(value, true);
	(void)address_literal_ok(value);
	return 0;
}
