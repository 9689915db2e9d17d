#include "base/privilege.h"

#include <endian.h>
#include <linux/capability.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "base/os.h"

static uint32_t id(long call)
{
	return (uint32_t)os_call(call, 0, 0, 0, 0, 0, 0);
}

/* The kernel ignores the bits and the capabilities of a file there. */
static bool on_nosuid(int fd)
{
	struct statfs fs = { .f_type = 0 };

	return os_call(SYS_fstatfs, fd, (long)&fs, 0, 0, 0, 0) == 0 && (fs.f_flags & ST_NOSUID);
}

static bool gains_nothing_new(void)
{
	return os_call(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0, 0) == 1;
}

/* Without execution by the group, set-gid means mandatory locking. */
static bool is_set_gid(const struct stat *st)
{
	return (st->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP);
}

/* capabilities(7): real root has them anyway, no secure execution follows. */
static bool has_capabilities(int fd)
{
	struct vfs_ns_cap_data data;

	memset(&data, 0, sizeof data);
	if (id(SYS_getuid) == 0)
		return false;
	if (os_call(SYS_fgetxattr, fd, (long)"security.capability", (long)&data, sizeof data, 0,
	            0) < (long)XATTR_CAPS_SZ_1)
		return false;
	return (le32toh(data.magic_etc) & VFS_CAP_FLAGS_EFFECTIVE) || data.data[0].permitted ||
	       data.data[1].permitted;
}

bool weir_exec_is_secure(int fd)
{
	struct stat st;
	uint32_t user = id(SYS_geteuid), group = id(SYS_getegid);

	if (os_call(SYS_fstat, fd, (long)&st, 0, 0, 0, 0) < 0)
		return false;
	if (!on_nosuid(fd)) {
		if ((st.st_mode & S_ISUID) && !gains_nothing_new())
			user = st.st_uid;
		if (is_set_gid(&st) && !gains_nothing_new())
			group = st.st_gid;
		if (has_capabilities(fd))
			return true;
	}
	return user != id(SYS_getuid) || group != id(SYS_getgid);
}
