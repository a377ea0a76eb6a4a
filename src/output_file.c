#include "output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef PATH_MAX
#define PATH_MAX 4096
#endif

struct OutputFile {
    FILE *stream;
    char *unfinished;      /* path of the fresh file; NULL: the target is written into */
    char name[PATH_MAX];   /* as the caller gave it, for messages */
    char target[PATH_MAX]; /* where the fresh file goes, links resolved */
};

static bool fail(const char *path, int reason, LLMError *error) {
    return error_set(error, error_status(reason), "%s: cannot be written: %s", path,
                     strerror(reason));
}

/* --- what a signal must remove --- */

enum { SIGNAL_SLOTS = 16 }; /* files beyond so many at a time stay behind */
static _Atomic(char *) unfinished_paths[SIGNAL_SLOTS];

static void remember(char *path) {
    for (size_t i = 0; i < SIGNAL_SLOTS; i++) {
        char *none = NULL;
        if (atomic_compare_exchange_strong(&unfinished_paths[i], &none, path)) return;
    }
}

/* Whoever takes a path out of its slot owns it: a signal that was faster ends the program. */
static void forget(char *path) {
    for (size_t i = 0; i < SIGNAL_SLOTS; i++) {
        char *expected = path;
        if (atomic_compare_exchange_strong(&unfinished_paths[i], &expected, NULL)) break;
    }
    free(path);
}

static void remove_and_end(int number) {
    static const char cut[] = "metal-llm: a file was cut short while it was read (SIGBUS)\n";
    if (number == SIGBUS && write(STDERR_FILENO, cut, sizeof cut - 1) < 0) signal(number, SIG_DFL);
    for (size_t i = 0; i < SIGNAL_SLOTS; i++) {
        char *path = atomic_exchange(&unfinished_paths[i], NULL);
        if (path) unlink(path);
    }
    signal(number, SIG_DFL);
    raise(number);
}

void output_file_catch_signals(void) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGXCPU, SIGBUS};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction before;
        sigaction(numbers[i], NULL, &before);
        if (before.sa_handler == SIG_DFL) /* not ignored, nor a sanitizer's */
            sigaction(numbers[i], &(struct sigaction){.sa_handler = remove_and_end}, NULL);
    }
    signal(SIGXFSZ, SIG_IGN); /* a file that may not become so large is an error of write */
}

/* --- streams that are closed --- */

/* Each is opened the wrong way round, so that to use it goes on being an error. */
void output_file_keep_standard_streams(void) {
    for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; stream++)
        if (fcntl(stream, F_GETFD) < 0 && errno == EBADF)
            open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

/* --- the target --- */

