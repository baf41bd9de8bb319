noinst_LIBRARIES += src/sign/libpr_sign.a
src_sign_libpr_sign_a_SOURCES = src/sign/internal.h src/sign/key.c src/sign/key_cache.c src/sign/keyring.c src/sign/keyring.h \
	src/sign/select.c src/sign/self_test.c src/sign/self_test.h src/sign/sign.c src/sign/sign.h

# Programs that sign need this: libopendkim's call of the PEM reader then ends in key_cache.c.
SIGN_LDFLAGS = -Wl,--export-dynamic-symbol=PEM_read_bio_PrivateKey
