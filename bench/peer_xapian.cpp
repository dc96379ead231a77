// peer_xapian.cpp - Xapian at its fastest for this task: terms with their frequencies and no
// positions, large flushes, a full compaction at the end, BM25Weight with our k1 and b, no floor
// under the lengths, the ten best only.
#include "bench/peer.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <xapian.h>

static std::unique_ptr<Xapian::WritableDatabase> writer;
static std::unique_ptr<Xapian::Database> reader;
static std::string folder;

template <class F> static int guarded(F body) {
    try {
        body();
        return 0;
    } catch (const Xapian::Error &e) {
        std::fprintf(stderr, "xapian: %s\n", e.get_description().c_str());
    } catch (const std::exception &e) {
        std::fprintf(stderr, "xapian: %s\n", e.what());
    }
    return -1;
}

template <class F> static void each_term(const char *terms, F body) {
    while (*terms) {
        std::size_t len = std::strcspn(terms, " ");
        body(std::string(terms, len));
        terms += len + (terms[len] == ' ');
    }
}

static int begin(const char *dir) {
    folder = dir;
    setenv("XAPIAN_FLUSH_THRESHOLD", "200000", 1);
    return guarded([] {
        std::filesystem::remove_all(folder + "/xapian");
        writer.reset(new Xapian::WritableDatabase(folder + "/xapian.building",
                                                  Xapian::DB_CREATE_OR_OVERWRITE |
                                                      Xapian::DB_NO_SYNC | Xapian::DB_DANGEROUS));
    });
}

static int add(const char *terms, std::size_t) {
    return guarded([terms] {
        Xapian::Document doc;
        each_term(terms, [&doc](const std::string &t) { doc.add_term(t); });
        writer->add_document(doc);
    });
}

static int end() {
    return guarded([] {
        writer->commit();
        writer->compact(folder + "/xapian", Xapian::Compactor::FULL);
        writer.reset();
    });
}

static int open(const char *dir) {
    folder = dir;
    return guarded([] { reader.reset(new Xapian::Database(folder + "/xapian")); });
}

static int search(const char *terms, std::uint32_t *refs, std::size_t *n) {
    *n = 0;
    return guarded([terms, refs, n] {
        std::vector<Xapian::Query> parts;
        each_term(terms, [&parts](const std::string &t) { parts.emplace_back(t); });
        Xapian::Enquire enquire(*reader);
        enquire.set_weighting_scheme(Xapian::BM25Weight(1.2, 0, 1, 0.75, 0));
        enquire.set_query(Xapian::Query(Xapian::Query::OP_OR, parts.begin(), parts.end()));
        Xapian::MSet hits = enquire.get_mset(0, BENCH_K);
        for (auto i = hits.begin(); i != hits.end(); ++i) refs[(*n)++] = *i - 1;
    });
}

static void close() {
    reader.reset();
}

const bench_peer bench_xapian = {"Xapian", XAPIAN_VERSION, begin, add, end, open, search, close};
