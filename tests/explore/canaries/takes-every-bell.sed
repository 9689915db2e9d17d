# src/pipe/bell.c 1x1
# A reader that takes the bells though bytes came in the meantime.
/^void weir_bell_settle/,/^}/s/bool keep = weir_pipe_used(ref) > 0;/bool keep = false;/
