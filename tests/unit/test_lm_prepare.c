/* test_lm_prepare.c - texts to tokens: what each task makes of a record, and what it refuses. */
#include "tests/unit/lm_run_fixture.h"

#include "core/base/mem.h"

static tn_tokens prepare(const char *tokenizer, tn_prepare_opts o, const char *text,
                         tn_prepared *p) {
    tern_error e = {0};
    tern_tokenizer *t;
    tn_tokens tokens;
    char in[256], out[256];
    const char *paths[] = {in};
    snprintf(in, sizeof in, "%s/in", test_dir());
    snprintf(out, sizeof out, "%s/out.tokens", test_dir());
    fixture_write("in", text, strlen(text));
    CHECK_OK(tern_tokenizer_open(tokenizer, &t, &e), e);
    CHECK_OK(tn_lm_prepare(t, &o, paths, 1, out, NULL, p, &e), e);
    tern_tokenizer_close(t);
    CHECK_OK(tn_tokens_open(out, &tokens, &e), e);
    return tokens;
}

/* The pieces of document d, blanks between; those whose tag is `tag`, or all for -1. */
static const char *pieces(const char *tokenizer, const tn_tokens *t, uint64_t d, int tag) {
    static char out[4096];
    tern_error e = {0};
    tern_tokenizer *tok;
    size_t at = 0;
    out[0] = '\0';
    CHECK_OK(tern_tokenizer_open(tokenizer, &tok, &e), e);
    for (uint64_t i = t->doc_begin[d]; i < t->doc_begin[d + 1]; i++)
        if (tag < 0 || t->tags[i] == tag)
            at += (size_t)snprintf(out + at, sizeof out - at, "%s%s", at ? " " : "",
                                   tern_tokenizer_piece(tok, tn_tokens_id(t, i)));
    tern_tokenizer_close(tok);
    return out;
}

static void refused(const char *tokenizer, tn_prepare_opts o, const char *text, const char *why) {
    tern_error e = {0};
    tern_tokenizer *t;
    tn_prepared p;
    char in[256], out[256];
    const char *paths[] = {in};
    snprintf(in, sizeof in, "%s/in", test_dir());
    snprintf(out, sizeof out, "%s/refused.tokens", test_dir());
    fixture_write("in", text, strlen(text));
    CHECK_OK(tern_tokenizer_open(tokenizer, &t, &e), e);
    CHECK(tn_lm_prepare(t, &o, paths, 1, out, NULL, &p, &e) != TERN_OK);
    CHECK_HAS(e.text, why);
    CHECK(!tn_file_exists(out));
    tern_tokenizer_close(t);
}

TEST(plain_text_is_cut_into_paragraphs_and_masked_texts_keep_their_frame) {
    tn_prepared p;
    tn_tokens t = prepare(wordpiece(), (tn_prepare_opts){.task = TN_LM_MLM, .context = 5},
                          "a b\nc d\n\n\ne f", &p);
    CHECK_EQ(p.n_records, 3); /* a b c | d || e f */
    CHECK_STR(pieces(wordpiece(), &t, 0, -1), "[CLS] a b c [SEP]");
    CHECK_STR(pieces(wordpiece(), &t, 1, -1), "[CLS] d [SEP]");
    CHECK_STR(pieces(wordpiece(), &t, 2, -1), "[CLS] e f [SEP]");
    tn_tokens_close(&t);
}

TEST(documents_of_pretraining_end_in_the_end_token) {
    tn_prepared p;
    tn_tokens t = prepare(bytelevel(), (tn_prepare_opts){.task = TN_LM_PRETRAIN, .end_token = true},
                          "{\"text\":\"xq\"}\n\n{\"text\":\"\"}\n{\"text\":\"<|im_end|>\"}\n", &p);
    CHECK_EQ(p.n_records, 2);
    CHECK_EQ(p.n_empty, 1);
    CHECK_STR(pieces(bytelevel(), &t, 0, -1), "x q <|im_end|>");
    /* what a document writes is text: only the last token is the mark */
    CHECK(t.doc_begin[2] - t.doc_begin[1] > 2);
    tn_tokens_close(&t);
}

TEST(only_what_the_assistant_says_is_tagged) {
    tn_prepared p;
    tn_tokens t = prepare(
        bytelevel(), (tn_prepare_opts){.task = TN_LM_SFT, .chat = "chatml"},
        "{\"messages\":[{\"role\":\"user\",\"content\":\"q\"},{\"role\":\"assistant\",\"content\":"
        "\"x\"},{\"role\":\"user\",\"content\":\"k\"},{\"role\":\"assistant\",\"content\":\"z\"}]}"
        "\n"
        "{\"prompt\":\"q\",\"completion\":\"xz\"}\n",
        &p);
    CHECK_STR(pieces(bytelevel(), &t, 0, 1), "x <|im_end|> Ċ z <|im_end|> Ċ");
    CHECK_STR(pieces(bytelevel(), &t, 1, 1), "x z <|im_end|>");
    CHECK_STR(pieces(bytelevel(), &t, 1, 0), "q");
    tn_tokens_close(&t);
}

