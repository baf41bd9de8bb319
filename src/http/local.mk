noinst_LIBRARIES += src/http/libpr_http.a
src_http_libpr_http_a_SOURCES = \
	src/http/call.c \
	src/http/control.c src/http/control.h \
	src/http/destinations.c \
	src/http/internal.h \
	src/http/json.c \
	src/http/messages.c \
	src/http/metrics.c src/http/metrics.h \
	src/http/metrics_server.c \
	src/http/objects.c \
	src/http/peer.c src/http/peer.h \
	src/http/queue.c \
	src/http/queue_list.c \
	src/http/route.c src/http/route.h \
	src/http/routes.c \
	src/http/status.c \
	src/http/suppressions.c
