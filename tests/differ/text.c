/* Programs as text. */
#include "program.h"

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

const char *const call_names[CALLS] = {
#define CALL(name, kinds) #name,
#include "calls.def"
#undef CALL
};

const char *const call_kinds[CALLS] = {
#define CALL(name, kinds) kinds,
#include "calls.def"
#undef CALL
};

struct word {
	const char *name;
	int value;
};

static const struct word flag_words[] = {{"dontwait", MSG_DONTWAIT},
                                         {"nosignal", MSG_NOSIGNAL},
                                         {"peek", MSG_PEEK},
                                         {"waitall", MSG_WAITALL},
                                         {"trunc", MSG_TRUNC},
                                         {"ctrunc", MSG_CTRUNC},
                                         {"oob", MSG_OOB},
                                         {"more", MSG_MORE},
                                         {"eor", MSG_EOR},
                                         {"dontroute", MSG_DONTROUTE},
                                         {"confirm", MSG_CONFIRM},
                                         {"errqueue", MSG_ERRQUEUE},
                                         {"cloexec", MSG_CMSG_CLOEXEC},
                                         {"waitforone", MSG_WAITFORONE},
                                         {"zerocopy", MSG_ZEROCOPY},
                                         {"fin", MSG_FIN},
                                         {NULL, 0}};
static const struct word open_words[] = {{"nonblock", O_NONBLOCK},
                                         {"cloexec", O_CLOEXEC},
                                         {"async", O_ASYNC},
                                         {"append", O_APPEND},
                                         {NULL, 0}};
static const struct word how_words[] = {{"rd", SHUT_RD},
                                        {"wr", SHUT_WR},
                                        {"rdwr", SHUT_RDWR},
                                        {"bad", 7},
                                        {NULL, 0}};
/* poll's and epoll's words have the same values. */
static const struct word event_words[] = {{"in", POLLIN},
                                          {"out", POLLOUT},
                                          {"pri", POLLPRI},
                                          {"rdhup", POLLRDHUP},
                                          {"err", POLLERR},
                                          {"hup", POLLHUP},
                                          {"rdnorm", POLLRDNORM},
                                          {"wrnorm", POLLWRNORM},
                                          {"nval", POLLNVAL},
                                          {"et", (int)EPOLLET},
                                          {"oneshot", EPOLLONESHOT},
                                          {"exclusive", (int)EPOLLEXCLUSIVE},
                                          {NULL, 0}};
static const struct word entry_words[] = {{"add", EPOLL_CTL_ADD},
                                          {"mod", EPOLL_CTL_MOD},
                                          {"del", EPOLL_CTL_DEL},
                                          {NULL, 0}};
static const struct word option_words[] = {{"rcvlowat", SO_RCVLOWAT},
                                           {"rcvtimeo", SO_RCVTIMEO},
                                           {"sndtimeo", SO_SNDTIMEO},
                                           {"peekoff", SO_PEEK_OFF},
                                           {"passcred", SO_PASSCRED},
                                           {"sndbuf", SO_SNDBUF},
                                           {"rcvbuf", SO_RCVBUF},
                                           {"error", SO_ERROR},
                                           {"type", SO_TYPE},
                                           {"domain", SO_DOMAIN},
                                           {"acceptconn", SO_ACCEPTCONN},
                                           {"keepalive", SO_KEEPALIVE},
                                           {"linger", SO_LINGER},
                                           {"peercred", SO_PEERCRED},
                                           {"oobinline", SO_OOBINLINE},
                                           {NULL, 0}};
static const struct word request_words[] = {
        {"fionread", FIONREAD}, {"outq", TIOCOUTQ},     {"fionbio", FIONBIO}, {"atmark", 0x8905},
        {"fioclex", FIOCLEX},   {"fionclex", FIONCLEX}, {"bad", 0x12345},     {NULL, 0}};