/* The folder of a path, with its last '/'; "" where it has none. */
static size_t folder_length(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* One link further; false and errno at the end of the chain. */
static bool follow_link(char path[PATH_MAX]) {
    char link[PATH_MAX];
    ssize_t length = readlink(path, link, sizeof link);
    if (length < 0) return false;
    size_t folder = *link == '/' ? 0 : folder_length(path);
    if (folder + (size_t)length >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(path + folder, link, (size_t)length);
    path[folder + (size_t)length] = 0;
    return true;
}

/* To what a chain of links ends with, which need not exist. False and errno if it has no end. */
static bool follow_links(char path[PATH_MAX]) {
    enum { LINKS_MOST = 40 };
    for (int links = 0; links < LINKS_MOST; links++)
        if (!follow_link(path)) return errno == EINVAL || errno == ENOENT;
    errno = ELOOP;
    return false;
}

/* Whether two paths lead to the same file. */
static bool is_same_file(const struct stat *file, const char *path) {
    struct stat other;
    return stat(path, &other) == 0 && file->st_dev == other.st_dev && file->st_ino == other.st_ino;
}

/* --- open --- */

static bool open_stream(OutputFile *file, int descriptor, LLMError *error) {
    file->stream = descriptor < 0 ? NULL : fdopen(descriptor, "wb");
    if (file->stream) return true;
    fail(file->name, errno, error);
    if (descriptor >= 0) close(descriptor);
    return false;
}

/* Pipes, terminals, /dev/null, and files that are reached only by a descriptor (/dev/stdout). */
static bool open_into(OutputFile *file, LLMError *error) {
    return open_stream(file, open(file->name, O_WRONLY | O_CLOEXEC | O_NOCTTY), error);
}

/* Where the fresh file lies: beside the target, under a name that nobody can foresee. */
static char *fresh_path(const char *target, LLMError *error) {
    uint64_t number;
    char *path = malloc(PATH_MAX);
    if (!path) return error_memory(error, PATH_MAX);
    int length = (int)folder_length(target);
    if (getentropy(&number, sizeof number) == 0 &&
        snprintf(path, PATH_MAX, "%.*s.metal-llm-%016llx", length, target,
                 (unsigned long long)number) < PATH_MAX)
        return path;
    fail(target, ENAMETOOLONG, error);
    free(path);
    return NULL;
}

static bool fail_in_folder(const OutputFile *file, int reason, LLMError *error) {
    int length = (int)folder_length(file->target);
    if (reason != EACCES && reason != EROFS && reason != EPERM)
        return fail(file->name, reason, error);
    return error_set(error, LLM_ERROR_FILE, "%s: cannot be written: its folder %.*s: %s",
                     file->name, length ? length : 1, length ? file->target : ".",
                     strerror(reason));
}

static bool keep_owner_and_mode(OutputFile *file, const struct stat *existing, LLMError *error) {
    int descriptor = fileno(file->stream);
    bool ours = existing->st_uid == geteuid() && existing->st_gid == getegid();
    if (!ours && fchown(descriptor, existing->st_uid, existing->st_gid) != 0 && errno != EPERM)
        return fail(file->name, errno, error);
    return fchmod(descriptor, existing->st_mode & 0777) == 0 || fail(file->name, errno, error);
}

/* In place of `existing`, NULL if there is nothing yet. */
static bool open_fresh(OutputFile *file, const struct stat *existing, LLMError *error) {
    char *path = fresh_path(file->target, error);
    if (!path) return false;
    remember(path);
    int descriptor =
        open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, existing ? 0600 : 0666);
    if (descriptor < 0) {
        fail_in_folder(file, errno, error);
        forget(path);
        return false;
    }
    file->unfinished = path;
    return open_stream(file, descriptor, error) &&
           (!existing || keep_owner_and_mode(file, existing, error));
}

static bool open_existing(OutputFile *file, const struct stat *status, LLMError *error) {
    mode_t mode = status->st_mode;
    if (S_ISFIFO(mode) || S_ISCHR(mode)) return open_into(file, error);
    if (!S_ISREG(mode))
        return error_set(error, LLM_ERROR_FILE, "%s: cannot be written: it is %s", file->name,
                         S_ISDIR(mode)   ? "a folder; name a file in it"
                         : S_ISBLK(mode) ? "a block device"
                                         : "a socket");
    if (access(file->name, W_OK) != 0) return fail(file->name, errno, error);
    if (!is_same_file(status, file->target)) return open_into(file, error);
    return open_fresh(file, status, error);
}

static bool open_target(OutputFile *file, LLMError *error) {
    struct stat status;
    if (!follow_links(file->target)) return fail(file->name, errno, error);
    if (stat(file->name, &status) == 0) return open_existing(file, &status, error);
    if (errno != ENOENT) return fail(file->name, errno, error);
    return open_fresh(file, NULL, error);
}

OutputFile *output_file_open(const char *path, LLMError *error) {
    if (error_is_set(error)) return NULL;
    if (!*path || strlen(path) >= PATH_MAX) {
        fail(*path ? path : "a file without a name", *path ? ENAMETOOLONG : ENOENT, error);
        return NULL;
    }
    OutputFile *file = calloc(1, sizeof *file);
    if (!file) return error_memory(error, sizeof *file);
    strcpy(file->name, path);
    strcpy(file->target, path);
    LLMError reason = {0}; /* set on failure, even if the caller takes no error */
    if (open_target(file, &reason)) return file;
    error_set(error, reason.status, "%s", reason.message);
    output_file_close(file, &reason);
    return NULL;
}

/* --- write --- */

bool output_file_write(OutputFile *file, const void *data, size_t size, LLMError *error) {
    if (error_is_set(error)) return false;
    if (size == 0 || fwrite(data, size, 1, file->stream) == 1) return true;
    return fail(file->name, errno, error);
}

/* --- close --- */

/* So that the new name survives a loss of power; on systems where a folder cannot be opened, it may
 * not. */
static void sync_folder(const char *path) {
    char folder[PATH_MAX] = ".";
    size_t length = folder_length(path);
    if (length) memcpy(folder, path, length), folder[length] = 0;
    int descriptor = open(folder, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return;
    fsync(descriptor);
    close(descriptor);
}

static bool flush(OutputFile *file, LLMError *error) {
    errno = 0;
    if (fflush(file->stream) != 0 || ferror(file->stream))
        return fail(file->name, errno ? errno : EIO, error);
    if (!file->unfinished || fsync(fileno(file->stream)) == 0) return true;
    return fail(file->name, errno, error);
}

static bool take_place(OutputFile *file, LLMError *error) {
    if (!file->unfinished) return true;
    if (rename(file->unfinished, file->target) != 0) return fail(file->name, errno, error);
    sync_folder(file->target);
    return true;
}

bool output_file_close(OutputFile *file, LLMError *error) {
    if (!file) return false;
    bool whole = !error_is_set(error) && flush(file, error);
    if (file->stream && fclose(file->stream) != 0 && whole) whole = fail(file->name, errno, error);
    whole = whole && take_place(file, error);
    if (file->unfinished) {
        if (!whole) unlink(file->unfinished);
        forget(file->unfinished);
    }
    free(file);
    return whole;
}
