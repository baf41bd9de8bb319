/* Fuzz target: the PROXY header in front of a connection. What is taken is inside the input, and less of it is never
 * taken for something else. */
#include "config.h"

#include "fuzz/fuzz.h"
#include "wire/proxy.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sockaddr_storage client, again;
	struct span in = span_make((const char *)data, size);
	size_t used, part;
	enum rc rc = proxy_parse(in, &client, &used), early;

	MUST(rc == RC_OK || rc == RC_MORE || rc == RC_BAD);
	MUST(rc == RC_OK || used == 0 || rc == RC_BAD);
	MUST(used <= size && used <= PROXY_HEADER_MAX);
	MUST(rc != RC_MORE || size < PROXY_HEADER_MAX);
	MUST(rc == RC_OK || client.ss_family == AF_UNSPEC);
	if (rc != RC_OK)
		return 0;
	for (size_t len = 0; len < used; len++) {
		early = proxy_parse(span_first(in, len), &again, &part);
		MUST(early == RC_MORE);
	}
	MUST(proxy_parse(span_first(in, used), &again, &part) == RC_OK && part == used);
	MUST(memcmp(&client, &again, sizeof client) == 0);
	return 0;
}
