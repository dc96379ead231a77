// sp_shim.cpp - see sp_shim.h.
#include "core/lm/tokenizer/sp_shim.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>
#include <string>
#include <unordered_map>

struct tn_sp_lib {
    sentencepiece::SentencePieceProcessor processor;
};

namespace {

// The library writes "file(line) [condition] message": the reader wants the message, if there is
// one.
tn_sp_result refused(const char *message, char *why, size_t why_cap) {
    const char *end = std::strrchr(message, ']');
    if (end && end[1] == ' ' && end[2]) message = end + 2;
    std::snprintf(why, why_cap, "%s", message);
    return TN_SP_REFUSED;
}

// Run a body and turn what it throws into a result.
template <class Body> tn_sp_result guarded(char *why, size_t why_cap, Body body) {
    try {
        return body();
    } catch (const std::bad_alloc &) {
        return TN_SP_NOMEM;
    } catch (const std::exception &e) {
        return refused(e.what(), why, why_cap);
    } catch (...) {
        return refused("unknown failure", why, why_cap);
    }
}

// Sentences from a C callback.
class Lines : public sentencepiece::SentenceIterator {
  public:
    Lines(tn_sp_line_fn *line, void *ud) : line_(line), ud_(ud) { Next(); }
    bool done() const override { return got_ != 1; }
    void Next() override {
        const char *s = nullptr;
        size_t n = 0;
        got_ = line_(ud_, &s, &n);
        if (got_ == 1) value_.assign(s, n);
    }
    const std::string &value() const override { return value_; }
    sentencepiece::util::Status status() const override {
        return sentencepiece::util::Status(); // a stop is told by stopped()
    }
    bool stopped() const { return got_ < 0; }

  private:
    tn_sp_line_fn *line_;
    void *ud_;
    int got_ = 0;
    std::string value_;
};

} // namespace

extern "C" tn_sp_result tn_sp_lib_open(const void *model, size_t n, tn_sp_lib **out, char *why,
                                       size_t why_cap) {
    *out = nullptr;
    return guarded(why, why_cap, [&]() -> tn_sp_result {
        auto lib = std::make_unique<tn_sp_lib>();
        auto status = lib->processor.LoadFromSerializedProto(
            std::string_view(static_cast<const char *>(model), n));
        if (!status.ok()) return refused(status.error_message(), why, why_cap);
        *out = lib.release();
        return TN_SP_OK;
    });
}

extern "C" void tn_sp_lib_close(tn_sp_lib *lib) {
    delete lib;
}

extern "C" tn_sp_result tn_sp_lib_encode(const tn_sp_lib *lib, const char *text, size_t n,
                                         int spans, tn_sp_token_fn *token, void *ud, char *why,
                                         size_t why_cap) {
    return guarded(why, why_cap, [&]() -> tn_sp_result {
        if (!spans) {
            std::vector<int> ids;
            auto status = lib->processor.Encode(std::string_view(text, n), &ids);
            if (!status.ok()) return refused(status.error_message(), why, why_cap);
            for (int id : ids) token(ud, id, 0, 0);
            return TN_SP_OK;
        }
        auto pieces = lib->processor.EncodeAsImmutableProto(std::string_view(text, n));
        for (size_t i = 0; i < pieces.pieces_size(); i++) {
            auto piece = pieces.pieces(static_cast<int>(i));
            token(ud, static_cast<int>(piece.id()), piece.begin(), piece.end());
        }
        return TN_SP_OK;
    });
}

extern "C" tn_sp_result tn_sp_lib_train(const tn_sp_train *opts, tn_sp_line_fn *line, void *ud,
                                        char **model, size_t *n, char *why, size_t why_cap) {
    *model = nullptr;
    *n = 0;
    return guarded(why, why_cap, [&]() -> tn_sp_result {
        const std::unordered_map<std::string, std::string> args = {
            {"model_type", "unigram"},
            {"vocab_size", std::to_string(opts->vocab_size)},
            {"character_coverage", std::to_string(opts->character_coverage)},
            {"byte_fallback", opts->byte_fallback ? "true" : "false"},
            {"max_sentence_length", "65536"},
            // Each thread sums its own share of the corpus: the number decides the last bits, so it
            // is fixed, whatever the machine has.
            {"num_threads", "16"},
            {"minloglevel", "3"}, // fatal messages alone
        };
        Lines lines(line, ud);
        std::string bytes;
        auto status = sentencepiece::SentencePieceTrainer::Train(args, &lines, &bytes);
        if (lines.stopped()) return TN_SP_STOPPED;
        if (!status.ok()) return refused(status.error_message(), why, why_cap);
        *model = static_cast<char *>(std::malloc(bytes.size() + 1));
        if (!*model) return TN_SP_NOMEM;
        bytes.copy(*model, bytes.size());
        *n = bytes.size();
        return TN_SP_OK;
    });
}

extern "C" void tn_sp_lib_free_model(char *model) {
    std::free(model);
}
