/* http/route.h - from method and path to the row of a table. Pure. */
#ifndef HTTP_ROUTE_H
#define HTTP_ROUTE_H

#include "util/buf.h"

struct call;

struct route {
	const char *method; /* "GET" */
	const char *
	    pattern; /* "/v1/queue/ * /retry" without the blanks: a star stands for one part, not empty */
	bool privileged; /* changes something or shows mail: not for every peer that can connect */
	const char
	    *query; /* names of the parameters it takes, with a blank between: "site limit" */
	void (*run)(struct call *call);
};

struct route_table {
	const struct route *rows;
	size_t count;
};

/* The row for the request, and what its star stands for in *part (borrows from path; empty without a star). NULL: none
 * has that path when `allow` stays empty, else it lists the methods of that path: "GET, DELETE". */
const struct route *route_find(struct route_table table, struct span method, struct span path,
    struct span *part, struct buf *allow);

/* Whether the row takes a parameter of that name. */
bool route_takes(const struct route *route, struct span name);

#endif
