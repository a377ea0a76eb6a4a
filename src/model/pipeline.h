/* pipeline.h — a model on a device, and the passes that run through it. */
#ifndef METAL_LLM_PIPELINE_H
#define METAL_LLM_PIPELINE_H

#include "weights.h"

#include <stdatomic.h>
#include <sys/types.h>

typedef struct Engine Engine;
typedef struct ChatModel ChatModel;
typedef struct TokenTrie TokenTrie;

/* Tokens that a row gets room for at a time while it is decoded: getting it, a device waits for the
 * host. */
enum { ROOM = 256 };

struct LLMPipeline {
    LLMInfo info;
    pid_t owner;              /* the process that opened it */
    atomic_uint holders;      /* who opened it, its sessions, calls that are going on */
    atomic_bool closing;      /* by who opened it: the last holder frees it */
    _Atomic(Engine *) engine; /* see engine/engine.h */
    ModelFile *model;         /* the file: its settings, tensors and tokenizer */
    Device *device;
    Weights weights;
    Run run;
    char *chat_template; /* that was asked for, NULL: the model's own */
    ChatModel *chat;     /* see chat_model.h */
    TokenTrie *trie;     /* of the vocabulary, see json_output.h */
    bool profile;
    bool halved; /* block formats or bf16 were turned into halves */
    char nan_reason[192];
};

/* The caller's options, or the defaults for NULL. */
bool pipeline_options(LLMOptions *options, const LLMOptions *given, LLMError *error);
/* "metal" for LLM_METAL …; NULL for LLM_AUTO, and for what is no choice of a device a name that
 * none has. */
const char *pipeline_device_name(LLMChoice choice);
/* The device that options choose. */
Device *pipeline_open_device(const LLMOptions *options, const DryRun *dry, LLMError *error);
/* llm_pipeline_open, on a device or, if `dry`, on none. */
LLMPipeline *pipeline_open(const char *path, const LLMOptions *options, const DryRun *dry,
                           LLMError *error);

/* The same of a model that is open, which the pipeline takes over, also if it fails. */
LLMPipeline *pipeline_open_file(ModelFile *file, const LLMOptions *options, const DryRun *dry,
                                LLMError *error);

/* Whatever has been opened of it; nothing is going on. */
void pipeline_free(LLMPipeline *llm);

/* An error if `tokens` is NULL or has an id that is not in the vocabulary. */
bool pipeline_check_ids(const LLMPipeline *llm, const LLMTokens *tokens, LLMError *error);
/* Why logits are NaN, as the end of a message: a weight that is none, which is looked for, or an
 * option that halves numbers. Valid until the next call. */
const char *pipeline_nan_reason(LLMPipeline *llm);

/* One pass over T tokens of B rows from run.first on, ids [B,T]. */
void pipeline_forward(LLMPipeline *llm, DeviceBuffer *ids, uint32_t B, uint32_t T, Wanted wanted);
/* One token of each of the first B rows, from the ids of the step before to logits [B,V]. */
void pipeline_decode(LLMPipeline *llm, uint32_t B);
/* After a pass for WANTED_ALL: from its rows first … first + count − 1 to logits [count,V]. */
void pipeline_logits(LLMPipeline *llm, uint32_t first, uint32_t count);

#endif
