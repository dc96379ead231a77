/* Claims about what an index holds: sync, read, remove, compact. */
#include "core/base/file.h"
#include "retriever/index_priv.h"
#include "retriever/store/manifest.h"
#include "tern/search.h"
#include "tests/index_fixture.h"
#include "tests/test.h"

#include "core/base/mem.h"

TEST(index_gives_back_what_was_put_in) {
    tern_index_report r = sync_text(
        "round", "{\"id\":\"a\",\"title\":\"Terns\",\"text\":\"They fly to the other pole.\","
                 "\"date\":\"2024-02-29\",\"colour\":\"white\"}\n"
                 "{\"id\":\"b\",\"text\":\"Gulls stay.\"}\n");
    CHECK_EQ(r.n_added, 2);
    CHECK_EQ(r.n_passages, 2);
    tern_index *ix = open_index("round");
    CHECK_EQ(tern_index_n_refs(ix), 2);
    tern_passage p;
    tern_error e;
    CHECK_OK(tern_index_passage(ix, 0, &p, &e), e);
    CHECK_STR(p.id, "a");
    CHECK_STR(p.doc_id, "a");
    CHECK_STR(p.title, "Terns");
    CHECK_STR(p.text, "They fly to the other pole.");
    CHECK_STR(p.section, "");
    CHECK_HAS(p.meta, "white");
    CHECK_HAS(p.source, "input.jsonl");
    CHECK_EQ(p.text_len, strlen(p.text));
    CHECK_EQ(p.line_begin, 1);
    CHECK_EQ(p.time, 1709164800);
    uint32_t ref = 9;
    CHECK_OK(tern_index_find(ix, "b", &ref, &e), e);
    CHECK_EQ(ref, 1);
    CHECK_OK(tern_index_passage(ix, ref, &p, &e), e);
    CHECK_EQ(p.time, TERN_NO_TIME);
    CHECK_EQ(tern_index_find(ix, "c", &ref, &e), TERN_ERR_NOT_FOUND);
    CHECK_EQ(tern_index_find(ix, "a#1", &ref, &e), TERN_ERR_NOT_FOUND);
    CHECK_EQ(tern_index_passage(ix, 2, &p, &e), TERN_ERR_ARG);
    tern_index_close(ix);
    CHECK_SOUND("round");
}

TEST(passages_of_a_long_document_are_numbered_and_found) {
    tn_buf b = {0};
    tn_buf_str(&b, "{\"id\":\"x#y\",\"text\":\"");
    for (int i = 0; i < 3000; i++) tn_buf_printf(&b, "word%d%s", i, i % 12 == 11 ? ". " : " ");
    tn_buf_str(&b, "\"}\n{\"id\":\"short\",\"text\":\"one\"}\n");
    sync_text("long", tn_buf_cstr(&b));
    tn_buf_deinit(&b);
    tern_index *ix = open_index("long");
    uint32_t n = tern_index_n_refs(ix), ref = 99;
    CHECK(n >= 4);
    tern_error e;
    CHECK_OK(tern_index_find(ix, "x#y", &ref, &e), e);
    CHECK_EQ(ref, 0);
    for (uint32_t i = 0; i < n - 1; i++) {
        tern_passage p;
        CHECK_OK(tern_index_passage(ix, i, &p, &e), e);
        char want[32];
        snprintf(want, sizeof want, "x#y#%u", i + 1);
        CHECK_STR(p.id, want);
        CHECK_STR(p.doc_id, "x#y");
        CHECK_OK(tern_index_find(ix, p.id, &ref, &e), e);
        CHECK_EQ(ref, i);
    }
    static const char *const absent[] = {
        "x#y#0", "x#y#01", "x#y#99", "x#y#", "x#y#1x", "short#1", "x#y#99999999999999999999999"};
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        CHECK_EQ(tern_index_find(ix, absent[i], &ref, &e), TERN_ERR_NOT_FOUND);
    tern_index_close(ix);
    CHECK_SOUND("long");
}

