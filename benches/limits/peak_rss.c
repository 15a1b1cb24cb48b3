// Prints the peak RSS of a command, in KiB. Small itself: a child starts with what its parent had.
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
    struct rusage r;
    int status;
    pid_t child;
    if (argc < 2) {
        fprintf(stderr, "usage: peak_rss COMMAND [ARGUMENT...]\n");
        return 2;
    }
    child = fork();
    if (child == 0) {
        dup2(open("/dev/null", O_WRONLY), 1);
        execv(argv[1], argv + 1);
        perror(argv[1]);
        _exit(127);
    }
    if (child < 0 || wait4(child, &status, 0, &r) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "peak_rss: %s failed\n", argv[1]);
        return 1;
    }
    printf("%ld\n", r.ru_maxrss);
    return 0;
}
