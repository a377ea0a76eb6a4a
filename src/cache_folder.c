#include "cache_folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Code that is loaded comes from it. */
static bool make_folder(const char *path) {
    struct stat status;
    if (mkdir(path, 0700) != 0 && errno != EEXIST) return false;
    if (lstat(path, &status) != 0 || !S_ISDIR(status.st_mode) || status.st_uid != geteuid())
        return false;
    return (status.st_mode & 077) == 0 || chmod(path, 0700) == 0;
}

/* The XDG rules: a variable that is no absolute path does not count, and folders that are missing
 * are made for their owner alone. */
bool cache_folder(char folder[CACHE_FOLDER_BYTES]) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int length = 0;
    if (cache && *cache == '/')
        length = snprintf(folder, CACHE_FOLDER_BYTES, "%s", cache);
    else if (home && *home == '/')
        length = snprintf(folder, CACHE_FOLDER_BYTES, "%s/.cache", home);
    const char name[] = "/metal-llm";
    if (length <= 0 || (size_t)length + sizeof name > CACHE_FOLDER_BYTES / 2) return false;
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) return false;
    strcpy(folder + length, name);
    return make_folder(folder);
}
