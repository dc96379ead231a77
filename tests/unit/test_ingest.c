/* Claims about reading files: streams, folders, wrong input. */
#include "tests/unit/ingest_collect.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <zlib.h>
#include <zstd.h>

#include "core/base/mem.h"

static collected got;

static const char *gz(const char *name, const char *text, size_t n_cut) {
    static unsigned char packed[1 << 16];
    z_stream z = {0};
    CHECK(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    z.next_in = (unsigned char *)(uintptr_t)text;
    z.avail_in = (unsigned)strlen(text);
    z.next_out = packed;
    z.avail_out = sizeof packed;
    CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
    deflateEnd(&z);
    return test_file(name, packed, z.total_out - n_cut);
}

TEST(jsonl_gives_a_document_per_line_with_its_place) {
    const char *text =
        "{\"id\":\"a\",\"title\":\"T\",\"text\":\"one two\",\"year\":3,\"tags\":[\"x\"]}\n"
        "\n"
        "{\"_id\":7,\"contents\":\"\\\"Moon\\\"\\nIt is far.\",\"date\":\"1970-01-02\"}";
    tern_index_opts o = ingest_opts();
    CHECK_OK(ingest_path(&got, test_file_str("a.jsonl", text), &o), got.err);
    CHECK_EQ(got.n_docs, 2);
    const tn_doc *d = got.docs;
    CHECK_STR(d[0].id, "a");
    CHECK_STR(d[0].title, "T");
    CHECK_STR(d[0].chunks[0].text, "one two");
    CHECK_STR(d[0].meta, "{\"year\":3,\"tags\":[\"x\"]}");
    CHECK(d[0].time == TERN_NO_TIME);
    CHECK_STR(d[1].id, "7");
    CHECK_STR(d[1].title, "Moon");
    CHECK_STR(d[1].chunks[0].text, "It is far.");
    CHECK_EQ(d[1].time, 86400);
    CHECK_EQ(d[1].chunks[0].line_begin, 3);
    CHECK_EQ(d[1].chunks[0].byte_end, strlen(text));
    CHECK_EQ(text[d[1].chunks[0].byte_begin], '{');
    CHECK_EQ(got.counts.n_bytes, strlen(text));
}

TEST(jsonl_bad_lines_are_named_counted_and_passed_over) {
    const char *text =
        "{\"id\":1,\"text\":\"ok\"}\n{\"id\":2,\n[1]\n{\"id\":3}\n{\"id\":4,\"text\":5}\n"
        "{\"id\":{},\"text\":\"x\"}\n{\"id\":6,\"text\":\" \"}\n{\"id\":7,\"text\":\"ok\"}\n";
    tern_index_opts o = ingest_opts();
    CHECK_OK(ingest_text(&got, "jsonl", text, strlen(text), &o), got.err);
    CHECK_EQ(got.n_docs, 2);
    CHECK_EQ(got.n_bad, 6);
    CHECK_EQ(got.counts.n_bad, 6);
    CHECK_HAS(got.bad[0], "mem:2: JSON, byte");
    CHECK_STR(got.bad[1], "mem:3: not a JSON object");
    CHECK_STR(got.bad[2], "mem:4: no \"text\" or \"contents\"");
    CHECK_HAS(got.bad[3], "mem:5: \"text\" is not a string");
    CHECK_HAS(got.bad[4], "mem:6: \"id\"");
    CHECK_STR(got.bad[5], "mem:7: empty: no text in it");
    o.strict = true;
    CHECK_EQ(ingest_text(&got, "jsonl", text, strlen(text), &o), TERN_ERR_FORMAT);
    CHECK_HAS(got.err.text, "mem:2: JSON");
    CHECK_EQ(got.n_docs, 1);
}

TEST(ill_formed_text_is_repaired_and_controls_are_blanked) {
    const char text[] = "\xEF\xBB\xBF{\"id\":\"a\",\"text\":\"x\xFFy \\u001b[0m \\u0000z\"}\r\n";
    tern_index_opts o = ingest_opts();
    CHECK_OK(ingest_text(&got, "jsonl", text, sizeof text - 1, &o), got.err);
    CHECK_EQ(got.n_docs, 1);
    CHECK(got.docs[0].repaired);
    CHECK_EQ(got.counts.n_repaired, 1);
    CHECK_STR(got.docs[0].chunks[0].text, "x\xEF\xBF\xBDy  [0m  z");
    CHECK_EQ(got.docs[0].chunks[0].byte_begin, 3);
    CHECK_EQ(got.docs[0].chunks[0].byte_end, sizeof text - 3);
}

TEST(plain_text_passages_spell_the_bytes_they_name) {
    tn_buf text = {0};
    tn_buf_str(&text, "\xEF\xBB\xBF");
    for (int i = 0; i < 60; i++)
        tn_buf_printf(&text,
                      "Paragraph %d begins here. It goes on for a while,\r\nand then on a "
                      "second line. The end of it comes now.\r\n\r\n%s",
                      i, i % 7 ? "" : "- first item\r\n- second item\r\n\r\n");
    tern_index_opts o = ingest_opts();
    for (o.chunk_tokens = 5; o.chunk_tokens < 200; o.chunk_tokens += 13) {
        o.chunk_overlap = o.chunk_tokens / 4;
        CHECK_OK(ingest_path(&got, test_file("notes.txt", text.data, text.len), &o), got.err);
        CHECK_EQ(got.n_docs, 1);
        CHECK_STR(got.docs[0].title, "notes");
        CHECK_STR(got.docs[0].id, got.docs[0].source);
        CHECK(got.docs[0].n_chunks > 5);
        check_ranges(&got, text.data, text.len);
        for (size_t i = 0; i < got.docs[0].n_chunks; i++) {
            const tn_chunk *k = &got.docs[0].chunks[i];
            CHECK(tn_half_words(k->text, k->text_len) <= 2 * o.chunk_tokens);
        }
    }
    tn_buf_deinit(&text);
}

TEST(gzip_and_its_damage_are_told_apart_from_the_text) {
    const char *text = "{\"id\":1,\"text\":\"one\"}\n{\"id\":2,\"text\":\"two\"}\n";
    tern_index_opts o = ingest_opts();
    CHECK_OK(ingest_path(&got, gz("c.jsonl.gz", text, 0), &o), got.err);
    CHECK_EQ(got.n_docs, 2);
    CHECK_EQ(got.n_bad, 0);
    CHECK_EQ(got.counts.n_bytes, strlen(text));
    CHECK_OK(ingest_path(&got, gz("c.jsonl.gz", text, 8), &o), got.err);
    CHECK_EQ(got.n_docs, 2); /* what was read before stays */
    CHECK_EQ(got.n_bad, 1);
    CHECK_HAS(got.bad[0], "c.jsonl.gz:3: compressed stream ends too early");
}

/* Flip, cut or add to a packed copy of many records: what is read before the damage is kept, one
 * thing is bad, and nothing else is invented. */
static void damage(const char *name, char *data, size_t n, const char *head, size_t n_records) {
    tern_index_opts o = ingest_opts();
    CHECK_OK(ingest_path(&got, test_file(name, data, n), &o), got.err);
    CHECK_EQ(got.n_docs, n_records);
    CHECK_EQ(got.n_bad, 0);
    for (size_t cut = 1; cut < n; cut += 1 + n / 40) {
        CHECK_OK(ingest_path(&got, test_file(name, data, cut), &o), got.err);
        CHECK(got.n_docs <= n_records && got.n_bad >= 1);
        data[cut] ^= 0x55;
        CHECK_OK(ingest_path(&got, test_file(name, data, n), &o), got.err);
        CHECK(got.n_docs <= n_records);
        data[cut] ^= 0x55;
    }
    memcpy(data + n, "tail", 4);
    CHECK_OK(ingest_path(&got, test_file(name, data, n + 4), &o), got.err);
    CHECK_EQ(got.n_docs, n_records);
    CHECK_EQ(got.n_bad, 1);
    CHECK_HAS(got.bad[0], head);
}

TEST(damaged_streams_are_named_and_keep_what_came_before) {
    tn_buf text = {0};
    for (int i = 0; i < 3000; i++)
        tn_buf_printf(&text, "{\"id\":%d,\"text\":\"record %d of %d\"}\n", i, i * 7919, i * i);
    static char packed[1 << 17];
    z_stream z = {0};
    CHECK(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    z.next_in = (unsigned char *)text.data;
    z.avail_in = (unsigned)text.len;
    z.next_out = (unsigned char *)packed;
    z.avail_out = sizeof packed - 8;
    CHECK(deflate(&z, Z_FINISH) == Z_STREAM_END);
    deflateEnd(&z);
    damage("d.jsonl.gz", packed, z.total_out, "bytes after the end of the gzip stream", 3000);
    size_t n = ZSTD_compress(packed, sizeof packed - 8, text.data, text.len, 3);
    CHECK(!ZSTD_isError(n));
    damage("d.jsonl.zst", packed, n, "zstd stream damaged", 3000);
    tn_buf_deinit(&text);
}

TEST(members_one_after_another_are_one_stream) {
    char both[512];
    size_t n = 0;
    for (int i = 0; i < 2; i++) {
        FILE *f = fopen(gz("m.gz", i ? "t\":\"x\"}" : "{\"id\":1,\"tex", 0), "rb");
        CHECK(f != NULL);
        n += fread(both + n, 1, sizeof both - n, f);
        fclose(f);
    }
    tern_index_opts o = ingest_opts();
    CHECK_OK(ingest_path(&got, test_file("both.jsonl.gz", both, n), &o), got.err);
    CHECK_EQ(got.n_docs, 1);
    CHECK_STR(got.docs[0].chunks[0].text, "x");
}

TEST(standard_input_is_read_as_json_lines) {
    int saved = dup(0), fd = open(gz("in", "{\"id\":1,\"text\":\"x\"}\n", 0), O_RDONLY);
    CHECK(saved >= 0 && fd >= 0 && dup2(fd, 0) == 0);
    tern_index_opts o = ingest_opts();
    tern_status st = ingest_path(&got, "-", &o);
    dup2(saved, 0);
    close(saved);
    close(fd);
    CHECK_OK(st, got.err);
    CHECK_EQ(got.n_docs, 1);
    CHECK_STR(got.docs[0].source, "-");
}

TEST(formats_are_told_by_name_then_by_content) {
    tern_index_opts o = ingest_opts();
    CHECK_OK(ingest_path(&got, test_file_str("page", " <!DOCTYPE HTML><p>hi"), &o), got.err);
    CHECK_STR(got.docs[0].chunks[0].text, "hi");
    CHECK_OK(ingest_path(&got, test_file_str("x.unknown", "{\"id\":5,\"text\":\"x\"}\n"), &o),
             got.err);
    CHECK_STR(got.docs[0].id, "5");
    CHECK_OK(ingest_path(&got, test_file_str("x.json", "{\n \"text\": 1}"), &o), got.err);
    CHECK_HAS(got.bad[0], "x.json: JSON, but not one object per line");
    CHECK_OK(ingest_path(&got, test_file("u.txt", "\xFF\xFEh\0i\0", 6), &o), got.err);
    CHECK_HAS(got.bad[0], "u.txt: UTF-16 text");
    CHECK_OK(ingest_path(&got, test_file_str("T.TXT", "<html>"), &o), got.err);
    CHECK_STR(got.docs[0].chunks[0].text, "<html>");
    o.format = "md";
    CHECK_OK(ingest_path(&got, test_file_str("f.txt", "# A\n# B\nx"), &o), got.err);
    CHECK_STR(got.docs[0].title, "A");
}

TEST(what_is_no_document_in_a_folder_is_named_or_known) {
    char path[512];
    tern_error err;
    snprintf(path, sizeof path, "%s/mix/ix/seg-00000001", test_dir());
    CHECK_OK(tn_mkdirs(path, &err), err);
    test_file_str("mix/ix/manifest.json", "{}");
    snprintf(path, sizeof path, "%s/mix/pipe", test_dir());
    CHECK(mkfifo(path, 0600) == 0);
    snprintf(path, sizeof path, "%s/mix", test_dir());
    tern_index_opts o = ingest_opts();
    CHECK_OK(ingest_path(&got, path, &o), got.err);
    CHECK_EQ(got.n_docs, 0);
    CHECK_EQ(got.n_bad, 1); /* an index is left out in silence but for the log */
    CHECK_HAS(got.bad[0], "mix/pipe: not a regular file");
}

TEST(folders_are_read_in_the_order_of_their_names) {
    char path[512], link[512];
    snprintf(path, sizeof path, "%s/tree/sub", test_dir());
    tern_error err;
    CHECK_OK(tn_mkdirs(path, &err), err);
    test_file_str("tree/b.txt", "bee");
    test_file_str("tree/a.txt", "ay");
    test_file_str("tree/.hidden.txt", "no");
    test_file_str("tree/sub/c.txt", "see");
    test_file("tree/sub/d.bin", "\0\1\2", 3);
    test_file_str("tree/e.css", "odd");
    test_file_str("tree/README", "read me");
    test_file_str("tree/f.txt", "");
    snprintf(link, sizeof link, "%s/tree/sub/loop", test_dir());
    CHECK(symlink("..", link) == 0);
    snprintf(link, sizeof link, "%s/tree/sub/nowhere", test_dir());
    CHECK(symlink("missing", link) == 0);
    snprintf(path, sizeof path, "%s/tree", test_dir());
    tern_index_opts o = ingest_opts();
    CHECK_OK(ingest_path(&got, path, &o), got.err);
    CHECK_EQ(got.n_docs, 4);
    CHECK_STR(got.docs[0].chunks[0].text, "read me");
    CHECK_STR(got.docs[1].chunks[0].text, "ay");
    CHECK_STR(got.docs[2].chunks[0].text, "bee");
    CHECK_STR(got.docs[3].chunks[0].text, "see");
    CHECK_EQ(got.n_bad, 4);
    CHECK_HAS(got.bad[0], "sub/nowhere: No such file");
    CHECK_HAS(got.bad[1], "e.css: no document by its name");
    CHECK_HAS(got.bad[2], "f.txt: empty file");
    CHECK_HAS(got.bad[3], "sub/d.bin: binary file");
}

TEST(text_of_any_name_in_a_folder_is_read_and_noise_is_not) {
    char path[512], noise[600];
    snprintf(path, sizeof path, "%s/any/sub", test_dir());
    tern_error err;
    CHECK_OK(tn_mkdirs(path, &err), err);
    for (size_t i = 0; i < sizeof noise; i++) noise[i] = (char)(1 + i * 37 % 255);
    test_file_str("any/AUTHORS.Debian", "Ann");
    test_file_str("any/latin.pod", "M\xFCller sagt: das ist ein Satz auf Deutsch");
    test_file("any/noise.dat", noise, sizeof noise);
    test_file_str("any/program.pp", "{ a comment }\n{$mode objfpc}\nbegin end.\n");
    test_file_str("any/records.dump", "{\"id\":\"r\",\"text\":\"a record\"}\n");
    test_file_str("any/sub/page.tmpl", "<html><body><p>A page</p></body></html>");
    snprintf(path, sizeof path, "%s/any", test_dir());
    tern_index_opts o = ingest_opts();
    CHECK_OK(ingest_path(&got, path, &o), got.err);
    CHECK_EQ(got.n_docs, 5);
    CHECK_STR(got.docs[0].chunks[0].text, "Ann");
    CHECK_HAS(got.docs[1].chunks[0].text, "ller sagt");
    CHECK_HAS(got.docs[2].chunks[0].text, "{$mode objfpc}");
    CHECK_STR(got.docs[3].id, "r");
    CHECK_STR(got.docs[4].chunks[0].text, "A page");
    CHECK_EQ(got.n_bad, 1);
    CHECK_HAS(got.bad[0], "noise.dat: neither text nor a known format");
    o.format = "txt";
    CHECK_OK(ingest_path(&got, path, &o), got.err);
    CHECK_EQ(got.n_docs, 6);
}

TEST(a_data_set_folder_gives_its_corpus_only) {
    char path[512];
    snprintf(path, sizeof path, "%s/set", test_dir());
    tern_error err;
    CHECK_OK(tn_mkdirs(path, &err), err);
    test_file_str("set/corpus.jsonl",
                  "{\"_id\":\"d1\",\"title\":\"\",\"text\":\"t\",\"metadata\":{}}\n");
    test_file_str("set/queries.jsonl", "{\"_id\":\"q\",\"text\":\"what?\"}\n");
    test_file_str("set/README.md", "about");
    tern_index_opts o = ingest_opts();
    CHECK_OK(ingest_path(&got, path, &o), got.err);
    CHECK_EQ(got.n_docs, 1);
    CHECK_STR(got.docs[0].id, "d1");
    CHECK_STR(got.docs[0].meta, "");
    CHECK_EQ(got.n_bad, 0);
}

TEST(inputs_that_do_not_exist_stop_before_anything_is_read) {
    const char *inputs[] = {test_file_str("a.txt", "a"), "/nonexistent/x.txt"};
    tern_index_opts o = ingest_opts();
    tn_ingest_sink sink = {&got, collect_doc, collect_bad};
    collected_reset(&got);
    CHECK_EQ(tn_ingest(inputs, 2, &o, NULL, &sink, &got.counts, &got.err), TERN_ERR_NOT_FOUND);
    CHECK_HAS(got.err.text, "/nonexistent/x.txt");
    CHECK_EQ(got.n_docs, 0);
    o.format = "docx";
    CHECK_EQ(ingest_path(&got, inputs[0], &o), TERN_ERR_ARG);
    CHECK_HAS(got.err.text, "known are jsonl");
}

TEST(a_line_of_100_mb_is_refused_by_name_and_the_rest_is_read) {
    char path[512];
    snprintf(path, sizeof path, "%s/long.jsonl", test_dir());
    FILE *f = fopen(path, "wb");
    CHECK(f != NULL);
    static char block[1 << 20];
    memset(block, 'a', sizeof block);
    fputs("{\"id\":1,\"text\":\"before\"}\n", f);
    for (int i = 0; i < 100; i++) fwrite(block, 1, sizeof block, f);
    fputs("\n{\"id\":2,\"text\":\"after\"}\n", f);
    CHECK(fclose(f) == 0);
    tern_index_opts o = ingest_opts();
    CHECK_OK(ingest_path(&got, path, &o), got.err);
    CHECK_EQ(got.n_docs, 2);
    CHECK_EQ(got.n_bad, 1);
    CHECK_HAS(got.bad[0], "long.jsonl:2: line of 104857600 bytes, more than 64 MiB");
    CHECK_EQ(got.docs[1].line, 3);
    o.format = "txt";
    CHECK_OK(ingest_path(&got, path, &o), got.err);
    CHECK_EQ(got.n_docs, 0);
    CHECK_HAS(got.bad[0], "more than 64 MiB in one document");
}

TEST(equal_content_hashes_equal_and_fields_do_not_run_together) {
    const char *pairs[][2] = {
        {"{\"id\":1,\"title\":\"ab\",\"text\":\"c\"}",
         "{\"id\":1,\"title\":\"a\",\"text\":\"bc\"}"},
        {"{\"id\":1,\"text\":\"c\"}", "{\"id\":1,\"text\":\"c\",\"k\":1}"},
        {"{\"id\":1,\"text\":\"c\"}", "{\"id\":1,\"text\":\"c\",\"date\":\"1970\"}"},
    };
    tern_index_opts o = ingest_opts();
    for (size_t i = 0; i < 3; i++) {
        uint64_t hash[3];
        for (size_t k = 0; k < 3; k++) {
            const char *text = pairs[i][k % 2];
            CHECK_OK(ingest_text(&got, "jsonl", text, strlen(text), &o), got.err);
            hash[k] = got.docs[0].hash[0];
        }
        CHECK(hash[0] != hash[1] && hash[0] == hash[2]);
    }
}

static tern_progress last_progress;

static void note_progress(void *ud, const tern_progress *p) {
    (void)ud;
    CHECK(p->done <= p->total && p->done >= last_progress.done);
    last_progress = *p;
}

TEST(progress_counts_the_bytes_of_the_files) {
    const char *inputs[] = {gz("p.jsonl.gz", "{\"id\":1,\"text\":\"x\"}\n", 0),
                            test_file_str("p.txt", "some text")};
    tern_index_opts o = ingest_opts();
    tern_host host = {.progress = note_progress};
    tn_ingest_sink sink = {&got, collect_doc, collect_bad};
    struct stat sb;
    CHECK(stat(inputs[0], &sb) == 0);
    collected_reset(&got);
    CHECK_OK(tn_ingest(inputs, 2, &o, &host, &sink, NULL, &got.err), got.err);
    CHECK_EQ(last_progress.total, (size_t)sb.st_size + strlen("some text"));
    CHECK_EQ(last_progress.done, last_progress.total);
    CHECK_STR(last_progress.unit, "bytes");
}

static bool stop_at_once(void *ud) {
    (void)ud;
    return true;
}

TEST(reading_stops_when_the_host_says_so) {
    const char *path = test_file_str("a.txt", "a");
    tern_index_opts o = ingest_opts();
    tern_host host = {.cancelled = stop_at_once};
    tn_ingest_sink sink = {&got, collect_doc, collect_bad};
    collected_reset(&got);
    CHECK_EQ(tn_ingest(&path, 1, &o, &host, &sink, NULL, &got.err), TERN_ERR_CANCELLED);
}

TEST_MAIN
