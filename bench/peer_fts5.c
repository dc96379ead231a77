/* peer_fts5.c - SQLite FTS5 at its fastest for this task: contentless (no copy of the text), one
 * transaction, automerge off and one `optimize` at the end, no journal, the file mapped and cached
 * whole, one prepared statement. detail=full, because without it FTS5 knows no term frequencies and
 * its bm25() ranks differently; the ascii tokenizer, which splits our terms at the spaces only.
 * Its k1 and b are fixed at 1.2 and 0.75. */
#include "bench/peer.h"
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

static sqlite3 *db;
static sqlite3_stmt *stmt;

static int failed(const char *what) {
    fprintf(stderr, "fts5: %s: %s\n", what, sqlite3_errmsg(db));
    return -1;
}

static int run(const char *sql) {
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : failed(sql);
}

static int open_file(const char *dir) {
    char path[4096];
    snprintf(path, sizeof path, "%s/fts5.db", dir);
    if (sqlite3_open(path, &db) != SQLITE_OK) return failed(path);
    return run("PRAGMA page_size=4096; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"
               "PRAGMA locking_mode=EXCLUSIVE; PRAGMA cache_size=-2000000;"
               "PRAGMA mmap_size=8000000000;");
}

static int prepare(const char *sql) {
    return sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK ? 0 : failed(sql);
}

static void fts5_close(void) {
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    stmt = NULL;
    db = NULL;
}

static int fts5_begin(const char *dir) {
    char path[4096];
    snprintf(path, sizeof path, "%s/fts5.db", dir);
    remove(path);
    if (open_file(dir) != 0 ||
        run("CREATE VIRTUAL TABLE t USING fts5(x, content='', tokenize='ascii');"
            "INSERT INTO t(t, rank) VALUES('automerge', 0);"
            "INSERT INTO t(t, rank) VALUES('hashsize', 67108864); BEGIN") != 0)
        return -1;
    return prepare("INSERT INTO t(rowid, x) VALUES((SELECT ?1), ?2)");
}

static sqlite3_int64 n_added;

static int fts5_add(const char *terms, size_t len) {
    sqlite3_bind_int64(stmt, 1, ++n_added);
    sqlite3_bind_text(stmt, 2, terms, (int)len, SQLITE_STATIC);
    if (sqlite3_step(stmt) != SQLITE_DONE) return failed("insert");
    return sqlite3_reset(stmt) == SQLITE_OK ? 0 : failed("insert");
}

static int fts5_end(void) {
    int bad = run("COMMIT; INSERT INTO t(t) VALUES('optimize')");
    fts5_close();
    return bad;
}

static int fts5_open(const char *dir) {
    return open_file(dir) != 0 ? -1
                               : prepare("SELECT rowid FROM t WHERE t MATCH ?1 "
                                         "ORDER BY rank LIMIT 10");
}

/* "a b" -> "\"a\" OR \"b\"", cut at the end of the buffer. */
static void write_match(const char *terms, char *out, size_t size) {
    size_t n = 0;
    while (*terms) {
        size_t len = strcspn(terms, " ");
        if (n + len + 8 > size) break;
        n += (size_t)snprintf(out + n, size - n, "%s\"%.*s\"", n ? " OR " : "", (int)len, terms);
        terms += len + (terms[len] == ' ');
    }
    out[n] = '\0';
}

static int fts5_search(const char *terms, uint32_t *refs, size_t *n) {
    char match[16384];
    int code;
    *n = 0;
    write_match(terms, match, sizeof match);
    if (!match[0]) return 0;
    sqlite3_bind_text(stmt, 1, match, -1, SQLITE_STATIC);
    while ((code = sqlite3_step(stmt)) == SQLITE_ROW && *n < BENCH_K)
        refs[(*n)++] = (uint32_t)sqlite3_column_int64(stmt, 0) - 1;
    if (code != SQLITE_DONE) return failed("search");
    sqlite3_reset(stmt);
    return 0;
}

const bench_peer bench_fts5 = {
    "SQLite FTS5", SQLITE_VERSION, fts5_begin,  fts5_add,
    fts5_end,      fts5_open,      fts5_search, fts5_close,
};
