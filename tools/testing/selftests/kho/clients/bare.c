// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest without an operating system, which starts in no time where the host is
 * emulated itself. QEMU loads it by -kernel, as a program for PVH. On the serial
 * line it prints, every 100 ms,
 *
 *	tick NUMBER bad PAGES
 *
 * and meanwhile checks its memory, see ../guest/pages.h.
 */
#include "../guest/pages.h"
#include "bare.h"

#define PAGES		1024
#define PAGES_PER_TICK	8
#define PIT_HZ		1193182
#define IRQ_HZ		20
#define TIMER_VECTOR	32

#define SERIAL		0x3f8
#define SERIAL_STATUS	(SERIAL + 5)
#define SERIAL_EMPTY	0x20
#define PIT_CHANNEL_0	0x40
#define PIT_COMMAND	0x43
#define PIC		0x20
#define PIC_MASK	0x21

#define APIC_SPURIOUS	0xfee000f0
#define APIC_LINT0	0xfee00350

struct table_pointer {
	uint16_t limit;
	const void *base;
} __attribute__((packed));

struct gate {
	uint16_t low, selector, type, high;
};

uint32_t interrupts;

static struct gate idt[TIMER_VECTOR + 1];
static uint64_t memory[PAGES * WORDS] __attribute__((aligned(4096)));
static uint32_t written[PAGES];

static void out(uint16_t port, uint8_t value)
{
	asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static uint8_t in(uint16_t port)
{
	uint8_t value;

	asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static void write_memory(uintptr_t address, uint32_t value)
{
	asm volatile("movl %1, (%0)" : : "r"(address), "r"(value) : "memory");
}

static void print(const char *text)
{
	for (; *text; text++) {
		while (!(in(SERIAL_STATUS) & SERIAL_EMPTY))
			;
		out(SERIAL, *text);
	}
}

static void print_number(uint32_t number)
{
	char digits[11], *at = digits + sizeof(digits) - 1;

	*at = 0;
	do {
		at--;
		*at = '0' + number % 10;
	} while (number /= 10);
	print(at);
}

static void start_timer(void)
{
	const struct table_pointer pointer = { sizeof(idt) - 1, idt };
	uint32_t handler = (uint32_t)timer;

	idt[TIMER_VECTOR] = (struct gate) {
		.low = handler, .selector = 8, .type = 0x8e00, .high = handler >> 16,
	};
	asm volatile("lidt %0" : : "m"(pointer));

	out(PIC, 0x11);			/* edge triggered, cascaded */
	out(PIC_MASK, TIMER_VECTOR);
	out(PIC_MASK, 4);
	out(PIC_MASK, 1);
	out(PIC_MASK, 0xfe);		/* the timer alone */

	write_memory(APIC_SPURIOUS, 0x1ff);	/* enabled */
	write_memory(APIC_LINT0, 0x700);	/* what the PIC says */

	out(PIT_COMMAND, 0x34);		/* channel 0, rate generator */
	out(PIT_CHANNEL_0, (PIT_HZ / IRQ_HZ) & 0xff);
	out(PIT_CHANNEL_0, (PIT_HZ / IRQ_HZ) >> 8);
}

void run(void)
{
	struct pages pages = {
		.memory = memory, .written = written, .count = PAGES,
	};
	uint32_t seen = 0;

	for (uint32_t page = 0; page < PAGES; page++)
		write_page(&pages, page);
	start_timer();
	for (uint32_t tick = 1;; tick++) {
		while (interrupts - seen < IRQ_HZ / 10)
			asm volatile("sti; hlt; cli" : : : "memory");
		seen = interrupts;
		check_pages(&pages, PAGES_PER_TICK);
		print("tick ");
		print_number(tick);
		print(" bad ");
		print_number(pages.bad);
		print("\n");
	}
}
