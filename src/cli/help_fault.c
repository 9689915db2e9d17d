#include "cli/commands.h"

#include <stdio.h>

void weir_help_fault(void)
{
	puts("A rule for --fault, or a line of a file for --faults:\n\n"
	     "  OPS:EFFECT[:WHEN...][:WHERE...]\n\n"
	     "OPS     read | write | any      calls that receive, send, both\n\n"
	     "EFFECT  short[=N]               moves at most N bytes (1)\n"
	     "        error=ERRNO             fails with ERRNO, changes nothing\n"
	     "        eof                     this direction ends here\n"
	     "        hangup                  both directions end here\n"
	     "        reset                   likewise, unread bytes are lost: ECONNRESET\n"
	     "        stall                   waits until released (`weir ctl release`)\n"
	     "        delay=TIME[..TIME]      is late: 5ms, or drawn from 5ms..20ms\n"
	     "        rate=BYTES/s            paces the direction from here on\n"
	     "        discard                 a write succeeds, its bytes go nowhere\n"
	     "        corrupt[=N]             flips one bit in each of N bytes (1)");
	puts("\nWHEN    when=F[..L][+S]         the F-th to L-th call of an end, every S-th\n"
	     "        at=OFFSET               exactly at this byte of the direction\n"
	     "        match=TEXT              exactly behind this text; \\: is a colon\n"
	     "        p=PROB                  with this probability: 0.01 or 1%\n"
	     "        times=N                 at most N times\n\n"
	     "WHERE   pair=N  side=a|b  comm=GLOB  pid=N\n");
	puts("Examples:\n"
	     "  --fault read:short=1                     every read gives one byte\n"
	     "  --fault write:error=EPIPE:when=3         each end's third write fails\n"
	     "  --fault write:eof:at=4096:pair=2:side=a  a writes 4096 bytes, no more\n"
	     "  --fault write:hangup:match=QUIT          gone behind that word\n"
	     "  --fault read:reset:when=2:comm=curl      curl's second read: ECONNRESET\n"
	     "  --fault any:stall:pair=1                 until `weir ctl release`\n"
	     "  --fault read:delay=5ms..20ms:p=0.1       a tenth of all reads is late\n"
	     "  --fault write:rate=64K/s                 a slow line\n"
	     "  --fault write:discard:when=2             the second write is lost\n"
	     "  --fault write:corrupt:at=100             one wrong bit in byte 100\n\n"
	     "weir-fault(7) tells it all.");
}
