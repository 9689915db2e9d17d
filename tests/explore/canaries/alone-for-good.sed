# src/pipe/lock.c alone-rivals
# Who has said that it is at work does not look whether it is still alone.
s/bool still = load32_relaxed(&pipe->alone) == own .* os_single_threaded();/bool still = true;/
