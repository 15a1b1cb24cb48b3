// A static-pie program relocates itself: nobody has done it before `_start`.
//
// In assembly, since it must not call anything: a debug build of Rust calls even `pointer::add` through the GOT, which is not relocated yet.

// void gort_relocate(usize base [rdi], const usize dynamic[][2] [rsi])
// Adds `base`, where the program is loaded, to every word that the table DT_RELA names with R_X86_64_RELATIVE; a static-pie has no other kind.
    .text
    .balign 16
    .globl  gort_relocate
    .hidden gort_relocate
    .type   gort_relocate, @function
gort_relocate:
    .cfi_startproc
    xor     eax, eax                // the table's offset
    xor     edx, edx                // its bytes
1:
    mov     rcx, [rsi]
    mov     r8, [rsi + 8]
    cmp     rcx, 7                  // DT_RELA
    cmove   rax, r8
    cmp     rcx, 8                  // DT_RELASZ
    cmove   rdx, r8
    add     rsi, 16
    test    rcx, rcx                // DT_NULL
    jnz     1b
    add     rax, rdi
    add     rdx, rax
2:
    cmp     rax, rdx
    jae     4f
    cmp     dword ptr [rax + 8], 8  // R_X86_64_RELATIVE
    jne     3f
    mov     rcx, [rax]              // which word
    mov     r8, [rax + 16]          // what it is without `base`
    add     r8, rdi
    mov     [rdi + rcx], r8
3:
    add     rax, 24
    jmp     2b
4:
    ret
    .cfi_endproc
    .size   gort_relocate, . - gort_relocate