TEST(pairs_of_texts_are_framed_and_cut_at_the_second) {
    tn_prepared p;
    tn_prepare_opts o = {.task = TN_LM_CLASSIFY, .context = 8, .classes = true, .n_classes = 2};
    tn_tokens t = prepare(wordpiece(), o,
                          "{\"query\":\"a b\",\"passage\":\"c d e f\",\"label\":1}\n"
                          "{\"text\":\"a\",\"label\":0}\n",
                          &p);
    CHECK_STR(pieces(wordpiece(), &t, 0, -1), "[CLS] a b [SEP] c d e [SEP]");
    CHECK_EQ(t.second[0], 4);
    CHECK_STR(pieces(wordpiece(), &t, 1, -1), "[CLS] a [SEP]");
    CHECK_EQ(t.second[1], 3);
    CHECK_NEAR(t.targets[0], 1, 0);
    CHECK_EQ(p.n_cut, 1);
    tn_tokens_close(&t);
}

TEST(the_first_token_of_a_word_carries_its_label) {
    tn_prepared p;
    const char *labels[] = {"O", "NAME"};
    tn_prepare_opts o = {.task = TN_LM_TAG, .labels = labels, .n_classes = 2};
    tn_tokens t = prepare(wordpiece(), o,
                          "{\"words\":[\"as\",\"b\",\"cs\"],\"labels\":[\"NAME\",0,null]}\n", &p);
    CHECK_STR(pieces(wordpiece(), &t, 0, -1), "[CLS] a ##s b c ##s [SEP]");
    const int16_t want[] = {-100, 1, -100, 0, -100, -100, -100};
    for (int i = 0; i < 7; i++) CHECK_EQ(t.tags[i], want[i]);
    tn_tokens_close(&t);
}

TEST(contrastive_records_are_query_positive_and_negatives_with_prefixes) {
    tn_prepared p;
    tn_prepare_opts o = {.task = TN_LM_CONTRASTIVE, .query_prefix = "q ", .passage_prefix = "p "};
    tn_tokens t = prepare(wordpiece(), o,
                          "{\"query\":\"a\",\"positive\":\"b\",\"negatives\":[\"c\",\"d\"]}\n", &p);
    CHECK_EQ(t.n_docs, 4);
    CHECK_STR(pieces(wordpiece(), &t, 0, -1), "[CLS] q a [SEP]");
    CHECK_STR(pieces(wordpiece(), &t, 3, -1), "[CLS] p d [SEP]");
    tn_tokens_close(&t);
}

TEST(lines_that_do_not_fit_are_refused_with_their_place) {
    const char *labels[] = {"no", "yes"};
    tn_prepare_opts classify = {
        .task = TN_LM_CLASSIFY, .classes = true, .labels = labels, .n_classes = 2};
    tn_prepare_opts tag = {.task = TN_LM_TAG, .n_classes = 2}, pretrain = {.task = TN_LM_PRETRAIN},
                    sft = {.task = TN_LM_SFT, .chat = "chatml"},
                    pairs = {.task = TN_LM_CONTRASTIVE};
    const char *wp = wordpiece();
    refused(wp, pretrain, "", "there is no text in it");
    refused(wp, pretrain, "\n\n", "there is no text in it");
    refused(wp, pretrain, "{\"text\":\"a\"}\n{\"txt\":\"b\"}\n", "in:2: \"text\" is missing");
    refused(wp, pretrain, "{\"text\":\"a\"}\n{\"text\":\"b\"\n", "in:2: JSON");
    refused(wp, classify, "a b c\n", "does not begin with '{'");
    refused(wp, classify, "{\"text\":\"a\",\"label\":2}\n", "in:1: label 2 is out of range");
    refused(wp, classify, "{\"text\":\"a\",\"label\":-1}\n", "label -1 is out of range");
    refused(wp, classify, "{\"text\":\"a\",\"label\":\"maybe\"}\n", "label \"maybe\" is not one");
    refused(wp, classify, "{\"text\":\"a\"}\n", "\"label\" is missing");
    refused(wp, tag, "{\"words\":[\"a\"],\"labels\":[0,1]}\n", "same length");
    refused(wp, tag, "{\"words\":[\"a\"],\"labels\":[7]}\n", "label 7 is out of range");
    refused(wp, pairs, "{\"query\":\"a\"}\n", "\"positive\" is missing");
    refused(wp, sft, "{\"messages\":[]}\n", "a list of messages");
    refused(wp, sft, "{\"messages\":[{\"role\":\"robot\",\"content\":\"a\"}]}\n", "robot");
    classify.vocab = 20;
    refused(wp, classify, "{\"text\":\"a\",\"label\":1}\n", "do not belong together");
}

TEST_MAIN
