// SPDX-License-Identifier: GPL-2.0-only
/* kho-compat check: can one kernel take over from another? */
#include <string.h>

#include "json.h"
#include "output.h"
#include "running.h"

/* The pair of kernels that decides, and what came out */
struct answer {
	enum verdict verdict;
	struct reason why;
	struct outgoing outgoing;
	const struct kernel *to;
};

static void name_profile(const struct kernel *kernel, const char *who,
			 struct reason *why)
{
	if (kernel->profile && why->text)
		explain(why, "%sprofile %s: %s", who, kernel->profile, why->text);
}

/* Every kernel of @to must be able to take over: nobody knows which one starts */
static void compare_all(const struct outgoing *outgoing, const struct image *to,
			struct answer *answer)
{
	for (unsigned int i = 0; i < to->nr; i++) {
		struct reason why = { };
		enum verdict verdict = compare(outgoing, to->kernels[i], &why);

		name_profile(to->kernels[i], "", &why);
		name_profile(outgoing->from, "from ", &why);
		if (!answer->to || worse(verdict, answer->verdict) != answer->verdict) {
			reason_free(&answer->why);
			*answer = (struct answer) { verdict, why, *outgoing, to->kernels[i] };
		} else {
			reason_free(&why);
		}
	}
}

static void print_components_json(const struct answer *answer, const bool *counts)
{
	const struct kernel *from = answer->outgoing.from;

	json_open("components", '[');
	for (unsigned int i = 0; i < from->nr; i++) {
		const struct kho_image_entry *writes = &from->components[i];
		const struct kho_image_entry *reads = component_of(answer->to, writes->name);

		json_open(NULL, '{');
		json_string("name", writes->name);
		json_number("version", writes->version);
		json_bool("counts", counts[i]);
		json_next_range(reads ? reads->min_version : 0,
				reads ? reads->version : 0);
		json_string("next_status", component_status(from, i, answer->to));
		json_close('}');
	}
	json_close(']');

	json_open("needs", '[');
	if (needs_kho_on(answer->to))
		json_string(NULL, "kho=on");
	if (needs_liveupdate_on(&answer->outgoing, answer->to))
		json_string(NULL, "liveupdate=on");
	json_close(']');

	json_open("warnings", '[');
	if (best_effort_lost(&answer->outgoing, answer->to))
		json_string(NULL, "regions of reserve_mem= would be lost");
	json_close(']');
}

static void print_write_range(struct write_range writes)
{
	char range[24];

	if (writes.oldest == writes.newest)
		snprintf(range, sizeof(range), "%u", writes.newest);
	else
		snprintf(range, sizeof(range), "%u-%u", writes.oldest, writes.newest);
	printf("%-7s ", range);
}

static void print_components(const struct answer *answer, const bool *counts)
{
	const struct kernel *from = answer->outgoing.from;
	bool kho = needs_kho_on(answer->to);
	bool liveupdate = needs_liveupdate_on(&answer->outgoing, answer->to);

	printf("component       writes  counts  next reads\n");
	for (unsigned int i = 0; i < from->nr; i++) {
		const struct kho_image_entry *writes = &from->components[i];
		const struct kho_image_entry *reads = component_of(answer->to, writes->name);

		printf("%-15s ", writes->name);
		print_write_range(writes_of(from, i));
		printf("%-7s ", counts[i] ? "yes" : "no");
		print_next_range(reads ? reads->min_version : 0,
				 reads ? reads->version : 0);
		printf("  %s\n", component_status(from, i, answer->to));
	}

	if (kho || liveupdate)
		printf("needs on its command line:%s%s\n", kho ? " kho=on" : "",
		       liveupdate ? " liveupdate=on" : "");
	if (best_effort_lost(&answer->outgoing, answer->to))
		printf("warning: regions of reserve_mem= would be lost\n");
}

static bool are_both_known(const struct answer *answer)
{
	return answer->outgoing.from && has_components(answer->outgoing.from) &&
	       has_components(answer->to);
}

