/* events.h - scalars over steps, as a TensorBoard event file and as JSONL, side by side.
 * Event file: records of { u64 length, u32 masked crc of the length, Event protobuf, u32 masked crc
 * of the data }, little endian; masked = ((crc >> 15) | (crc << 17)) + 0xa282ead8 over CRC-32C.
 * The protobuf needs four fields, so it is written by hand: Event { 1: double wall_time, 2: int64
 * step, 3: string file_version, 5: Summary { 1: Value { 1: string tag, 2: float simple_value }}}.
 */
#ifndef TN_EVENTS_H
#define TN_EVENTS_H
#include "core/base/buf.h"
#include "tern/status.h"
#include <stdint.h>

typedef struct tn_scalar {
    const char *tag; /* "reward/mean" */
    double value;
} tn_scalar;

/* Append the record that opens an event file / one record with all scalars of a step. */
void tn_events_header(double wall_time, tn_buf *out);
void tn_events_scalars(double wall_time, int64_t step, const tn_scalar *s, size_t n, tn_buf *out);
/* {"step":N,"reward/mean":0.5,...}\n; a NaN or infinity is written as null. */
void tn_events_jsonl(int64_t step, const tn_scalar *s, size_t n, tn_buf *out);

#endif
