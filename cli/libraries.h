/* libraries.h - the libraries and programs tern stands on, as found at run time. */
#ifndef TN_LIBRARIES_H
#define TN_LIBRARIES_H
#include <stdbool.h>
#include <stddef.h>

typedef struct tn_library {
    const char *name, *version; /* static */
    char note[600];             /* "" or what there is to say: how it was built, what is missing */
    bool bad;                   /* tern must not be used with it */
} tn_library;

enum { TN_LIBRARIES_MAX = 16 };
size_t tn_libraries(tn_library out[TN_LIBRARIES_MAX]);

#endif
