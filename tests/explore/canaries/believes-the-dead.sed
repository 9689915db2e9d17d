# src/pipe/lock.c kill-rival-writer
# The queue is taken for full after its owner died.
/WEIR_PERHAPS_LOWERED/d
