/* POSIX asynchronous I/O: libc's helper threads read and write where no hook
 * sees them, and would take bells for data. Refused, in words. */
#include "base/message.h"
#include "hooks/hooks.h"

static int refuse(const char *name)
{
	weir_say("%s on a socket that weir carries is not supported (ENOSYS)", name);
	errno = ENOSYS;
	return -1;
}

WEIR_EXPORT int aio_read(struct aiocb *request)
{
	return weir_marked(request->aio_fildes) ? refuse("aio_read") : weir_real()->aio_read(request);
}

WEIR_EXPORT int aio_read64(struct aiocb64 *request)
{
	return weir_marked(request->aio_fildes) ? refuse("aio_read64")
	                                        : weir_real()->aio_read64(request);
}

WEIR_EXPORT int aio_write(struct aiocb *request)
{
	return weir_marked(request->aio_fildes) ? refuse("aio_write")
	                                        : weir_real()->aio_write(request);
}

WEIR_EXPORT int aio_write64(struct aiocb64 *request)
{
	return weir_marked(request->aio_fildes) ? refuse("aio_write64")
	                                        : weir_real()->aio_write64(request);
}
