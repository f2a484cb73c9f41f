/* fiber.c: see fiber.h. x86-64, as Liger is. */
#include "fiber.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { STACK_BYTES = 256 << 10, GUARD_BYTES = 4096, MAX_STACKS = 128, SAVED_REGISTERS = 6 };

/* The System V ABI leaves rbx, rbp and r12 to r15 to the callee; the return address is on the stack already. */
__asm__(".text\n"
        ".p2align 4\n"
        ".globl fiber_switch\n"
        ".hidden fiber_switch\n"
        ".type fiber_switch,@function\n"
        "fiber_switch:\n"
        "	pushq %rbp\n"
        "	pushq %rbx\n"
        "	pushq %r12\n"
        "	pushq %r13\n"
        "	pushq %r14\n"
        "	pushq %r15\n"
        "	movq %rsp, (%rdi)\n"
        "	movq %rsi, %rsp\n"
        "	popq %r15\n"
        "	popq %r14\n"
        "	popq %r13\n"
        "	popq %r12\n"
        "	popq %rbx\n"
        "	popq %rbp\n"
        "	ret\n"
        ".size fiber_switch,.-fiber_switch\n");

static uint8_t *stacks[MAX_STACKS];

void *fiber_prepare(unsigned number, void (*entry)(void))
{
	assert(number < MAX_STACKS);
	if (!stacks[number]) {
		uint8_t *mapped = mmap(NULL, STACK_BYTES + GUARD_BYTES, PROT_READ | PROT_WRITE,
		        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
		/* Whoever runs over the end of it falls, and not into another's. */
		if (mapped == MAP_FAILED || mprotect(mapped, GUARD_BYTES, PROT_NONE) != 0) {
			perror("liger sim: cannot map a stack");
			exit(1);
		}
		stacks[number] = mapped;
	}
	/* A call leaves the stack 8 bytes off a multiple of 16: entry() finds it so, with a return address of 0. */
	uint64_t *top = (uint64_t *)(void *)(stacks[number] + GUARD_BYTES + STACK_BYTES);
	*--top = 0;
	*--top = (uint64_t)(uintptr_t)entry;
	for (unsigned i = 0; i < SAVED_REGISTERS; i++)
		*--top = 0;
	return top;
}
