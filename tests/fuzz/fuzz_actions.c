/* fuzz_actions.c - what a policy writes and what a passage says, as bytes from anywhere.
 * An action lies inside its text; escaping can be undone; an escaped passage never acts. */
#include "agent/protocol.h"
#include <string.h>

#include "core/base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *text = (const char *)data;
    tn_action a = tn_protocol_parse(text, size);
    if (a.begin > a.end || a.end > a.after || a.after > size) __builtin_trap();
    if (a.kind == TN_ACT_SEARCH && a.begin == a.end) __builtin_trap();

    tn_buf escaped = {0}, back = {0};
    tn_protocol_escape(text, size, &escaped);
    tn_protocol_unescape(tn_buf_cstr(&escaped), escaped.len, &back);
    if (back.len != size || (size && memcmp(back.data, text, size) != 0)) __builtin_trap();
    if (tn_protocol_parse(tn_buf_cstr(&escaped), escaped.len).kind != TN_ACT_INVALID)
        __builtin_trap();
    tn_buf_deinit(&escaped);
    tn_buf_deinit(&back);

    size_t cut = tn_cut_tokens(text, size, size / 8);
    if (cut > size || tn_count_tokens(text, cut) > size / 8 + 4) __builtin_trap();
    return 0;
}
