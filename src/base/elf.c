#include "base/elf.h"

#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <link.h>
#include <stddef.h>
#include <string.h>

#include "base/file.h"

enum {
	HEADERS_MAX = 128,
	DYNAMIC_MAX = 2048,
	DYNAMIC_BLOCK = 32,
	NOTES_SIZE_MAX = 1024,
	GO_NOTE_TYPE = 4,           /* the build identity, in each Go program */
};

#if defined(__x86_64__)
#define NATIVE_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define NATIVE_MACHINE EM_AARCH64
#elif defined(__i386__)
#define NATIVE_MACHINE EM_386
#elif defined(__riscv)
#define NATIVE_MACHINE EM_RISCV
#elif defined(__powerpc64__)
#define NATIVE_MACHINE EM_PPC64
#elif defined(__s390x__)
#define NATIVE_MACHINE EM_S390
#else
#error "name this machine's e_machine here"
#endif

#if __BYTE_ORDER == __LITTLE_ENDIAN
#define NATIVE_DATA ELFDATA2LSB
#else
#define NATIVE_DATA ELFDATA2MSB
#endif

#define NATIVE_CLASS (sizeof(long) == 8 ? ELFCLASS64 : ELFCLASS32)

static bool read_all(int fd, void *to, size_t size, uint64_t offset)
{
	return file_read_at(fd, to, size, offset) == (ssize_t)size;
}

static bool is_native(const ElfW(Ehdr) *header)
{
	return header->e_ident[EI_CLASS] == NATIVE_CLASS &&
	       header->e_ident[EI_DATA] == NATIVE_DATA && header->e_machine == NATIVE_MACHINE;
}

static bool read_header(const struct weir_elf *elf, uint32_t i, ElfW(Phdr) *header)
{
	return read_all(elf->fd, header, sizeof *header, elf->headers_offset + i * sizeof *header);
}

/* A name at `offset`, cut to the buffer. "" where it cannot be read. */
static void read_name(int fd, uint64_t offset, char name[WEIR_ELF_NAME_SIZE])
{
	ssize_t n = file_read_at(fd, name, WEIR_ELF_NAME_SIZE - 1, offset);

	name[n > 0 ? n : 0] = '\0';
}

/* Looks for a note called "Go" among those of one segment. */
static bool has_go_note(int fd, const ElfW(Phdr) *segment)
{
	union {
		unsigned char byte[NOTES_SIZE_MAX];
		ElfW(Nhdr) aligned;
	} notes;
	size_t size = segment->p_filesz < sizeof notes ? segment->p_filesz : sizeof notes;
	ssize_t n = file_read_at(fd, &notes, size, segment->p_offset);
	size_t end = n > 0 ? (size_t)n : 0;
	ElfW(Nhdr) note;

	for (size_t at = 0; at + sizeof note + 4 <= end;) {
		memcpy(&note, notes.byte + at, sizeof note);
		at += sizeof note;
		if (note.n_type == GO_NOTE_TYPE && note.n_namesz == 4 &&
		    !memcmp(notes.byte + at, "Go\0", 4))
			return true;
		if (note.n_namesz > end || note.n_descsz > end)
			return false;
		at += (note.n_namesz + 3U) / 4 * 4 + (note.n_descsz + 3U) / 4 * 4;
	}
	return false;
}

static void note_segment(struct weir_elf *elf, const ElfW(Phdr) *segment)
{
	switch (segment->p_type) {
	case PT_INTERP:
		read_name(elf->fd, segment->p_offset, elf->interpreter);
		break;
	case PT_NOTE:
		elf->go = elf->go || has_go_note(elf->fd, segment);
		break;
	case PT_DYNAMIC:
		elf->dynamic_offset = segment->p_offset;
		elf->dynamic_entries = segment->p_filesz / sizeof(ElfW(Dyn)) < DYNAMIC_MAX
		                               ? (uint32_t)(segment->p_filesz / sizeof(ElfW(Dyn)))
		                               : DYNAMIC_MAX;
		break;
	default:
		break;
	}
}

int weir_elf_read(struct weir_elf *elf, int fd)
{
	ElfW(Ehdr) header = { .e_type = ET_NONE };
	ElfW(Phdr) segment;
	ssize_t n = file_read_at(fd, &header, sizeof header, 0);

	*elf = (struct weir_elf){ .fd = fd };
	if (n < 0)
		return (int)n;
	if (n < EI_NIDENT || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
		return -ENOEXEC;
	elf->native = is_native(&header);
	if (!elf->native)
		return 0;
	if (n < (ssize_t)sizeof header || header.e_phentsize != sizeof segment)
		return -ENOEXEC;
	elf->headers_offset = header.e_phoff;
	elf->headers = header.e_phnum < HEADERS_MAX ? header.e_phnum : HEADERS_MAX;
	for (uint32_t i = 0; i < elf->headers; i++)
		if (read_header(elf, i, &segment))
			note_segment(elf, &segment);
	return 0;
}

/* Where in the file the byte lies that is loaded at `address`. */
static bool offset_of(const struct weir_elf *elf, uint64_t address, uint64_t *offset)
{
	ElfW(Phdr) segment;

	for (uint32_t i = 0; i < elf->headers; i++) {
		if (!read_header(elf, i, &segment) || segment.p_type != PT_LOAD)
			continue;
		if (address >= segment.p_vaddr && address - segment.p_vaddr < segment.p_filesz) {
			*offset = segment.p_offset + (address - segment.p_vaddr);
			return true;
		}
	}
	return false;
}

/* What one pass over the dynamic section is after. */
struct search {
	ElfW(Sxword) tag;
	const char *prefix;         /* NULL: give the entry's value */
	uint64_t strings;           /* offset of the names */
	uint64_t value;
};

static bool matches(const struct weir_elf *elf, const ElfW(Dyn) *entry, struct search *search)
{
	char name[WEIR_ELF_NAME_SIZE];

	if (entry->d_tag != search->tag)
		return false;
	search->value = entry->d_un.d_val;
	if (!search->prefix)
		return true;
	read_name(elf->fd, search->strings + entry->d_un.d_val, name);
	return !strncmp(name, search->prefix, strlen(search->prefix));
}

static bool find(const struct weir_elf *elf, struct search *search)
{
	ElfW(Dyn) block[DYNAMIC_BLOCK];

	for (uint32_t i = 0; i < elf->dynamic_entries; i++) {
		uint32_t in_block = i % DYNAMIC_BLOCK;
		uint64_t offset = elf->dynamic_offset + (uint64_t)i * sizeof block[0];

		if (in_block == 0) {
			memset(block, 0, sizeof block);
			if (file_read_at(elf->fd, block, sizeof block, offset) <= 0)
				return false;
		}
		if (block[in_block].d_tag == DT_NULL)
			return false;
		if (matches(elf, &block[in_block], search))
			return true;
	}
	return false;
}

static bool find_name(const struct weir_elf *elf, int tag, const char *prefix)
{
	struct search table = { .tag = DT_STRTAB };
	struct search name = { .tag = tag, .prefix = prefix };

	return find(elf, &table) && offset_of(elf, table.value, &name.strings) && find(elf, &name);
}

bool weir_elf_needs(const struct weir_elf *elf, const char *prefix)
{
	return find_name(elf, DT_NEEDED, prefix);
}

bool weir_elf_is_named(const struct weir_elf *elf, const char *prefix)
{
	return find_name(elf, DT_SONAME, prefix);
}
