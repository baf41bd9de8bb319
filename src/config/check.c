/* config/check.c - what a single row of the schema cannot tell: names that must be unique, references between
 * objects, settings that depend on each other. Every list is walked once; names are found by hash. */
#include <config.h>

#include "config/load.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/check_text.h"
#include "util/hash.h"

/* What a name stands for: one entry for each element, kept until the names are freed. */
struct named {
	char *key; /* owned */
	const char *shown;
	struct place at;
};
struct names {
	struct map map;
	struct named *list;
	size_t count;
};

static bool
names_init(struct load *load, struct names *names, size_t cap)
{
	*names = (struct names){ MAP_EMPTY, NULL, 0 };
	names->list = calloc(cap + 1, sizeof *names->list);
	if (names->list == NULL)
		load->rc = RC_LATER;
	return names->list != NULL;
}

static void
names_free(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->list[i].key);
	free(names->list);
	map_free(&names->map);
}

/* Takes the key. `what` is the plural: "accounts". */
static void
names_add_take(struct load *load, struct names *names, const char *what, char *key,
    const char *shown, struct place at)
{
	struct named *entry = &names->list[names->count];
	const struct named *other;

	if (key == NULL) {
		load->rc = RC_LATER;
		return;
	}
	*entry = (struct named){ key, shown, at };
	names->count++;
	other = map_get(&names->map, span_of(key));
	if (other != NULL) {
		if (*shown != '\0') /* an empty one has its error already */
			LOAD_FAIL(load, at, "two %s are called \"%s\"; the other one is at %s:%d",
			    what, shown, other->at.file, other->at.line);
		return;
	}
	if (map_put(&names->map, span_of(key), entry) != RC_OK)
		load->rc = RC_LATER;
}

static struct place
place_of(const struct load *load, enum schema_list list, size_t index, const char *member)
{
	return load_place_of(load, load->origins[list][index], member);
}

/* The name most like the one that is not there. */
static const struct named *
names_nearest(const struct names *names, const char *wanted)
{
	const struct named *found = NULL;
	size_t best = SCHEMA_FAR;

	for (size_t i = 0; i < names->count; i++) {
		size_t off = schema_unlike(span_of(wanted), span_of(names->list[i].shown));

		if (off < best) {
			best = off;
			found = &names->list[i];
		}
	}
	return found;
}

/* `what` is the singular. Says nothing where an element has lost its own name to another error. */
static void
check_reference(struct load *load, const struct names *names, const char *what, const char *key,
    const char *shown, struct place at)
{
	const struct named *near;

	if (*shown == '\0' || load->broken || map_get(&names->map, span_of(key)) != NULL ||
	    map_get(&names->map, SPAN_EMPTY) != NULL || load->errors->count >= ERRORS_MAX)
		return;
	near = names_nearest(names, shown);
	if (near != NULL && strcmp(near->shown, shown) != 0)
		LOAD_FAIL(load, at, "there is no %s \"%s\"; did you mean \"%s\"?", what, shown,
		    near->shown);
	else
		LOAD_FAIL(load, at, "there is no %s \"%s\"", what, shown);
}

/* ---- accounts, sets, identities ----------------------------------------------------------------------- */

static void
check_credentials(struct load *load)
{
	const struct config *config = load->config;
	struct names names;
	size_t count = 0;

	for (size_t i = 0; i < config->account_count; i++)
		count += config->accounts[i].credential_count;
	if (!names_init(load, &names, count))
		return;
	for (size_t i = 0; i < config->account_count; i++) {
		const struct config_account *account = &config->accounts[i];
		config_setting_t *list =
		    account->credential_count == 0
			? NULL
			: config_setting_get_member(load->origins[LIST_ACCOUNTS][i], "credentials");

		for (size_t j = 0; j < account->credential_count; j++)
			names_add_take(load, &names, "credentials",
			    strdup(account->credentials[j].id), account->credentials[j].id,
			    load_place_of(load, config_setting_get_elem(list, (unsigned)j), "id"));
	}
	names_free(&names);
}