TEST(sync_adds_replaces_and_leaves_alone) {
    sync_docs("inc", 0, 100, "one");
    uint64_t generation = stats_of("inc").generation;
    tern_index_report r = sync_docs("inc", 0, 100, "one");
    CHECK_EQ(r.n_unchanged, 100);
    CHECK_EQ(r.n_added + r.n_replaced, 0);
    CHECK_EQ(stats_of("inc").generation, generation); /* nothing to commit */

    tn_buf b = {0};
    add_docs(&b, 0, 50, "one");
    add_docs(&b, 50, 60, "two");
    add_docs(&b, 100, 110, "two");
    r = sync_text("inc", tn_buf_cstr(&b));
    tn_buf_deinit(&b);
    CHECK_EQ(r.n_unchanged, 50);
    CHECK_EQ(r.n_replaced, 10);
    CHECK_EQ(r.n_added, 10);
    CHECK_EQ(r.n_passages, 110); /* d60..d99 were not in the input and stay */
    tern_index_stats stats = stats_of("inc");
    CHECK_EQ(stats.n_documents, 110);
    CHECK_EQ(stats.n_tombstones, 10);
    CHECK_EQ(stats.n_segments, 2);
    tern_index *ix = open_index("inc");
    uint32_t ref;
    tern_passage p;
    tern_error e;
    CHECK_OK(tern_index_find(ix, "d55", &ref, &e), e);
    CHECK_OK(tern_index_passage(ix, ref, &p, &e), e);
    CHECK(strncmp(p.text, "two ", 4) == 0);
    tern_index_close(ix);
    CHECK_SOUND("inc");
}

TEST(a_record_that_moved_within_its_file_is_cited_by_its_new_lines) {
    sync_text("moved", "{\"id\":\"a\",\"text\":\"one\"}\n{\"id\":\"b\",\"text\":\"two\"}\n");
    tern_index_report r = sync_text("moved", "{\"id\":\"a\",\"text\":\"one\"}\n\n"
                                             "{\"id\":\"b\",\"text\":\"two\"}\n");
    CHECK_EQ(r.n_unchanged, 1);
    CHECK_EQ(r.n_replaced, 1);
    tern_index *ix = open_index("moved");
    uint32_t ref;
    tern_passage p;
    tern_error e;
    CHECK_OK(tern_index_find(ix, "b", &ref, &e), e);
    CHECK_OK(tern_index_passage(ix, ref, &p, &e), e);
    CHECK_EQ(p.line_begin, 3);
    tern_index_close(ix);
}

TEST(the_last_of_several_documents_with_one_id_stands) {
    n_log_warnings = 0;
    tern_index_report r = sync_text("dup", "{\"id\":\"a\",\"text\":\"first\"}\n"
                                           "{\"id\":\"b\",\"text\":\"same\"}\n"
                                           "{\"id\":\"b\",\"text\":\"same\"}\n"
                                           "{\"id\":\"a\",\"text\":\"second\"}\n"
                                           "{\"id\":\"a\",\"text\":\"third\"}\n");
    CHECK_EQ(r.n_added, 2);
    CHECK_EQ(r.n_replaced, 0);
    CHECK_EQ(r.n_duplicates, 3);
    CHECK_EQ(n_log_warnings, 3);
    CHECK_HAS(last_warning, "input.jsonl:5: id \"a\"");
    CHECK_EQ(r.n_passages, 2);
    r = sync_text("dup", "{\"id\":\"b\",\"text\":\"same\"}\n{\"id\":\"b\",\"text\":\"other\"}\n");
    CHECK_EQ(r.n_unchanged, 0);
    CHECK_EQ(r.n_replaced, 1);
    CHECK_EQ(r.n_duplicates, 1);
    tern_index *ix = open_index("dup");
    uint32_t ref;
    tern_passage p;
    tern_error e;
    CHECK_OK(tern_index_find(ix, "a", &ref, &e), e);
    CHECK_OK(tern_index_passage(ix, ref, &p, &e), e);
    CHECK_STR(p.text, "third");
    CHECK_OK(tern_index_find(ix, "b", &ref, &e), e);
    CHECK_OK(tern_index_passage(ix, ref, &p, &e), e);
    CHECK_STR(p.text, "other");
    CHECK_EQ(tern_index_get_stats(ix).n_documents, 2);
    tern_index_close(ix);
    CHECK_SOUND("dup");
}

