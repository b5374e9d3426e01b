// SPDX-License-Identifier: GPL-2.0-only
/*
 * The log, which tests can search, and what the kernel has for numbers and
 * strings. SIM_LOG=1 in the environment shows what is logged.
 */

#include "internal.h"

#define LOG_SIZE	SZ_64K

static char log_text[LOG_SIZE];
static size_t log_len;
static unsigned int nr_warnings;

static void append(struct seq_buf *s, const char *fmt, va_list args)
	__attribute__((format(printf, 2, 0)));

static void append(struct seq_buf *s, const char *fmt, va_list args)
{
	size_t room = s->size - s->len;
	int len = vsnprintf(s->buf + s->len, room, fmt, args);

	s->len += min((size_t)len, room - 1);
}

static void put(struct seq_buf *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void put(struct seq_buf *s, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	append(s, fmt, args);
	va_end(args);
}

static void put_escaped(struct seq_buf *s, const unsigned char *text, int len)
{
	for (; len > 0; len--, text++) {
		if (isprint(*text))
			put(s, "%c", *text);
		else
			put(s, "\\%03o", *text);
	}
}

/* %pa, %pe, %*pE and %p; returns how many letters follow the p */
static int put_pointer(struct seq_buf *s, const char *letters, int len,
		       const void *ptr)
{
	switch (*letters) {
	case 'E':
		put_escaped(s, ptr, len);
		return 1;
	case 'a':
		put(s, "0x%016llx", (unsigned long long)*(const phys_addr_t *)ptr);
		return letters[1] == 'p' ? 2 : 1;
	case 'e':
		put(s, "%s", strerrorname_np(-(long)ptr));
		return 1;
	default:
		put(s, "%p", ptr);
		return 0;
	}
}

/*
 * One conversion, from its % to the letter; every integer is passed as widely as
 * its modifier says.
 */
static void put_conversion(struct seq_buf *s, const char *spec, va_list *args)
{
	size_t len = strlen(spec);
	char last = spec[len - 1];
	int precision;

	if (!strcmp(spec, "%.*s")) {
		precision = va_arg(*args, int);
		put(s, "%.*s", precision, va_arg(*args, char *));
		return;
	}
	if (spec[1] == '#')
		put(s, "0x");
	if (last == 's')
		put(s, "%s", va_arg(*args, char *));
	else if (last == 'c')
		put(s, "%c", va_arg(*args, int));
	else if (len > 2 && (spec[len - 2] == 'l' || spec[len - 2] == 'z'))
		put(s, last == 'x' ? "%lx" : last == 'd' ? "%ld" : "%lu",
		    va_arg(*args, unsigned long));
	else
		put(s, last == 'x' ? "%x" : last == 'o' ? "%o" : last == 'd' ? "%d" : "%u",
		    va_arg(*args, unsigned int));
}

/* As the kernel's printf() */
void sim_vformat(struct seq_buf *s, const char *fmt, va_list *args)
{
	while (*fmt) {
		size_t plain = strcspn(fmt, "%"), len;
		char spec[16];
		int width = 0;

		put(s, "%.*s", (int)plain, fmt);
		fmt += plain;
		if (!*fmt)
			return;
		if (fmt[1] == '%') {
			put(s, "%%");
			fmt += 2;
			continue;
		}

		len = strcspn(fmt, "csdiuxop") + 1;
		snprintf(spec, sizeof(spec), "%.*s", (int)len, fmt);
		fmt += len;
		if (spec[1] == '*')
			width = va_arg(*args, int);
		if (fmt[-1] == 'p')
			fmt += put_pointer(s, fmt, width, va_arg(*args, void *));
		else
			put_conversion(s, spec, args);
	}
}

void seq_buf_init(struct seq_buf *s, char *buf, size_t size)
{
	*s = (struct seq_buf) { .buf = buf, .size = size };
	*buf = '\0';
}

int seq_buf_printf(struct seq_buf *s, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	sim_vformat(s, fmt, &args);
	va_end(args);
	return 0;
}

int sim_printk(const char *fmt, ...)
{
	struct seq_buf s = { .buf = log_text, .size = LOG_SIZE, .len = log_len };
	va_list args;

	va_start(args, fmt);
	sim_vformat(&s, fmt, &args);
	va_end(args);

	if (getenv("SIM_LOG"))
		fprintf(stderr, "%s", log_text + log_len);
	log_len = s.len;
	return 0;
}

void sim_panic(const char *fmt, ...)
{
	sim_bug(fmt, 0);
}

/* True if this kernel has logged anything with this text */
bool sim_logged(const char *text)
{
	return strstr(log_text, text);
}

unsigned int sim_log_count(const char *text)
{
	unsigned int nr = 0;

	for (const char *at = log_text; (at = strstr(at, text)); at++)
		nr++;
	return nr;
}

void sim_log_clear(void)
{
	log_len = 0;
	log_text[0] = '\0';
}

void sim_warn(const char *file, int line, const char *condition)
{
	nr_warnings++;
	sim_printk("WARNING: %s:%d: %s\n", file, line, condition);
}

/* Number of WARN_ON() that have fired in this kernel */
unsigned int sim_warnings(void)
{
	return nr_warnings;
}

ssize_t sim_strscpy(char *to, const char *from, size_t size)
{
	size_t len = strnlen(from, size);
	const bool cut = len == size;

	memcpy(to, from, len - cut);
	to[len - cut] = '\0';
	return cut ? -E2BIG : (ssize_t)len;
}

unsigned long long memparse(const char *from, char **end)
{
	unsigned long long n = strtoull(from, end, 0);
	const char *unit = **end ? strchr("KMG", **end) : NULL;

	if (!unit)
		return n;

	(*end)++;
	return n << (*unit == 'K' ? 10 : *unit == 'M' ? 20 : 30);
}

int kstrtobool(const char *from, bool *val)
{
	if (!from || (strcmp(from, "on") && strcmp(from, "off")))
		return -EINVAL;

	*val = !strcmp(from, "on");
	return 0;
}

int sim_match_string(const char *const *words, size_t nr, const char *word)
{
	for (size_t i = 0; i < nr; i++) {
		if (!strcmp(words[i], word))
			return i;
	}
	return -EINVAL;
}

/* A blank ends a parameter, whatever quotes may be around it */
char *parse_args(const char *what, char *args, const void *params,
		 unsigned int nr, int min_level, int max_level, void *arg,
		 int (*take)(char *param, char *val, const char *what, void *arg))
{
	char *param;

	while ((param = strsep(&args, " "))) {
		char *val = strchr(param, '=');

		if (val)
			*val++ = 0;
		take(param, val, what, arg);
	}
	return NULL;
}

void *memchr_inv(const void *start, int c, size_t size)
{
	const u8 *byte = start;

	while (size && *byte == (u8)c) {
		byte++;
		size--;
	}
	return size ? (void *)byte : NULL;
}

int kstrtouint(const char *from, unsigned int base, unsigned int *val)
{
	char *end;

	*val = strtoul(from, &end, base);
	return *from && !*end ? 0 : -EINVAL;
}

/* All that is needed of lib/bitmap.c */
void __bitmap_or(unsigned long *dst, const unsigned long *a,
		 const unsigned long *b, int bits)
{
	for (int word = 0; word < bits / BITS_PER_LONG; word++)
		dst[word] = a[word] | b[word];
}

unsigned long bitmap_weight_from(const unsigned long *bitmap, unsigned int start,
				 unsigned int end)
{
	unsigned long nr = 0;

	for (; start < end; start++)
		nr += test_bit(start, bitmap);

	return nr;
}
