#include "cli/terminal.h"

#include <fcntl.h>
#include <unistd.h>

void weir_terminal_hand_to(pid_t child)
{
	pid_t group = getpgid(child);
	int terminal;

	if (group < 0 || group == getpgrp())
		return;
	terminal = open("/dev/tty", O_RDWR | O_CLOEXEC);
	if (terminal < 0)
		return;
	if (tcgetpgrp(terminal) == getpgrp())
		tcsetpgrp(terminal, group);
	close(terminal);
}
