/* weir ctl: looks at and changes running sessions. */
#include "cli/ctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/message.h"
#include "base/os.h"
#include "base/parse.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/status.h"
#include "pair/listing.h"

enum {
	PID_MAX = 4194304,
	NUMBER_SIZE = 24,
	JSON_TEXT_SIZE = 6 * WEIR_RULE_TEXT_SIZE + 3, /* the longest is a rule */
};

static const struct {
	const char *name;
	const char *words;          /* for who gives wrong ones */
	int least;
	int most;
	int (*run)(struct weir_ctl *c);
} subcommands[] = {
	{ "list", "no words", 0, 0, weir_ctl_list },
	{ "pairs", "no words", 0, 0, weir_ctl_pairs },
	{ "fault", "list, clear, or add RULE...", 1, 64, weir_ctl_fault },
	{ "capacity", "PAIR[.a|.b] SIZE", 2, 2, weir_ctl_capacity },
	{ "stall", "PAIR[.a|.b]", 1, 1, weir_ctl_stall },
	{ "release", "PAIR[.a|.b], or nothing for all", 0, 1, weir_ctl_release },
	{ "hangup", "PAIR[.a|.b]", 1, 1, weir_ctl_end },
	{ "reset", "PAIR[.a|.b]", 1, 1, weir_ctl_end },
	{ "eof", "PAIR[.a|.b]", 1, 1, weir_ctl_end },
};

/* ---- targets ---- */

static bool find_pair(uint64_t number, struct weir_ctl_target *t)
{
	uint32_t touched = load32_acquire(&weir_session.header->slots_touched);

	for (uint32_t i = 0; i < touched && i < weir_session.slot_count; i++) {
		const struct weir_slot *slot = &weir_session.slots[i];
		if (load32_acquire(&slot->state) != WEIR_SLOT_USED || slot->number != number)
			continue;
		t->index = i;
		t->generation = load32_acquire(&slot->generation);
		return true;
	}
	return false;
}

bool weir_ctl_target_find(const struct weir_ctl *c, const char *text, struct weir_ctl_target *t)
{
	char number[NUMBER_SIZE] = "";
	size_t length = strcspn(text, ".");
	uint64_t pair;

	*t = (struct weir_ctl_target){ .side = WEIR_SIDE_ANY, .fd = { -1, -1 } };
	if (length < sizeof number)
		memcpy(number, text, length);
	if (text[length] && (!strcmp(text + length, ".a") || !strcmp(text + length, ".b")))
		t->side = text[length + 1] == 'b';
	if (!weir_parse_unsigned(number, UINT64_MAX, &pair) ||
	    (text[length] && t->side == WEIR_SIDE_ANY)) {
		weir_say("ctl %s: '%.50s' is not the number of a pair, such as 2, or of an end, "
		         "such as 2.a", c->name, text);
		return false;
	}
	if (!find_pair(pair, t)) {
		weir_say("ctl %s: no pair %.20s is open; `weir ctl pairs` shows them", c->name,
		         number);
		return false;
	}
	return true;
}

void weir_ctl_target_borrow(struct weir_ctl_target *t)
{
	for (int side = 0; side < 2; side++)
		t->fd[side] = weir_session_borrow(t->index, side, &t->why[side]);
}

void weir_ctl_target_return(struct weir_ctl_target *t)
{
	for (int side = 0; side < 2; side++)
		if (t->fd[side] >= 0)
			close(t->fd[side]);
	t->fd[0] = t->fd[1] = -1;
}

struct weir_end weir_ctl_end_of(const struct weir_ctl_target *t, int side)
{
	return (struct weir_end){
		.fd = t->fd[side],
		.side = side,
		.index = t->index,
		.generation = t->generation,
		.slot = &weir_session.slots[t->index],
		.out = weir_pair_pipe(&weir_session, t->index, side, t->generation),
		.in = weir_pair_pipe(&weir_session, t->index, !side, t->generation),
	};
}

void weir_ctl_nudge(struct weir_ctl_target *t, bool hold)
{
	for (int side = 0; side < 2; side++) {
		struct weir_end end = weir_ctl_end_of(t, side);

		if (end.fd >= 0)
			weir_end_nudge(&end, t->fd[!side], hold);
	}
	weir_holds_wake(&weir_session, t->index);
}

/* ---- the command ---- */

void weir_ctl_json_text(const char *text)
{
	char buffer[JSON_TEXT_SIZE];
	struct weir_text quoted = weir_text_over(buffer, sizeof buffer);

	weir_text_add_quoted(&quoted, text);
	fputs(buffer, stdout);
}

int weir_ctl_done(const struct weir_ctl *c)
{
	if (c->json)
		puts("{\"ok\":true}");
	return fflush(stdout) == 0 ? 0 : WEIR_EXIT_FAILED;
}

/* Options stand anywhere before the words of a subcommand end. */
static bool read_option(struct weir_ctl *c, char ***next)
{
	const char *word = *(*next)++;
	const char *value = strchr(word, '=') ? strchr(word, '=') + 1 : NULL;
	uint64_t pid;

	if (!strcmp(word, "--json")) {
		c->json = true;
		return true;
	}
	if (strncmp(word, "--session", 9) != 0 || (word[9] && word[9] != '=')) {
		weir_say("ctl: %.100s: no such option; there are --json and --session PID", word);
		return false;
	}
	if (!value && **next)
		value = *(*next)++;
	if (!value || !weir_parse_unsigned(value, PID_MAX, &pid) || pid == 0) {
		weir_say("ctl: --session needs the number of a process");
		return false;
	}
	c->pid = (uint32_t)pid;
	return true;
}

/* The words that are left move together in the place of all. */
static bool read_words(struct weir_ctl *c, char **next)
{
	c->words = next;
	while (*next) {
		if (**next == '-' && (*next)[1]) {
			if (!read_option(c, &next))
				return false;
			continue;
		}
		if (!c->name)
			c->name = *next++;
		else
			c->words[c->count++] = *next++;
	}
	c->words[c->count] = NULL;
	return true;
}

static int run(struct weir_ctl *c, size_t i)
{
	if (c->count < subcommands[i].least || c->count > subcommands[i].most) {
		weir_say("ctl %s takes %s", c->name, subcommands[i].words);
		return WEIR_EXIT_FAILED;
	}
	if (subcommands[i].run != weir_ctl_list && !weir_session_open(c->pid, &c->session))
		return WEIR_EXIT_FAILED;
	return subcommands[i].run(c);
}

int weir_command_ctl(int argc, char **argv)
{
	char *help[] = { (char[]){ "help" }, (char[]){ "ctl" }, NULL };
	struct weir_ctl c = { .name = NULL };

	os_resolve();
	weir_damaged_exits(WEIR_EXIT_FAILED);
	if (argc > 1 && !strcmp(argv[1], "--help"))
		return weir_command_help(2, help);
	if (!read_words(&c, argv + (argc > 0)))
		return WEIR_EXIT_FAILED;
	for (size_t i = 0; c.name && i < sizeof subcommands / sizeof subcommands[0]; i++)
		if (!strcmp(c.name, subcommands[i].name))
			return run(&c, i);
	if (c.name)
		weir_say("ctl: no subcommand %.50s; `weir help ctl` lists them", c.name);
	else
		weir_say("ctl needs a subcommand; `weir help ctl` lists them");
	return WEIR_EXIT_FAILED;
}
