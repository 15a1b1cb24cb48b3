// gort_call_on: calls a function on another stack, and comes back. From a goroutine's stack to the C stack of its M, and from there back (R18).
//
// In:   rdi the stack pointer to begin at, a multiple of 16; rsi the function, rdx its argument; rcx where to store the stack pointer of this stack:
//       below it nothing is in use until the call returns.
// Kept: as any call of the C ABI keeps it. The frame pointer is the way back, for this routine and for unwinders.
//
//   the stack that is left                   the other one
//   +----------------------+                 +----------------------+
//   | return address       |                 | frames of a call     | <- rdi
//   | rbp                  | <- rbp, [rcx]   | return address       |
//   +----------------------+                 +----------------------+
//
// fs:8 stays: it is still the same goroutine. So whoever asks where it runs looks at the stack pointer.
    .pushsection .text.gort_call_on, "ax", @progbits
    .balign 16
    .globl  gort_call_on
    .hidden gort_call_on
    .type   gort_call_on, @function
gort_call_on:
    .cfi_startproc
    push    rbp
    .cfi_def_cfa_offset 16
    .cfi_offset rbp, -16
    mov     rbp, rsp
    .cfi_def_cfa_register rbp
    mov     [rcx], rsp
    mov     rsp, rdi
    mov     rdi, rdx
    call    rsi
    mov     rsp, rbp
    pop     rbp
    .cfi_def_cfa rsp, 8
    ret
    .cfi_endproc
    .size   gort_call_on, . - gort_call_on
    .popsection
