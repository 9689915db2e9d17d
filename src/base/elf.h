/* What an ELF file says about the way it will be loaded. The file is believed in
 * nothing: every offset is only ever read at, every loop is bounded. */
#ifndef WEIR_BASE_ELF_H
#define WEIR_BASE_ELF_H

#include <stdbool.h>
#include <stdint.h>

enum { WEIR_ELF_NAME_SIZE = 256 };

struct weir_elf {
	int fd;                     /* borrowed */
	bool native;                /* this machine, word size and byte order; else the rest is unset */
	bool go;                    /* made by the Go linker */
	char interpreter[WEIR_ELF_NAME_SIZE]; /* the dynamic loader, "" for none */
	uint64_t headers_offset;
	uint32_t headers;
	uint64_t dynamic_offset;
	uint32_t dynamic_entries;
};

/* Returns 0, -ENOEXEC where the file is no ELF file, or -errno. */
int weir_elf_read(struct weir_elf *elf, int fd);

/* True where the file needs a library whose name begins with `prefix`. */
bool weir_elf_needs(const struct weir_elf *elf, const char *prefix);

/* True where the file is itself a library whose own name begins with `prefix`. */
bool weir_elf_is_named(const struct weir_elf *elf, const char *prefix);

#endif
