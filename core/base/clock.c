/* clock.c - see clock.h. Day arithmetic after Hinnant, "chrono-Compatible Low-Level Date
 * Algorithms": years start in March, so that the leap day is the last of its year. */
#include "core/base/clock.h"
#include <errno.h>
#include <stdio.h>
#include <time.h>

uint64_t tn_clock_ns(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

int64_t tn_clock_unix(void) {
    return (int64_t)time(NULL);
}

void tn_sleep_ms(unsigned ms) {
    struct timespec ts = {ms / 1000, (long)(ms % 1000) * 1000000L};
    nanosleep(&ts, NULL); /* cut short by a signal: the caller looks at its flag */
}

int64_t tn_time_from_civil(int64_t year, unsigned month, unsigned day) {
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t yoe = year - era * 400;
    int64_t doy = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + (int64_t)day - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return (era * 146097 + doe - 719468) * 86400;
}

static void civil_from_days(int64_t z, int64_t *year, unsigned *month, unsigned *day) {
    z += 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *day = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
    *month = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
    *year = yoe + era * 400 + (*month <= 2);
}

static unsigned days_in_month(int64_t y, unsigned m) {
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    return m == 2 && leap ? 29 : days[m - 1];
}

/* Read exactly `width` digits at *pos. */
static bool digits(const char *s, size_t n, size_t *pos, size_t width, unsigned *out) {
    if (n - *pos < width) return false;
    unsigned v = 0;
    for (size_t i = 0; i < width; i++) {
        char c = s[*pos + i];
        if (c < '0' || c > '9') return false;
        v = v * 10 + (unsigned)(c - '0');
    }
    *pos += width;
    *out = v;
    return true;
}

static bool parse_epoch(const char *s, size_t n, int64_t *out) {
    if (n < 9 || n > 14) return false;
    int64_t v = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9') return false;
        v = v * 10 + (s[i] - '0');
    }
    *out = n >= 12 ? v / 1000 : v;
    return true;
}

bool tn_time_parse(const char *s, size_t n, int64_t *out) {
    while (n && (*s == ' ' || *s == '\t')) s++, n--;
    while (n && (s[n - 1] == ' ' || s[n - 1] == '\t' || s[n - 1] == '\n' || s[n - 1] == '\r')) n--;
    if (parse_epoch(s, n, out)) return true;
    size_t pos = 0;
    unsigned year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0;
    if (!digits(s, n, &pos, 4, &year)) return false;
    if (pos < n) {
        if (s[pos++] != '-' || !digits(s, n, &pos, 2, &month)) return false;
        if (month < 1 || month > 12) return false;
    }
    if (pos < n) {
        if (s[pos++] != '-' || !digits(s, n, &pos, 2, &day)) return false;
        if (day < 1 || day > days_in_month(year, month)) return false;
    }
    int64_t offset = 0;
    if (pos < n) {
        if ((s[pos] != 'T' && s[pos] != 't' && s[pos] != ' ') || n - pos < 6) return false;
        pos++;
        if (!digits(s, n, &pos, 2, &hour) || hour > 24) return false;
        if (pos >= n || s[pos++] != ':' || !digits(s, n, &pos, 2, &minute) || minute > 59)
            return false;
        if (pos < n && s[pos] == ':') {
            pos++;
            if (!digits(s, n, &pos, 2, &second) || second > 60) return false;
            if (pos < n && s[pos] == '.')
                for (pos++; pos < n && s[pos] >= '0' && s[pos] <= '9';) pos++;
        }
        if (pos < n && (s[pos] == 'Z' || s[pos] == 'z')) {
            pos++;
        } else if (pos < n && (s[pos] == '+' || s[pos] == '-')) {
            int sign = s[pos++] == '-' ? -1 : 1;
            unsigned oh, om = 0;
            if (!digits(s, n, &pos, 2, &oh)) return false;
            if (pos < n && s[pos] == ':') pos++;
            if (pos < n && !digits(s, n, &pos, 2, &om)) return false;
            offset = sign * (int64_t)(oh * 3600 + om * 60);
        }
        if (pos != n) return false;
    }
    *out = tn_time_from_civil(year, month, day) + hour * 3600 + minute * 60 + second - offset;
    return true;
}

void tn_time_format(int64_t t, char out[32]) {
    int64_t days = t / 86400, rest = t % 86400, year;
    if (rest < 0) rest += 86400, days--;
    unsigned month, day;
    civil_from_days(days, &year, &month, &day);
    if (year < -9999 || year > 99999) year = year < 0 ? -9999 : 99999;
    int n = snprintf(out, 32, "%04d-%02u-%02u", (int)year, month % 100, day % 100);
    if (rest)
        snprintf(out + n, 32 - (size_t)n, "T%02d:%02d:%02dZ", (int)(rest / 3600) % 24,
                 (int)(rest / 60 % 60), (int)(rest % 60));
}
