/* test_safetensors.c - what is saved comes back; what is damaged is refused by name. */
#include "core/graph/safetensors.h"
#include "core/kernels/dtype.h"
#include "tests/unit/st_fixture.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "core/base/mem.h"

static const float weights[6] = {1, -2, 0.5f, 3, 1e-3f, 65504};
static const uint8_t flags[3] = {1, 0, 1};
static const int64_t ids[2] = {-1, 1 << 20};

static const tern_st_tensor three[] = {
    {"flags", TERN_ST_BOOL, 1, {3}, flags, 0},
    {"layer.0.weight", TERN_ST_F32, 2, {2, 3}, weights, 0},
    {"ids", TERN_ST_I64, 1, {2}, ids, 0},
};

static char *path_of(const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", test_dir(), name);
    return path;
}

/* The message of a refusal. */
static const char *refusal(const char *path, tern_status expected) {
    static tern_error e;
    tern_st *st = NULL;
    e = (tern_error){0};
    tern_status s = tern_st_open(path, &st, &e);
    if (s != expected || st) FAIL("%s: status %d (%s), expected %d", path, s, e.text, expected);
    CHECK_HAS(e.text, tn_path_base(path));
    return e.text;
}

static const char *refused(const char *header, size_t n_data) {
    return refusal(st_put("bad.safetensors", header, n_data), TERN_ERR_FORMAT);
}

TEST(saved_tensors_come_back_with_names_shapes_bytes_and_metadata) {
    tern_st_meta meta[] = {{"format", "pt"}, {"note", "tab\t\"quote\" \xc3\xa9"}};
    tern_st *st;
    tern_error e;
    const char *path = path_of("three.safetensors");
    CHECK_OK(tern_st_save(path, three, 3, meta, 2, &e), e);
    CHECK_OK(tern_st_open(path, &st, &e), e);
    CHECK_EQ(tern_st_n_tensors(st), 3);
    for (size_t i = 0; i < 3; i++) {
        const tern_st_tensor *t;
        CHECK_OK(tern_st_get(st, three[i].name, three[i].n_dims, three[i].dims, &t, &e), e);
        CHECK_EQ(t->dtype, three[i].dtype);
        CHECK_EQ(t->n_bytes, tn_st_bytes(&three[i]));
        CHECK(memcmp(t->data, three[i].data, t->n_bytes) == 0);
        CHECK_EQ((uintptr_t)t->data % tern_st_dtype_bytes(t->dtype), 0);
    }
    CHECK_STR(tern_st_meta_find(st, "note"), meta[1].value);
    CHECK(tern_st_meta_find(st, "absent") == NULL);
    CHECK(tern_st_find(st, "absent") == NULL && tern_st_at(st, 3) == NULL);
    tern_st_close(st);
}

TEST(a_file_has_a_length_a_header_padded_to_8_and_nothing_else) {
    tern_error e;
    tn_buf b = {0};
    const tern_st_tensor one = {"w", TERN_ST_F32, 0, {0}, weights, 0};
    CHECK_OK(tern_st_save(path_of("one.safetensors"), &one, 1, NULL, 0, &e), e);
    CHECK_OK(tn_file_read(path_of("one.safetensors"), 1 << 20, &b, &e), e);
    static const char header[] =
        "{\"w\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}   ";
    CHECK_EQ(sizeof header - 1, 56);
    CHECK_EQ(b.len, 8 + 56 + 4);
    CHECK(memcmp(b.data, "\x38\0\0\0\0\0\0\0", 8) == 0);
    CHECK(memcmp(b.data + 8, header, 56) == 0);
    CHECK(memcmp(b.data + 64, weights, 4) == 0);
    tn_buf_deinit(&b);
}

