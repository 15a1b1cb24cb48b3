// gort_go: the first instructions of a new goroutine.
//
// It is "where to go on" of a stack that src/arch/switch.rs prepared. The switch has popped entry into rbx and closure into rbp.
// At the call rsp is a multiple of 16, as the ABI wants it. entry never returns.
    .text
    .balign 16
    .globl  gort_go
    .hidden gort_go
    .type   gort_go, @function
gort_go:
    .cfi_startproc
    .cfi_undefined rip              // the outermost frame: debuggers stop here
    mov     rdi, rbp                // the closure
    xor     ebp, ebp                // the chain of frame pointers ends here
    call    rbx
    ud2
    .cfi_endproc
    .size   gort_go, . - gort_go