TEST(the_hash_depends_on_the_documents_alone) {
    sync_docs("h1", 0, 60, "one");
    sync_docs("h2", 40, 60, "one");
    sync_docs("h2", 0, 20, "two");
    sync_docs("h2", 0, 40, "one");
    sync_docs("h2", 60, 70, "one");
    CHECK(strcmp(stats_of("h1").hash, stats_of("h2").hash) != 0);
    const char *ids[] = {"d60", "d61", "d62", "d63", "d64", "d65", "d66", "d67", "d68", "d69"};
    tern_error e;
    CHECK_OK(tern_index_remove(path_of("h2"), ids, 10, NULL, NULL, &e), e);
    CHECK_STR(stats_of("h1").hash, stats_of("h2").hash);
    CHECK_OK(tern_index_compact(path_of("h2"), NULL, NULL, &e), e);
    CHECK_STR(stats_of("h1").hash, stats_of("h2").hash);
    CHECK_EQ(strlen(stats_of("h1").hash), 32);
}

TEST(remove_takes_all_or_nothing) {
    sync_docs("rm", 0, 10, "one");
    tern_error e;
    tern_index_report r;
    const char *some[] = {"d3", "d77"};
    CHECK_EQ(tern_index_remove(path_of("rm"), some, 2, NULL, &r, &e), TERN_ERR_NOT_FOUND);
    CHECK_HAS(e.text, "\"d77\"");
    CHECK_EQ(stats_of("rm").n_documents, 10);
    const char *twice[] = {"d3", "d4", "d3"};
    CHECK_OK(tern_index_remove(path_of("rm"), twice, 3, NULL, &r, &e), e);
    CHECK_EQ(r.n_removed, 2);
    CHECK_EQ(r.n_passages, 8);
    tern_index *ix = open_index("rm");
    uint32_t ref;
    CHECK_EQ(tern_index_find(ix, "d3", &ref, &e), TERN_ERR_NOT_FOUND);
    CHECK_EQ(tern_index_n_refs(ix), 10);
    CHECK_EQ(tern_index_get_stats(ix).n_tombstones, 2);
    tern_index_close(ix);
    CHECK_EQ(tern_index_remove(path_of("rm"), some, 1, NULL, &r, &e), TERN_ERR_NOT_FOUND);
    r = sync_docs("rm", 3, 4, "one"); /* and comes back as a new one */
    CHECK_EQ(r.n_added, 1);
    CHECK_SOUND("rm");
    CHECK_EQ(tern_index_remove(path_of("nothing-here"), some, 1, NULL, &r, &e), TERN_ERR_NOT_FOUND);
    CHECK(!tn_file_exists(path_of("nothing-here")));
}

TEST(an_index_may_lose_its_last_document_and_grow_again) {
    sync_docs("last", 0, 1, "one");
    const char *id = "d0";
    tern_error e;
    CHECK_OK(tern_index_remove(path_of("last"), &id, 1, NULL, NULL, &e), e);
    CHECK_EQ(stats_of("last").n_passages, 0);
    CHECK_SOUND("last");
    CHECK_OK(tern_index_compact(path_of("last"), NULL, NULL, &e), e);
    CHECK_EQ(stats_of("last").n_segments, 0);
    CHECK_SOUND("last");
    tern_index *ix = open_index("last");
    tern_searcher *s;
    tern_hit hits[10];
    size_t n_hits = 9;
    CHECK_OK(tern_searcher_new(ix, &s, &e), e);
    CHECK_OK(tern_search(s, "tern", 4, NULL, hits, &n_hits, &e), e);
    CHECK_EQ(n_hits, 0);
    tern_searcher_free(s);
    tern_index_close(ix);
    sync_docs("last", 0, 3, "two");
    CHECK_EQ(stats_of("last").n_passages, 3);
    CHECK_SOUND("last");
}

static void check_same_hits(const char *a, const char *b, tern_mode mode) {
    tern_error e;
    tern_index *x = open_index(a), *y = open_index(b);
    tern_searcher *sx, *sy;
    CHECK_OK(tern_searcher_new(x, &sx, &e), e);
    CHECK_OK(tern_searcher_new(y, &sy, &e), e);
    static const char *const queries[] = {"tern pole", "two wing ice ice", "number12 storm", "one"};
    for (size_t k = 0; k < 4; k++) {
        tern_hit hx[10], hy[10];
        size_t nx, ny;
        tern_search_opts o = tern_search_defaults();
        o.mode = mode;
        CHECK_OK(tern_search(sx, queries[k], strlen(queries[k]), &o, hx, &nx, &e), e);
        CHECK_OK(tern_search(sy, queries[k], strlen(queries[k]), &o, hy, &ny, &e), e);
        CHECK_EQ(nx, ny);
        CHECK(nx > 0 || k == 3);
        CHECK(memcmp(hx, hy, nx * sizeof *hx) == 0);
    }
    tern_searcher_free(sx);
    tern_searcher_free(sy);
    tern_index_close(x);
    tern_index_close(y);
}

