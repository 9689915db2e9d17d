# src/pipe/lone.h lone-thread
# Who has said that it is at work does not look whether it is still its process's only thread.
s/ && os_still_single_threaded(),$/,/