TEST(empty_tensors_scalars_and_files_without_tensors_are_legal) {
    tern_error e;
    tern_st *st;
    const tern_st_tensor t[] = {{"none", TERN_ST_F32, 2, {0, 7}, NULL, 0},
                                {"scalar", TERN_ST_F32, 0, {0}, weights, 0},
                                {"nothing", TERN_ST_F64, 1, {0}, NULL, 0}};
    CHECK_OK(tern_st_save(path_of("empty.safetensors"), t, 3, NULL, 0, &e), e);
    CHECK_OK(tern_st_open(path_of("empty.safetensors"), &st, &e), e);
    CHECK_EQ(tern_st_n_tensors(st), 3);
    CHECK_EQ(tern_st_find(st, "none")->n_bytes, 0);
    tern_st_close(st);
    CHECK_OK(tern_st_open(st_put("no.safetensors", "{}", 0), &st, &e), e);
    CHECK_EQ(tern_st_n_tensors(st), 0);
    tern_st_close(st);
}

TEST(cut_files_are_refused_wherever_they_are_cut) {
    tern_error e;
    tn_buf b = {0};
    CHECK_OK(tern_st_save(path_of("whole.safetensors"), three, 3, NULL, 0, &e), e);
    CHECK_OK(tn_file_read(path_of("whole.safetensors"), 1 << 20, &b, &e), e);
    for (size_t n = 0; n < b.len; n++) {
        tern_st st = {0};
        CHECK_EQ(tn_st_parse(&st, "cut", (const uint8_t *)b.data, n, &e), TERN_ERR_FORMAT);
        CHECK_HAS(e.text, "cut: ");
        tn_st_deinit(&st);
    }
    CHECK_OK(tn_file_replace(path_of("cut.safetensors"), b.data, b.len - 1, &e), e);
    CHECK_HAS(refusal(path_of("cut.safetensors"), TERN_ERR_FORMAT), "cut short");
    tn_buf_deinit(&b);
}

TEST(header_bombs_are_refused_by_their_length) {
    tern_error e;
    char bytes[16] = {0};
    memset(bytes, 0xff, 8); /* 2^64 - 1 */
    CHECK_OK(tn_file_replace(path_of("bomb.safetensors"), bytes, 16, &e), e);
    CHECK_HAS(refusal(path_of("bomb.safetensors"), TERN_ERR_FORMAT), "18446744073709551615");
    /* 100 MB and one byte, as a sparse file */
    uint64_t n = TN_ST_HEADER_MAX + 1;
    memcpy(bytes, &n, 8);
    CHECK_OK(tn_file_replace(path_of("bomb.safetensors"), bytes, 16, &e), e);
    CHECK(truncate(path_of("bomb.safetensors"), TN_ST_HEADER_MAX + 100) == 0);
    CHECK_HAS(refusal(path_of("bomb.safetensors"), TERN_ERR_LIMIT), "limit");
    /* brackets without end stop at jansson's depth */
    char deep[4096];
    memset(deep, '[', sizeof deep - 1);
    memcpy(deep, "{\"a\":", 5);
    deep[sizeof deep - 1] = '\0';
    CHECK_HAS(refused(deep, 0), "byte");
}

TEST(overlaps_holes_and_sizes_that_do_not_fit_are_refused_by_tensor_and_byte) {
#define F32_AT(name, shape, begin, end)                                                            \
    "\"" name "\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":[" #begin "," #end "]}"
    const char *m = refused("{" F32_AT("a", "[2]", 0, 8) "," F32_AT("b", "[2]", 4, 12) "}", 12);
    CHECK_HAS(m, "'b' begins at byte 4");
    CHECK_HAS(m, "overlap");
    m = refused("{" F32_AT("a", "[2]", 0, 8) "," F32_AT("b", "[1]", 12, 16) "}", 16);
    CHECK_HAS(m, "hole");
    CHECK_HAS(refused("{" F32_AT("a", "[2]", 0, 8) "}", 9),
              "end at byte 8 of the data, which has 9");
    CHECK_HAS(refused("{" F32_AT("a", "[2]", 0, 8) "}", 7), "cut short");
    CHECK_HAS(refused("{" F32_AT("a", "[3]", 0, 8) "}", 8), "'a': 8 bytes at 0..8");
    CHECK_HAS(refused("{" F32_AT("a", "[2]", 8, 0) "}", 8), "8..0");
    CHECK_HAS(refused("{" F32_AT("a", "[2]", -8, 0) "}", 8), "-8..0");
    CHECK_HAS(refused("{" F32_AT("a", "[4294967296,4294967296,0,4294967296]", 0, 4) "}", 4),
              "another size");
    CHECK_HAS(refused("{" F32_AT("a", "[4611686018427387904,4]", 0, 0) "}", 0), "another size");
    CHECK_HAS(refused("{" F32_AT("a", "[-1,-2]", 0, 8) "}", 8), "dimension 0");
    CHECK_HAS(refused("{" F32_AT("a", "[1,1,1,1,1,1,1,1,1]", 0, 4) "}", 4), "9 dimensions");
    CHECK_HAS(refused("{" F32_AT("a", "[1.0]", 0, 4) "}", 4), "dimension 0");
    CHECK_HAS(refused("{" F32_AT("a", "2", 0, 8) "}", 8), "not a list");
}

