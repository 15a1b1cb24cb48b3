// Registers filled with patterns, held over a loop in which the goroutine is preempted, and looked at again.

// u64 torture_integers(u64 seed [rdi], u64 loops [rsi]): 0, or which check failed. The loop's counter is in the red zone, and so are 15 more
// patterns. The carry and the direction flag stay set.
    .text
    .globl torture_integers
torture_integers:
    push    rbx
    push    rbp
    push    r12
    push    r13
    push    r14
    push    r15
    mov     [rsp - 128], rsi
    .set    n, 1
    .rept   14
    lea     rax, [rdi + n * 0x1111]
    mov     [rsp - 8 * n], rax
    .set    n, n + 1
    .endr
    mov     [rsp - 120], rdi
    lea     rax, [rdi + 1]
    lea     rbx, [rdi + 2]
    lea     rcx, [rdi + 3]
    lea     rdx, [rdi + 4]
    lea     rsi, [rdi + 5]
    lea     rbp, [rdi + 6]
    lea     r8, [rdi + 7]
    lea     r9, [rdi + 8]
    lea     r10, [rdi + 9]
    lea     r11, [rdi + 10]
    lea     r12, [rdi + 11]
    lea     r13, [rdi + 12]
    lea     r14, [rdi + 13]
    lea     r15, [rdi + 14]
    stc
    std
2:  dec     qword ptr [rsp - 128]   // dec leaves the carry alone
    jnz     2b
    jnc     7f
    pushfq                          // writes the red zone's first word: it was n = 1, looked at no more
    cld
    test    dword ptr [rsp], 0x400
    lea     rsp, [rsp + 8]
    jz      8f
    cmp     rdi, [rsp - 120]
    jne     9f
    sub     rax, rdi
    cmp     rax, 1
    jne     9f
    .macro  differs reg, by
    sub     \reg, rdi
    cmp     \reg, \by
    jne     9f
    .endm
    differs rbx, 2
    differs rcx, 3
    differs rdx, 4
    differs rsi, 5
    differs rbp, 6
    differs r8, 7
    differs r9, 8
    differs r10, 9
    differs r11, 10
    differs r12, 11
    differs r13, 12
    differs r14, 13
    differs r15, 14
    .set    n, 2
    .rept   13
    lea     rax, [rdi + n * 0x1111]
    cmp     rax, [rsp - 8 * n]
    jne     6f
    .set    n, n + 1
    .endr
    xor     eax, eax
    jmp     5f
6:  mov     eax, 1                  // the red zone
    jmp     5f
7:  cld
    mov     eax, 2                  // the carry
    jmp     5f
8:  mov     eax, 3                  // the direction flag
    jmp     5f
9:  mov     eax, 4                  // a register
5:  pop     r15
    pop     r14
    pop     r13
    pop     r12
    pop     rbp
    pop     rbx
    ret

// void torture_sse(in [rdi], out [rsi], loops [rdx]): xmm0 to xmm15 and MXCSR rounding up.
    .globl torture_sse
torture_sse:
    sub     rsp, 8
    stmxcsr [rsp]
    mov     dword ptr [rsp + 4], 0x5f80
    ldmxcsr [rsp + 4]
    .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    movups  xmm\n, [rdi + 16 * \n]
    .endr
2:  dec     rdx
    jnz     2b
    .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    movups  [rsi + 16 * \n], xmm\n
    .endr
    stmxcsr [rsp + 4]
    mov     eax, [rsp + 4]
    ldmxcsr [rsp]
    add     rsp, 8
    ret

// The same of ymm0 to ymm15.
    .globl torture_avx
torture_avx:
    .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    vmovups ymm\n, [rdi + 32 * \n]
    .endr
2:  dec     rdx
    jnz     2b
    .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    vmovups [rsi + 32 * \n], ymm\n
    .endr
    vzeroupper
    ret

// The same of zmm0 to zmm31, with k1 to k7 behind them.
    .globl torture_avx512
torture_avx512:
    .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    vmovups zmm\n, [rdi + 64 * \n]
    .endr
    .irp    n, 1,2,3,4,5,6,7
    kmovw   k\n, word ptr [rdi + 2048 + 2 * \n]
    .endr
2:  dec     rdx
    jnz     2b
    .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    vmovups [rsi + 64 * \n], zmm\n
    .endr
    .irp    n, 1,2,3,4,5,6,7
    kmovw   word ptr [rsi + 2048 + 2 * \n], k\n
    .endr
    vzeroupper
    ret

// u32 torture_x87(in [rdi]: 8 f64, out [rsi], loops [rdx]): the register stack, full, and a control word that rounds up. Returns the control word.
    .globl torture_x87
torture_x87:
    sub     rsp, 8
    fnstcw  [rsp]
    mov     word ptr [rsp + 4], 0x0b7f
    fldcw   [rsp + 4]
    .irp    n, 0,1,2,3,4,5,6,7
    fld     qword ptr [rdi + 8 * \n]
    .endr
2:  dec     rdx
    jnz     2b
    .irp    n, 7,6,5,4,3,2,1,0
    fstp    qword ptr [rsi + 8 * \n]
    .endr
    fnstcw  [rsp + 4]
    movzx   eax, word ptr [rsp + 4]
    fldcw   [rsp]
    add     rsp, 8
    ret
