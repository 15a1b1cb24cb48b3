/* C as libraries have it: a variable a thread, deep stacks, callbacks. */

static __thread long calls;
static __thread long depth_now;

/* How often this thread has called it, this time included. */
long count_on_this_thread(void) { return ++calls; }

long calls_on_this_thread(void) { return calls; }

/* Recurses with frames of 1 KiB or more, `depth` of them, all of them used afterwards. */
__attribute__((noinline)) unsigned long deep(unsigned long depth) {
    volatile unsigned char frame[1024];
    for (int i = 0; i < 1024; i += 64) frame[i] = (unsigned char)(depth + i);
    unsigned long below = depth > 1 ? deep(depth - 1) : 0;
    for (int i = 0; i < 1024; i += 64) if (frame[i] != (unsigned char)(depth + i)) return 1UL << 60;
    return below + 1;
}

/* Until somebody else sets the word. */
void wait_for(volatile int *word) {
    while (!*word) __builtin_ia32_pause();
}

/* Sorts by a function of the caller's: a callback for each comparison. */
void sort(long *values, long n, int (*less)(long, long, void *), void *data) {
    for (long i = 1; i < n; i++) {
        long v = values[i], j = i;
        for (; j > 0 && less(v, values[j - 1], data); j--) values[j] = values[j - 1];
        values[j] = v;
    }
}

/* Calls back with its own address and thread-local state around it: 0 if nothing changed in between. */
long around(long (*f)(long, void *), long n, void *data) {
    volatile unsigned long frame[64];
    for (int i = 0; i < 64; i++) frame[i] = (unsigned long)n * 64 + i;
    long before = ++depth_now;
    long *where = &depth_now;
    long result = f(n, data);
    if (where != &depth_now || depth_now != before) return -1000000;
    depth_now--;
    for (int i = 0; i < 64; i++) if (frame[i] != (unsigned long)n * 64 + i) return -2000000;
    return result;
}