static const struct word restart_words[] = {{"norestart", 0}, {"restart", 1}, {NULL, 0}};
static const struct word way_words[] = {{"plain", 0}, {"second", 1}, {"third", 2}, {NULL, 0}};

static const struct word *words_of(char kind)
{
	switch (kind) {
	case KIND_FLAGS:
		return flag_words;
	case KIND_OPEN:
		return open_words;
	case KIND_HOW:
		return how_words;
	case KIND_EVENTS:
		return event_words;
	case KIND_ENTRY:
		return entry_words;
	case KIND_OPTION:
		return option_words;
	case KIND_REQUEST:
		return request_words;
	case KIND_RESTART:
		return restart_words;
	case KIND_WAY:
		return way_words;
	default:
		return NULL;
	}
}

/* Kinds whose words are numbers of their own; those of the others add up. */
static bool is_choice(char kind)
{
	return strchr("hcorsw", kind) != NULL;
}

/* ---- printing ---- */

struct printer {
	char *text;
	size_t size;
	size_t used;
};

__attribute__((format(printf, 2, 3))) static void put(struct printer *p, const char *format, ...)
{
	va_list list;
	size_t left = p->used < p->size ? p->size - p->used : 0;

	va_start(list, format);
	p->used += (size_t)vsnprintf(left ? p->text + p->used : NULL, left, format, list);
	va_end(list);
}

static void put_choice(struct printer *p, const struct word *word, int value)
{
	for (; word->name; word++)
		if (word->value == value) {
			put(p, "%s", word->name);
			return;
		}
	put(p, "%d", value);
}

static void put_set(struct printer *p, const struct word *word, int value)
{
	const char *between = "";

	if (value == 0)
		put(p, "-");
	for (; word->name; word++) {
		if (!(value & word->value))
			continue;
		put(p, "%s%s", between, word->name);
		between = "|";
		value &= ~word->value;
	}
	if (value)
		put(p, "%s%d", between, value);
}

static void put_list(struct printer *p, char kind, const struct call *c)
{
	for (int i = 0; i < c->listed; i++) {
		put(p, "%s", i ? "," : "");
		if (kind == KIND_LENGTHS)
			put(p, "%d", c->list[i].value);
		else
			put(p, "d%d", c->list[i].place);
		if (kind == KIND_POLLED) {
			put(p, ":");
			put_set(p, event_words, c->list[i].value);
		}
	}
	if (c->listed == 0)
		put(p, "-");
}

static bool is_list(char kind)
{
	return kind == KIND_LENGTHS || kind == KIND_POLLED || kind == KIND_MAYBE;
}

static void put_argument(struct printer *p, char kind, const struct call *c, int value)
{
	put(p, " ");
	if (kind == KIND_PLACE)
		put(p, "d%d", value);
	else if (is_list(kind))
		put_list(p, kind, c);
	else if (!words_of(kind))
		put(p, "%d", value);
	else if (is_choice(kind))
		put_choice(p, words_of(kind), value);
	else
		put_set(p, words_of(kind), value);
}

int call_print(const struct call *call, char *text, size_t size)
{
	struct printer p = {text, size, 0};
	const char *kinds = call_kinds[call->number];

	put(&p, "%d%s %s", call->actor, call->may_wait ? "&" : "", call_names[call->number]);
	for (int i = 0; kinds[i]; i++)
		put_argument(&p, kinds[i], call, call->a[i]);
	return (int)p.used;
}

static const char races_line[] = "# races\n";

size_t program_print(const struct program *program, char *text, size_t size)
{
	size_t used = (size_t)snprintf(text, size, "%s", program->races ? races_line : "");

	for (int i = 0; i < program->lines && used + 2 < size; i++) {
		used += (size_t)call_print(&program->line[i], text + used, size - used - 1);
		text[used++] = '\n';
	}
	text[used] = '\0';
	return used;
}

/* ---- parsing ---- */

static bool word_is(const char *word, const char *text, size_t length)
{
	return strlen(word) == length && memcmp(word, text, length) == 0;
}

