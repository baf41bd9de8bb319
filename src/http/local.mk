noinst_LIBRARIES += src/http/libpr_http.a
src_http_libpr_http_a_SOURCES =
