"""Descriptors that multiprocessing hands to other processes, by each of its ways to start them.

The channel is a socketpair, and so is what is passed; prints what arrived.
"""

import multiprocessing
import os
import socket
from multiprocessing import connection, reduction


def child(channel):
    """Answers on each descriptor that comes; the channel itself came through one, too."""
    with channel:
        for number in range(3):
            with socket.socket(fileno=reduction.recv_handle(channel)) as passed:
                passed.sendall(b"%d: %s" % (number, passed.recv(100)))
        channel.send(b"done")


def pass_pairs(method):
    context = multiprocessing.get_context(method)
    ours, theirs = context.Pipe()
    process = context.Process(target=child, args=(theirs,))
    process.start()
    theirs.close()
    for number in range(3):
        kept, passed = socket.socketpair()
        kept.sendall(b"in flight")
        reduction.send_handle(ours, passed.fileno(), process.pid)
        passed.close()
        print(method, number, kept.recv(100), kept.recv(100))
    print(ours.recv())
    process.join()
    print("status", process.exitcode)


def pickled(queue, reply):
    """A socket and a connection arrive as objects."""
    passed, other = queue.get()
    passed.sendall(b"from the socket")
    other.send("from the connection")
    reply.put("sent")


def pass_objects(method):
    context = multiprocessing.get_context(method)
    queue, reply = context.Queue(), context.Queue()
    process = context.Process(target=pickled, args=(queue, reply))
    process.start()
    kept, passed = socket.socketpair()
    mine, other = context.Pipe()
    queue.put((passed, other))
    print(method, reply.get(), kept.recv(100), mine.recv())
    process.join()
    print("status", process.exitcode)


def main():
    for method in ("fork", "spawn", "forkserver"):
        pass_pairs(method)
        pass_objects(method)
    a, b = socket.socketpair()
    read, write = os.pipe()
    socket.send_fds(a, [b"two"], [read, write])
    text, fds, flags, _ = socket.recv_fds(b, 100, 2)
    os.write(fds[1], b"through")
    print(text, os.read(fds[0], 100), flags, isinstance(connection.Connection, type))


if __name__ == "__main__":
    main()
