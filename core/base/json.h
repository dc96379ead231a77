/* json.h - the door to jansson: parse with limits and positions, read with defaults, write.
 * Objects are jansson's json_t; the stealing setters (json_object_set_new) are used only in the
 * file that builds an object. */
#ifndef TN_JSON_H
#define TN_JSON_H
#include "core/base/buf.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Parse one JSON value of n bytes (any type; trailing white space only). FORMAT: err->text says
 * what and at which byte. The caller frees *out with json_decref. Depth is limited by jansson. */
TERN_MUST_USE tern_status tn_json_parse(const char *s, size_t n, json_t **out, tern_error *err);
/* The same, and a key that stands twice in one object is FORMAT, too. */
TERN_MUST_USE tern_status tn_json_parse_unique(const char *s, size_t n, json_t **out,
                                               tern_error *err);
TERN_MUST_USE tern_status tn_json_load(const char *path, json_t **out, tern_error *err);
/* Append the value, compact, keys in insertion order, valid UTF-8. */
void tn_json_dump(const json_t *v, tn_buf *out);
void tn_json_dump_pretty(const json_t *v, tn_buf *out);    /* two-space indent */
void tn_json_escape(const char *s, size_t n, tn_buf *out); /* "quoted string"; repairs bad UTF-8 */

/* Members by key; the default when obj is not an object, the key is missing or of another type. */
const char *tn_json_str(const json_t *obj, const char *key, const char *fallback);
int64_t tn_json_int(const json_t *obj, const char *key, int64_t fallback);
double tn_json_num(const json_t *obj, const char *key, double fallback); /* integer or real */
bool tn_json_bool(const json_t *obj, const char *key, bool fallback);

#endif
