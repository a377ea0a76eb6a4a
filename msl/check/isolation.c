#include "isolation.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FILES = 256 }; /* an output of every binding among them */

static volatile sig_atomic_t running; /* the child, 0: none */
static volatile sig_atomic_t interrupted;

void *isolated_memory(size_t bytes) {
    void *memory =
        mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void isolated_memory_free(void *memory, size_t bytes) {
    if (memory) munmap(memory, bytes ? bytes : 1);
}

void isolated_interrupt(void) {
    interrupted = 1;
    if (running) kill((pid_t)running, SIGKILL);
}

/* --- in the child --- */

/* What dlopen, malloc, clocks, the checker's signals and an orderly end take. */
static const int allowed[] = {
    SCMP_SYS(read),         SCMP_SYS(pread64),        SCMP_SYS(close),
    SCMP_SYS(fstat),        SCMP_SYS(newfstatat),     SCMP_SYS(statx),
    SCMP_SYS(lseek),        SCMP_SYS(access),         SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),   SCMP_SYS(readlink),       SCMP_SYS(readlinkat),
    SCMP_SYS(mmap),         SCMP_SYS(mprotect),       SCMP_SYS(munmap),
    SCMP_SYS(mremap),       SCMP_SYS(madvise),        SCMP_SYS(brk),
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),  SCMP_SYS(setitimer),      SCMP_SYS(clock_gettime),
    SCMP_SYS(gettimeofday), SCMP_SYS(getpid),         SCMP_SYS(gettid),
    SCMP_SYS(futex),        SCMP_SYS(rseq),           SCMP_SYS(set_robust_list),
    SCMP_SYS(getrandom),    SCMP_SYS(sched_yield),    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(getcwd),       SCMP_SYS(uname),          SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

/* Files may be opened for reading only. */
static bool allow_reading(scmp_filter_ctx filter) {
    const unsigned changes = O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND;
    bool added = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
                                  SCMP_A2(SCMP_CMP_MASKED_EQ, changes, O_RDONLY)) == 0;
#ifdef __NR_open
    added = added && seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(open), 1,
                                      SCMP_A1(SCMP_CMP_MASKED_EQ, changes, O_RDONLY)) == 0;
#endif
    return added;
}

/* abort() sends a signal to the process itself. */
static bool allow_own_signals(scmp_filter_ctx filter) {
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                            SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0)) == 0;
}

static bool filter_calls(void) {
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!filter) return false;
    bool added = allow_reading(filter) && allow_own_signals(filter);
    for (size_t i = 0; added && i < sizeof allowed / sizeof *allowed; i++)
        if (allowed[i] >= 0) added = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0) == 0;
    added = added && seccomp_load(filter) == 0;
    seccomp_release(filter);
    return added;
}

static void limit(int resource, rlim_t most) {
    setrlimit(resource, &(struct rlimit){most, most});
}

static void give_up_rights(size_t memory) {
    int nothing = open("/dev/null", O_RDWR);
    for (int stream = STDIN_FILENO; nothing >= 0 && stream <= STDERR_FILENO; stream++)
        dup2(nothing, stream);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_FSIZE, 0);
    limit(RLIMIT_NOFILE, FILES);
#ifndef __SANITIZE_ADDRESS__ /* a sanitizer's shadow of memory is larger */
    limit(RLIMIT_DATA, memory);
#else
    (void)memory;
#endif
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* What the child says of itself, in shared memory. */
typedef enum Progress { STARTED, UNFILTERED, RETURNED } Progress;

typedef struct Call {
    void (*body)(void *context);
    void *context;
    const Isolation *isolation;
    volatile Progress *progress;
} Call;

static _Noreturn void run_child(const Call *call) {
    give_up_rights(call->isolation->memory);
    if (call->isolation->filter && !filter_calls()) {
        *call->progress = UNFILTERED;
        _exit(0);
    }
    call->body(call->context);
    *call->progress = RETURNED;
    _exit(0);
}

/* --- outside --- */

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* The child's end of the pipe closes with it. */
static bool wait_for(int pipe, double deadline) {
    for (;;) {
        double left = deadline - now();
        if (left <= 0) return false;
        struct pollfd end = {.fd = pipe, .events = POLLIN};
        int ready = poll(&end, 1, left > 1000 ? 1000000 : (int)(left * 1000) + 1);
        if (ready > 0 || interrupted) return true;
        if (ready < 0 && errno != EINTR) return false;
    }
}

static IsolatedEnd end_of(pid_t child, bool in_time, const volatile Progress *progress,
                          int *number) {
    int status = 0;
    if (!in_time) kill(child, SIGKILL);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    running = 0;
    *number = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
    if (interrupted) return ISOLATED_INTERRUPTED;
    if (!in_time) return ISOLATED_TIMED_OUT;
    if (WIFSIGNALED(status)) return ISOLATED_KILLED;
    if (*progress == UNFILTERED) return ISOLATED_UNFILTERED;
    return *progress == RETURNED ? ISOLATED_RETURNED : ISOLATED_EXITED;
}

IsolatedEnd isolated_run(void (*body)(void *context), void *context, const Isolation *isolation,
                         int *number) {
    Progress *progress = isolated_memory(sizeof *progress);
    int ends[2];
    *number = 0;
    if (!progress || pipe2(ends, O_CLOEXEC) != 0) return ISOLATED_FAILED;
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        run_child(&(Call){body, context, isolation, progress});
    }
    close(ends[1]);
    IsolatedEnd end = ISOLATED_FAILED;
    if (child > 0) {
        running = (sig_atomic_t)child;
        if (interrupted) kill(child, SIGKILL); /* before it was known */
        bool in_time = wait_for(ends[0], now() + isolation->seconds);
        end = end_of(child, in_time, progress, number);
    }
    close(ends[0]);
    isolated_memory_free(progress, sizeof *progress);
    return end;
}
