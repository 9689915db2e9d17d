"""Writes and reads ten bytes twice over a socketpair, without waiting, and tells what each call gave."""

import socket

a, b = socket.socketpair()
for _ in range(2):
    for name, call in (("send", lambda: a.send(b"0123456789", socket.MSG_DONTWAIT)),
                       ("recv", lambda: b.recv(64, socket.MSG_DONTWAIT))):
        try:
            print(name, call())
        except OSError as error:
            print(name, error.strerror)
