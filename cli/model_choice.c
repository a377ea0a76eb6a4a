/* model_choice.c — a model for those who name none. */
#include "model.h"

#include "print.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static bool chats(const char *path) {
    LLMError problem = {0};
    Checkpoint *checkpoint = checkpoint_open(path, USE_TOKENIZER, &problem);
    bool has = checkpoint && checkpoint->chat_template && checkpoint->tokenizer;
    checkpoint_close(checkpoint);
    return has;
}

static struct timespec file_time(const struct stat *file) {
#ifdef __APPLE__
    return file->st_mtimespec;
#else
    return file->st_mtim;
#endif
}

const char *model_for_chat(const char *chat_template, LLMError *error) {
    static char path[PATH_MAX + NAME_MAX + 2], found[sizeof path];
    const char *folder = models_folder(error);
    DIR *directory = folder ? opendir(folder) : NULL;
    struct timespec latest = {0, 0};
    *found = 0;
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        struct stat file;
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (stat(path, &file) != 0 || !(chat_template || chats(path))) continue;
        struct timespec time = file_time(&file);
        if (*found && (time.tv_sec < latest.tv_sec ||
                       (time.tv_sec == latest.tv_sec && time.tv_nsec <= latest.tv_nsec)))
            continue;
        latest = time;
        memcpy(found, path, sizeof found);
    }
    if (directory) closedir(directory);
    if (!folder) return NULL;
    if (!*found) {
        error_set(error, LLM_ERROR_FILE,
                  "no model that chats is in %s: `metal-llm get smollm2` fetches one", folder);
        return NULL;
    }
    fputs("model    ", stderr);
    print_name(stderr, found);
    fputc('\n', stderr);
    return found;
}
