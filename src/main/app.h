/* main/app.h - the daemon as a whole: makes every part, connects them, reloads, stops. The only place that knows
 * all of them. */
#ifndef MAIN_APP_H
#define MAIN_APP_H

#include "main/snapshot.h"

/* Runs until it is told to stop by a signal; the exit status (sysexits). Takes over the snapshot. `options` are those of
 * every reload; borrowed. */
int app_run(const struct snapshot_options *options, struct snapshot *snapshot);

#endif
