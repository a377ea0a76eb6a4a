/* failing_allocations.c — preloaded into a program: its FAIL_AT-th allocation fails, or with
 * FAIL_FROM that one and all after it; with COUNT_TO=FILE their number is written there. What the
 * program's libraries allocate counts, too; what other programs do that it starts does not: it has
 * the name FAIL_IN, if that is set. For glibc. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

typedef void *Map(void *, size_t, int, int, int, off_t);

static Map *map;
static atomic_long count;
static long at, from;
static const char *count_to;
static atomic_bool armed; /* between the program's beginning and its end */

static long number(const char *name) {
    const char *value = getenv(name);
    return value ? atol(value) : 0;
}

__attribute__((constructor)) static void begin(void) {
    map = (Map *)dlsym(RTLD_NEXT, "mmap");
    at = number("FAIL_AT");
    from = number("FAIL_FROM");
    count_to = getenv("COUNT_TO");
    const char *name = getenv("FAIL_IN");
    armed = !name || !strcmp(name, program_invocation_short_name);
    if (!armed) count_to = NULL;
}

__attribute__((destructor)) static void end(void) {
    char text[32];
    armed = 0;
    if (!count_to) return;
    int file = open(count_to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int size = snprintf(text, sizeof text, "%ld", count);
    if (write(file, text, (size_t)size) != size) _exit(99);
    close(file);
}

static int fails(void) {
    if (!armed) return 0;
    long i = ++count;
    if (i != at && (!from || i < from)) return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size) {
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t items, size_t size) {
    return fails() ? NULL : __libc_calloc(items, size);
}

void *realloc(void *memory, size_t size) {
    return fails() ? NULL : __libc_realloc(memory, size);
}

void *reallocarray(void *memory, size_t items, size_t size) {
    size_t bytes;
    if (fails() || __builtin_mul_overflow(items, size, &bytes)) return NULL;
    return __libc_realloc(memory, bytes);
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
    if (fails()) return ENOMEM;
    *memory = __libc_memalign(alignment, size);
    return *memory ? 0 : ENOMEM;
}

void *aligned_alloc(size_t alignment, size_t size) {
    return fails() ? NULL : __libc_memalign(alignment, size);
}

void *memalign(size_t alignment, size_t size) {
    return fails() ? NULL : __libc_memalign(alignment, size);
}

void *mmap(void *address, size_t size, int protection, int flags, int file, off_t offset) {
    return fails() ? MAP_FAILED : map(address, size, protection, flags, file, offset);
}