/* Every file of the only segment of two indexes, byte for byte. Vectors carry an epoch. */
static void check_same_segment(const char *a, const char *b) {
    tn_manifest ma, mb;
    tern_error e;
    CHECK_OK(tn_manifest_load(path_of(a), &ma, &e), e);
    CHECK_OK(tn_manifest_load(path_of(b), &mb, &e), e);
    CHECK_EQ(ma.n_segs, 1);
    CHECK_EQ(mb.n_segs, 1);
    const tn_msegment *sa = &ma.segs[0], *sb = &mb.segs[0];
    CHECK_EQ(sa->n_dead + sb->n_dead, 0);
    CHECK_EQ(sa->n_files, sb->n_files);
    for (size_t i = 0; i < sa->n_files; i++) {
        char name[300];
        tn_buf fa = {0}, fb = {0};
        CHECK_STR(sa->files[i].name, sb->files[i].name);
        snprintf(name, sizeof name, "%s/%s/%s", a, sa->name, sa->files[i].name);
        CHECK_OK(tn_file_read(path_of(name), 1 << 30, &fa, &e), e);
        snprintf(name, sizeof name, "%s/%s/%s", b, sb->name, sb->files[i].name);
        CHECK_OK(tn_file_read(path_of(name), 1 << 30, &fb, &e), e);
        if (fa.len != fb.len || memcmp(fa.data, fb.data, fa.len) != 0)
            FAIL("%s differs between %s and %s", name, a, b);
        tn_buf_deinit(&fa);
        tn_buf_deinit(&fb);
    }
    tn_manifest_deinit(&ma);
    tn_manifest_deinit(&mb);
}

TEST(compaction_equals_a_fresh_build_in_order_of_arrival) {
    const char *same = write_docs("same.jsonl", 0, 0, "");
    tn_buf b = {0};
    add_docs(&b, 0, 40, "one");
    write_text("same.jsonl", tn_buf_cstr(&b));
    sync_file("c1", same, NULL);
    tn_buf_reset(&b);
    add_docs(&b, 10, 15, "two"); /* replaced: they move to the end */
    add_docs(&b, 40, 50, "one");
    write_text("same.jsonl", tn_buf_cstr(&b));
    sync_file("c1", same, NULL);
    const char *ids[] = {"d20", "d45"};
    tern_error e;
    CHECK_OK(tern_index_remove(path_of("c1"), ids, 2, NULL, NULL, &e), e);
    tern_index_report r;
    CHECK_OK(tern_index_compact(path_of("c1"), &fixture_host, &r, &e), e);
    CHECK_EQ(r.n_passages, 48);

    tn_buf_reset(&b);
    add_docs(&b, 0, 10, "one");
    add_docs(&b, 15, 20, "one");
    add_docs(&b, 21, 40, "one");
    add_docs(&b, 10, 15, "two");
    add_docs(&b, 40, 45, "one");
    add_docs(&b, 46, 50, "one");
    write_text("same.jsonl", tn_buf_cstr(&b));
    sync_file("c2", same, NULL);
    tn_buf_deinit(&b);
    CHECK_STR(stats_of("c1").hash, stats_of("c2").hash);

    /* Places in the source differ, and with them the records; all else must not. */
    tern_index *x = open_index("c1"), *y = open_index("c2");
    CHECK_EQ(tern_index_n_refs(x), tern_index_n_refs(y));
    for (uint32_t i = 0; i < tern_index_n_refs(x); i++) {
        tern_passage p, q;
        CHECK_OK(tern_index_passage(x, i, &p, &e), e);
        CHECK_OK(tern_index_passage(y, i, &q, &e), e);
        CHECK_STR(p.id, q.id);
        CHECK_STR(p.text, q.text);
        CHECK_STR(p.title, q.title);
    }
    tern_index_close(x);
    tern_index_close(y);
    check_same_hits("c1", "c2", TERN_MODE_BM25);
    CHECK_SOUND("c1");
}

