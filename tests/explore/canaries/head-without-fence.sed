# src/pipe/pipe.c 1x1-room
# A reader whose store of `head` may come after its look at `saturated`.
s/store64_ordered(&ref->pipe->head, seen/store64_release(\&ref->pipe->head, seen/
