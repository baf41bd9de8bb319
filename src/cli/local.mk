noinst_LIBRARIES += src/cli/libpr_cli.a
src_cli_libpr_cli_a_SOURCES =
