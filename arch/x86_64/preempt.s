// gort_preempt: the call that a signal handler injects into a goroutine, between any two of its instructions (R5).
//
// The handler skipped the red zone and pushed the place to go on; the registers are the goroutine's, every one of them. Everything is kept:
// flags, integer registers, x87, SSE, AVX, AVX-512 with its masks, MXCSR, control words. What the scheduler runs on starts clean (direction
// flag, x87, MXCSR, upper halves), as the ABI wants it.
//
//   the goroutine's stack, growing down
//   +-----------------------------+ <- rsp of the goroutine: the CFA
//   | red zone, 128 bytes         |
//   | where to go on              | <- rsp at gort_preempt
//   | flags, rax, rcx, … r15      |
//   +-----------------------------+ <- rbp
//   | (alignment to 64)           |
//   | xsave area                  | <- rsp at the call
//   +-----------------------------+
//
// {kind}: 0 fxsave, 1 xsave, 2 xsavec. {mask}: what is kept, without AMX (a goroutine with live tiles is never injected) and PKRU (a right of
// the thread, not a register of the goroutine). {bytes}: the area, a multiple of 64.
//
// Between gort_preempt and gort_preempt_end no second call is injected: the handler compares rip.
    .text
    .balign 16
    .globl  gort_preempt
    .hidden gort_preempt
    .type   gort_preempt, @function
gort_preempt:
    .cfi_startproc
    .cfi_signal_frame
    .cfi_def_cfa rsp, 136
    .cfi_offset rip, -136
    pushfq
    .cfi_adjust_cfa_offset 8
    push    rax
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rax, 0
    push    rcx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rcx, 0
    push    rdx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rdx, 0
    push    rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rbx, 0
    push    rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rbp, 0
    push    rsi
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rsi, 0
    push    rdi
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset rdi, 0
    push    r8
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r8, 0
    push    r9
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r9, 0
    push    r10
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r10, 0
    push    r11
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r11, 0
    push    r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r12, 0
    push    r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r13, 0
    push    r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r14, 0
    push    r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset r15, 0
    mov     rbp, rsp
    .cfi_def_cfa_register rbp
    cld
    mov     eax, dword ptr [rip + {bytes}]
    sub     rsp, rax
    and     rsp, -64
    mov     eax, dword ptr [rip + {mask}]
    xor     edx, edx                // components 32 and up: none are known
    cmp     dword ptr [rip + {kind}], 1
    jb      3f
    mov     qword ptr [rsp + 512], rdx // the header is to be zero but for what xsave writes; mov leaves the flags of cmp alone
    mov     qword ptr [rsp + 520], rdx
    mov     qword ptr [rsp + 528], rdx
    mov     qword ptr [rsp + 536], rdx
    mov     qword ptr [rsp + 544], rdx
    mov     qword ptr [rsp + 552], rdx
    mov     qword ptr [rsp + 560], rdx
    mov     qword ptr [rsp + 568], rdx
    ja      2f
    xsave64 [rsp]
    jmp     4f
2:  xsavec64 [rsp]
4:  test    eax, 4                  // AVX: without this the first SSE instruction that follows would merge with dirty upper halves
    jz      5f
    vzeroupper
    jmp     5f
3:  fxsave64 [rsp]
5:  fninit
    push    0x1f80
    ldmxcsr dword ptr [rsp]
    add     rsp, 8
    mov     rdi, rsp
    call    {preempted}
    mov     eax, dword ptr [rip + {mask}]
    xor     edx, edx
    cmp     dword ptr [rip + {kind}], 1
    jb      6f
    xrstor64 [rsp]
    jmp     7f
6:  fxrstor64 [rsp]
7:  mov     rsp, rbp
    .cfi_def_cfa_register rsp
    pop     r15
    .cfi_adjust_cfa_offset -8
    .cfi_restore r15
    pop     r14
    .cfi_adjust_cfa_offset -8
    .cfi_restore r14
    pop     r13
    .cfi_adjust_cfa_offset -8
    .cfi_restore r13
    pop     r12
    .cfi_adjust_cfa_offset -8
    .cfi_restore r12
    pop     r11
    .cfi_adjust_cfa_offset -8
    .cfi_restore r11
    pop     r10
    .cfi_adjust_cfa_offset -8
    .cfi_restore r10
    pop     r9
    .cfi_adjust_cfa_offset -8
    .cfi_restore r9
    pop     r8
    .cfi_adjust_cfa_offset -8
    .cfi_restore r8
    pop     rdi
    .cfi_adjust_cfa_offset -8
    .cfi_restore rdi
    pop     rsi
    .cfi_adjust_cfa_offset -8
    .cfi_restore rsi
    pop     rbp
    .cfi_adjust_cfa_offset -8
    .cfi_restore rbp
    pop     rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore rbx
    pop     rdx
    .cfi_adjust_cfa_offset -8
    .cfi_restore rdx
    pop     rcx
    .cfi_adjust_cfa_offset -8
    .cfi_restore rcx
    pop     rax
    .cfi_adjust_cfa_offset -8
    .cfi_restore rax
    popfq
    .cfi_adjust_cfa_offset -8
    ret     128                     // and the red zone is where it was
    .cfi_endproc
    .globl  gort_preempt_end
    .hidden gort_preempt_end
gort_preempt_end:
    .size   gort_preempt, . - gort_preempt
