/* faiss_shim.cpp - the one C++ file: FAISS behind C functions.
 * First the functions of faiss/c_api that we call, for systems whose FAISS comes without
 * libfaiss_c (Debian 12: headers only); then faiss_extra.h. No exception and no C++ type leaves
 * this file. */
#include "core/kernels/dot.h"
#include "retriever/dense/faiss_extra.h"
#include <faiss/IndexFlat.h>
#include <faiss/IndexHNSW.h>
#include <faiss/IndexIVFFlat.h>
#include <faiss/c_api/IndexIVF_c.h>
#include <faiss/c_api/Index_c.h>
#include <faiss/c_api/error_c.h>
#include <faiss/c_api/index_factory_c.h>
#include <faiss/impl/FaissException.h>
#include <faiss/impl/IDSelector.h>
#include <faiss/index_factory.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <new>
#include <omp.h>

namespace {

thread_local char last_error[256];

void remember(const char *what) noexcept {
    std::strncpy(last_error, what, sizeof last_error - 1);
    last_error[sizeof last_error - 1] = '\0';
}

/* Run f on this thread alone and turn what it throws into a code of the C API. */
template <class F> int guarded(F &&f) noexcept {
    omp_set_num_threads(1);
    try {
        f();
        return 0;
    } catch (const faiss::FaissException &e) {
        remember(e.what());
        return FAISS_EXCEPT;
    } catch (const std::bad_alloc &) {
        remember("out of memory");
        return TN_FAISS_NOMEM;
    } catch (const std::exception &e) {
        remember(e.what());
        return STD_EXCEPT;
    } catch (...) {
        remember("unknown exception");
        return UNKNOWN_EXCEPT;
    }
}

} // namespace

/* --- functions of faiss/c_api --- */
#ifndef TERN_HAVE_FAISS_C
namespace {
faiss::Index *index_of(FaissIndex *i) {
    return reinterpret_cast<faiss::Index *>(i);
}
const faiss::Index *index_of(const FaissIndex *i) {
    return reinterpret_cast<const faiss::Index *>(i);
}
} // namespace

extern "C" {

const char *faiss_get_last_error() {
    return last_error;
}

void faiss_Index_free(FaissIndex *index) {
    delete index_of(index);
}

int faiss_index_factory(FaissIndex **p_index, int d, const char *description,
                        FaissMetricType metric) {
    return guarded([&] {
        *p_index = reinterpret_cast<FaissIndex *>(
            faiss::index_factory(d, description, static_cast<faiss::MetricType>(metric)));
    });
}

int faiss_Index_train(FaissIndex *index, idx_t n, const float *x) {
    return guarded([&] { index_of(index)->train(n, x); });
}

int faiss_Index_assign(FaissIndex *index, idx_t n, const float *x, idx_t *labels, idx_t k) {
    return guarded([&] { index_of(index)->assign(n, x, labels, k); });
}

int faiss_Index_reconstruct_n(const FaissIndex *index, idx_t i0, idx_t ni, float *recons) {
    return guarded([&] { index_of(index)->reconstruct_n(i0, ni, recons); });
}

FaissIndexIVF *faiss_IndexIVF_cast(FaissIndex *index) {
    return reinterpret_cast<FaissIndexIVF *>(dynamic_cast<faiss::IndexIVF *>(index_of(index)));
}

FaissIndex *faiss_IndexIVF_quantizer(const FaissIndexIVF *index) {
    return reinterpret_cast<FaissIndex *>(
        reinterpret_cast<const faiss::IndexIVF *>(index)->quantizer);
}

} /* extern "C" */
#endif /* TERN_HAVE_FAISS_C */

