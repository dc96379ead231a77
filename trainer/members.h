/* members.h - a settings struct as a JSON object: one table names the members for reading, for
 * checking and for writing, and a member that is not in it is refused by its name. */
#ifndef TN_MEMBERS_H
#define TN_MEMBERS_H
#include "core/base/json.h"
#include "tern/status.h"
#include <stddef.h>

typedef enum tn_member_type {
    TN_MEMBER_TEXT,  /* char[size], NUL-terminated */
    TN_MEMBER_COUNT, /* uint32_t */
    TN_MEMBER_REAL,  /* double */
    TN_MEMBER_TRUTH, /* bool */
    TN_MEMBER_SEED,  /* uint64_t */
    TN_MEMBER_OTHER  /* the caller reads and writes it; here only for the list of names */
} tn_member_type;

typedef struct tn_member {
    const char *name;
    tn_member_type type;
    size_t at, size;  /* in the struct */
    double low, high; /* of COUNT and REAL; both 0: not checked */
    const char *help; /* one line, or NULL */
} tn_member;

/* Members of obj replace those of *settings. FORMAT: not an object, a member the table lacks (all
 * that it has are listed), a value of the wrong type; `where` stands in front and `noun` says what
 * the object is, e.g. "a recipe". */
TERN_MUST_USE tern_status tn_members_read(void *settings, const tn_member *table, size_t n,
                                          const json_t *obj, const char *where, const char *noun,
                                          tern_error *err);
/* ARG: the first number out of its range, NaN included. */
TERN_MUST_USE tern_status tn_members_check(const void *settings, const tn_member *table, size_t n,
                                           tern_error *err);
/* Add all members to obj; false: no memory. */
bool tn_members_write(const void *settings, const tn_member *table, size_t n, json_t *obj);

#endif