static void
add_accounts(struct load *load, struct names *names)
{
	for (size_t i = 0; i < load->config->account_count; i++) {
		const char *name = load->config->accounts[i].name;

		names_add_take(load, names, "accounts", strdup(name), name,
		    place_of(load, LIST_ACCOUNTS, i, "name"));
	}
}

/* Sets belong to accounts: two accounts may have sets of the same name. */
static char *
set_key(const char *account, const char *set)
{
	char *key = NULL;

	if (*set == '\0')
		return strdup("");
	return asprintf(&key, "%s/%s", account, set) < 0 ? NULL : key;
}

static void
add_pools(struct load *load, struct names *names)
{
	for (size_t i = 0; i < load->config->pool_count; i++) {
		const char *name = load->config->pools[i].name;

		names_add_take(load, names, "pools", strdup(name), name,
		    place_of(load, LIST_POOLS, i, "name"));
	}
}

static void
check_sets(
    struct load *load, const struct names *accounts, const struct names *pools, struct names *sets)
{
	for (size_t i = 0; i < load->config->set_count; i++) {
		const struct config_set *set = &load->config->sets[i];

		check_reference(load, accounts, "account", set->account, set->account,
		    place_of(load, LIST_SETS, i, "account"));
		check_reference(load, pools, "pool", set->pool, set->pool,
		    place_of(load, LIST_SETS, i, "pool"));
		names_add_take(load, sets, "configuration sets of one account",
		    set_key(set->account, set->name), set->name,
		    place_of(load, LIST_SETS, i, "name"));
	}
}

static void
check_dkim(struct load *load, const struct config_identity *identity, size_t index)
{
	if ((*identity->dkim_key == '\0') != (*identity->dkim_selector == '\0'))
		LOAD_FAIL(load, place_of(load, LIST_IDENTITIES, index, "name"),
		    "identity \"%s\" has a %s but no %s; they go together", identity->name,
		    *identity->dkim_key == '\0' ? "dkim_selector" : "dkim_key",
		    *identity->dkim_key == '\0' ? "dkim_key" : "dkim_selector");
	else if (*identity->dkim_domain != '\0' && *identity->dkim_key == '\0')
		LOAD_FAIL(load, place_of(load, LIST_IDENTITIES, index, "dkim_domain"),
		    "identity \"%s\" has a dkim_domain but no dkim_key", identity->name);
}

static void
check_set_reference(struct load *load, const struct names *sets,
    const struct config_identity *identity, size_t index)
{
	char *key = set_key(identity->account, identity->configuration_set);
	char what[128];

	(void)snprintf(
	    what, sizeof what, "configuration set of account \"%s\" called", identity->account);
	if (key == NULL)
		load->rc = RC_LATER;
	else
		check_reference(load, sets, what, key, identity->configuration_set,
		    place_of(load, LIST_IDENTITIES, index, "configuration_set"));
	free(key);
}

static void
check_identities(struct load *load, const struct names *accounts, const struct names *sets)
{
	struct names names;

	if (!names_init(load, &names, load->config->identity_count))
		return;
	for (size_t i = 0; i < load->config->identity_count; i++) {
		const struct config_identity *identity = &load->config->identities[i];

		names_add_take(load, &names, "identities", strdup(identity->name), identity->name,
		    place_of(load, LIST_IDENTITIES, i, "name"));
		check_reference(load, accounts, "account", identity->account, identity->account,
		    place_of(load, LIST_IDENTITIES, i, "account"));
		if (map_get(&accounts->map, span_of(identity->account)) != NULL)
			check_set_reference(load, sets, identity, i);
		check_dkim(load, identity, i);
	}
	names_free(&names);
}

static void
check_owners(struct load *load)
{
	struct names accounts, pools, sets;

	if (!names_init(load, &accounts, load->config->account_count))
		return;
	if (!names_init(load, &pools, load->config->pool_count)) {
		names_free(&accounts);
		return;
	}
	add_accounts(load, &accounts);
	add_pools(load, &pools);
	if (names_init(load, &sets, load->config->set_count)) {
		check_sets(load, &accounts, &pools, &sets);
		check_identities(load, &accounts, &sets);
		names_free(&sets);
	}
	names_free(&pools);
	names_free(&accounts);
}