/* --- faiss_extra.h --- */
namespace {

/* The guard of the search this thread is in. FAISS's interfaces have no room for it, and an
 * exception must not cross its OpenMP regions: a refusal is noted here and looked at afterwards. */
thread_local const tn_faiss_guard *current_guard;
thread_local bool refused;

bool may_read(size_t begin, size_t end) {
    if (!current_guard || current_guard->touch(current_guard->ud, begin, end)) return true;
    refused = true;
    return false;
}

/* Mapped rows as FAISS storage. */
struct RowDistance : faiss::DistanceComputer {
    const tn_faiss_rows &rows;
    const float *query = nullptr;
    explicit RowDistance(const tn_faiss_rows &r) : rows(r) {}
    void set_query(const float *x) override { query = x; }
    float operator()(idx_t i) override {
        size_t at = static_cast<size_t>(i);
        if (!may_read(at, at + 1)) return -INFINITY;
        return product(query, at);
    }
    float symmetric_dis(idx_t i, idx_t j) override {
        return product(rows.data + static_cast<size_t>(i) * rows.dim, static_cast<size_t>(j));
    }
    float product(const float *x, size_t row) const {
        float out;
        tn_dot_rows(x, rows.data + row * rows.dim, rows.dim, 1, &out);
        return out;
    }
};

struct RowStorage : faiss::Index {
    tn_faiss_rows rows;
    explicit RowStorage(const tn_faiss_rows &r)
        : Index(static_cast<idx_t>(r.dim), faiss::METRIC_INNER_PRODUCT), rows(r) {
        ntotal = static_cast<idx_t>(r.n);
    }
    void add(idx_t n, const float *) override { ntotal += n; /* the rows are there already */ }
    void reset() override { FAISS_THROW_MSG("mapped rows cannot be reset"); }
    void search(idx_t, const float *, idx_t, float *, idx_t *,
                const faiss::SearchParameters *) const override {
        FAISS_THROW_MSG("mapped rows are scanned by the caller");
    }
    faiss::DistanceComputer *get_distance_computer() const override {
        return new RowDistance(rows);
    }
};

/* Mapped rows as inverted lists. */
struct RowLists : faiss::InvertedLists {
    tn_faiss_rows rows;
    tn_faiss_lists lists;
    RowLists(const tn_faiss_rows &r, const tn_faiss_lists &l)
        : InvertedLists(l.n_lists, r.dim * sizeof(float)), rows(r), lists(l) {}
    size_t list_size(size_t l) const override {
        size_t begin = lists.starts[l], end = lists.starts[l + 1];
        return begin < end && may_read(begin, end) ? end - begin : 0;
    }
    const uint8_t *get_codes(size_t l) const override {
        return reinterpret_cast<const uint8_t *>(rows.data + lists.starts[l] * rows.dim);
    }
    const idx_t *get_ids(size_t l) const override { return lists.ids + lists.starts[l]; }
    size_t add_entries(size_t, size_t, const idx_t *, const uint8_t *) override {
        FAISS_THROW_MSG("mapped lists are read-only");
    }
    void update_entries(size_t, size_t, size_t, const idx_t *, const uint8_t *) override {
        FAISS_THROW_MSG("mapped lists are read-only");
    }
    void resize(size_t, size_t) override { FAISS_THROW_MSG("mapped lists are read-only"); }
};

struct Search {
    const float *query;
    size_t k, effort;
    faiss::IDSelector *allow;
    float *sims;
    int64_t *ids;
};

} // namespace

struct tn_faiss_searcher {
    virtual ~tn_faiss_searcher() = default;
    virtual void search(const Search &q) const = 0;
};

namespace {

struct IvfSearcher final : tn_faiss_searcher {
    faiss::IndexFlatIP quantizer;
    RowLists lists;
    faiss::IndexIVFFlat index;
    IvfSearcher(const tn_faiss_rows &r, const tn_faiss_lists &l)
        : quantizer(static_cast<int64_t>(r.dim)), lists(r, l),
          index(&quantizer, r.dim, l.n_lists, faiss::METRIC_INNER_PRODUCT) {
        quantizer.add(static_cast<int64_t>(l.n_lists), l.centroids);
        index.replace_invlists(&lists, false);
        index.ntotal = static_cast<int64_t>(r.n);
        index.is_trained = true;
    }
    void search(const Search &q) const override {
        faiss::SearchParametersIVF params;
        params.sel = q.allow;
        params.nprobe = q.effort;
        index.search(1, q.query, static_cast<int64_t>(q.k), q.sims, q.ids, &params);
    }
};

struct HnswSearcher final : tn_faiss_searcher {
    RowStorage storage;
    faiss::IndexHNSW index;
    int m;
    HnswSearcher(const tn_faiss_rows &r, int m_) : storage(r), index(&storage, m_), m(m_) {}
    void search(const Search &q) const override {
        faiss::SearchParametersHNSW params;
        params.sel = q.allow;
        params.efSearch = static_cast<int>(q.effort);
        index.search(1, q.query, static_cast<int64_t>(q.k), q.sims, q.ids, &params);
    }
};

} // namespace