TEST(many_segments_compact_to_the_bytes_of_one) {
    const char *all = write_docs("all.jsonl", 0, 60000, "one");
    tern_index_opts small = fixture_opts(), large = fixture_opts();
    small.memory_bytes = 8 << 20;
    tern_index_report r = sync_file("m1", all, &small);
    CHECK_EQ(r.n_added, 60000);
    tern_index_stats stats = stats_of("m1");
    CHECK(stats.n_segments > 1 && stats.n_segments <= 8);
    CHECK_EQ(stats.n_tombstones, 0);
    CHECK_SOUND("m1");
    sync_file("m2", all, &large);
    CHECK_EQ(stats_of("m2").n_segments, 1);
    tern_error e;
    CHECK_OK(tern_index_compact(path_of("m1"), NULL, NULL, &e), e);
    check_same_segment("m1", "m2");
    CHECK_SOUND("m1");
}

TEST(many_small_syncs_leave_few_segments) {
    for (int i = 0; i < 30; i++) {
        sync_docs("few", i * 3, i * 3 + 3, "one");
        CHECK(stats_of("few").n_segments <= 8);
    }
    CHECK_EQ(stats_of("few").n_documents, 90);
    CHECK_SOUND("few");
    sync_docs("few-fresh", 0, 90, "one");
    CHECK_STR(stats_of("few").hash, stats_of("few-fresh").hash);
}

TEST(duplicates_across_flushed_segments_are_counted_once) {
    tn_buf b = {0};
    add_docs(&b, 0, 40000, "one");
    add_docs(&b, 0, 10, "two"); /* the first of them lie in a segment written long ago */
    add_docs(&b, 20, 25, "one");
    tern_index_opts small = fixture_opts();
    small.memory_bytes = 8 << 20;
    tern_index_report r = sync_file("df", write_text("df.jsonl", tn_buf_cstr(&b)), &small);
    tn_buf_deinit(&b);
    CHECK_EQ(r.n_added, 40000);
    CHECK_EQ(r.n_duplicates, 15);
    CHECK_EQ(r.n_replaced, 0);
    CHECK_EQ(r.n_passages, 40000);
    CHECK_SOUND("df");
}

TEST(options_are_fixed_when_the_index_is_made) {
    const char *input = write_docs("opt.jsonl", 0, 3, "one");
    tern_index_opts german = fixture_opts();
    german.language = "german";
    sync_file("opt", input, &german);
    sync_file("opt", input, NULL); /* the default means: as it is */
    CHECK_STR(stats_of("opt").language, "german");
    CHECK_STR(stats_of("opt").embedder, "none");
    tern_error e;
    tern_index_opts wrong = fixture_opts();
    wrong.language = "french";
    CHECK_EQ(tern_index_sync(path_of("opt"), &input, 1, &wrong, NULL, NULL, &e), TERN_ERR_ARG);
    CHECK_HAS(e.text, "german");
    wrong = fixture_opts();
    wrong.language = "klingon";
    CHECK_EQ(tern_index_sync(path_of("opt2"), &input, 1, &wrong, NULL, NULL, &e), TERN_ERR_ARG);
    wrong = fixture_opts();
    wrong.embedder = "magic";
    CHECK_EQ(tern_index_sync(path_of("opt2"), &input, 1, &wrong, NULL, NULL, &e), TERN_ERR_ARG);
    wrong = fixture_opts();
    wrong.vectors = "round";
    CHECK_EQ(tern_index_sync(path_of("opt2"), &input, 1, &wrong, NULL, NULL, &e), TERN_ERR_ARG);
    wrong = fixture_opts();
    wrong.chunk_overlap = 200;
    CHECK_EQ(tern_index_sync(path_of("opt2"), &input, 1, &wrong, NULL, NULL, &e), TERN_ERR_ARG);
}

TEST(an_index_is_not_made_of_nothing_nor_among_other_files) {
    const char *empty = write_text("empty.jsonl", "");
    tern_error e;
    tern_status st = tern_index_sync(path_of("void"), &empty, 1, NULL, NULL, NULL, &e);
    CHECK(st != TERN_OK);
    tern_index *ix;
    CHECK_EQ(tern_index_open(path_of("void"), &ix, &e), TERN_ERR_NOT_FOUND);
    CHECK_HAS(e.text, "tern index");
    CHECK_OK(tn_mkdirs(path_of("home"), &e), e);
    write_text("home/letter.txt", "dear");
    const char *input = write_docs("in.jsonl", 0, 3, "one");
    CHECK_EQ(tern_index_sync(path_of("home"), &input, 1, NULL, NULL, NULL, &e), TERN_ERR_ARG);
    CHECK_HAS(e.text, "letter.txt");
    CHECK(tn_file_exists(path_of("home/letter.txt")));
    CHECK_EQ(tern_index_sync(path_of("none"), &input, 0, NULL, NULL, NULL, &e), TERN_ERR_ARG);
}

