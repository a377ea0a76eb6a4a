/* session_file.h — a session in a file.
 *
 *     magic     8 bytes "mllmses" and a 0
 *     version   uint32, 1
 *     count     uint32 tokens
 *     model     uint64 model_fingerprint
 *     messages  uint64 bytes of JSON, 0: there are none
 *     ids       uint32 [count]
 *     JSON      the messages, as llm_session_add_message had them
 *     checksum  uint64 FNV-1a of all that is before it
 *
 * Numbers have the lowest byte first, as on every machine that this runs on.
 */
#ifndef METAL_LLM_SESSION_FILE_H
#define METAL_LLM_SESSION_FILE_H

#include "model/pipeline.h"

/* `messages` may be NULL. */
bool session_file_write(const char *path, const LLMPipeline *llm, const LLMTokens *tokens,
                        const char *messages, LLMError *error);
/* Appends to `tokens`; *messages is to be freed, NULL where there are none. */
bool session_file_read(const char *path, const LLMPipeline *llm, LLMTokens *tokens, char **messages,
                       LLMError *error);

#endif
