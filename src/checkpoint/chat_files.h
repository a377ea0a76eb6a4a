/* chat_files.h — the chat template of a Hugging Face folder. */
#ifndef METAL_LLM_CHAT_FILES_H
#define METAL_LLM_CHAT_FILES_H

#include "checkpoint.h"

/* chat_template.jinja, or "chat_template" of tokenizer_config.json; and what that calls bos_token
 * and eos_token. A folder without any of it is no error. */
bool chat_files_read(Checkpoint *checkpoint, const char *folder, LLMError *error);

#endif
