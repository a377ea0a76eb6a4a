/* model.h — which model a verb works on, and how it is opened. */
#ifndef METAL_LLM_MODEL_H
#define METAL_LLM_MODEL_H

#include "checkpoint/open.h"
#include "model/model_file.h"
#include "verb.h"

/* The folder of models that have a name: $XDG_DATA_HOME/metal-llm/models, of the user. The result
 * is valid until the next call; NULL and `error` where there is no home. */
const char *models_folder(LLMError *error);

/* The path that a name stands for: that of a file or folder, else of a model in the models folder;
 * for NULL the default model, sought beside the program and where it is installed. NULL and `error`
 * if there is none. The result is valid until the next call. */
const char *model_path(const char *named, LLMError *error);

/* Where none was named for a chat: of those in the models folder that have a chat template the
 * only one, or the one that was fetched last, which is said on stderr. With a `chat_template` of
 * the user's, any. NULL and `error` if there is none. */
const char *model_for_chat(const char *chat_template, LLMError *error);

/* For a verb whose text can be left out: the text, NULL if it is. A single argument is a model if
 * it exists, is written as a path or is a name in the models folder, and the text if not; where
 * that may surprise, it is said on stderr. */
const char *text_argument(Arguments *arguments, LLMError *error);

/* llm_pipeline_open of model_path(named); says on stderr which device was chosen. */
LLMPipeline *model_open(const char *named, const LLMOptions *options, LLMError *error);
/* A model of random weights, see shape.h. */
LLMPipeline *model_open_shape(const char *shape, const char *type, const LLMOptions *options,
                              LLMError *error);
/* Only the file's contents, for what needs no device. */
ModelFile *model_open_file(const char *named, LLMError *error);
/* For what needs nothing but the tokenizer, not even weights: an error if there is none. */
Checkpoint *model_open_tokenizer(const char *named, LLMError *error);

#endif
