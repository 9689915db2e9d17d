# src/endpoint/waiter.c loop-out-gone
# Old bytes are not told of where the room that was made is taken again.
s/ || has_gone(w, end, now));$/ || ((known \& WEIR_ROOM) \&\& has_gone(w, end, now)));/