static void print_verdict(const char *what, const struct answer *answer)
{
	printf("%s%s", what, verdict_names[answer->verdict]);
	if (answer->why.text) {
		printf(": ");
		print_text(stdout, answer->why.text);
	}
	putchar('\n');
}

/* @in_use is NULL unless @from is the running kernel */
static enum verdict answer_json(const char *from, const char *to,
				const struct answer *in_use,
				const struct answer *all)
{
	enum verdict result = all->verdict;
	const struct answer *decides = all;

	if (in_use) {
		result = worse(result, in_use->verdict);
		if (all->verdict != result)
			decides = in_use;
	}

	json_open(NULL, '{');
	json_path("from", from);
	json_path("to", to);
	json_string("verdict", verdict_names[result]);
	json_string("reason", decides->why.text);
	json_string("in_use", in_use ? verdict_names[in_use->verdict] : NULL);
	json_string("potential", verdict_names[all->verdict]);
	if (are_both_known(all))
		print_components_json(all, (in_use ?: all)->outgoing.counts);
	json_close('}');

	return result;
}

static enum verdict answer_words(const char *culprit, const struct answer *in_use,
				 const struct answer *all)
{
	if (all->verdict == UNREADABLE_OR_USAGE) {
		complain(culprit, &all->why);
		return all->verdict;
	}

	if (are_both_known(all))
		print_components(all, (in_use ?: all)->outgoing.counts);
	if (!in_use) {
		print_verdict("", all);
		return all->verdict;
	}

	print_verdict("what is in use: ", in_use);
	print_verdict("all that can be preserved: ", all);
	return worse(in_use->verdict, all->verdict);
}

static bool counts_any(const struct outgoing *outgoing)
{
	for (unsigned int i = 0; i < outgoing->from->nr; i++) {
		if (outgoing->counts[i] && !is_best_effort(&outgoing->from->components[i]))
			return true;
	}

	return false;
}

/* With nothing in use, nothing could be lost, whatever is started */
static void compare_running(const struct running *running, const struct image *to,
			    struct answer *in_use, struct answer *all)
{
	struct outgoing everything = outgoing_all(&running->kernel);
	struct outgoing used = running_outgoing(running);

	compare_all(&everything, to, all);
	compare_all(&used, to, in_use);
	if (counts_any(&used) || in_use->verdict == UNREADABLE_OR_USAGE)
		return;

	in_use->verdict = COMPATIBLE;
	reason_free(&in_use->why);
}

static enum verdict check_running(const char *path)
{
	struct answer in_use = { }, all = { };
	struct image to = { };
	struct running running;
	struct reason why = { };
	enum verdict result;

	if (running_read(sysfs, &running, &why)) {
		image_read(&to, path);
		compare_running(&running, &to, &in_use, &all);
	} else {
		all = (struct answer) { .verdict = UNKNOWN, .why = why };
		in_use.verdict = UNKNOWN;
	}

	if (json)
		result = answer_json(RUNNING, path, &in_use, &all);
	else if (to.nr)
		result = answer_words(path, &in_use, &all);
	else
		result = (complain(NULL, &all.why), UNKNOWN);

	reason_free(&in_use.why);
	reason_free(&all.why);
	image_free(&to);
	return result;
}

static enum verdict check_images(const char *from_path, const char *to_path)
{
	struct answer answer = { };
	struct image from, to;
	enum verdict result;

	image_read(&from, from_path);
	image_read(&to, to_path);
	for (unsigned int i = 0; i < from.nr; i++) {
		struct outgoing outgoing = outgoing_all(from.kernels[i]);

		compare_all(&outgoing, &to, &answer);
	}

	if (json)
		result = answer_json(from_path, to_path, NULL, &answer);
	else
		result = answer_words(answer.to->kind == NOT_READABLE ? to_path : from_path,
				      NULL, &answer);

	reason_free(&answer.why);
	image_free(&from);
	image_free(&to);
	return result;
}

enum verdict check(const char *from, const char *to)
{
	return strcmp(from, RUNNING) ? check_images(from, to) : check_running(to);
}
