/* protocol.h - the Search-R1 action protocol: what a policy may write and what it is shown.
 *
 * Actions are read from policy-written text only; what passages say is escaped on its way into an
 * observation, so no passage can open or close a tag of the protocol. */
#ifndef TN_PROTOCOL_H
#define TN_PROTOCOL_H
#include "agent/agent_priv.h"

typedef struct tn_action {
    tn_action_kind kind;
    size_t begin, end; /* content, trimmed: bytes of the parsed text */
    size_t after;      /* bytes up to and with the closing tag: what the transcript keeps */
} tn_action;

/* The first <search>..</search> or <answer>..</answer>. Case and blanks inside the tags are free
 * ("< Search >"). INVALID (after = len) when there is none or the query is empty. */
tn_action tn_protocol_parse(const char *text, size_t len);

/* Append text with the '<' of every protocol tag and chat-template mark ("<|") as "&lt;"; "&lt;"
 * and
 * "&amp;" that stood there gain an "amp;", so that unescape gives back the very bytes. */
void tn_protocol_escape(const char *text, size_t len, tn_buf *out);
void tn_protocol_unescape(const char *text, size_t len, tn_buf *out);

/* Render n passages as an observation. With budget > 0 they share that many tokens: each passage is
 * cut by itself at a word, sets its text_len, and the closing tag always stands.
 *   n_before  passages shown earlier in the episode (the plain style numbers through) */
void tn_protocol_observe(tern_obs_style style, tn_shown *shown, size_t n, size_t n_before,
                         uint32_t budget, tn_buf *out);
/* What is said after a turn without a valid action. */
extern const char tn_protocol_invalid[];

/* Tokens of a text without a tokenizer: one per started 6 bytes of a word, one per other mark.
 * Within about 15 % of common subword vocabularies on English prose. */
size_t tn_count_tokens(const char *text, size_t len);
/* The longest prefix, in bytes, of at most n tokens; ends at a word's end. */
size_t tn_cut_tokens(const char *text, size_t len, size_t n);

#endif
