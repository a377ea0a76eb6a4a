#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted, running; /* the program, 0: none */

void process_interrupt(void) {
    interrupted = 1;
    if (running) kill((pid_t)running, SIGTERM);
}

bool process_was_interrupted(void) {
    return interrupted;
}

int process_run(char *const *command, const char *input, const char *output, const char *log) {
    pid_t process;
    int status;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (input) posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, input, O_RDONLY, 0);
    if (output)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, O_WRONLY | O_CREAT, 0600);
    if (log)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log, O_WRONLY | O_CREAT, 0600);
    int error = posix_spawnp(&process, command[0], &actions, NULL, command, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error) return -1;
    running = (sig_atomic_t)process;
    if (interrupted) process_interrupt(); /* before it was known */
    while (waitpid(process, &status, 0) < 0)
        if (errno != EINTR) return -1;
    running = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
