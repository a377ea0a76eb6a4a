/* metal_llm.h — run GPT-2-family language models. The only header a user needs.
 *
 *     LLMError error = {0};
 *     LLMPipeline *llm = llm_pipeline_open("gpt2.gguf", NULL, &error);
 *     LLMTokens tokens = llm_encode(llm, "The meaning of life is", &error);
 *     llm_generate(llm, &tokens, 50, NULL, &error);
 *     char *text = llm_decode(llm, &tokens, &error);
 *     puts(error.status ? error.message : text);
 *
 * Errors are values. Every function takes an LLMError; when it is already set, the function does
 * nothing, so a chain of calls needs one check at its end. The library never prints and never
 * exits. A pipeline belongs to one thread at a time; different pipelines are independent.
 */
#ifndef METAL_LLM_H
#define METAL_LLM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum LLMStatus {
    LLM_OK = 0,
    LLM_ERROR_ARGUMENT, /* a wrong option or a NULL where a value is needed */
    LLM_ERROR_FILE,     /* a file is missing or unreadable */
    LLM_ERROR_FORMAT,   /* a file is truncated, corrupt, or not what this library opens */
    LLM_ERROR_MEMORY,   /* host or device memory is exhausted */
    LLM_ERROR_DEVICE,   /* the device is absent or reported a failure */
    LLM_ERROR_CONTEXT,  /* more tokens than the model's context holds */
    LLM_ERROR_NUMERIC,  /* the logits contain NaN: the weights are damaged */
} LLMStatus;

/* Zero-initialise. `message` is one line: what is wrong and what to do. */
typedef struct LLMError {
    LLMStatus status;
    char message[512];
} LLMError;
/* The message as a string: some languages see an array in a structure as something else. */
static inline const char *llm_error_message(const LLMError *error) {
    return error->message;
}

typedef struct LLMPipeline LLMPipeline;

/* All fields may be zero: the best device, flash attention, every core, the model's own context. */
typedef struct LLMOptions {
    const char *device;    /* "metal", "cuda", "cpu", "simt"; NULL picks the best that is present */
    const char *attention; /* "flash" or "naive"; NULL is "flash" */
    uint32_t threads;      /* CPU threads; 0 is one per core */
    uint32_t context;      /* tokens the KV cache holds per row; 0 is the model's context */
    uint32_t batch;        /* rows generated side by side; 0 is 1 */
    bool profile;          /* time every kernel; see llm_timings */
    const char *fusion;    /* "on" or "off": decode with several ideas per kernel (fused_*.metal);
                              NULL is "on" where a simdgroup has more than one lane */
    const char *cache;     /* numbers of the KV cache: "f32", or "f16" at half the memory; NULL is
                              "f32" */
    const char *integer_products; /* "on": q8_0, q4_0 and q6_K weights are multiplied as integers,
                                     with activations rounded to 8 bits (integer_linear.metal,
                                     integer_matmul.metal): twice as fast on a CPU, perplexity
                                     0.05 % higher. "off": activations stay float, as on every
                                     other device. NULL: "on" for a CPU */
    const char *weights; /* of block formats: "stored", as the file has them, or "f16", turned into
                            halves when the model is opened, twice to four times the memory. NULL is
                            "f16" on cuda, where the fused kernels for halves decode several times
                            faster, else "stored" */
    const char *kernels; /* a folder of .metal files to compile instead of those built in, on
                            metal and cuda; NULL: those built in */
    void *metal_device;  /* an id<MTLDevice> to run on, as an app has one; it is retained until the
                            pipeline is closed. NULL: the system's default, where that is Apple's */
} LLMOptions;

/* A growing list of token ids; zero-initialise, release with llm_tokens_free. */
typedef struct LLMTokens {
    uint32_t *ids;
    size_t count, capacity;
} LLMTokens;

/* Called once per generated token, in order; return false to stop that row's generation. */
typedef bool (*LLMTokenCallback)(void *user, uint32_t row, uint32_t token);

