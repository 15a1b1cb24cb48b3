// switch: leave one goroutine, go on with another. Inline assembly of src/arch/switch.rs, expanded into each caller.
//
// In:   rdi header of the context that leaves, rsi header of the one that goes on, rdx and ecx the commit: one 32-bit store.
// Kept: rsp, rbx, rbp, on the stack that is left. Every other register is declared clobbered: the compiler spills what lives, no more.
//       MXCSR and the x87 control word are not switched: cooperative switches are calls, and no callee here changes them.
//
//   a suspended stack, growing down          a new one (src/arch/switch.rs, prepare)
//   +----------------------+                 +----------------------+
//   | rbp                  |                 | closure              |
//   | rbx                  |                 | entry                |
//   | where to go on       | <- header.sp -> | gort_go              |
//   +----------------------+                 +----------------------+
//
// It ends by pop and jmp: a ret would miss in the return stack of the CPU, since its call was made on another stack (9 ns against 4).
// The commit comes after the last touch of the old stack, and on x86 a plain store is a release: from then on any thread may run what left.
// fs:8 is written in here and nowhere else, so that a signal never finds g and rsp in disagreement for longer than two instructions.
    lea     rax, [rip + 2f]
    push    rbp
    push    rbx
    push    rax
    mov     [rdi + {sp}], rsp
    mov     rsp, [rsi + {sp}]
    mov     fs:[8], rsi
    mov     dword ptr [rdx], ecx
    pop     rax
    pop     rbx
    pop     rbp
    jmp     rax
2:
