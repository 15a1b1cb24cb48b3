// Physical limits of the machine; prints `limit METRIC VALUE UNIT`.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}
static void out(const char *m, double v, const char *u) { printf("limit %s %.6g %s\n", m, v, u); fflush(stdout); }
static void pin(int cpu) {
    cpu_set_t s;
    CPU_ZERO(&s);
    CPU_SET(cpu, &s);
    sched_setaffinity(0, sizeof s, &s);
}
static long fut(atomic_int *p, int op, int v) { return syscall(SYS_futex, p, op | FUTEX_PRIVATE_FLAG, v, 0, 0, 0); }

// Two threads alternate turns through a futex word each; cpu 0/1 or both on 0.
static struct { atomic_int v __attribute__((aligned(128))); } w[2];
static int N, same;
static double wake_call; // time inside FUTEX_WAKE when the other thread sleeps
static void turn_futex(int me) {
    pin(same ? 0 : me);
    for (int i = 0; i < N; i++) {
        if (me == 0) {
            atomic_store(&w[1].v, 1);
            double s = now();
            fut(&w[1].v, FUTEX_WAKE, 1);
            wake_call += now() - s;
        }
        while (!atomic_load(&w[me].v)) fut(&w[me].v, FUTEX_WAIT, 0);
        atomic_store(&w[me].v, 0);
        if (me == 1) { atomic_store(&w[0].v, 1); fut(&w[0].v, FUTEX_WAKE, 1); }
    }
}
static void turn_spin(int me) {
    pin(me);
    for (int i = 0; i < N; i++) {
        if (me == 0) atomic_store_explicit(&w[0].v, 2 * i + 1, memory_order_release);
        while (atomic_load_explicit(&w[0].v, memory_order_acquire) != 2 * i + 2 - me) __builtin_ia32_pause();
        if (me == 1) atomic_store_explicit(&w[0].v, 2 * i + 2, memory_order_release);
    }
}
static int ev[2];
static void turn_eventfd(int me) {
    uint64_t b = 1;
    pin(same ? 0 : me);
    for (int i = 0; i < N; i++) {
        if (me == 0 && write(ev[1], &b, 8) != 8) abort();
        if (read(ev[me], &b, 8) != 8) abort();
        b = 1;
        if (me == 1 && write(ev[0], &b, 8) != 8) abort();
    }
}
static void *second(void *f) { ((void (*)(int))f)(1); return 0; }
static double pair(void (*f)(int), int n) {
    pthread_t t;
    N = n;
    w[0].v = w[1].v = 0;
    pthread_create(&t, 0, second, (void *)f);
    double s = now();
    f(0);
    pthread_join(t, 0);
    return (now() - s) / n;
}

// Contended fetch_add from both cores, per operation.
static _Atomic long shared __attribute__((aligned(128)));
static void contend(int me) { pin(me); for (int i = 0; i < N; i++) atomic_fetch_add(&shared, 1); }

static void handler(int s) { (void)s; }
static void *nop(void *a) { return a; }
static char cstack[65536] __attribute__((aligned(64)));
static int raw_child(void *a) { (void)a; return 0; }

// Save the six callee-saved registers, swap stacks, restore.
void swtch(void **from, void *to);
__asm__(".globl swtch\nswtch:\n push %rbp\n push %rbx\n push %r12\n push %r13\n push %r14\n push %r15\n"
        " mov %rsp,(%rdi)\n mov %rsi,%rsp\n pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbx\n pop %rbp\n ret\n");
static void *main_sp, *co_sp;
static void co(void) { for (;;) swtch(&co_sp, main_sp); }

// Ring of many stacks: each switch lands on a cold-ish stack.
static void **sps;
static int ringn;
static int cur;
static void ring_body(void) {
    for (;;) {
        int c = cur;
        cur = c + 1 == ringn ? 0 : c + 1;
        if (cur == 0) swtch(&sps[c], main_sp); else swtch(&sps[c], sps[cur]);
    }
}

// C connections, 64-byte echo. Both ends in one thread (one epoll) or one thread per end.
enum { C = 64 };
static int cl[C], sv[C];
static atomic_long reqs;
static atomic_int stop;
static void conns(void) {
    int one = 1, l = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    bind(l, (void *)&a, n); listen(l, C); getsockname(l, (void *)&a, &n);
    for (int i = 0; i < C; i++) {
        cl[i] = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(cl[i], (void *)&a, n)) abort();
        sv[i] = accept4(l, 0, 0, SOCK_NONBLOCK);
        fcntl(cl[i], F_SETFL, O_NONBLOCK);
        setsockopt(cl[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        setsockopt(sv[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    close(l);
}
static void loop(int ep) {
    struct epoll_event e[C];
    char b[64];
    long k = 0;
    while (!stop) {
        int n = epoll_wait(ep, e, C, 100);
        for (int i = 0; i < n; i++) {
            int client = e[i].data.u32 >> 31, fd = e[i].data.u32 & 0x7fffffff;
            if (read(fd, b, 64) == 64) { if (write(fd, b, 64) != 64) abort(); k += client; }
        }
    }
    reqs += k;
}
static void *loop2(void *p) { pin(1); loop((int)(intptr_t)p); return 0; }
static void echo(int threads) {
    int ep[2] = {epoll_create1(0), threads == 2 ? epoll_create1(0) : -1};
    if (threads == 1) ep[1] = ep[0];
    conns();
    reqs = stop = 0;
    for (int i = 0; i < C; i++) {
        struct epoll_event e = {.events = EPOLLIN, .data.u32 = sv[i]};
        epoll_ctl(ep[0], EPOLL_CTL_ADD, sv[i], &e);
        e.data.u32 = (uint32_t)cl[i] | 1u << 31;
        epoll_ctl(ep[1], EPOLL_CTL_ADD, cl[i], &e);
        if (write(cl[i], "0123456789012345678901234567890123456789012345678901234567890123", 64) != 64) abort();
    }
    pthread_t t[2];
    double s = now();
    pin(0);
    pthread_create(&t[0], 0, threads == 2 ? (void *(*)(void *))loop2 : (void *(*)(void *))nop, (void *)(intptr_t)ep[1]);
    pthread_t k;
    extern void *stopper(void *);
    pthread_create(&k, 0, stopper, 0);
    loop(ep[0]);
    pthread_join(t[0], 0);
    pthread_join(k, 0);
    out(threads == 1 ? "epoll_echo_1thread" : "epoll_echo_2threads", reqs / ((now() - s) / 1e9), "req/s");
    for (int i = 0; i < C; i++) { close(cl[i]); close(sv[i]); }
}
void *stopper(void *a) { sleep(2); stop = 1; return a; }

int main(void) {
    double s;
    int n;
    s = now(); n = 5000000;
    for (int i = 0; i < n; i++) syscall(SYS_getppid);
    out("getppid", (now() - s) / n, "ns");
    s = now(); n = 2000000;
    for (int i = 0; i < n; i++) sched_yield();
    out("sched_yield_alone", (now() - s) / n, "ns");
    s = now(); n = 5000000;
    for (int i = 0; i < n; i++) now();
    out("clock_gettime", (now() - s) / n, "ns");
    s = now(); n = 2000000;
    atomic_int z = 0;
    for (int i = 0; i < n; i++) fut(&z, FUTEX_WAKE, 1);
    out("futex_wake_nobody", (now() - s) / n, "ns");

    co_sp = (char *)(cstack + sizeof cstack - 64);
    *(void **)co_sp = 0;
    ((void **)co_sp)[-1] = (void *)co;
    co_sp = (char *)co_sp - 8 - 48;
    s = now(); n = 50000000;
    for (int i = 0; i < n; i++) swtch(&main_sp, co_sp);
    out("stack_switch", (now() - s) / n / 2, "ns");
    for (int k = 0; k < 2; k++) {
        ringn = k ? 100000 : 1000;
        size_t sz = 4096;
        char *m = mmap(0, ringn * sz, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        sps = malloc(ringn * sizeof *sps);
        for (int i = 0; i < ringn; i++) {
            void **top = (void **)(m + (i + 1) * sz - 64 - (i * 64 & 1023));
            top[-1] = (void *)ring_body;
            sps[i] = (char *)(top - 1) - 48;
        }
        int r = 20000000 / ringn;
        cur = 0; swtch(&main_sp, sps[0]);
        s = now();
        for (int i = 0; i < r; i++) { cur = 0; swtch(&main_sp, sps[0]); }
        out(k ? "stack_switch_ring100k" : "stack_switch_ring1k", (now() - s) / r / ringn, "ns");
    }

    signal(SIGURG, handler);
    s = now(); n = 1000000;
    for (int i = 0; i < n; i++) syscall(SYS_tgkill, getpid(), gettid(), SIGURG);
    out("signal_self_round_trip", (now() - s) / n, "ns");
    {
        struct epoll_event e;
        int ep = epoll_create1(0);
        s = now(); n = 2000000;
        for (int i = 0; i < n; i++) epoll_wait(ep, &e, 1, 0);
        out("epoll_wait_empty", (now() - s) / n, "ns");
        close(ep);
    }
    for (int k = 0; k < 3; k++) { // 100k stack slots of 64 KiB in one mapping: guards, top pages, reuse
        static char *m;
        size_t slot = 65536, cnt = 100000;
        if (!k) m = mmap(0, slot * cnt, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        int bad = 0;
        s = now();
        for (size_t i = 0; i < cnt; i++) {
            if (k == 0) bad |= madvise(m + i * slot, 4096, 102 /* MADV_GUARD_INSTALL */);
            if (k == 1) m[i * slot + slot - 64] = 1;
            if (k == 2) bad |= madvise(m + i * slot + slot - 4096, 4096, MADV_DONTNEED);
        }
        out(bad ? "slot_failed" : k == 0 ? "slot_guard_install" : k == 1 ? "slot_first_touch" : "slot_dontneed", (now() - s) / cnt, "ns");
        if (k == 2) munmap(m, slot * cnt);
    }
    s = now(); n = 20000;
    for (int i = 0; i < n; i++) {
        int pid = clone(raw_child, cstack + sizeof cstack, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | SIGCHLD * 0 | CLONE_VFORK | CLONE_THREAD, 0);
        if (pid < 0) abort();
    }
    out("clone_thread_vfork", (now() - s) / n, "ns");
    s = now(); n = 20000;
    for (int i = 0; i < n; i++) { pthread_t t; pthread_create(&t, 0, nop, 0); pthread_join(t, 0); }
    out("pthread_create_join", (now() - s) / n, "ns");
    s = now(); n = 200000;
    for (int i = 0; i < n; i++) {
        char *p = mmap(0, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        p[65535] = 1;
        munmap(p, 65536);
    }
    out("mmap_touch_munmap", (now() - s) / n, "ns");
    {
        size_t len = 1ul << 30;
        char *p = mmap(0, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        madvise(p, len, MADV_NOHUGEPAGE);
        s = now();
        for (size_t i = 0; i < len; i += 4096) p[i] = 1;
        out("page_fault_4k", (now() - s) / (len / 4096), "ns");
        madvise(p, len, MADV_DONTNEED);
        s = now();
        for (size_t i = 0; i < len; i += 4096) p[i] = 1;
        out("page_fault_4k_again", (now() - s) / (len / 4096), "ns");
        munmap(p, len);
    }
    for (int k = 0; k < 2; k++) {
        size_t len = 1ul << 30;
        char *p = mmap(0, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        madvise(p, len, k ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
        s = now();
        if (k) madvise(p, len, 23 /* MADV_POPULATE_WRITE */);
        else for (size_t i = 0; i < len; i += 4096) p[i] = 1;
        out(k ? "populate_per_4k" : "hugepage_fault_per_4k", (now() - s) / (len / 4096), "ns");
        munmap(p, len);
    }
    out("cacheline_round_trip_2core", pair(turn_spin, 2000000), "ns");
    out("contended_fetch_add", pair(contend, 10000000) / 2, "ns");
    same = 0;
    wake_call = 0;
    out("futex_round_trip_2core", pair(turn_futex, 100000), "ns");
    out("futex_wake_call_sleeper", wake_call / 100000, "ns");
    ev[0] = eventfd(0, 0); ev[1] = eventfd(0, 0);
    out("eventfd_round_trip_2core", pair(turn_eventfd, 100000), "ns");
    same = 1;
    out("futex_round_trip_1core", pair(turn_futex, 200000), "ns");
    out("eventfd_round_trip_1core", pair(turn_eventfd, 200000), "ns");
    echo(1);
    echo(2);
}
