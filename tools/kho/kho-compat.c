// SPDX-License-Identifier: GPL-2.0-only
/*
 * kho-compat - can one kernel hand over to another by kexec?
 *
 * The command line. The commands are in show.c, check.c, status.c and matrix.c.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "output.h"
#include "running.h"
#include "unpack.h"

#define VERSION	"2"

static const char usage[] =
	"usage: kho-compat [OPTION]... show IMAGE...\n"
	"       kho-compat [OPTION]... check FROM TO\n"
	"       kho-compat [OPTION]... matrix IMAGE...\n"
	"       kho-compat [OPTION]... path FROM TO [IMAGE]...\n"
	"       kho-compat [OPTION]... status\n"
	"       kho-compat [OPTION]... assume IMAGE\n"
	"\n"
	"show    what each IMAGE is, and which versions its kernel reads and writes\n"
	"check   can the kernel in the image TO take over what FROM preserves?\n"
	"        FROM is an image, or '" RUNNING "': this kernel\n"
	"matrix  which of the kernels can follow which\n"
	"path    the shortest way from FROM to TO, by way of the other kernels\n"
	"status  can the loaded kernel take over? As the running kernel says.\n"
	"assume  tell the running kernel that the next image is stock Linux with KHO,\n"
	"        if IMAGE is that\n"
	"\n"
	"IMAGE is a kernel's file as people have it, packed or not, for any machine.\n"
	"With matrix and path a directory stands for the images in it.\n"
	"\n"
	"--json       print JSON, see kho-compat(1)\n"
	"--sysfs=DIR  where the running kernel's " KHO_SYSFS " is mounted\n"
	"--version    print the version, and what can be unpacked\n"
	"--help       print this\n"
	"\n"
	"Exit status: 0 compatible, 1 not compatible, 2 not known, 3 wrong usage or a\n"
	"file that cannot be read\n";

static enum verdict wrong_usage(const char *mistake, const char *word)
{
	fputs("kho-compat: ", stderr);
	fputs(mistake, stderr);
	if (word) {
		fputs(" '", stderr);
		print_text(stderr, word);
		putc('\'', stderr);
	}
	fputs("; see kho-compat --help\n", stderr);
	return UNREADABLE_OR_USAGE;
}

static enum verdict run_show(char **words)
{
	return show(words);
}

static enum verdict run_check(char **words)
{
	return check(words[0], words[1]);
}

static enum verdict run_matrix(char **words)
{
	return matrix(words);
}

static enum verdict run_path(char **words)
{
	return find_path(words[0], words[1], words + 2);
}

static enum verdict run_status(char **words)
{
	(void)words;
	return status();
}

static enum verdict run_assume(char **words)
{
	return assume(words[0]);
}

#define ANY	-1

static const struct {
	const char *name;
	int least, most;	/* words that follow */
	const char *mistake;
	enum verdict (*run)(char **words);
} commands[] = {
	{ "show", 1, ANY, "show needs an image", run_show },
	{ "check", 2, 2, "check needs FROM and TO", run_check },
	{ "matrix", 1, ANY, "matrix needs images", run_matrix },
	{ "path", 2, ANY, "path needs FROM and TO", run_path },
	{ "status", 0, 0, "nothing follows status", run_status },
	{ "assume", 1, 1, "assume needs one image", run_assume },
	{ }
};

static enum verdict run(int nr, char **words)
{
	size_t i = 0;

	if (!nr)
		return wrong_usage("a command is missing", NULL);

	while (commands[i].name && strcmp(commands[i].name, words[0]))
		i++;
	if (!commands[i].name)
		return wrong_usage("unknown command", words[0]);
	if (nr - 1 < commands[i].least ||
	    (commands[i].most != ANY && nr - 1 > commands[i].most))
		return wrong_usage(commands[i].mistake, NULL);

	return commands[i].run(words + 1);
}

static int print_version(void)
{
	printf("kho-compat %s\n", VERSION);
	for (const struct unpacker *row = unpackers; row->name; row++)
		printf("%-5s %s\n", row->name, row->open ? "yes" : "no");
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "sysfs", required_argument, NULL, 's' },
		{ "version", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	enum verdict result;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		switch (option) {
		case 'j':
			json = true;
			break;
		case 's':
			sysfs = optarg;
			break;
		case 'v':
			return print_version();
		case 'h':
			fputs(usage, stdout);
			return EXIT_SUCCESS;
		case ':':
			return wrong_usage("a value is missing behind", argv[optind - 1]);
		default:
			return wrong_usage("unknown option", argv[optind - 1]);
		}
	}

	result = run(argc - optind, argv + optind);
	json_end();

	/* A verdict that did not arrive is none */
	if (fclose(stdout)) {
		perror("kho-compat: standard output");
		return UNREADABLE_OR_USAGE;
	}
	return result;
}
