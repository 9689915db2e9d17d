# src/endpoint/wait.c 1x1-room
# A writer that sleeps without looking for room again once it has said so.
s/^\t\tif (room_came(end))/\t\tif (false)/