extern "C" {

const char *tn_faiss_last_error(void) {
    return last_error;
}

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)
const char *tn_faiss_version(void) {
    return TEXT(FAISS_VERSION_MAJOR) "." TEXT(FAISS_VERSION_MINOR) "." TEXT(FAISS_VERSION_PATCH);
}

void tn_faiss_use_one_thread(void) {
    omp_set_num_threads(1);
}

void tn_faiss_searcher_free(tn_faiss_searcher *s) {
    delete s;
}

int tn_faiss_ivf_open(const tn_faiss_rows *rows, const tn_faiss_lists *lists,
                      tn_faiss_searcher **out) {
    return guarded([&] { *out = new IvfSearcher(*rows, *lists); });
}

int tn_faiss_hnsw_open(const tn_faiss_rows *rows, const tn_faiss_graph *graph,
                       tn_faiss_searcher **out) {
    return guarded([&] {
        auto s = std::make_unique<HnswSearcher>(*rows, graph->m);
        faiss::HNSW &h = s->index.hnsw;
        h.levels.assign(graph->levels, graph->levels + rows->n);
        h.offsets.assign(1, 0);
        for (int level : h.levels) {
            FAISS_THROW_IF_NOT_MSG(level >= 0 && static_cast<size_t>(level) <
                                                     h.cum_nneighbor_per_level.size(),
                                   "a node of the graph stands too high");
            h.offsets.push_back(h.offsets.back() + static_cast<size_t>(h.cum_nb_neighbors(level)));
        }
        h.neighbors.assign(graph->links, graph->links + graph->n_links);
        h.entry_point = graph->entry;
        h.max_level = graph->entry < 0 ? -1 : graph->levels[graph->entry] - 1;
        s->index.ntotal = static_cast<int64_t>(rows->n);
        *out = s.release();
    });
}

int tn_faiss_hnsw_build(const tn_faiss_rows *rows, int m, int ef, tn_faiss_searcher **out) {
    return guarded([&] {
        auto s = std::make_unique<HnswSearcher>(*rows, m);
        s->index.hnsw.efConstruction = ef;
        s->storage.ntotal = 0; /* counted up by add() */
        s->index.add(static_cast<int64_t>(rows->n), rows->data);
        *out = s.release();
    });
}

void tn_faiss_hnsw_view(const tn_faiss_searcher *s, tn_faiss_graph *graph) {
    const auto *h = static_cast<const HnswSearcher *>(s);
    const faiss::HNSW &g = h->index.hnsw;
    *graph = {h->m, g.entry_point, g.neighbors.size(), g.levels.data(), g.neighbors.data()};
}

int tn_faiss_search(const tn_faiss_searcher *s, const float *query, size_t k, size_t effort,
                    const uint8_t *allow, size_t allow_bytes, const tn_faiss_guard *guard,
                    float *sims, int64_t *ids) {
    refused = false;
    current_guard = guard;
    int code = guarded([&] {
        faiss::IDSelectorBitmap bitmap(allow_bytes, allow);
        s->search({query, k, effort, allow ? &bitmap : nullptr, sims, ids});
    });
    current_guard = nullptr;
    if (code == 0 && refused) {
        remember("rows could not be read");
        code = FAISS_EXCEPT;
    }
    return code;
}

} /* extern "C" */
