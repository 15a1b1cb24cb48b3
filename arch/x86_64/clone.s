// Threads: making one, and leaving one.
//
// A new thread starts on an empty stack, with the registers that its parent had: the C compiler's view of the call would be nonsense there.
// So the system call and the first instructions of the child stand together here.

// isize gort_clone3(const clone_args *args [rdi], usize size [rsi], fn(arg) entry [rdx], void *arg [rcx])
// The parent gets the thread id or -errno. The child calls entry(arg) on its own stack, which must be a multiple of 16 at its top.
    .text
    .balign 16
    .globl  gort_clone3
    .hidden gort_clone3
    .type   gort_clone3, @function
gort_clone3:
    .cfi_startproc
    mov     r8, rcx                 // the system call overwrites rcx and r11
    mov     eax, 435                // clone3
    syscall
    test    rax, rax
    jz      gort_thread_start
    pop     rcx                     // the first ret after a system call misses in the return stack: pop and jmp
    jmp     rcx
    .cfi_endproc
    .size   gort_clone3, . - gort_clone3

// isize gort_clone(usize flags [rdi], void *stack_top [rsi], void *tls [rdx], fn(arg) entry [rcx], void *arg [r8])
    .balign 16
    .globl  gort_clone
    .hidden gort_clone
    .type   gort_clone, @function
gort_clone:
    .cfi_startproc
    mov     r9, r8                  // arg: r8 carries tls into the system call
    mov     r8, rdx
    mov     rdx, rcx                // entry: rdx is the parent_tid argument, unused without its flag
    xor     r10d, r10d              // child_tid, unused
    mov     eax, 56                 // clone
    syscall
    mov     r8, r9
    test    rax, rax
    jz      gort_thread_start
    pop     rcx
    jmp     rcx
    .cfi_endproc
    .size   gort_clone, . - gort_clone

// The child of both. entry in rdx, its argument in r8.
    .balign 16
    .hidden gort_thread_start
    .globl  gort_thread_start
    .type   gort_thread_start, @function
gort_thread_start:
    .cfi_startproc
    .cfi_undefined rip
    xor     ebp, ebp
    mov     rdi, r8
    call    rdx
    ud2
    .cfi_endproc
    .size   gort_thread_start, . - gort_thread_start

// void gort_thread_exit(void *base [rdi], usize len [rsi]) -> !
// Unmaps the stack that it is called on and ends the thread: from the munmap on, nothing here touches memory.
// The caller has masked all signals: a handler would find no stack.
    .balign 16
    .globl  gort_thread_exit
    .hidden gort_thread_exit
    .type   gort_thread_exit, @function
gort_thread_exit:
    .cfi_startproc
    .cfi_undefined rip
    mov     eax, 11                 // munmap
    syscall
    xor     edi, edi
    mov     eax, 60                 // exit: this thread only
    syscall
    ud2
    .cfi_endproc
    .size   gort_thread_exit, . - gort_thread_exit
