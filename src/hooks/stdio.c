/* stdio on marked descriptors. libc's streams read and write where no hook sees
 * them, so a stream on a marked descriptor is one of ours (fopencookie(3)). */
#include <fcntl.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hooks/hooks.h"

enum {
	STREAMS_MAX = 1024,
	FILE_UNBUFFERED = 2,        /* glibc's FILE flags, part of its ABI */
	FILE_NO_READS = 4,
	FILE_NO_WRITES = 8,
	BUFFER_SIZE = 4096,         /* what libc takes for a socket (its st_blksize) */
};

/* Our streams and their descriptors, for fileno. Each place has a buffer, because
 * libc takes another size for a stream of ours, and how far is read ahead shows. */
static struct stream {
	weir_word32 taken;
	_Atomic(FILE *) stream;
	int fd;
	char *buffer;               /* stays with the place */
} streams[STREAMS_MAX];
static weir_word32 streams_bound;

static int fd_of(const void *cookie)
{
	const struct stream *s = cookie;

	return s->fd;
}

static ssize_t stream_read(void *cookie, char *buf, size_t size)
{
	return weir_read(fd_of(cookie), buf, size);
}

/* Whole or failed, as libc's own streams write: less counts as an error. */
static ssize_t write_whole(int fd, const char *buf, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = weir_write(fd, buf + done, size - done);
		if (n < 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static ssize_t stream_write(void *cookie, const char *buf, size_t size)
{
	return write_whole(fd_of(cookie), buf, size);
}

/* ESPIPE on a socket; the stream may have come to serve a file (freopen). */
static int stream_seek(void *cookie, off64_t *at, int whence)
{
	off64_t now = lseek64(fd_of(cookie), *at, whence);

	if (now < 0)
		return -1;
	*at = now;
	return 0;
}

static int stream_close(void *cookie)
{
	struct stream *s = cookie;
	int fd = s->fd;

	atomic_store(&s->stream, NULL);
	store32_release(&s->taken, 0);
	return weir_close(fd);
}

static struct stream *take_place(int fd)
{
	for (uint32_t i = 0; i < STREAMS_MAX; i++) {
		if (!swap32_if(&streams[i].taken, 0, 1))
			continue;
		streams[i].fd = fd;
		while (load32_relaxed(&streams_bound) <= i)
			store32_release(&streams_bound, i + 1);
		return &streams[i];
	}
	errno = ENOMEM;
	return NULL;
}

static void give_buffer(struct stream *s, FILE *stream)
{
	if (!s->buffer)
		s->buffer = malloc(BUFFER_SIZE);
	if (s->buffer)
		setvbuf(stream, s->buffer, _IOFBF, BUFFER_SIZE);
}

static FILE *open_stream(int fd, const char *mode)
{
	static const cookie_io_functions_t functions = {
	        .read = stream_read,
	        .write = stream_write,
	        .seek = stream_seek,
	        .close = stream_close,
	};
	struct stream *s = take_place(fd);
	FILE *stream = s ? fopencookie(s, mode, functions) : NULL;

	if (s && !stream)
		store32_release(&s->taken, 0);
	if (!stream)
		return NULL;
	give_buffer(s, stream);
	atomic_store(&s->stream, stream);
	return stream;
}

static int our_fileno(FILE *stream)
{
	uint32_t bound = load32_acquire(&streams_bound);

	for (uint32_t i = 0; i < bound; i++)
		if (atomic_load(&streams[i].stream) == stream)
			return streams[i].fd;
	return -1;
}

WEIR_EXPORT FILE *fdopen(int fd, const char *mode)
{
	return weir_marked(fd) ? open_stream(fd, mode) : weir_real()->fdopen(fd, mode);
}

/* libc opened the descriptor where no hook sees it. */
static FILE *fresh_stream(FILE *stream)
{
	if (stream)
		weir_fresh(weir_real()->fileno(stream));
	return stream;
}

WEIR_EXPORT int fileno(FILE *stream)
{
	int fd = our_fileno(stream);

	return fd >= 0 ? fd : weir_real()->fileno(stream);
}

WEIR_EXPORT int fileno_unlocked(FILE *stream)
{
	int fd = our_fileno(stream);

	return fd >= 0 ? fd : weir_real()->fileno_unlocked(stream);
}

static int open_flags(const char *mode)
{
	int flags = mode[0] == 'r' ? O_RDONLY : O_WRONLY | O_CREAT;

	if (mode[0] == 'w')
		flags |= O_TRUNC;
	if (mode[0] == 'a')
		flags |= O_APPEND;
	if (strchr(mode, '+'))
		flags = (flags & ~O_ACCMODE) | O_RDWR;
	if (strchr(mode, 'e'))
		flags |= O_CLOEXEC;
	return strchr(mode, 'x') ? flags | O_EXCL : flags;
}

/* Our stream goes on at its number, over whatever stands there now. */
static FILE *reopen(FILE *stream, int fd, const char *path, const char *mode)
{
	fflush(stream);
	int fresh = open(path, open_flags(mode), 0666);
	if (fresh < 0 || dup3(fresh, fd, open_flags(mode) & O_CLOEXEC) < 0) {
		int error = errno;
		if (fresh >= 0)
			weir_close(fresh);
		fclose(stream);
		errno = error;
		return NULL;
	}
	weir_close(fresh);
	__fpurge(stream);
	clearerr(stream);
	stream->_flags &= ~(FILE_NO_READS | FILE_NO_WRITES);
	if (!strchr(mode, '+'))
		stream->_flags |= mode[0] == 'r' ? FILE_NO_WRITES : FILE_NO_READS;
	return stream;
}

WEIR_EXPORT FILE *freopen(const char *path, const char *mode, FILE *stream)
{
	int fd = our_fileno(stream);

	if (fd >= 0 && path)
		return reopen(stream, fd, path, mode);
	return fd >= 0 ? stream : fresh_stream(weir_real()->freopen(path, mode, stream));
}

WEIR_EXPORT FILE *freopen64(const char *path, const char *mode, FILE *stream)
{
	return freopen(path, mode, stream);
}

WEIR_EXPORT FILE *fopen(const char *path, const char *mode)
{
	return fresh_stream(weir_real()->fopen(path, mode));
}

WEIR_EXPORT FILE *fopen64(const char *path, const char *mode)
{
	return fresh_stream(weir_real()->fopen64(path, mode));
}

WEIR_EXPORT FILE *tmpfile(void)
{
	return fresh_stream(weir_real()->tmpfile());
}

/* What the old stream had not written yet goes out through the new one, as it
 * would have gone to whatever stands at its descriptor by then. */
static void move_output(FILE *from, FILE *to)
{
	size_t pending = __fpending(from);

	if (pending > 0)
		fwrite(from->_IO_write_base, 1, pending, to);
	if (pending > 0)
		__fpurge(from);
}

/* What the old stream had read ahead comes first. */
static void move_input(FILE *from, FILE *to)
{
	while (from->_IO_read_end > from->_IO_read_ptr)
		ungetc((unsigned char)*--from->_IO_read_end, to);
}

static void keep_mode(const FILE *from, FILE *to)
{
	if (from->_flags & FILE_UNBUFFERED)
		setvbuf(to, NULL, _IONBF, 0);
	else if (__flbf((FILE *)(uintptr_t)from))
		setvbuf(to, NULL, _IOLBF, BUFFER_SIZE);
}

static void replace_stream(FILE **standard, int fd, const char *mode)
{
	if (our_fileno(*standard) == fd || weir_real()->fileno(*standard) != fd)
		return;
	FILE *stream = open_stream(fd, mode);
	if (!stream)
		return;
	keep_mode(*standard, stream);
	if (fd == STDIN_FILENO)
		move_input(*standard, stream);
	else
		move_output(*standard, stream);
	*standard = stream;
}

/* A standard stream that became one of ours stays it: it serves an unmarked
 * descriptor as well. */
void weir_stdio_refresh(int fd)
{
	int saved = errno;

	if (!weir_marked(fd))
		return;
	if (fd == STDIN_FILENO)
		replace_stream(&stdin, fd, "r");
	else if (fd == STDOUT_FILENO)
		replace_stream(&stdout, fd, "w");
	else if (fd == STDERR_FILENO)
		replace_stream(&stderr, fd, "w");
	errno = saved;
}

__attribute__((format(printf, 2, 0))) static int print_to(int fd, const char *format, va_list list)
{
	char *text;
	int len = vasprintf(&text, format, list);

	if (len < 0)
		return len;
	ssize_t n = write_whole(fd, text, (size_t)len);
	free(text);
	return n == len ? len : -1;
}

WEIR_EXPORT int vdprintf(int fd, const char *format, va_list list)
{
	return weir_marked(fd) ? print_to(fd, format, list)
	                       : weir_real()->vdprintf(fd, format, list);
}

int __vdprintf_chk(int fd, int flag, const char *format, va_list list)
        __attribute__((format(printf, 3, 0)));

WEIR_EXPORT int __vdprintf_chk(int fd, int flag, const char *format, va_list list)
{
	return weir_marked(fd) ? print_to(fd, format, list)
	                       : weir_real()->__vdprintf_chk(fd, flag, format, list);
}

WEIR_EXPORT int dprintf(int fd, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	int n = vdprintf(fd, format, list);
	va_end(list);
	return n;
}

int __dprintf_chk(int fd, int flag, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

WEIR_EXPORT int __dprintf_chk(int fd, int flag, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	int n = __vdprintf_chk(fd, flag, format, list);
	va_end(list);
	return n;
}
