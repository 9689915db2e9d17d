# src/pipe/lock.c alone-rivals
# A second one that comes near takes the first one's word that it is over.
s/store32_ordered(&pipe->alone, ENDING);/store32_ordered(\&pipe->alone, 0);/
