#include "cli/environment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A list of libraries as LD_PRELOAD has it; freed by the caller. */
struct list {
	char *text;
	size_t size, length;
};

static void append(struct list *l, const char *name, size_t length)
{
	int n = snprintf(l->text + l->length, l->size - l->length, "%s%.*s", l->length ? ":" : "",
	                 (int)length, name);

	l->length += (size_t)n;
}

static bool begins(const char *name, size_t length, const char *prefix)
{
	return length >= strlen(prefix) && !memcmp(name, prefix, strlen(prefix));
}

/* Sanitizer runtimes must see the program before everybody else. */
static bool is_sanitizer(const char *path, size_t length)
{
	static const char *const runtime[] = { "libasan.", "libhwasan.", "libtsan.", "libubsan.",
	                                       "liblsan.", "libclang_rt." };
	const char *slash = memrchr(path, '/', length);
	const char *name = slash ? slash + 1 : path;

	length -= (size_t)(name - path);
	for (size_t i = 0; i < sizeof runtime / sizeof runtime[0]; i++)
		if (begins(name, length, runtime[i]))
			return true;
	return false;
}

/* Appends those libraries of `old` that are sanitizers, or those that are not;
 * never ours, which gets its own place. */
static void append_some(struct list *l, const char *old, bool sanitizers, const char *ours)
{
	for (const char *name = old; *name;) {
		size_t length = strcspn(name, " :");
		bool is_ours = length == strlen(ours) && !memcmp(name, ours, length);

		if (length && !is_ours && is_sanitizer(name, length) == sanitizers)
			append(l, name, length);
		name += length + (name[length] != '\0');
	}
}

static int set_preload(const char *library)
{
	const char *old = getenv("LD_PRELOAD");
	struct list l = { .size = strlen(library) + 2 };
	int failed;

	old = old ? old : "";
	l.size += strlen(old);
	l.text = calloc(1, l.size);
	if (!l.text)
		return -ENOMEM;
	append_some(&l, old, true, library);
	append(&l, library, strlen(library));
	append_some(&l, old, false, library);
	failed = setenv("LD_PRELOAD", l.text, 1);
	free(l.text);
	return failed ? -errno : 0;
}

static bool preloads_asan(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && (strstr(preload, "libasan.") || strstr(preload, "libclang_rt.asan"));
}

/* ASan stops a program where another library comes before it; a choice that the
 * user made himself stays. */
static int relax_asan(void)
{
	static const char relaxed[] = "verify_asan_link_order=0";
	const char *old = getenv("ASAN_OPTIONS");
	char *text;
	int failed;

	if (!old || !*old)
		return setenv("ASAN_OPTIONS", relaxed, 1) ? -errno : 0;
	if (strstr(old, "verify_asan_link_order="))
		return 0;
	if (asprintf(&text, "%s:%s", old, relaxed) < 0)
		return -ENOMEM;
	failed = setenv("ASAN_OPTIONS", text, 1);
	free(text);
	return failed ? -errno : 0;
}

int weir_environment_set(const char *session, const char *library, bool program_needs_asan)
{
	int error = 0;

	if (library && (program_needs_asan || preloads_asan()))
		error = relax_asan();
	if (!error && library)
		error = set_preload(library);
	if (!error && setenv("WEIR_SESSION", session, 1) != 0)
		error = -errno;
	return error;
}
