# src/endpoint/waiter.c loop-in-edges
# What came since the last look is not told of before the sleep.
s/^\t\treturn 0;$/\t\treturn 1;/
