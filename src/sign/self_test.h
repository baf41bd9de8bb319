/* sign/self_test.h - one signature made and verified. */
#ifndef SIGN_SELF_TEST_H
#define SIGN_SELF_TEST_H

#include "util/rc.h"

/* Sign a fixed message with a fresh key and verify the result with OpenSSL alone. */
MUST_CHECK enum rc self_test(struct why *why);

#endif