TEST(headers_of_another_kind_are_refused) {
    CHECK_HAS(refused("[]", 0), "not a JSON object");
    CHECK_HAS(refused(" {}", 0), "not a JSON object");
    CHECK_HAS(refused("{\"a\":1}", 0), "'a' is not an object");
    CHECK_HAS(refused("{\"a\":{}}", 0), "dtype (missing)");
    CHECK_HAS(refused("{\"a\":{\"dtype\":\"F31\",\"shape\":[],\"data_offsets\":[0,4]}}", 4), "F31");
    CHECK_HAS(refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0]}}", 4), "pair");
    CHECK_HAS(refused("{" F32_AT("a", "[]", 0, 4) "," F32_AT("a", "[]", 0, 4) "}", 4), "duplicate");
    CHECK_HAS(refused("{\"__metadata__\":{\"k\":1}}", 0), "'k'");
    CHECK_HAS(refused("{\"__metadata__\":[]}", 0), "__metadata__");
    CHECK_HAS(refused("{} x", 0), "byte");
    CHECK_HAS(refused("{\"bad\\nname\":3}", 0), "'bad?name'");
}

TEST(every_dtype_is_read_as_f32_and_bf16) {
    static const double f64[2] = {0.1, -3};
    static const uint16_t f16[7] = {0x3c00, 0xc000, 0x0001, 0x8400, 0x7bff, 0xfc00, 0x7e00};
    static const float f16_as_f32[6] = {1, -2, 0x1p-24f, -0x1p-14f, 65504, -INFINITY};
    static const uint16_t bf16[2] = {0x3f80, 0xc040};
    static const int16_t i16[2] = {-32768, 7};
    static const int8_t i8[2] = {-128, 127};
    static const int32_t i32[2] = {INT32_MIN, 9};
    const tern_st_tensor t[] = {
        {"f64", TERN_ST_F64, 1, {2}, f64, 16},   {"f16", TERN_ST_F16, 1, {7}, f16, 14},
        {"bf16", TERN_ST_BF16, 1, {2}, bf16, 4}, {"i16", TERN_ST_I16, 1, {2}, i16, 4},
        {"i8", TERN_ST_I8, 1, {2}, i8, 2},       {"i32", TERN_ST_I32, 1, {2}, i32, 8},
        {"i64", TERN_ST_I64, 1, {2}, ids, 16},   {"u8", TERN_ST_U8, 1, {3}, flags, 3}};
    static const float expected[][2] = {{0.1f, -3},  {1, -2},       {1, -3},       {-32768, 7},
                                        {-128, 127}, {-0x1p31f, 9}, {-1, 1 << 20}, {1, 0}};
    float out[7];
    uint16_t half[7];
    tern_error e;
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        size_t n = (size_t)t[i].dims[0];
        CHECK_OK(tern_st_read_f32(&t[i], out, n, &e), e);
        CHECK_OK(tern_st_read_bf16(&t[i], half, n, &e), e);
        for (int j = 0; j < 2; j++) CHECK_NEAR(out[j], expected[i][j], 0);
        for (size_t j = 0; j < n; j++) CHECK_EQ(half[j], tn_bf16_set(out[j]));
        CHECK_EQ(tern_st_read_f32(&t[i], out, n - 1, &e), TERN_ERR_SHAPE);
    }
    CHECK_OK(tern_st_read_f32(&t[1], out, 7, &e), e);
    for (int j = 0; j < 6; j++) CHECK(out[j] == f16_as_f32[j]);
    CHECK(isnan(out[6]));
}

