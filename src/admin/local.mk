noinst_LIBRARIES += src/admin/libpr_admin.a
src_admin_libpr_admin_a_SOURCES = \
	src/admin/admin.c src/admin/admin.h \
	src/admin/get.c \
	src/admin/internal.h \
	src/admin/load.c \
	src/admin/rows.c src/admin/rows.h
