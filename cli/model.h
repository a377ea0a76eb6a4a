/* model.h — which model a verb works on, and how it is opened. */
#ifndef METAL_LLM_MODEL_H
#define METAL_LLM_MODEL_H

#include "checkpoint/open.h"
#include "model/model_file.h"

/* Whether an argument can only mean a model: it exists, or is written like a path to one. */
bool names_a_model(const char *argument);
/* `named`, or if that is NULL the default model, sought beside the program and where it is
 * installed. NULL and `error` if there is none. The result is valid until the next call. */
const char *model_path(const char *named, LLMError *error);

/* llm_pipeline_open of model_path(named); says on stderr which device was chosen. */
LLMPipeline *model_open(const char *named, const LLMOptions *options, LLMError *error);
/* Only the file's contents, for what needs no device. */
ModelFile *model_open_file(const char *named, LLMError *error);
/* For what needs nothing but the tokenizer, not even weights: an error if there is none. */
Checkpoint *model_open_tokenizer(const char *named, LLMError *error);

#endif
