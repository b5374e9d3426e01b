// SPDX-License-Identifier: GPL-2.0-only
/*
 * Init of the virtual machine in which KHO is tested. It knows from its
 * arguments (what follows "--" on the kernel command line) which scenario
 * this is and which boot of it, runs the function for that boot, loads the
 * next kernel with the same initramfs and kexecs into it.
 *
 * The initramfs holds, beside this program, the kernels on offer as
 * /kernels/NAME and the common part of the command line as /cmdline. The
 * kernel keeps the initramfs itself in /sys/firmware/initrd ("retain_initrd"),
 * where the next kexec finds it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "report.h"
#include "scenario.h"

/* Room for all arguments, and the least that both architectures take. */
#define COMMAND_LINE	2048

static const struct scenario *scenario;
static const char *kernel;
static const char *program;
static __u64 seed;
static int this_boot = 1;
static int boots;
static __u64 number;
static __u64 step = 1;
static bool next_loaded;
static bool fail_kexec;

int boot_number(void)
{
	return this_boot;
}

bool last_boot(void)
{
	return this_boot >= boots;
}

/* Nothing more can be tested in this machine, but it is no failure. */
void stop_here(void)
{
	boots = this_boot;
}

__u64 boot_seed(void)
{
	return seed;
}

/* For whatever the scenario counts; the host says where from and by how much. */
__u64 number_of_boot(int boot)
{
	return number + (boot - 1) * step;
}

/* Linux 7.3 has no components. */
bool kernel_is_ours(void)
{
	return access("/sys/kernel/kho/components", F_OK) == 0;
}

__noreturn void end_scenario(void)
{
	report_plan();
	note("end of scenario");
	reboot(RB_AUTOBOOT);
	_exit(1);
}

static void mount_at(const char *type, const char *where)
{
	mkdir(where, 0755);
	if (mount(type, where, type, 0, NULL) < 0 && errno != EBUSY)
		note("cannot mount %s at %s: %s", type, where, strerror(errno));
}

static void mount_all(void)
{
	mount_at("devtmpfs", "/dev");
	mount_at("proc", "/proc");
	mount_at("sysfs", "/sys");
	mount_at("debugfs", "/sys/kernel/debug");
	mount_at("tmpfs", "/tmp");
}

static const struct scenario *find_scenario(const char *name)
{
	const struct scenario *const *it;

	for (it = __start_scenarios; it < __stop_scenarios; it++) {
		if (!strcmp((*it)->name, name))
			return *it;
	}
	return NULL;
}

static void take_argument(const char *name, const char *value)
{
	if (!strcmp(name, "scenario"))
		scenario = find_scenario(value);
	else if (!strcmp(name, "program"))
		program = value;
	else if (!strcmp(name, "kernel"))
		kernel = value;
	else if (!strcmp(name, "boot"))
		this_boot = atoi(value);
	else if (!strcmp(name, "boots"))
		boots = atoi(value);
	else if (!strcmp(name, "number"))
		number = strtoull(value, NULL, 10);
	else if (!strcmp(name, "step"))
		step = strtoull(value, NULL, 10);
	else if (!strcmp(name, "seed"))
		seed = strtoull(value, NULL, 10);
}

static void take_arguments(int count, char **arguments)
{
	for (int i = 1; i < count; i++) {
		char *value = strchr(arguments[i], '=');

		if (!value)
			continue;
		*value = 0;
		take_argument(arguments[i], value + 1);
	}
}

/* If there are more boots than the scenario has, its last one is repeated. */
static const struct boot *boot_at(int nr)
{
	if (nr > scenario->nr_boots)
		nr = scenario->nr_boots;
	return &scenario->boots[nr - 1];
}

static const struct boot *next_boot(void)
{
	return last_boot() ? NULL : boot_at(this_boot + 1);
}

/* Of kexec_file_load(), for the loads to come */
unsigned long load_flags;

/*
 * Load an image on offer, for the next boot. An image that is refused leaves
 * the one that was loaded before it.
 */
