/* The floor: `spawn N` runs /bin/true N times by posix_spawn, two in flight, and reaps each. */
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>

extern char **environ;

int main(int argc, char **argv) {
    int left = argc > 1 ? atoi(argv[1]) : 0, running = 0;
    char *command[] = {"true", NULL};
    while (left > 0 || running > 0) {
        while (left > 0 && running < 2) {
            pid_t child;
            if (posix_spawn(&child, "/bin/true", NULL, NULL, command, environ) != 0) return 1;
            left--, running++;
        }
        if (wait(NULL) < 0) return 1;
        running--;
    }
    return 0;
}
