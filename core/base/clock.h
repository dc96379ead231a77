/* clock.h - monotonic time for measuring, civil time for documents. */
#ifndef TN_CLOCK_H
#define TN_CLOCK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TN_NO_TIME INT64_MIN /* "this passage carries no date" */

uint64_t tn_clock_ns(void);  /* monotonic */
int64_t tn_clock_unix(void); /* seconds since 1970-01-01 UTC, now */
void tn_sleep_ms(unsigned ms);

/* Parse a date into seconds since 1970 UTC (proleptic Gregorian calendar). Accepts "YYYY",
 * "YYYY-MM", "YYYY-MM-DD", "YYYY-MM-DD[T ]hh:mm[:ss[.fff]][Z|+hh:mm|+hhmm]", and a bare integer of
 * 9 to 11 digits (seconds) or 12 to 14 (milliseconds). A missing part is its first moment.
 * false: not a date; *out is untouched. */
bool tn_time_parse(const char *s, size_t n, int64_t *out);
/* "YYYY-MM-DD" at midnight, else "YYYY-MM-DDThh:mm:ssZ"; out needs 32 bytes. */
void tn_time_format(int64_t t, char out[32]);
int64_t tn_time_from_civil(int64_t year, unsigned month, unsigned day); /* month, day from 1 */

#endif