TEST(a_shape_other_than_expected_is_named_with_both) {
    tern_st *st;
    tern_error e;
    const tern_st_tensor *t;
    CHECK_OK(tern_st_save(path_of("shape.safetensors"), three, 3, NULL, 0, &e), e);
    CHECK_OK(tern_st_open(path_of("shape.safetensors"), &st, &e), e);
    CHECK_EQ(tern_st_get(st, "layer.0.weight", 2, (int64_t[]){3, 2}, &t, &e), TERN_ERR_SHAPE);
    CHECK_HAS(e.text, "[2, 3], expected [3, 2]");
    CHECK_EQ(tern_st_get(st, "layer.1.weight", 1, (int64_t[]){3}, &t, &e), TERN_ERR_NOT_FOUND);
    CHECK_HAS(e.text, "layer.1.weight");
    tern_st_close(st);
}

TEST(what_cannot_be_a_file_is_not_saved) {
    tern_error e;
    const char *path = path_of("never.safetensors");
    tern_st_tensor t[2] = {three[0], three[0]};
    CHECK_EQ(tern_st_save(path, t, 2, NULL, 0, &e), TERN_ERR_ARG);
    CHECK_HAS(e.text, "'flags'");
    t[0].name = "\xff";
    CHECK_EQ(tern_st_save(path, t, 1, NULL, 0, &e), TERN_ERR_ARG);
    t[0] = three[0];
    t[0].dims[0] = -3;
    CHECK_EQ(tern_st_save(path, t, 1, NULL, 0, &e), TERN_ERR_SHAPE);
    tern_st_meta twice[] = {{"k", "1"}, {"k", "2"}};
    CHECK_EQ(tern_st_save(path, three, 3, twice, 2, &e), TERN_ERR_ARG);
    CHECK(!tn_file_exists(path));
}

TEST(a_set_of_shards_reads_as_one_model) {
    char dir[300];
    tern_st *st;
    tern_error e;
    snprintf(dir, sizeof dir, "%s/set", test_dir());
    CHECK_OK(tern_st_save_sharded(dir, three, 3, 24, NULL, 0, &e), e);
    CHECK(tn_file_exists(path_of("set/model-00003-of-00003.safetensors")));
    CHECK_OK(tern_st_open(dir, &st, &e), e);
    CHECK_EQ(tern_st_n_tensors(st), 3);
    CHECK(memcmp(tern_st_find(st, "layer.0.weight")->data, weights, sizeof weights) == 0);
    tern_st_close(st);
    CHECK_OK(tern_st_open(path_of("set/model.safetensors.index.json"), &st, &e), e);
    tern_st_close(st);
    CHECK_EQ(tern_st_save_sharded(dir, three, 3, 24, NULL, 0, &e), TERN_ERR_EXISTS);
    /* one shard is lost */
    CHECK(unlink(path_of("set/model-00002-of-00003.safetensors")) == 0);
    CHECK_EQ(tern_st_open(dir, &st, &e), TERN_ERR_NOT_FOUND);
    CHECK_HAS(e.text, "model-00002-of-00003");
}

/* An index of this weight_map beside one file that holds "flags", "layer.0.weight" and "ids". */
static const char *index_refusal(const char *map) {
    tern_error e;
    char text[512];
    CHECK_OK(tn_mkdirs(path_of("ix"), &e), e);
    CHECK_OK(tern_st_save(path_of("ix/a.safetensors"), three, 3, NULL, 0, &e), e);
    int n = snprintf(text, sizeof text, "{\"weight_map\":%s}", map);
    const char *path = path_of("ix/m.index.json");
    CHECK_OK(tn_file_replace(path, text, (size_t)n, &e), e);
    return refusal(path, TERN_ERR_FORMAT);
}

