#include "cli/program.h"

#include <errno.h>
#include <string.h>

#include "base/elf.h"
#include "base/message.h"
#include "base/os.h"
#include "base/search.h"
#include "cli/status.h"

static bool needs_asan(int fd)
{
	struct weir_elf elf;

	return weir_elf_read(&elf, fd) == 0 && elf.native &&
	       (weir_elf_needs(&elf, "libasan.so") || weir_elf_needs(&elf, "libclang_rt.asan"));
}

/* One line where the program is not reached in full. Returns 0 or a status. */
static int judge(const char *name, const char *interpreter, enum weir_reach reach,
                 const struct weir_config *config)
{
	const char *of = interpreter[0] ? ": its interpreter " : "";
	const char *reason = weir_reach_reason(reach);

	if (weir_reach_is_none(reach) && !config->allow_unreachable) {
		weir_say("%.120s%s%.80s %s; --allow-unreachable runs it without weir", name, of,
		         interpreter, reason);
		return WEIR_EXIT_FAILED;
	}
	if (reach != WEIR_REACH_FULL && config->verbose)
		weir_say("%.120s%s%.80s %s", name, of, interpreter, reason);
	return 0;
}

static int not_executable(const char *name, int error)
{
	bool missing = error == ENOENT;

	if (missing && !strchr(name, '/'))
		weir_say("%.200s: not found in PATH", name);
	else
		weir_say("%.200s: %s", name, strerror(error));
	return missing ? WEIR_EXIT_NOT_FOUND : WEIR_EXIT_CANNOT_RUN;
}

int weir_program_find(struct weir_program *p, const char *name, const struct weir_config *config)
{
	char interpreter[WEIR_INTERPRETER_SIZE];
	int error = weir_search_path(p->path, sizeof p->path, name);
	int fd;

	if (error)
		return not_executable(name, -error);
	fd = weir_program_open(p->path, interpreter);
	p->reach = WEIR_REACH_UNKNOWN;
	p->needs_asan = false;
	if (fd >= 0) {
		p->reach = weir_reach_of(fd);
		p->needs_asan = needs_asan(fd);
		os_close(fd);
	}
	return judge(name, interpreter, p->reach, config);
}
