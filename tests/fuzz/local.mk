# Fuzz targets: tests/fuzz/fuzz_PARSER.c with corpus/PARSER/. Without --enable-fuzzers each target is
# linked with replay.c, which runs it once over every file of its corpus as a plain test.
