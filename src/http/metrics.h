/* http/metrics.h - counts and times in Prometheus' text format, at the control socket and at a TCP port of its own.
 *
 * Labels are bounded: sites are the busiest METRICS_SITES, the others are one. Core loop only. postrider(1) has the
 * list of metrics. */
#ifndef HTTP_METRICS_H
#define HTTP_METRICS_H

#include "http/control.h"

enum {
	METRICS_SITES = 20
};

/* Appended. */
void metrics_write(const struct control_context *context, struct buf *out);

/* /metrics, /healthz and /readyz for whoever can connect. */
struct metrics_server;
/* RC_DENY with why: the address is in use, or not ours. Blocks shortly. */
MUST_CHECK enum rc metrics_server_new(const struct control_context *context, const char *address,
    int port, struct metrics_server **out, struct why *why);
void metrics_server_free(struct metrics_server *server); /* NULL is fine */

#endif