/* ---- listeners, certificates, routes ------------------------------------------------------------------ */

/* Two listeners on one address and port cannot both be bound. */
static void
check_socket(struct load *load, struct names *sockets, const struct config_listener *listener,
    const char *address, size_t index)
{
	char *key = NULL;
	const struct named *other;

	if (listener->port == 0)
		return; /* has its error already */
	if (asprintf(&key, "%s/%" PRId64, address, listener->port) < 0) {
		load->rc = RC_LATER;
		return;
	}
	other = map_get(&sockets->map, span_of(key));
	if (other != NULL)
		LOAD_FAIL(load, place_of(load, LIST_LISTENERS, index, "port"),
		    "listener \"%s\": address %s, port %" PRId64
		    " is taken by listener \"%s\" at %s:%d",
		    listener->name, address, listener->port, other->shown, other->at.file,
		    other->at.line);
	if (other != NULL)
		free(key);
	else
		names_add_take(load, sockets, "sockets", key, listener->name,
		    place_of(load, LIST_LISTENERS, index, "port"));
}

static void
check_listener(struct load *load, struct names *sockets, size_t index)
{
	const struct config_listener *listener = &load->config->listeners[index];

	if (listener->address_count == 0)
		LOAD_FAIL(load, place_of(load, LIST_LISTENERS, index, "addresses"),
		    "addresses in listener \"%s\" must hold at least one IP address",
		    listener->name);
	if (listener->auth_without_tls && listener->proxy_count > 0)
		LOAD_FAIL(load, place_of(load, LIST_LISTENERS, index, "auth_without_tls"),
		    "auth_without_tls in listener \"%s\" would take passwords in clear text from "
		    "all whom its proxies serve",
		    listener->name);
	for (size_t i = 0; i < listener->address_count; i++) {
		check_socket(load, sockets, listener, listener->addresses[i], index);
		if (listener->auth_without_tls && !text_is_loopback(listener->addresses[i]))
			LOAD_FAIL(load, place_of(load, LIST_LISTENERS, index, "auth_without_tls"),
			    "auth_without_tls in listener \"%s\" would take passwords in clear "
			    "text "
			    "on %s; it is for loopback addresses only",
			    listener->name, listener->addresses[i]);
	}
}

static void
check_listeners(struct load *load)
{
	const struct config *config = load->config;
	struct names names, sockets;
	size_t count = 0;

	for (size_t i = 0; i < config->listener_count; i++)
		count += config->listeners[i].address_count;
	if (names_init(load, &names, config->listener_count)) {
		for (size_t i = 0; i < config->listener_count; i++)
			names_add_take(load, &names, "listeners", strdup(config->listeners[i].name),
			    config->listeners[i].name, place_of(load, LIST_LISTENERS, i, "name"));
		names_free(&names);
	}
	if (names_init(load, &sockets, count)) {
		for (size_t i = 0; i < config->listener_count; i++)
			check_listener(load, &sockets, i);
		names_free(&sockets);
	}
}

static void
check_certificates(struct load *load)
{
	const struct config *config = load->config;
	struct names names;

	if (!names_init(load, &names, config->tls.certificate_count))
		return;
	for (size_t i = 0; i < config->tls.certificate_count; i++)
		names_add_take(load, &names, "certificates",
		    strdup(config->tls.certificates[i].name), config->tls.certificates[i].name,
		    place_of(load, LIST_CERTIFICATES, i, "name"));
	names_free(&names);
}

/* One address is one source: what a site takes from it is learned once. */
static void
check_source(
    struct load *load, struct names *names, const struct config_source *source, struct place at)
{
	if (*source->ipv4 == '\0' && *source->ipv6 == '\0')
		LOAD_FAIL(load, at, "source \"%s\" has no address; give it ipv4, ipv6 or both",
		    source->name);
	names_add_take(load, names, "sources", strdup(source->name), source->name, at);
}

