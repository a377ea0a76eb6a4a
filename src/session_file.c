#include "session_file.h"

#include "checkpoint/file_map.h"
#include "hash.h"
#include "model/fingerprint.h"
#include "output_file.h"
#include "tokens.h"

#include <stdlib.h>
#include <string.h>

typedef struct Head {
    char magic[8];
    uint32_t version, count;
    uint64_t model, messages;
} Head;

static const char magic[8] = "mllmses";
enum { VERSION = 1 };
/* More bytes than any conversation has. */
#define MOST_BYTES ((size_t)1 << 30)

/* --- writing --- */

/* All of the file, *size bytes; to be freed. */
static char *pack(const Head *head, const LLMTokens *tokens, const char *messages, size_t *size) {
    size_t ids = tokens->count * sizeof *tokens->ids, body = sizeof *head + ids + head->messages;
    char *bytes = malloc(*size = body + sizeof(uint64_t));
    if (!bytes) return NULL;
    memcpy(bytes, head, sizeof *head);
    if (ids) memcpy(bytes + sizeof *head, tokens->ids, ids);
    if (head->messages) memcpy(bytes + sizeof *head + ids, messages, head->messages);
    uint64_t checksum = hash_bytes(bytes, body);
    memcpy(bytes + body, &checksum, sizeof checksum);
    return bytes;
}

bool session_file_write(const char *path, const LLMPipeline *llm, const LLMTokens *tokens,
                        const char *messages, LLMError *error) {
    Head head = {.version = VERSION,
                 .count = (uint32_t)tokens->count,
                 .model = model_fingerprint(llm->model),
                 .messages = messages ? strlen(messages) : 0};
    memcpy(head.magic, magic, sizeof magic);
    size_t size;
    char *bytes = pack(&head, tokens, messages, &size);
    if (!bytes) return error_memory(error, size);
    OutputFile *file = output_file_open(path, error);
    if (file) output_file_write(file, bytes, size, error);
    free(bytes);
    return file && output_file_close(file, error);
}

/* --- reading --- */

static bool damaged(const char *path, const char *what, LLMError *error) {
    return error_set(error, LLM_ERROR_FORMAT, "%s: %s", path, what);
}

static bool check(const char *path, const char *bytes, size_t size, const LLMPipeline *llm,
                  LLMError *error) {
    Head head;
    uint64_t checksum;
    if (size < sizeof head || memcmp(bytes, magic, sizeof magic) != 0)
        return damaged(path, "this is no file of a session", error);
    memcpy(&head, bytes, sizeof head);
    if (head.version != VERSION)
        return damaged(path, "another version of this program has written the session", error);
    size_t body = sizeof head + (size_t)head.count * sizeof(uint32_t);
    if (head.messages > MOST_BYTES || size != body + head.messages + sizeof checksum)
        return damaged(path, "the session is damaged: it has another size than it says", error);
    memcpy(&checksum, bytes + size - sizeof checksum, sizeof checksum);
    if (checksum != hash_bytes(bytes, size - sizeof checksum))
        return damaged(path, "the session is damaged: its checksum is another", error);
    if (head.model != model_fingerprint(llm->model))
        return damaged(path, "the session is one of another model", error);
    return true;
}

static bool unpack(const char *bytes, LLMTokens *tokens, char **messages, LLMError *error) {
    Head head;
    memcpy(&head, bytes, sizeof head);
    const char *ids = bytes + sizeof head;
    size_t size = head.count * sizeof(uint32_t);
    if (!tokens_reserve(tokens, head.count, error)) return false;
    if (size) memcpy(tokens->ids + tokens->count, ids, size);
    tokens->count += head.count;
    *messages = head.messages ? strndup(ids + size, head.messages) : NULL;
    return *messages || !head.messages || error_memory(error, head.messages);
}

bool session_file_read(const char *path, const LLMPipeline *llm, LLMTokens *tokens, char **messages,
                       LLMError *error) {
    FileMap map;
    *messages = NULL;
    if (!file_map_read(&map, path, MOST_BYTES, error)) return false;
    const char *bytes = (const char *)map.data;
    bool done = check(path, bytes, map.size, llm, error) && unpack(bytes, tokens, messages, error);
    file_map_close(&map);
    return done;
}