int load_kernel(const char *name, const char *extra)
{
	char path[128], common[COMMAND_LINE], line[COMMAND_LINE];
	int image, initrd, length;
	long ret;

	read_file("/cmdline", common, sizeof(common));
	length = snprintf(line, sizeof(line), "%s %s -- ", common,
			  extra ? extra : "");
	length += snprintf(line + length, sizeof(line) - length,
			   "scenario=%s kernel=%s seed=%llu boot=%d",
			   scenario->name, name, seed, this_boot + 1);
	length += snprintf(line + length, sizeof(line) - length,
			   " boots=%d number=%llu step=%llu", boots, number,
			   step);
	snprintf(path, sizeof(path), "/kernels/%s", name);
	image = open(path, O_RDONLY | O_CLOEXEC);
	initrd = open("/sys/firmware/initrd", O_RDONLY | O_CLOEXEC);
	ret = syscall(SYS_kexec_file_load, image, initrd, length + 1, line,
		      load_flags);
	if (ret < 0)
		ret = -errno;
	close(image);
	close(initrd);
	if (!ret)
		next_loaded = true;
	return ret;
}

/* A scenario may call this early, to preserve after the image is loaded. */
int load_next_kernel(void)
{
	const struct boot *next = next_boot();

	/*
	 * Stock kernels do not say what they read, and have no such file. What is
	 * assumed of a kernel that does say it is ignored.
	 */
	if (next->kernel && (!strcmp(next->kernel, "stock") ||
			     !strcmp(next->kernel, "other")))
		write_file("/sys/kernel/kho/next/assume", "7.3");
	return load_kernel(next->kernel ? next->kernel : kernel, next->cmdline);
}

/* What is loaded, when it does not come back to end the scenario */
void start_last(void)
{
	report_plan();
	note("end of scenario");
	check_result(try_kexec(), 0, "start an image that ends the scenario");
	end_scenario();
}

/* Only returns if that was refused. */
int try_kexec(void)
{
	reboot(RB_KEXEC);
	return -errno;
}

/* The next kexec is tried until it gets through, see faults.c. */
void fail_kexec_allocations(void)
{
	fail_kexec = true;
}

static void kexec(void)
{
	int attempt = 0, ret;

	if (!next_loaded)
		check_result(load_next_kernel(), 0, "load the next kernel");
	if (!next_loaded)
		end_scenario();
	report_plan();
	do {
		attempt++;
		if (fail_kexec)
			fail_allocation(attempt);
		ret = try_kexec();
		note("attempt %d to start it: %s", attempt, result_name(ret));
	} while (fail_kexec && ret == -ENOMEM);
	check_result(ret, 0, "kexec");
	end_scenario();
}

static FILE *start_program(pid_t *pid)
{
	int ends[2];

	if (pipe(ends) < 0)
		return NULL;
	*pid = fork();
	if (!*pid) {
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		execl(program, program, NULL);
		_exit(127);
	}
	close(ends[1]);
	return fdopen(ends[0], "r");
}

/* A test program of the base: its output is KTAP already and passed on. */
static void run_program(void)
{
	char line[512];
	int status = 0;
	pid_t pid = -1;
	FILE *output = start_program(&pid);

	while (output && fgets(line, sizeof(line), output)) {
		line[strcspn(line, "\n")] = 0;
		report_line(line);
	}
	waitpid(pid, &status, 0);
	note("%s: exit status %d", program,
	     WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
	reboot(RB_AUTOBOOT);
}

int main(int count, char **arguments)
{
	mount_all();
	take_arguments(count, arguments);
	if (program)
		run_program();
	if (scenario && !boots)
		boots = scenario->nr_boots;
	if (!scenario || this_boot < 1 || this_boot > boots) {
		note("no such scenario or boot %d", this_boot);
		reboot(RB_AUTOBOOT);
	}
	note("%s, boot %d of %d, kernel %s", scenario->name, this_boot, boots,
	     kernel);
	boot_at(this_boot)->run();
	check_leaks();
	if (next_boot())
		kexec();
	end_scenario();
}
