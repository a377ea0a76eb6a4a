/* bind — writes what a target needs to call the kernels of .metal files. */
#include "bind/bind.h"

#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: bind [-I FOLDER]… [-M TARGET] VERB …\n"
    "  source FILE          C++ of one file with its entry points\n"
    "  strict FILE          the same for the strict check, in C++ for OpenCL\n"
    "  table FILE…          C: the table of all kernels, and the texts of the files\n"
    "  entries PREFIX FILE… C: the entry points of one target, in the table's order\n"
    "  constants FILE…      C: macros for what the host shares with the kernels\n"
    "  texts NAME FILE…     C: the texts of any files\n"
    "What is written goes to stdout. #include \"…\" is looked for in the folders and in the "
    "file's\n"
    "own; a file's name in a table is its path in one of the folders. -M also writes TARGET.d, "
    "for\n"
    "make. A file that ends in .h has no kernels of its own: table takes its text.\n";

enum { MOST_FOLDERS = 8 };

typedef struct Bind {
    const char *folder[MOST_FOLDERS + 1]; /* the last is that of the file being read */
    size_t folder_count;
    const char *target; /* NULL without -M */
    FILE *dependencies; /* of it */
    bool is_known;      /* that folder is among the others */
    const char *root;   /* the path of the file being read */
    size_t count;       /* of the files */
    const char **paths, **names;
    char **texts;     /* as they are */
    char **expanded;  /* what the binder reads; NULL for headers */
    BoundFile *bound; /* of those that have kernels, in front */
    const char **bound_names;
    size_t bound_count;
} Bind;

static bool is_header(const char *path) {
    size_t length = strlen(path);
    return length > 2 && !strcmp(path + length - 2, ".h");
}

