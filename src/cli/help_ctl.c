#include "cli/commands.h"

#include <stdio.h>

void weir_help_ctl(void)
{
	puts("Usage: weir ctl [--session PID] [--json] SUBCOMMAND [WORD...]\n\n"
	     "Looks at, and changes, running sessions of yours.\n\n"
	     "  list                        the sessions\n"
	     "  pairs                       each open pair: who holds it, how full it is, who\n"
	     "                              is blocked in it and for how long\n"
	     "  fault list                  the rules, and how often each fired\n"
	     "  fault add RULE...           further rules; they count calls from now on\n"
	     "  fault clear                 no rule holds any more; who was held goes on\n"
	     "  capacity PAIR[.SIDE] SIZE   of what SIDE (a or b) writes, or both\n"
	     "  stall PAIR[.SIDE]           that end's calls wait, and it is not ready ...\n"
	     "  release [PAIR[.SIDE]]       ... until then\n"
	     "  eof PAIR[.SIDE]             what SIDE writes ends here\n"
	     "  hangup PAIR[.SIDE]          both directions end here\n"
	     "  reset PAIR[.SIDE]           likewise, what is unread is lost, and SIDE's peer\n"
	     "                              reads ECONNRESET");
	puts("\nOptions:\n"
	     "  --session PID\n"
	     "        The session that process PID holds or runs in; not needed while only one\n"
	     "        is running.\n"
	     "  --json\n"
	     "        Print one JSON object.\n\n"
	     "A change holds from the next call on and wakes whoever waits. Exit status: 0, or\n"
	     "125 after one line that says why.");
}
