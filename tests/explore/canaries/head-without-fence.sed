# src/pipe/pipe.c 1x1-room
# A reader whose store of `head` may come after its look at `saturated`.
s/store64_ordered(&pipe->head,/store64_release(\&pipe->head,/
