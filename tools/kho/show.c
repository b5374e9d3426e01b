// SPDX-License-Identifier: GPL-2.0-only
/* kho-compat show: what is in each image */
#include "json.h"
#include "output.h"

static enum verdict known(const struct kernel *kernel)
{
	if (kernel->kind == NOT_READABLE)
		return UNREADABLE_OR_USAGE;
	return kernel->kind >= DAMAGED ? UNKNOWN : COMPATIBLE;
}

static void print_components(const struct kernel *kernel)
{
	for (unsigned int i = 0; i < kernel->nr; i++)
		printf("  %-15s writes %u, reads %u-%u\n",
		       kernel->components[i].name, kernel->components[i].version,
		       kernel->components[i].min_version,
		       kernel->components[i].version);
}

static void print_one(const char *path, const struct kernel *kernel)
{
	if (kernel->kind == NOT_READABLE) {
		complain(path, &kernel->why);
		return;
	}

	print_text(stdout, path);
	if (kernel->profile) {
		printf(" profile ");
		print_text(stdout, kernel->profile);
	}
	printf(": ");
	print_kernel(kernel);
	putchar('\n');
	if (has_components(kernel))
		print_components(kernel);
}

static enum verdict show_image(const char *path)
{
	enum verdict result = COMPATIBLE;
	struct image image;

	image_read(&image, path);
	for (unsigned int i = 0; i < image.nr; i++) {
		if (json) {
			json_open(NULL, '{');
			json_kernel(path, image.kernels[i]);
			json_close('}');
		} else {
			print_one(path, image.kernels[i]);
		}
		result = worse(result, known(image.kernels[i]));
	}
	image_free(&image);

	return result;
}

enum verdict show(char **paths)
{
	enum verdict result = COMPATIBLE;

	if (json) {
		json_open(NULL, '{');
		json_open("images", '[');
	}
	for (; *paths; paths++)
		result = worse(result, show_image(*paths));
	if (json) {
		json_close(']');
		json_close('}');
	}

	return result;
}
