// memcmp and bcmp: one routine under two names.
//
// int (const void *a [rdi], const void *b [rsi], usize len [rdx]) -> below, equal to or above 0, as the first byte that differs, unsigned
//
// 1. Reads nothing outside [a, a + len) and [b, b + len), writes no memory.
// 2. As mem_copy.s, 2: may be preempted at any instruction. Clobbers rcx, rdx, rsi, rdi, r8, r9, xmm0 to xmm5.
//
//   0 to 15       without vectors: both sides become numbers, first byte highest, and are compared
//   16 to 64      the first 16; if these are equal the rest by loads that overlap
//   65 and more   the first 16, then steps of 64 that only say whether anything differs. The step that does, or the last 64, is compared again
//                 from the start of the routine as 64 bytes: its first difference is the first of all
//
// Where two vectors were compared, bits that are 0 in the mask are bytes that differ; mask - 0xffff is minus these bits, and its lowest bit
// that is set is theirs.
//
// Rejected: a bcmp of its own that saves finding the place: what it saves is paid only by those that differ.
    .pushsection .text.gort_memcmp, "ax", @progbits
    .balign 64
    .globl  gort_memcmp
    .hidden gort_memcmp
    .type   gort_memcmp, @function
    .globl  gort_bcmp
    .hidden gort_bcmp
    .type   gort_bcmp, @function
gort_memcmp:
gort_bcmp:
    .cfi_startproc
    cmp     rdx, 16
    jb      2f
9:  movups  xmm0, [rdi]             // 16 and more
    movups  xmm1, [rsi]
    pcmpeqb xmm0, xmm1
    pmovmskb eax, xmm0
    sub     eax, 0xffff
    jnz     7f
    cmp     rdx, 32
    ja      5f
    movups  xmm0, [rdi + rdx - 16]  // 16 to 32
    movups  xmm1, [rsi + rdx - 16]
    pcmpeqb xmm0, xmm1
    pmovmskb eax, xmm0
    sub     eax, 0xffff
    jnz     6f
    ret

2:  cmp     edx, 8                  // 0 to 15
    jae     4f
    cmp     edx, 4
    jae     3f
    xor     eax, eax
    test    edx, edx
    jz      2f
    mov     ecx, edx                // 1 to 3: first, middle and last make a number of 24 bits
    shr     ecx, 1
    movzx   eax, byte ptr [rdi]
    movzx   r8d, byte ptr [rdi + rcx]
    movzx   r9d, byte ptr [rdi + rdx - 1]
    shl     eax, 16
    shl     r8d, 8
    or      eax, r9d
    or      eax, r8d
    movzx   r8d, byte ptr [rsi]
    movzx   r9d, byte ptr [rsi + rcx]
    movzx   ecx, byte ptr [rsi + rdx - 1]
    shl     r8d, 16
    shl     r9d, 8
    or      ecx, r8d
    or      ecx, r9d
    sub     eax, ecx
2:  ret
3:  mov     eax, [rdi]              // 4 to 7: first four and last four
    mov     ecx, [rsi]
    mov     r8d, [rdi + rdx - 4]
    mov     r9d, [rsi + rdx - 4]
    shl     r8, 32
    shl     r9, 32
    or      rax, r8
    or      rcx, r9
    jmp     8f
4:  mov     rax, [rdi]              // 8 to 15: first eight, then last eight
    mov     rcx, [rsi]
    cmp     rax, rcx
    jne     8f
    mov     rax, [rdi + rdx - 8]
    mov     rcx, [rsi + rdx - 8]
8:  bswap   rax
    bswap   rcx
    cmp     rax, rcx
    seta    al                      // 1, 0 or, with the carry, -1
    sbb     al, 0
    movsx   eax, al
    ret

5:  cmp     rdx, 64
    ja      8f
    movups  xmm0, [rdi + 16]        // 33 to 64
    movups  xmm1, [rsi + 16]
    movups  xmm2, [rdi + rdx - 32]
    movups  xmm3, [rsi + rdx - 32]
    movups  xmm4, [rdi + rdx - 16]
    movups  xmm5, [rsi + rdx - 16]
    pcmpeqb xmm0, xmm1
    pcmpeqb xmm2, xmm3
    pcmpeqb xmm4, xmm5
    movdqa  xmm1, xmm0
    pand    xmm1, xmm2
    pand    xmm1, xmm4
    pmovmskb eax, xmm1
    sub     eax, 0xffff
    jnz     4f
    ret
4:  pmovmskb eax, xmm0              // something differs: in which of the three first
    sub     eax, 0xffff
    jnz     3f
    sub     rdx, 16
    pmovmskb eax, xmm2
    sub     eax, 0xffff
    jnz     6f
    add     rdx, 16
    pmovmskb eax, xmm4
    sub     eax, 0xffff
6:  lea     rdi, [rdi + rdx - 16]   // it is in the 16 that end at rdx
    lea     rsi, [rsi + rdx - 16]
    jmp     7f
3:  add     rdi, 16
    add     rsi, 16
7:  bsf     ecx, eax                // it is in the 16 at rdi and rsi
    movzx   eax, byte ptr [rdi + rcx]
    movzx   ecx, byte ptr [rsi + rcx]
    sub     eax, ecx
    ret

8:  lea     r8, [rdi + rdx - 64]    // 65 and more. The last 64 start here
    sub     rsi, rdi                // from now on the distance from `a` to `b`
    add     rdi, 16                 // the first 16 end here or, to align, a little before
    and     rdi, -16
    mov     edx, 64
    cmp     rdi, r8
    jae     4f
    .balign 16
2:  movups  xmm0, [rsi + rdi]
    movups  xmm1, [rsi + rdi + 16]
    movups  xmm2, [rsi + rdi + 32]
    movups  xmm3, [rsi + rdi + 48]
    pcmpeqb xmm0, [rdi]
    pcmpeqb xmm1, [rdi + 16]
    pcmpeqb xmm2, [rdi + 32]
    pcmpeqb xmm3, [rdi + 48]
    pand    xmm0, xmm1
    pand    xmm2, xmm3
    pand    xmm0, xmm2
    pmovmskb eax, xmm0
    cmp     eax, 0xffff
    jne     3f
    add     rdi, 64
    cmp     rdi, r8
    jb      2b
4:  mov     rdi, r8
3:  add     rsi, rdi
    jmp     9b
    .cfi_endproc
    .size   gort_memcmp, . - gort_memcmp
    .size   gort_bcmp, . - gort_bcmp
    .popsection
