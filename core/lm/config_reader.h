/* config_reader.h - fields of a JSON object by name, with defaults, ranges and one sticky error.
 * null is as good as absent; a value of another type or out of range is an error naming the field.
 */
#ifndef TN_LM_CONFIG_READER_H
#define TN_LM_CONFIG_READER_H
#include "core/base/json.h"

typedef struct tn_fields {
    const json_t *obj;
    const char *path; /* the file, for messages */
    tern_status status;
    tern_error *err;
} tn_fields;

/* The member, or NULL if it is missing or null. */
const json_t *tn_field_find(const tn_fields *f, const char *key);
int64_t tn_field_int(tn_fields *f, const char *key, int64_t fallback, int64_t min, int64_t max);
double tn_field_num(tn_fields *f, const char *key, double fallback, double min, double max);
bool tn_field_bool(tn_fields *f, const char *key, bool fallback);
const char *tn_field_str(tn_fields *f, const char *key, const char *fallback);
/* The first failure stands, later ones are dropped. */
void tn_field_fail(tn_fields *f, tern_status status, const char *fmt, ...) TERN_PRINTF(3, 4);

#endif
