# src/endpoint/life.c close-stale
# A close that leaves a bell behind: the peer takes it for data that nobody read.
/^void weir_end_before_close/,/^}/s/take_stale_bells(end);//