static void
check_pools(struct load *load)
{
	const struct config *config = load->config;
	struct names names;
	size_t count = 0;

	for (size_t i = 0; i < config->pool_count; i++)
		count += config->pools[i].source_count;
	if (!names_init(load, &names, count))
		return;
	for (size_t i = 0; i < config->pool_count; i++) {
		const struct config_pool *pool = &config->pools[i];
		config_setting_t *list =
		    pool->source_count == 0
			? NULL
			: config_setting_get_member(load->origins[LIST_POOLS][i], "sources");

		if (pool->source_count == 0)
			LOAD_FAIL(load, place_of(load, LIST_POOLS, i, "name"),
			    "pool \"%s\" has no sources", pool->name);
		for (size_t j = 0; j < pool->source_count; j++)
			check_source(load, &names, &pool->sources[j],
			    load_place_of(
				load, config_setting_get_elem(list, (unsigned)j), "name"));
	}
	names_free(&names);
}

static void
check_route(struct load *load, const struct config_route *route, size_t index)
{
	bool secure = route->tls == TLS_POLICY_VERIFY || route->tls == TLS_POLICY_IMPLICIT;

	if ((*route->username == '\0') != (*route->password == '\0'))
		LOAD_FAIL(load, place_of(load, LIST_ROUTES, index, "name"),
		    "route \"%s\" has a %s but no %s; they go together", route->name,
		    *route->username == '\0' ? "password" : "username",
		    *route->username == '\0' ? "username" : "password");
	else if (*route->username != '\0' && !secure)
		LOAD_FAIL(load, place_of(load, LIST_ROUTES, index, "tls"),
		    "route \"%s\" has a password, which is sent inside verified TLS only; set tls "
		    "to "
		    "\"verify\" or \"implicit\"",
		    route->name);
	if (*route->host == '\0' && (route->tls == TLS_POLICY_IMPLICIT || *route->username != '\0'))
		LOAD_FAIL(load, place_of(load, LIST_ROUTES, index, "name"),
		    "route \"%s\" has %s, so it needs a host", route->name,
		    *route->username != '\0' ? "a login" : "implicit TLS");
}

static void
check_routes(struct load *load)
{
	const struct config *config = load->config;
	struct names names;

	if (!names_init(load, &names, config->route_count))
		return;
	for (size_t i = 0; i < config->route_count; i++) {
		names_add_take(load, &names, "routes", strdup(config->routes[i].name),
		    config->routes[i].name, place_of(load, LIST_ROUTES, i, "name"));
		check_route(load, &config->routes[i], i);
	}
	names_free(&names);
}

static void
check_milters(struct load *load)
{
	const struct config *config = load->config;
	struct names names;

	if (!names_init(load, &names, config->content.milter_count))
		return;
	for (size_t i = 0; i < config->content.milter_count; i++)
		names_add_take(load, &names, "milters", strdup(config->content.milters[i].name),
		    config->content.milters[i].name, place_of(load, LIST_MILTERS, i, "name"));
	names_free(&names);
}

/* ---- pairs of values ---------------------------------------------------------------------------------- */

static void
check_pairs(struct load *load)
{
	const struct config *config = load->config;

	if (config->delivery.retry_min_ms > config->delivery.retry_max_ms)
		LOAD_FAIL(load,
		    load_place_taken(
			load, &config->delivery.retry_min_ms, &config->delivery.retry_max_ms),
		    "delivery.retry_min is longer than delivery.retry_max");
	if (config->spool.memory_body_bytes > config->spool.body_budget_bytes)
		LOAD_FAIL(load,
		    load_place_taken(
			load, &config->spool.memory_body_bytes, &config->spool.body_budget_bytes),
		    "spool.memory_body is larger than spool.body_budget");
}

void
check_all(struct load *load)
{
	check_credentials(load);
	check_owners(load);
	check_listeners(load);
	check_certificates(load);
	check_pools(load);
	check_routes(load);
	check_milters(load);
	check_pairs(load);
}
