#include "folder_hint.h"

#include "file_map.h"

#include <ctype.h>
#include <dirent.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef char Path[PATH_MAX];

/* False if it is too long to be one. */
static bool join(Path path, const char *folder, const char *name) {
    int size = snprintf(path, PATH_MAX, "%s/%s", folder, name);
    return size > 0 && size < PATH_MAX;
}

char *folder_join(const char *folder, const char *name, LLMError *error) {
    size_t length = strlen(folder), size = length + strlen(name) + 2;
    char *path = malloc(size);
    if (!path) return error_memory(error, size);
    bool ends = length > 0 && folder[length - 1] == '/';
    snprintf(path, size, "%s%s%s", folder, ends ? "" : "/", name);
    return path;
}

bool folder_has(const char *folder, const char *name) {
    Path path;
    return join(path, folder, name) && file_is_listed(path);
}

/* The path of the first entry, by name, that matches a pattern and is not hidden. */
static bool find_entry(Path found, const char *folder, const char *pattern) {
    char first[NAME_MAX + 1] = "";
    DIR *directory = opendir(folder);
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        bool matches = fnmatch(pattern, entry->d_name, FNM_PERIOD) == 0;
        if (matches && (!*first || strcmp(entry->d_name, first) < 0))
            snprintf(first, sizeof first, "%s", entry->d_name);
    }
    if (directory) closedir(directory);
    return *first && join(found, folder, first);
}

/* The hexadecimal digits that a file begins with; false if it has none. */
static bool read_revision(char revision[NAME_MAX + 1], const char *path) {
    FileMap map;
    size_t size = 0;
    if (!file_map_open(&map, path, NULL)) return false;
    while (size < map.size && size < NAME_MAX && isxdigit(map.data[size]))
        size++;
    if (size) memcpy(revision, map.data, size);
    revision[size] = 0;
    file_map_close(&map);
    return size > 0;
}

/* Of a model in Hugging Face's cache: the snapshot that its refs/main names, else any. */
static bool find_snapshot(Path found, const char *folder) {
    Path snapshots, main_path;
    char revision[NAME_MAX + 1] = "";
    if (!join(snapshots, folder, "snapshots") || !join(main_path, folder, "refs/main"))
        return false;
    if (read_revision(revision, main_path) && folder_has(snapshots, revision) &&
        join(found, snapshots, revision))
        return true;
    return find_entry(found, snapshots, "*");
}

/* A folder with several models in it: Hugging Face's cache, or its parent. */
static bool find_cached_model(Path found, const char *folder) {
    Path hub, model;
    return find_entry(model, folder, "models--*")
               ? find_snapshot(found, model)
               : join(hub, folder, "hub") && find_entry(model, hub, "models--*") &&
                     find_snapshot(found, model);
}

static const struct {
    const char *file, *kind;
} other_tokenizers[] = {{"vocab.txt", "WordPiece, as BERT has it"},
                        {"spiece.model", "SentencePiece, as T5 has it"},
                        {"sentencepiece.bpe.model", "SentencePiece"},
                        {"tokenizer.model", "SentencePiece"}};

void folder_refuse_tokenizer(const char *folder, LLMError *error) {
    for (size_t i = 0; i < sizeof other_tokenizers / sizeof *other_tokenizers; i++)
        if (folder_has(folder, other_tokenizers[i].file))
            error_set(error, LLM_ERROR_FORMAT,
                      "%s: the tokenizer is only there as %s (%s), which is not opened; make "
                      "tokenizer.json of it with transformers' AutoTokenizer and save_pretrained",
                      folder, other_tokenizers[i].file, other_tokenizers[i].kind);
}

bool folder_refuse(const char *folder, LLMError *error) {
    Path path;
    if (find_snapshot(path, folder))
        return error_set(error, LLM_ERROR_FILE,
                         "%s: a model in Hugging Face's cache, with a folder for each version; "
                         "give %s",
                         folder, path);
    if (find_cached_model(path, folder))
        return error_set(error, LLM_ERROR_FILE,
                         "%s: Hugging Face's cache of models; give one of them, such as %s", folder,
                         path);
    if (find_entry(path, folder, "*.gguf"))
        return error_set(error, LLM_ERROR_FILE, "%s: a folder of GGUF files; give one, such as %s",
                         folder, path);
    folder_refuse_tokenizer(folder, error);
    return error_set(error, LLM_ERROR_FILE,
                     "%s: there is no config.json in this folder; give the folder of a Hugging "
                     "Face model",
                     folder);
}
