#include "writing.h"

#include "units.h"

static volatile sig_atomic_t interrupted;

static void interrupt(int signal) {
    (void)signal;
    interrupted = 1;
}

void writing_begin(Writing *writing) {
    const struct sigaction once = {.sa_handler = interrupt, .sa_flags = SA_RESTART | SA_RESETHAND};
    *writing = (Writing){.begun = clock_seconds()};
    interrupted = 0;
    sigaction(SIGINT, NULL, &writing->before);
    if (writing->before.sa_handler != SIG_IGN) sigaction(SIGINT, &once, NULL);
}

bool writing_token(Writing *writing) {
    if (interrupted) return false;
    writing->last = clock_seconds();
    if (writing->tokens++ == 0) writing->first = writing->last;
    return true;
}

void writing_end(const Writing *writing) {
    sigaction(SIGINT, &writing->before, NULL);
}

bool writing_interrupted(void) {
    return interrupted;
}

bool writing_waits(void *user) {
    (void)user;
    return !interrupted;
}
