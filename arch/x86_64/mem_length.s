// usize strlen(const char *s [rdi]) -> bytes before the first zero
//
// 1. Reads the aligned blocks of 16 that hold the string and its zero, so bytes around it, but never on another page than the string's.
// 2. As mem_copy.s, 2: may be preempted at any instruction. Clobbers rcx, rdx, xmm0, xmm1.
//
// Strings here are arguments, environment and paths: short. Rejected: steps of 64, faster only from some 100 bytes on.
    .pushsection .text.gort_strlen, "ax", @progbits
    .balign 64
    .globl  gort_strlen
    .hidden gort_strlen
    .type   gort_strlen, @function
gort_strlen:
    .cfi_startproc
    pxor    xmm0, xmm0
    mov     rdx, rdi
    mov     ecx, edi
    and     rdx, -16
    and     ecx, 15
    movdqa  xmm1, [rdx]
    pcmpeqb xmm1, xmm0
    pmovmskb eax, xmm1
    shr     eax, cl                 // without the bytes before the string
    test    eax, eax
    jnz     3f
2:  add     rdx, 16
    movdqa  xmm1, [rdx]
    pcmpeqb xmm1, xmm0
    pmovmskb eax, xmm1
    test    eax, eax
    jz      2b
    bsf     eax, eax
    add     rax, rdx
    sub     rax, rdi
    ret
3:  bsf     eax, eax
    ret
    .cfi_endproc
    .size   gort_strlen, . - gort_strlen
    .popsection
