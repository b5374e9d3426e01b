/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the guest of bare.c starts: 32 bits, no paging, segments of all memory. The
 * note has the physical address.
 */
#define XEN_ELFNOTE_PHYS32_ENTRY	18
#define CODE				8
#define DATA				16
#define PIC				0x20
#define END_OF_INTERRUPT		0x20

	.section .note.Xen, "a"
	.long	4, 4, XEN_ELFNOTE_PHYS32_ENTRY
	.asciz	"Xen"
	.long	start

	.text
	.globl	start
start:
	movl	$stack_end, %esp
	lgdt	gdt_pointer
	ljmp	$CODE, $1f
1:	movl	$DATA, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	call	run

	.globl	timer
timer:
	pushl	%eax
	incl	interrupts
	movb	$END_OF_INTERRUPT, %al
	outb	%al, $PIC
	popl	%eax
	iret

	.section .rodata
	.balign	8
gdt:
	.quad	0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
	.word	. - gdt - 1
	.long	gdt

	.bss
	.balign	16
	.skip	8192
stack_end:

	.section .note.GNU-stack, "", @progbits
