/* main/notify.h - the service manager: readiness, status, watchdog, inherited sockets (sd_notify(3), sd_listen_fds(3)),
 * in a few lines instead of a library that brings five others. Core loop only. */
#ifndef MAIN_NOTIFY_H
#define MAIN_NOTIFY_H

#include <stdint.h>

#include "util/rc.h"

/* Send lines like "READY=1" to $NOTIFY_SOCKET; no effect without one. */
void notify_send(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* The watchdog's interval in ms, or 0. */
int64_t notify_watchdog_ms(void);

/* Take over descriptors named in $LISTEN_FDS and $LISTEN_FDNAMES. Once, before threads. */
void notify_take_sockets(void);
/* The next one with this name, or -1; its signature is smtp_server_listen's. */
int notify_next_socket(void *arg, const char *name);
/* Close those that no listener asked for; how many they were. */
unsigned notify_close_rest(void);

#endif