TEST(an_index_that_tells_another_story_than_its_shards_is_refused) {
    CHECK_HAS(index_refusal("{\"flags\":\"a.safetensors\"}"), "nothing of it");
    CHECK_HAS(index_refusal("{\"flags\":\"a.safetensors\",\"ids\":\"a.safetensors\","
                            "\"layer.0.weight\":\"a.safetensors\",\"more\":\"a.safetensors\"}"),
              "'more' is not in a.safetensors");
    CHECK_HAS(index_refusal("{\"flags\":\"../a.safetensors\"}"), "plain file name");
    CHECK_HAS(index_refusal("{\"flags\":\"/etc/passwd\"}"), "plain file name");
    CHECK_HAS(index_refusal("{\"flags\":\"..\"}"), "plain file name");
    CHECK_HAS(index_refusal("{\"flags\":7}"), "plain file name");
    CHECK_HAS(index_refusal("{}"), "weight_map");
    CHECK_HAS(index_refusal("3"), "weight_map");
}

TEST(a_tensor_in_two_shards_is_refused) {
    tern_error e;
    CHECK_OK(tn_mkdirs(path_of("two"), &e), e);
    CHECK_OK(tern_st_save(path_of("two/a.safetensors"), three, 1, NULL, 0, &e), e);
    CHECK_OK(tern_st_save(path_of("two/b.safetensors"), three, 2, NULL, 0, &e), e);
    static const char text[] = "{\"weight_map\":{\"flags\":\"a.safetensors\","
                               "\"layer.0.weight\":\"b.safetensors\"}}";
    CHECK_OK(tn_file_replace(path_of("two/m.index.json"), text, sizeof text - 1, &e), e);
    tern_st *st;
    CHECK_EQ(tern_st_open(path_of("two/m.index.json"), &st, &e), TERN_ERR_FORMAT);
    CHECK_HAS(e.text, "already in another file");
}

TEST(a_folder_without_a_model_says_what_was_looked_for) {
    tern_error e;
    CHECK_OK(tn_mkdirs(path_of("bare"), &e), e);
    CHECK_HAS(refusal(path_of("bare"), TERN_ERR_NOT_FOUND), "model.safetensors.index.json");
}

TEST(a_full_disk_leaves_the_old_file) {
    tern_error e;
    tern_st *st;
    const char *path = path_of("full.safetensors");
    static const char big[1 << 16];
    const tern_st_tensor t = {"big", TERN_ST_U8, 1, {sizeof big}, big, 0};
    CHECK_OK(tern_st_save(path, three, 3, NULL, 0, &e), e);
    struct rlimit old, small = {1 << 12, 1 << 12};
    CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
    small.rlim_max = old.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
    tern_status s = tern_st_save(path, &t, 1, NULL, 0, &e);
    CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
    CHECK_EQ(s, TERN_ERR_IO); /* EFBIG stands for ENOSPC here */
    CHECK_OK(tern_st_open(path, &st, &e), e);
    CHECK(tern_st_find(st, "flags") != NULL);
    tern_st_close(st);
}

TEST(models_of_hugging_face_are_read) {
    static const char *const models[] = {"bert",  "gemma3", "llama-gqa",  "llama-tied-mha",
                                         "qwen2", "qwen3",  "xlm-roberta"};
    char folder[512], path[600];
    const char *shared = getenv("TERN_SHARED");
    snprintf(folder, sizeof folder, "%s/fixtures/hf",
             shared ? shared : TERN_SOURCE_DIR "/../shared");
    if (!tn_is_dir(folder))
        snprintf(folder, sizeof folder, "%s", TERN_SOURCE_DIR "/shared/fixtures/hf");
    if (!tn_is_dir(folder)) SKIP("no shared/fixtures/hf here (TERN_SHARED names another place)");
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        tern_st *st;
        tern_error e;
        snprintf(path, sizeof path, "%s/%s", folder, models[i]);
        CHECK_OK(tern_st_open(path, &st, &e), e);
        CHECK(tern_st_n_tensors(st) > 10);
        for (size_t k = 0; k < tern_st_n_tensors(st); k++) {
            const tern_st_tensor *t = tern_st_at(st, k);
            size_t n = t->n_bytes / tern_st_dtype_bytes(t->dtype);
            float *f = tn_alloc(n * sizeof *f);
            CHECK(f != NULL);
            CHECK_OK(tern_st_read_f32(t, f, n, &e), e);
            for (size_t j = 0; j < n; j++) CHECK(isfinite(f[j]));
            tn_free(f);
        }
        tern_st_close(st);
    }
}

TEST_MAIN
