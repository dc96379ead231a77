/* status.c - see tern/status.h. */
#include "tern/status.h"
#include "tern/version.h"
#include <stdarg.h>
#include <stdio.h>

const char *tern_status_text(tern_status status) {
    switch (status) {
#define STATUS_CASE(name, value, text)                                                             \
    case TERN_##name:                                                                              \
        return text;
        TERN_STATUS_MAP(STATUS_CASE)
#undef STATUS_CASE
    }
    return "unknown status";
}

tern_status tern_fail(tern_error *err, tern_status status, int os_code, const char *fmt, ...) {
    if (err) {
        err->status = status;
        err->os_code = os_code;
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(err->text, sizeof err->text, fmt, ap);
        va_end(ap);
    }
    return status;
}

#define STR_(x) #x
#define STR(x)  STR_(x)

const char *tern_version(void) {
    return STR(TERN_VERSION_MAJOR) "." STR(TERN_VERSION_MINOR) "." STR(TERN_VERSION_PATCH);
}
