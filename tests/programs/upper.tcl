fconfigure stdin -translation binary
fconfigure stdout -translation binary
puts -nonewline [string toupper [read stdin]]
