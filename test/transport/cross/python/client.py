"""gRPC's own Python client against our TestService. Prints `ok NAME` for each check; a failed one ends it with a traceback."""

import queue
import sys
import time

import grpc

SERVICE = "/grpc.testing.TestService/"
REQUEST_SIZES = [27182, 8, 1828, 45904]
RESPONSE_SIZES = [31415, 9, 2653, 58979]
# Special to a status line, a percent encoding, and more than one byte of UTF-8.
MESSAGE = "\t100% naïve\r\n☺ 雪 \U0001f608\n"
BINARY = bytes(range(256))
METADATA = (("x-grpc-test-echo-initial", "first, second"), ("x-grpc-test-echo-trailing-bin", BINARY))


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def number(field, value):
    return varint(field << 3) + varint(value)


def nested(field, value):
    return varint(field << 3 | 2) + varint(len(value)) + value


def body(size):
    return nested(2, bytes(size))


def status(code):
    return nested(7, number(1, code.value[0]) + nested(2, MESSAGE.encode()))


def asking(response_size, request_size=0):
    return nested(2, number(1, response_size)) + nested(3, body(request_size))


def same(found, wanted):
    assert found == wanted, f"{found!r:.300} instead of {wanted!r:.300}"


def refused(call, code):
    try:
        outcome = call()
    except grpc.RpcError as error:
        same(error.code(), code)
        return error
    raise AssertionError(f"{outcome!r:.300} instead of {code}")


def echoed(call):
    same(dict(call.initial_metadata())["x-grpc-test-echo-initial"], "first, second")
    same(dict(call.trailing_metadata())["x-grpc-test-echo-trailing-bin"], BINARY)


class Requests:
    """An open stream of requests."""

    def __init__(self):
        self.queue = queue.Queue()

    def __iter__(self):
        return iter(self.queue.get, None)


def checks(channel):
    unary = channel.unary_unary(SERVICE + "UnaryCall")
    duplex = channel.stream_stream(SERVICE + "FullDuplexCall")
    large = number(2, 314159) + nested(3, body(271828))

    def empty():
        same(channel.unary_unary(SERVICE + "EmptyCall")(b""), b"")

    def unary_large():
        same(unary(large), nested(1, body(314159)))

    def unary_gzip():
        same(unary(large, compression=grpc.Compression.Gzip), nested(1, body(314159)))

    def unary_metadata():
        response, call = unary.with_call(number(2, 1), metadata=METADATA)
        same(response, nested(1, body(1)))
        echoed(call)

    def unary_error():
        error = refused(lambda: unary(status(grpc.StatusCode.ABORTED), metadata=METADATA), grpc.StatusCode.ABORTED)
        same(error.details(), MESSAGE)
        echoed(error)

    def unimplemented():
        refused(lambda: channel.unary_unary(SERVICE + "UnimplementedCall")(b""), grpc.StatusCode.UNIMPLEMENTED)

    def client_streaming():
        call = channel.stream_unary(SERVICE + "StreamingInputCall")
        same(call(nested(1, body(size)) for size in REQUEST_SIZES), number(1, sum(REQUEST_SIZES)))

    def server_streaming():
        request = b"".join(nested(2, number(1, size)) for size in RESPONSE_SIZES)
        found = list(channel.unary_stream(SERVICE + "StreamingOutputCall")(request))
        same(found, [nested(1, body(size)) for size in RESPONSE_SIZES])

    def server_streaming_large():
        request = nested(2, number(1, 100_000)) * 100
        found = list(channel.unary_stream(SERVICE + "StreamingOutputCall")(request))
        same(found, [nested(1, body(100_000))] * 100)

    def ping_pong():
        requests = Requests()
        call = duplex(iter(requests), metadata=METADATA)
        for request_size, response_size in zip(REQUEST_SIZES, RESPONSE_SIZES):
            requests.queue.put(asking(response_size, request_size))
            same(next(call), nested(1, body(response_size)))
        requests.queue.put(None)
        same(list(call), [])
        echoed(call)

    def stream_error():
        call = duplex(iter([asking(9), status(grpc.StatusCode.DATA_LOSS)]))
        same(next(call), nested(1, body(9)))
        same(refused(lambda: next(call), grpc.StatusCode.DATA_LOSS).details(), MESSAGE)

    def deadline():
        requests = Requests()
        start = time.monotonic()
        call = duplex(iter(requests), timeout=0.3)
        # A server that resets the stream at its own deadline, instead of answering, can make this CANCELLED.
        refused(lambda: next(call), grpc.StatusCode.DEADLINE_EXCEEDED)
        assert time.monotonic() - start >= 0.29, "too early"
        requests.queue.put(None)

    def cancel():
        requests = Requests()
        call = duplex(iter(requests))
        requests.queue.put(asking(9))
        same(next(call), nested(1, body(9)))
        call.cancel()
        refused(lambda: next(call), grpc.StatusCode.CANCELLED)
        requests.queue.put(None)
        empty()

    every = [empty, unary_large, unary_metadata, unary_error, unimplemented, client_streaming, server_streaming]
    return every + [server_streaming_large, ping_pong, stream_error, deadline, cancel, unary_gzip]


with grpc.insecure_channel(sys.argv[1]) as channel:
    for check in checks(channel):
        check()
        print("ok", check.__name__, flush=True)
