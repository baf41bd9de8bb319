/* http/routes.c - every call there is. To add one: a row here, a handler, a line in postrider(1). */
#include "config.h"

#include "http/internal.h"

static const struct route rows[] = {
	{ "GET", "/v1/ping", false, "", on_ping },
	{ "GET", "/v1/status", false, "", on_status },
	{ "GET", "/v1/config", false, "", on_config },
	{ "POST", "/v1/reload", true, "", on_reload },
	{ "GET", "/v1/queue", false, "state site limit", on_queue_list },
	{ "POST", "/v1/queue/retry", true, "site", on_queue_retry_all },
	{ "GET", "/v1/queue/*", false, "", on_queue_show },
	{ "DELETE", "/v1/queue/*", true, "", on_queue_drop },
	{ "GET", "/v1/queue/*/message", true, "", on_queue_message },
	{ "POST", "/v1/queue/*/retry", true, "", on_queue_retry },
	{ "POST", "/v1/messages", true, "account from to", on_submit },
};

const struct route_table control_routes = { rows, ARRAY_LEN(rows) };
