"""A receiver of the Fluent Forward protocol, with another MessagePack library than the sender's, and with the faults that receivers
have.

Each connection gets the next of the behaviours, and all others the last one. Prints `ready` and the port, and then what each batch
had, as a line of JSON.
"""

import argparse
import hashlib
import io
import json
import os
import socket
import ssl
import sys
import time

import msgpack

NAME = "receiver.example"


def listen(address):
    if address.startswith("unix:"):
        server = socket.socket(socket.AF_UNIX)
        path = address.removeprefix("unix:")
        server.bind("\0" + path[1:] if path.startswith("@") else path)
    else:
        server = socket.create_server(("127.0.0.1", int(address)))
    server.listen()
    return server


def event_time(kind, data):
    assert kind == 0 and len(data) == 8, (kind, data)
    return [int.from_bytes(data[:4], "big"), int.from_bytes(data[4:], "big")]


def messages(connection, behaviour):
    """What a connection sends, message by message."""
    unpacker = msgpack.Unpacker(raw=False, ext_hook=event_time)
    while True:
        if behaviour == "slow":
            time.sleep(0.001)
        data = connection.recv(4096 if behaviour == "slow" else 1 << 20)
        if not data or behaviour == "cut":
            return
        unpacker.feed(data)
        yield from unpacker


def digest(*parts):
    return hashlib.sha512(b"".join(parts)).hexdigest()


def shake_hands(connection, key, behaviour, ping):
    """Greets, and returns whether the sender knows the key."""
    nonce = os.urandom(16)
    connection.sendall(msgpack.packb(["HELO", {"nonce": nonce, "auth": b"", "keepalive": True}]))
    # A sender without a key sends its batch at once.
    first = next(ping, [None])
    if first[0] != "PING":
        return False
    _, hostname, salt, proof, user, password = first
    assert (user, password) == ("", ""), (user, password)
    salt = salt.encode()
    knows = proof == digest(salt, hostname.encode(), nonce, key)
    own = digest(salt, NAME.encode(), nonce, b"" if behaviour == "liar" else key)
    answer = [hostname, proof] if behaviour == "mirror" else [NAME, own]
    reason = "" if knows else "shared_key mismatch"
    connection.sendall(msgpack.packb(["PONG", knows, reason, *answer]))
    return knows


def serve(connection, behaviour, key):
    if behaviour == "close":
        return
    nonsense = {"http": b"HTTP/1.1 400 Bad Request\r\n\r\n", "garbage": os.urandom(100_000), "nested": b"\x91" * 1000}
    if behaviour in nonsense:
        connection.sendall(nonsense[behaviour])
        # Until the sender gives up.
        while connection.recv(1 << 20):
            pass
        return
    received = messages(connection, behaviour)
    if key and not shake_hands(connection, key, behaviour, received):
        return
    for tag, packed, options in received:
        entries = list(msgpack.Unpacker(io.BytesIO(packed), raw=False, ext_hook=event_time))
        print(json.dumps({"tag": tag, **options, "entries": entries}), flush=True)
        if behaviour == "forget":
            return
        if behaviour == "ack" or behaviour == "slow":
            connection.sendall(msgpack.packb({"ack": options["chunk"]}))
        elif behaviour == "other":
            connection.sendall(msgpack.packb({"ack": "another"}))


def encryption(arguments):
    """What makes TLS of a connection. None if there is no TLS."""
    if not arguments.certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(arguments.certificate)
    if arguments.client_authority:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(arguments.client_authority)
    if arguments.tls_1_2:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address", help="a port of 127.0.0.1, or unix: and a path, or unix:@ and a name")
    parser.add_argument("behaviours", help="separated by commas")
    parser.add_argument("key", nargs="?", help="the shared key")
    parser.add_argument("--certificate", metavar="FILE", help="use TLS, with this certificate and its key")
    parser.add_argument("--client-authority", metavar="FILE", help="want a certificate of this authority from the sender")
    parser.add_argument("--tls-1-2", action="store_true", help="know no newer version of TLS")
    arguments = parser.parse_args()
    behaviours = arguments.behaviours.split(",")
    key = arguments.key.encode() if arguments.key else None
    context = encryption(arguments)
    server = listen(arguments.address)
    port = server.getsockname()[1] if server.family == socket.AF_INET else 0
    print("ready", port, flush=True)
    while True:
        connection, _ = server.accept()
        behaviour = behaviours.pop(0) if len(behaviours) > 1 else behaviours[0]
        with connection:
            try:
                if context:
                    connection = context.wrap_socket(connection, server_side=True)
                serve(connection, behaviour, key)
            except (ConnectionError, ssl.SSLError) as error:
                print(error, file=sys.stderr)
            finally:
                connection.close()


main()
