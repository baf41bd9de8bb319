/* mail/date.h - dates as mail writes them (RFC 5322 section 3.3), always in UTC. */
#ifndef MAIL_DATE_H
#define MAIL_DATE_H

#include <stdint.h>

#define MAIL_DATE_LEN 40

/* "Fri, 4 Oct 2024 23:01:34 +0000"; out needs MAIL_DATE_LEN bytes. Any time from year 1 to 9999; others are
 * clamped. */
void mail_date_format(int64_t unix_s, char out[MAIL_DATE_LEN]);

/* "2024-10-04T23:01:34.123Z" */
void mail_date_iso(int64_t unix_ms, char out[MAIL_DATE_LEN]);

#endif