static bool parse_number(const char **at, int *value)
{
	char *end;

	*value = (int)strtol(*at, &end, 10);
	if (end == *at)
		return false;
	*at = end;
	return true;
}

static bool parse_word(const struct word *word, const char **at, int *value)
{
	size_t length = strcspn(*at, "|, \t");

	for (; word->name; word++)
		if (word_is(word->name, *at, length)) {
			*value = word->value;
			*at += length;
			return true;
		}
	return parse_number(at, value);
}

static bool parse_set(const struct word *words, const char **at, int *value)
{
	int one;

	*value = 0;
	if (**at == '-' && !((*at)[1] >= '0' && (*at)[1] <= '9')) {
		++*at;
		return true;
	}
	for (;; ++*at) {
		if (!parse_word(words, at, &one))
			return false;
		*value |= one;
		if (**at != '|')
			return true;
	}
}

static bool parse_place(const char **at, int *place)
{
	if (*(*at)++ != 'd')
		return false;
	return parse_number(at, place) && *place >= 0 && *place < PLACES;
}

static bool parse_list(char kind, const char **at, struct call *c)
{
	if (**at == '-') {
		++*at;
		return true;
	}
	for (;; ++*at) {
		if (c->listed == LIST_MAX)
			return false;
		int *value = &c->list[c->listed].value, *place = &c->list[c->listed].place;
		c->listed++;
		if (kind == KIND_LENGTHS && !(parse_number(at, value) && *value >= 0))
			return false;
		if (kind == KIND_MAYBE && !parse_place(at, place))
			return false;
		if (kind == KIND_POLLED && !(parse_place(at, place) && *(*at)++ == ':' &&
		                             parse_set(event_words, at, value)))
			return false;
		if (**at != ',')
			return true;
	}
}

static bool parse_argument(char kind, const char **at, struct call *c, int *value)
{
	if (kind == KIND_PLACE)
		return parse_place(at, value);
	if (is_list(kind))
		return parse_list(kind, at, c);
	if (kind == KIND_ACTOR)
		return parse_number(at, value) && *value >= 0 && *value < ACTORS;
	if (!words_of(kind))
		return parse_number(at, value);
	if (is_choice(kind))
		return parse_word(words_of(kind), at, value);
	return parse_set(words_of(kind), at, value);
}

static int number_of(const char *name, size_t length)
{
	for (int i = 0; i < CALLS; i++)
		if (word_is(call_names[i], name, length))
			return i;
	return -1;
}

bool call_parse(struct call *call, const char *line)
{
	int actor;

	*call = (struct call){0};
	if (!parse_number(&line, &actor) || actor < 0 || actor >= ACTORS)
		return false;
	call->actor = (unsigned char)actor;
	if (*line == '&') {
		call->may_wait = true;
		line++;
	}
	line += strspn(line, " \t");
	size_t length = strcspn(line, " \t");
	int number = number_of(line, length);
	if (number < 0)
		return false;
	call->number = (unsigned char)number;
	line += length;
	for (int i = 0; call_kinds[number][i]; i++) {
		line += strspn(line, " \t");
		if (!parse_argument(call_kinds[number][i], &line, call, &call->a[i]))
			return false;
	}
	return line[strspn(line, " \t")] == '\0';
}

int program_parse(struct program *program, const char *text)
{
	char line[512];
	int number = 0;

	program->lines = 0;
	program->races = strncmp(text, races_line, sizeof(races_line) - 1) == 0;
	for (; *text; text += *text == '\n') {
		size_t length = strcspn(text, "\n");
		number++;
		if (length >= sizeof(line) || program->lines == LINES_MAX)
			return number;
		memcpy(line, text, length);
		line[length] = '\0';
		text += length;
		if (line[0] == '\0' || line[0] == '#')
			continue;
		if (!call_parse(&program->line[program->lines++], line))
			return number;
	}
	return 0;
}
