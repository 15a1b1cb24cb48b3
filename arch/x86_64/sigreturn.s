// gort_sigreturn: where every signal handler returns to (sa_restorer). rt_sigreturn reads the frame that rsp points at.
// gdb and unwinders know a signal frame by these exact bytes.
    .text
    .balign 16
    .globl  gort_sigreturn
    .hidden gort_sigreturn
    .type   gort_sigreturn, @function
    nop                             // unwinders look up the byte before
gort_sigreturn:
    mov     rax, 15                 // rt_sigreturn
    syscall
    ud2                             // a sandbox refuses it: dies of SIGILL, for all signals are masked here
    .size   gort_sigreturn, . - gort_sigreturn
