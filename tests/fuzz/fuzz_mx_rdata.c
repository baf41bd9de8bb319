/* Fuzz target: a DNS answer and the MX records in it. First byte even: a packet; odd: data of one MX record. */
#include "config.h"

#include <stdlib.h>

#include "dns/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_mx(struct span rdata)
{
	char name[PACKET_NAME_MAX];
	unsigned preference;

	if (packet_parse_mx(rdata, &preference, name) != RC_OK)
		return;
	if (preference > 65535 || (name[0] != '\0' && !packet_is_host_name(span_of(name))))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct packet_answer answer;
	struct span input = span_make((const char *)data, size);

	if (size == 0)
		return 0;
	if (data[0] % 2 != 0) {
		check_mx(span_skip(input, 1));
		return 0;
	}
	if (packet_parse(span_skip(input, 1), DNS_MX, &answer) != RC_OK)
		return 0;
	for (size_t i = 0; i < answer.count; i++)
		check_mx(answer.records[i]);
	packet_answer_free(&answer);
	return 0;
}