/* The path in one of the folders, or the last part of it. */
static const char *name_of(const Bind *bind, const char *path) {
    for (size_t i = 0; i < bind->folder_count; i++) {
        size_t length = strlen(bind->folder[i]);
        if (!strncmp(path, bind->folder[i], length) && path[length] == '/')
            return path + length + 1;
    }
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* A BindLoad that notes what it finds. */
static char *load(void *context, const char *name, unsigned skip, size_t *size, char **path) {
    Bind *bind = context;
    BindFolders folders = {bind->folder, bind->folder_count + !bind->is_known};
    char *text;
    if (name == bind->root) {
        text = bind_load(name, size);
        *path = text ? strdup(name) : NULL;
    } else {
        text = bind_load_from(&folders, name, skip, size, path);
    }
    if (text && *path && bind->dependencies)
        fprintf(bind->dependencies, "%s: %s\n%s:\n", bind->target, *path, *path);
    return text;
}

/* Kernels that are called from C say which index a buffer has. */
static bool check_numbers(const BoundFile *file) {
    for (size_t k = 0; k < file->kernel_count; k++) {
        const BoundKernel *kernel = &file->kernels[k];
        for (unsigned i = 0; i < kernel->count; i++) {
            if (!kernel->parameter[i].numbered) continue;
            fprintf(stderr, "%s:%d: parameter '%s' has no [[attribute]]\n", file->path,
                    kernel->line, kernel->parameter[i].name);
            return false;
        }
    }
    return true;
}

static bool read_kernels(Bind *bind, size_t i) {
    char folder[4096], error[256];
    size_t size;
    const char *path = bind->paths[i], *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    bind->root = path;
    bind->folder[bind->folder_count] = folder;
    bind->is_known = false;
    for (size_t f = 0; f < bind->folder_count; f++)
        bind->is_known |= !strcmp(bind->folder[f], folder);
    bind->expanded[i] = bind_expand(load, bind, path, &size, error);
    if (!bind->expanded[i]) {
        fprintf(stderr, "%s\n", error);
        return false;
    }
    BoundFile *bound = &bind->bound[bind->bound_count];
    bind->bound_names[bind->bound_count++] = bind->names[i];
    if (!bind_read(bound, path, bind->expanded[i], size)) {
        fprintf(stderr, "%s\n", bound->error);
        return false;
    }
    return check_numbers(bound);
}

/* With `kernels` false the files may hold anything. */
static bool read_all(Bind *bind, bool kernels) {
    for (size_t i = 0; i < bind->count; i++) {
        size_t size;
        bind->names[i] = name_of(bind, bind->paths[i]);
        bind->texts[i] = bind_load(bind->paths[i], &size);
        if (!bind->texts[i]) {
            fprintf(stderr, "bind: %s: cannot be read\n", bind->paths[i]);
            return false;
        }
        if (kernels && !is_header(bind->paths[i]) && !read_kernels(bind, i)) return false;
    }
    return true;
}

static void write_texts(const Bind *bind, const char *name) {
    BoundText *texts = calloc(bind->count + 1, sizeof *texts);
    for (size_t i = 0; texts && i < bind->count; i++)
        texts[i] = (BoundText){bind->names[i], bind->texts[i], strlen(bind->texts[i])};
    if (texts) bind_write_texts(texts, bind->count, name, stdout);
    free(texts);
}

/* 1 with a message for what cannot be written. */
static int write(Bind *bind, const char *verb, const char *argument) {
    char error[256] = "";
    if (!strcmp(verb, "source"))
        bind_write_source(&bind->bound[0], stdout);
    else if (!strcmp(verb, "strict") && !bind_write_strict(&bind->bound[0], stdout))
        memcpy(error, bind->bound[0].error, sizeof error);
    else if (!strcmp(verb, "constants"))
        bind_write_constants(bind->bound, bind->bound_count, stdout, error);
    else if (!strcmp(verb, "entries"))
        bind_write_entries(bind->bound, bind->bound_count, argument, stdout);
    else if (!strcmp(verb, "table"))
        bind_write_table(bind->bound, bind->bound_names, bind->bound_count, stdout);
    if (!strcmp(verb, "table")) puts("");
    if (!strcmp(verb, "table") || !strcmp(verb, "texts"))
        write_texts(bind, argument ? argument : "kernel_source");
    if (*error) fprintf(stderr, "%s\n", error);
    bool written = fflush(stdout) == 0 && !ferror(stdout);
    return written && !*error ? 0 : 1;
}

static int run(Bind *bind, const char *verb, const char *argument) {
    bind->names = calloc(bind->count, sizeof *bind->names);
    bind->bound_names = calloc(bind->count, sizeof *bind->bound_names);
    bind->texts = calloc(bind->count, sizeof *bind->texts);
    bind->expanded = calloc(bind->count, sizeof *bind->expanded);
    bind->bound = calloc(bind->count, sizeof *bind->bound);
    int status = 1;
    if (!bind->names || !bind->bound_names || !bind->texts || !bind->expanded || !bind->bound)
        fputs("bind: out of memory\n", stderr);
    else if (read_all(bind, strcmp(verb, "texts") != 0))
        status = write(bind, verb, argument);
    for (size_t i = 0; i < bind->count && bind->texts && bind->expanded && bind->bound; i++) {
        free(bind->texts[i]);
        free(bind->expanded[i]);
        bind_free(&bind->bound[i]);
    }
    free(bind->names);
    free(bind->bound_names);
    free(bind->texts);
    free(bind->expanded);
    free(bind->bound);
    return status;
}

/* Options in front of the verb; the index of the verb, or 0 if they are wrong. */
static int read_options(Bind *bind, int count, char **arguments) {
    int i = 1;
    for (; i + 1 < count && *arguments[i] == '-'; i += 2) {
        if (!strcmp(arguments[i], "-I") && bind->folder_count < MOST_FOLDERS)
            bind->folder[bind->folder_count++] = arguments[i + 1];
        else if (!strcmp(arguments[i], "-M") && !bind->target)
            bind->target = arguments[i + 1];
        else
            return 0;
    }
    return i;
}

/* How many arguments stand in front of the files; 0 for no verb. */
static int is_verb(const char *verb) {
    static const char *const verbs[] = {"source",    "strict",   "table",
                                        "constants", "entries ", "texts "};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (!strncmp(verbs[i], verb, strlen(verb)) && strcspn(verbs[i], " ") == strlen(verb))
            return strchr(verbs[i], ' ') ? 2 : 1;
    return 0;
}

int main(int count, char **arguments) {
    Bind bind = {.count = 0};
    int verb = read_options(&bind, count, arguments);
    int first = verb && verb < count ? is_verb(arguments[verb]) : 0;
    if (!first || verb + first >= count) {
        fputs(usage, stderr);
        return 2;
    }
    bind.paths = (const char **)arguments + verb + first;
    bind.count = (size_t)(count - verb - first);
    char path[4096];
    snprintf(path, sizeof path, "%s.d", bind.target ? bind.target : "");
    if (bind.target && !(bind.dependencies = fopen(path, "w"))) {
        fprintf(stderr, "bind: %s cannot be written\n", path);
        return 1;
    }
    int status = run(&bind, arguments[verb], first == 2 ? arguments[verb + 1] : NULL);
    if (bind.dependencies && fclose(bind.dependencies) != 0) status = 1;
    return status;
}
