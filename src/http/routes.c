/* http/routes.c - every call there is. To add one: a row here, a handler, a line in postrider(1). */
#include "config.h"

#include "http/internal.h"

/* Of things with settings; `owner`: "account" when an account owns them, or "". */
#define OBJECTS(path, owner) \
	{ "GET", path, false, "limit after " owner, on_object_list }, \
	    { "POST", path, true, "", on_object_add }, \
	    { "GET", path "/*", false, owner, on_object_show }, \
	    { "PATCH", path "/*", true, owner, on_object_change }, \
	{ \
		"DELETE", path "/*", true, owner, on_object_remove \
	}

static const struct route rows[] = {
	{ "GET", "/v1/ping", false, "", on_ping },
	{ "GET", "/v1/status", false, "", on_status },
	{ "GET", "/v1/config", false, "", on_config },
	{ "POST", "/v1/reload", true, "", on_reload },
	{ "GET", "/v1/queue", false, "state destination account reason limit", on_queue_list },
	{ "POST", "/v1/queue/retry", true, "destination", on_queue_retry_all },
	{ "GET", "/v1/queue/*", false, "", on_queue_show },
	{ "DELETE", "/v1/queue/*", true, "", on_queue_drop },
	{ "GET", "/v1/queue/*/message", true, "", on_queue_message },
	{ "POST", "/v1/queue/*/retry", true, "", on_queue_retry },
	{ "POST", "/v1/queue/*/hold", true, "reason", on_queue_hold },
	{ "POST", "/v1/queue/*/requeue", true, "", on_queue_requeue },
	{ "GET", "/v1/destinations", false, "limit", on_destination_list },
	{ "GET", "/v1/destinations/*", false, "", on_destination_show },
	{ "POST", "/v1/destinations/*/pause", true, "for reason", on_destination_pause },
	{ "POST", "/v1/destinations/*/resume", true, "", on_destination_resume },
	{ "POST", "/v1/messages", true, "account from to", on_submit },
	OBJECTS("/v1/accounts", ""),
	OBJECTS("/v1/credentials", "account"),
	OBJECTS("/v1/identities", "account"),
	OBJECTS("/v1/configuration-sets", "account"),
	{ "GET", "/v1/configuration-sets/*/destinations", false, "account", on_destinations },
	{ "PUT", "/v1/configuration-sets/*/destinations", true, "account", on_destination_put },
	{ "DELETE", "/v1/configuration-sets/*/destinations", true, "account name",
	    on_destination_remove },
	{ "GET", "/v1/limits", false, "account", on_limits },
	{ "GET", "/v1/suppressions", true, "account reason limit after", on_suppressions },
	{ "POST", "/v1/suppressions", true, "account", on_suppress },
	{ "DELETE", "/v1/suppressions/*", true, "account", on_unsuppress },
	{ "GET", "/v1/metrics", false, "", on_metrics },
	{ "POST", "/v1/store/rekey", true, "", on_store_rekey },
	{ "POST", "/v1/store/backup", true, "path", on_store_backup },
};

const struct route_table control_routes = { rows, ARRAY_LEN(rows) };
