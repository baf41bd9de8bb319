noinst_LIBRARIES += src/store/libpr_store.a
src_store_libpr_store_a_SOURCES = \
	src/store/change.c src/store/change.h \
	src/store/columns.c src/store/columns.h \
	src/store/engine.h \
	src/store/keyring.c src/store/keyring.h \
	src/store/migrations.c src/store/migrations.h \
	src/store/sqlite.c src/store/sqlite_private.h \
	src/store/sqlite_backup.c \
	src/store/sqlite_rows.c \
	src/store/store.c src/store/store.h
