// gort_sigreturn: where every signal handler returns to (sa_restorer). rt_sigreturn reads the frame that rsp points at.
// The frame is the kernel's `struct ucontext`, whose registers begin at 40. Debuggers and unwinders go through it by what stands here; by these
// exact instructions they know it only where it has no name.

// The register with this number in DWARF is at rsp + 8 * word: DW_CFA_expression, of DW_OP_breg7 (rsp). \low and \high are its offset in LEB128.
    .macro  gort_saved register, low, high
    .cfi_escape 0x10, \register, 3, 0x77, \low, \high
    .endm

    .text
    .balign 16
    .globl  gort_sigreturn
    .hidden gort_sigreturn
    .type   gort_sigreturn, @function
    .cfi_startproc
    .cfi_signal_frame
    .cfi_escape 0x0f, 4, 0x77, 0xa0, 1, 0x06 // the CFA is the rsp of the interrupted: DW_CFA_def_cfa_expression, DW_OP_breg7 160, DW_OP_deref
    gort_saved 8, 0xa8, 0
    gort_saved 9, 0xb0, 0
    gort_saved 10, 0xb8, 0
    gort_saved 11, 0xc0, 0
    gort_saved 12, 0xc8, 0
    gort_saved 13, 0xd0, 0
    gort_saved 14, 0xd8, 0
    gort_saved 15, 0xe0, 0
    gort_saved 5, 0xe8, 0           // rdi
    gort_saved 4, 0xf0, 0           // rsi
    gort_saved 6, 0xf8, 0           // rbp
    gort_saved 3, 0x80, 1           // rbx
    gort_saved 1, 0x88, 1           // rdx
    gort_saved 0, 0x90, 1           // rax
    gort_saved 2, 0x98, 1           // rcx
    gort_saved 7, 0xa0, 1           // rsp
    gort_saved 16, 0xa8, 1          // rip
    nop                             // unwinders look up the byte before
gort_sigreturn:
    mov     rax, 15                 // rt_sigreturn
    syscall
    ud2                             // a sandbox refuses it: dies of SIGILL, for all signals are masked here
    .cfi_endproc
    .size   gort_sigreturn, . - gort_sigreturn
    .purgem gort_saved