TEST(unusable_input_leaves_a_standing_index_as_it_is) {
    sync_docs("stay", 0, 5, "one");
    tern_index_report r = sync_text("stay", "this is no JSON\n");
    CHECK_EQ(r.n_bad, 1);
    CHECK_EQ(r.n_passages, 5);
    tern_error e;
    const char *missing = path_of("missing.jsonl");
    CHECK_EQ(tern_index_sync(path_of("stay"), &missing, 1, NULL, NULL, &r, &e), TERN_ERR_NOT_FOUND);
    tern_index_opts strict = fixture_opts();
    strict.strict = true;
    const char *bad = write_text("bad.jsonl", "{\"id\":\"new\",\"text\":\"x\"}\n{broken\n");
    CHECK_EQ(tern_index_sync(path_of("stay"), &bad, 1, &strict, NULL, &r, &e), TERN_ERR_FORMAT);
    CHECK_EQ(stats_of("stay").n_documents, 5);
    CHECK_SOUND("stay");
}

/* The epoch of the model; every segment must have vectors of it, and no other file be left. */
static uint64_t check_epoch(const char *dir) {
    tn_manifest m;
    tern_error e;
    CHECK_OK(tn_manifest_load(path_of(dir), &m, &e), e);
    CHECK(m.dim > 0 && m.model.name[0]);
    for (size_t i = 0; i < m.n_segs; i++) {
        char want[64];
        snprintf(want, sizeof want, "vectors-%08x.tn", (unsigned)m.epoch);
        CHECK_STR(m.segs[i].vectors.name, want);
    }
    uint64_t epoch = m.epoch;
    tn_manifest_deinit(&m);
    return epoch;
}

TEST(the_embedder_is_fitted_once_and_again_when_it_knows_too_little) {
    tern_index_opts opts = tern_index_defaults();
    sync_file("lsa", write_docs("l1.jsonl", 0, 200, "one"), &opts);
    CHECK_EQ(check_epoch("lsa"), 1);
    CHECK(stats_of("lsa").dim > 0);
    sync_file("lsa", write_docs("l2.jsonl", 200, 220, "one"), &opts); /* folded in */
    CHECK_EQ(stats_of("lsa").n_segments, 2);
    CHECK_EQ(check_epoch("lsa"), 1);
    CHECK_SOUND("lsa");
    sync_file("lsa",
              write_text("l3.jsonl", "{\"id\":\"x\",\"text\":\"quite other words stand here\"}\n"),
              &opts);
    CHECK_EQ(check_epoch("lsa"), 3);
    CHECK(!tn_file_exists(path_of("lsa/lsa-00000001.tn"))); /* two epochs never meet */
    CHECK_SOUND("lsa");
    const char *id = "x";
    tern_error e;
    CHECK_OK(tern_index_remove(path_of("lsa"), &id, 1, NULL, NULL, &e), e);
    CHECK_EQ(check_epoch("lsa"), 3);
    CHECK_OK(tern_index_compact(path_of("lsa"), NULL, NULL, &e), e);
    CHECK_EQ(check_epoch("lsa"), 5);
    CHECK_SOUND("lsa");
    sync_file("lsa-fresh", write_docs("l4.jsonl", 0, 220, "one"), &opts);
    check_same_hits("lsa", "lsa-fresh", TERN_MODE_BM25);
    check_same_hits("lsa", "lsa-fresh", TERN_MODE_HYBRID);
    check_same_hits("lsa", "lsa-fresh", TERN_MODE_DENSE);
}

TEST(an_index_without_vectors_says_so) {
    sync_docs("words", 0, 20, "one");
    CHECK_EQ(stats_of("words").dim, 0);
    tern_index *ix = open_index("words");
    tern_error e;
    CHECK_EQ(tn_index_dense_open(ix, &e), TERN_ERR_UNSUPPORTED);
    CHECK_HAS(e.text, "--embedder");
    tern_index_close(ix);
}

TEST_MAIN
