#include "writing.h"

#include "units.h"

static volatile sig_atomic_t interrupted;

static void interrupt(int signal) {
    (void)signal;
    interrupted = 1;
}

static void catch_interrupts(int more_flags, struct sigaction *before) {
    const struct sigaction action = {.sa_handler = interrupt, .sa_flags = SA_RESTART | more_flags};
    sigaction(SIGINT, NULL, before);
    if (before->sa_handler != SIG_IGN) sigaction(SIGINT, &action, NULL);
}

void writing_catch(void) {
    struct sigaction before;
    catch_interrupts(0, &before);
}

void writing_forget(void) {
    interrupted = 0;
}

void writing_begin(Writing *writing) {
    *writing = (Writing){.begun = clock_seconds()};
    catch_interrupts(SA_RESETHAND, &writing->before);
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
