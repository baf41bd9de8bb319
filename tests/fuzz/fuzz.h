/* fuzz/fuzz.h - what every fuzz target includes. A target states what is always true of its parser with
 * MUST; it is linked with libFuzzer (configure --enable-fuzzers) or with replay.c, which runs the files of
 * its corpus. */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(truth) \
	do { \
		if (!(truth)) { \
			(void)fprintf( \
			    stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #truth); \
			abort(); \
		} \
	} while (0)

#endif
