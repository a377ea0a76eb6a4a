// raii.cpp — the library in C++: handles that close themselves, errors as exceptions.
//
//     c++ -std=c++17 raii.cpp $(pkg-config --cflags --libs metal-llm) -o raii
//     ./raii smollm2.gguf "Once upon a time"
#include <metal_llm.h>

#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

namespace {

struct Close {
    void operator()(LLMPipeline *llm) const {
        llm_pipeline_close(llm);
    }
    void operator()(char *text) const {
        llm_free(text);
    }
};

class Model {
  public:
    explicit Model(const char *path) : llm_(llm_pipeline_open(path, nullptr, &error_)) {
        check();
    }

    std::string complete(const std::string &prompt, std::size_t count) {
        struct Tokens : LLMTokens {
            explicit Tokens(LLMTokens tokens) : LLMTokens(tokens) {}
            Tokens(const Tokens &) = delete;
            Tokens &operator=(const Tokens &) = delete;
            ~Tokens() {
                llm_tokens_free(this);
            }
        };
        Tokens tokens(llm_encode(llm_.get(), prompt.c_str(), 0, &error_));
        llm_generate(llm_.get(), &tokens, count, nullptr, &error_);
        std::unique_ptr<char, Close> text(llm_decode(llm_.get(), &tokens, &error_));
        check();
        return text.get();
    }

  private:
    // A call with an error already set does nothing, so that one check after several is enough.
    void check() {
        LLMError error = error_;
        error_ = LLMError();
        if (error.status != LLM_OK) throw std::runtime_error(error.message);
    }

    LLMError error_ = LLMError();
    std::unique_ptr<LLMPipeline, Close> llm_;
};

} // namespace

int main(int count, char **arguments) try {
    if (count != 3) {
        std::cerr << "usage: " << arguments[0] << " MODEL PROMPT\n";
        return 2;
    }
    std::cout << Model(arguments[1]).complete(arguments[2], 50) << '\n';
    return 0;
} catch (const std::exception &error) {
    std::cerr << error.what() << '\n';
    return 1;
}
