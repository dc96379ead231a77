/* prepare_chat.c - see prepare.h: conversations. What the assistant says, and the mark that ends
 * its turn, is learned; everything else is only read. */
#include "tern/chat.h"
#include "trainer/lm/prepare_priv.h"
#include <string.h>

#include "core/base/mem.h"

static tern_status family_of(const tn_prepare *p, tern_chat_family *out, tern_error *err) {
    return p->opts->chat && p->opts->chat[0] ? tern_chat_find(p->opts->chat, out, err)
                                             : tern_chat_detect(p->tokenizer, out, err);
}

static tern_status read_messages(const json_t *list, tern_chat_message *out, tern_error *err) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *m = json_array_get(list, i);
        out[i] = (tern_chat_message){tn_json_str(m, "role", NULL), tn_json_str(m, "content", NULL)};
        if (!out[i].role || !out[i].content)
            return tern_fail(err, TERN_ERR_FORMAT, 0,
                             "message %zu needs the strings \"role\" and \"content\"", i + 1);
    }
    return TERN_OK;
}

/* The ids of the first n messages; `open`: and what opens the assistant's turn. */
static tern_status encode(const tn_prepare *p, tern_chat_family family, const tern_chat_message *m,
                          size_t n, bool open, tern_tokens *out, tern_error *err) {
    tern_chat_opts o = tern_chat_defaults();
    o.open_reply = open;
    return tern_chat_encode(p->tokenizer, family, m, n, &o, out, err);
}

static bool begins_with(const tern_tokens *all, const tern_tokens *part) {
    return part->n <= all->n && memcmp(all->ids, part->ids, part->n * sizeof *part->ids) == 0;
}

/* Tag the reply of message i: what the conversation up to it has more than the open turn. Some
 * families write earlier replies otherwise than they were given (without their reasoning): such a
 * reply is not what the model would have said, and is not learned. */
static tern_status tag_reply(tn_prepare *p, tern_chat_family family, const tern_chat_message *m,
                             size_t i, tern_tokens *part, tern_error *err) {
    tern_tokens *all = &p->tokens;
    tern_status st = encode(p, family, m, i + 1, false, part, err);
    if (st != TERN_OK || !begins_with(all, part)) return st;
    size_t end = part->n;
    if (i == 0) return TERN_OK; /* nothing was asked */
    st = encode(p, family, m, i, true, part, err);
    if (st != TERN_OK || !begins_with(all, part)) return st;
    for (size_t k = part->n; k < end; k++) p->doc.tags[k] = 1;
    return TERN_OK;
}

tern_status tn_prepare_messages(tn_prepare *p, const json_t *messages, tern_error *err) {
    size_t n = json_array_size(messages);
    tern_chat_family family;
    tern_tokens part = {0};
    if (n == 0)
        return tern_fail(err, TERN_ERR_FORMAT, 0, "\"messages\" must be a list of messages");
    tern_chat_message *m = tn_calloc(n, sizeof *m);
    if (!m) return tern_fail(err, TERN_ERR_NOMEM, 0, "out of memory while preparing tokens");
    tern_status st = family_of(p, &family, err);
    if (st == TERN_OK) st = read_messages(messages, m, err);
    if (st == TERN_OK) st = encode(p, family, m, n, false, &p->tokens, err);
    if (st == TERN_OK) st = tn_doc_ids(p, p->tokens.ids, p->tokens.n, 0, err);
    for (size_t i = 0; i < n && st == TERN_OK; i++) {
        p->result->n_bytes += strlen(m[i].content);
        if (strcmp(m[i].role, "assistant") == 0) st = tag_reply(p, family, m, i, &part, err);
    }
    tern_tokens_deinit(&part);
    tn_free(m);
    return st == TERN_OK ? tn_doc_end(p, err) : st;
}
