// Ctrl-C and SIGTERM: the first asks a run to end, the second ends it. A file that may grow no
// further (ulimit -f) is a failed write, which has a sentence.
#include <signal.h>
#include <unistd.h>

#include "base/crash.h"
#include "cli/cli.h"

static volatile sig_atomic_t asked; // a signal handler can reach nothing else

static void on_signal(int number)
{
    static const char text[] = "\nstopping; once more to stop at once\n";

    if (asked) {
        cull_crash_end();
        _exit(CULL_EXIT_INTERRUPTED);
    }
    asked = 1;
    if (number == SIGINT) {
        const ssize_t wrote = write(STDERR_FILENO, text, sizeof text - 1);
        (void)wrote;
    }
}

void cull_interrupt_install(void)
{
    struct sigaction action = { 0 };

    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGXFSZ, &action, NULL);
}

bool cull_interrupted(void)
{
    return asked != 0;
}