/* temperature 0 takes the likeliest token; top_k 0 and top_p 0 or 1 keep every token. */
typedef struct LLMGeneration {
    float temperature;
    uint32_t top_k;
    float top_p;
    uint64_t seed;
    LLMTokenCallback on_token; /* NULL: none */
    void *user;                /* handed to on_token */
    bool ignore_end;           /* go on after the end-of-text token */
} LLMGeneration;

typedef struct LLMInfo {
    const char *format;  /* "GGUF", "Hugging Face", "llm.c" */
    const char *name;    /* the model's own name, "" if it has none */
    const char *weights; /* type of the large matrices, such as "f32" or "q8_0" */
    const char *device;  /* one line: which device runs it, and its size */
    uint32_t layers, heads, channels, inner, context, vocabulary;
    uint64_t parameters;
    uint64_t weight_bytes; /* of the tensors as the device holds them */
    uint64_t cache_bytes;  /* of the KV cache, all rows */
    uint32_t end_of_text;  /* token id that ends a text, UINT32_MAX if the model has none */
} LLMInfo;

/* Open a model: a GGUF file, a Hugging Face folder, or an llm.c .bin file. The caller closes it.
 * `options` may be NULL. Returns NULL and sets `error` on failure. */
LLMPipeline *llm_pipeline_open(const char *path, const LLMOptions *options, LLMError *error);
void llm_pipeline_close(LLMPipeline *llm);       /* NULL is fine */
const LLMInfo *llm_info(const LLMPipeline *llm); /* owned by the pipeline */

/* Text (UTF-8 or any bytes, NUL-terminated) to token ids; special tokens in the text are
 * recognised. The caller frees the result with llm_tokens_free. */
LLMTokens llm_encode(LLMPipeline *llm, const char *text, LLMError *error);
LLMTokens llm_encode_bytes(LLMPipeline *llm, const void *bytes, size_t size, LLMError *error);
/* Token ids to text; the result is NUL-terminated and freed with llm_free. */
char *llm_decode(LLMPipeline *llm, const LLMTokens *tokens, LLMError *error);
/* The bytes of one token, owned by the pipeline; *size receives their number. A token may end in
 * the middle of a UTF-8 character. NULL if the id is not in the vocabulary. */
const char *llm_token_bytes(const LLMPipeline *llm, uint32_t token, size_t *size);

/* Continue `tokens` by up to `count` tokens, appended to it; stops early after the end-of-text
 * token (which is not appended), at the end of the context, or when the callback says so. An empty
 * list is begun with the end-of-text token, which also stands at the start of every text the model
 * has seen. `generation` may be NULL: greedy. Returns the number of tokens appended. */
size_t llm_generate(LLMPipeline *llm, LLMTokens *tokens, size_t count,
                    const LLMGeneration *generation, LLMError *error);
/* The same for `rows` prompts of different lengths side by side; rows <= options.batch. Row r draws
 * its random numbers from seed + r. */
size_t llm_generate_batch(LLMPipeline *llm, LLMTokens *tokens, uint32_t rows, size_t count,
                          const LLMGeneration *generation, LLMError *error);

/* logits[count, vocabulary] of every position of `tokens`, written to the caller's array. */
void llm_logits(LLMPipeline *llm, const LLMTokens *tokens, float *logits, LLMError *error);
/* nats[count − 1]: how surprised the model is by each token but the first, −ln p(token | those
 * before), written to the caller's array. */
void llm_losses(LLMPipeline *llm, const LLMTokens *tokens, float *nats, LLMError *error);

/* What a kernel has cost since llm_timings_reset, if the pipeline was opened with `profile`. */
typedef struct LLMTiming {
    const char *kernel; /* its name, or "matmul" for the vendor's matrix products */
    uint64_t calls;
    double seconds;
    double bytes; /* read and written at least */
} LLMTiming;
/* Returns their number; *timings is owned by the pipeline and valid until the next call. */
size_t llm_timings(LLMPipeline *llm, const LLMTiming **timings);
void llm_timings_reset(LLMPipeline *llm);

void llm_tokens_free(LLMTokens *tokens);
void llm_free(void *pointer);
const char *llm_version(void);

#ifdef __cplusplus
}
#endif
#endif
