import static java.nio.charset.StandardCharsets.UTF_8;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptors;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ClientResponseObserver;
import io.grpc.stub.MetadataUtils;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;

/** gRPC's own Java client against our TestService. Prints `ok NAME` for each check; a failed one ends it with a stack trace. */
public class Client {
  static final int[] REQUEST_SIZES = {27182, 8, 1828, 45904};
  static final int[] RESPONSE_SIZES = {31415, 9, 2653, 58979};
  /** Special to a status line, a percent encoding, and more than one byte of UTF-8. */
  static final String MESSAGE = "\t100% na\u00efve\r\n\u263a \u96ea \ud83d\ude08\n";
  static final Metadata.Key<String> INITIAL = Metadata.Key.of("x-grpc-test-echo-initial", Metadata.ASCII_STRING_MARSHALLER);
  static final Metadata.Key<byte[]> TRAILING = Metadata.Key.of("x-grpc-test-echo-trailing-bin", Metadata.BINARY_BYTE_MARSHALLER);
  static final byte[] BINARY = new byte[256];

  static Channel channel;

  public static void main(String[] args) throws Exception {
    for (int i = 0; i < BINARY.length; i++) BINARY[i] = (byte) i;
    ManagedChannel managed = NettyChannelBuilder.forTarget(args[0]).usePlaintext().build();
    channel = managed;
    for (Map.Entry<String, Check> check : checks().entrySet()) {
      check.getValue().run();
      System.out.println("ok " + check.getKey());
    }
    managed.shutdownNow();
  }

  interface Check {
    void run() throws Exception;
  }

  static Map<String, Check> checks() {
    byte[] large = join(number(2, 314159), nested(3, body(271828)));
    Map<String, Check> checks = new LinkedHashMap<>();
    checks.put("empty", () -> same(unary("EmptyCall", CallOptions.DEFAULT, new byte[0]), new byte[0]));
    checks.put("unary_large", () -> same(unary("UnaryCall", CallOptions.DEFAULT, large), nested(1, body(314159))));
    checks.put("unary_metadata", () -> {
      Echo echo = new Echo();
      same(echo.unary(number(2, 1)), nested(1, body(1)));
      echo.check();
    });
    checks.put("unary_error", () -> {
      Echo echo = new Echo();
      Status status = refused(() -> echo.unary(status(Status.Code.ABORTED)), Status.Code.ABORTED);
      same(status.getDescription().getBytes(UTF_8), MESSAGE.getBytes(UTF_8));
      echo.check();
    });
    checks.put("unimplemented", () -> refused(() -> unary("UnimplementedCall", CallOptions.DEFAULT, new byte[0]), Status.Code.UNIMPLEMENTED));
    checks.put("client_streaming", () -> {
      Duplex call = new Duplex(channel, "StreamingInputCall", MethodType.CLIENT_STREAMING, CallOptions.DEFAULT);
      for (int size : REQUEST_SIZES) call.requests.onNext(nested(1, body(size)));
      call.requests.onCompleted();
      same(call.next(), number(1, Arrays.stream(REQUEST_SIZES).sum()));
      call.ended();
    });
    checks.put("server_streaming", () -> {
      byte[] request = join(Arrays.stream(RESPONSE_SIZES).mapToObj(size -> nested(2, number(1, size))).toArray(byte[][]::new));
      Iterator<byte[]> found = serverStreaming(request);
      for (int size : RESPONSE_SIZES) same(found.next(), nested(1, body(size)));
      if (found.hasNext()) throw new AssertionError("one more");
    });
    checks.put("server_streaming_large", () -> {
      byte[][] requests = new byte[100][];
      Arrays.fill(requests, nested(2, number(1, 100_000)));
      Iterator<byte[]> found = serverStreaming(join(requests));
      for (int i = 0; i < 100; i++) same(found.next(), nested(1, body(100_000)));
      if (found.hasNext()) throw new AssertionError("one more");
    });
    checks.put("ping_pong", () -> {
      Echo echo = new Echo();
      Duplex call = new Duplex(echo.channel, "FullDuplexCall", MethodType.BIDI_STREAMING, CallOptions.DEFAULT);
      for (int i = 0; i < RESPONSE_SIZES.length; i++) {
        call.requests.onNext(asking(RESPONSE_SIZES[i], REQUEST_SIZES[i]));
        same(call.next(), nested(1, body(RESPONSE_SIZES[i])));
      }
      call.requests.onCompleted();
      call.ended();
      echo.check();
    });
    checks.put("stream_error", () -> {
      Duplex call = new Duplex(channel, "FullDuplexCall", MethodType.BIDI_STREAMING, CallOptions.DEFAULT);
      call.requests.onNext(asking(9, 0));
      same(call.next(), nested(1, body(9)));
      call.requests.onNext(status(Status.Code.DATA_LOSS));
      Status status = refused(call::next, Status.Code.DATA_LOSS);
      same(status.getDescription().getBytes(UTF_8), MESSAGE.getBytes(UTF_8));
    });
    checks.put("deadline", () -> {
      long start = System.nanoTime();
      CallOptions soon = CallOptions.DEFAULT.withDeadlineAfter(300, TimeUnit.MILLISECONDS);
      Duplex call = new Duplex(channel, "FullDuplexCall", MethodType.BIDI_STREAMING, soon);
      refused(call::next, Status.Code.DEADLINE_EXCEEDED);
      if (System.nanoTime() - start < 290_000_000) throw new AssertionError("too early");
    });
    checks.put("cancel", () -> {
      Duplex call = new Duplex(channel, "FullDuplexCall", MethodType.BIDI_STREAMING, CallOptions.DEFAULT);
      call.requests.onNext(asking(9, 0));
      same(call.next(), nested(1, body(9)));
      call.requests.cancel("enough", null);
      refused(call::next, Status.Code.CANCELLED);
      same(unary("EmptyCall", CallOptions.DEFAULT, new byte[0]), new byte[0]);
    });
    checks.put("unary_gzip", () -> same(unary("UnaryCall", CallOptions.DEFAULT.withCompression("gzip"), large), nested(1, body(314159))));
    return checks;
  }

  /** Calls with metadata, and what comes back. */
  static class Echo {
    final AtomicReference<Metadata> headers = new AtomicReference<>();
    final AtomicReference<Metadata> trailers = new AtomicReference<>();
    final Channel channel;

    Echo() {
      Metadata sent = new Metadata();
      sent.put(INITIAL, "first, second");
      sent.put(TRAILING, BINARY);
      channel = ClientInterceptors.intercept(
          Client.channel,
          MetadataUtils.newAttachHeadersInterceptor(sent),
          MetadataUtils.newCaptureMetadataInterceptor(headers, trailers));
    }

    byte[] unary(byte[] request) {
      return ClientCalls.blockingUnaryCall(channel, method("UnaryCall", MethodType.UNARY), CallOptions.DEFAULT, request);
    }

    void check() {
      same(headers.get().get(INITIAL).getBytes(UTF_8), "first, second".getBytes(UTF_8));
      same(trailers.get().get(TRAILING), BINARY);
    }
  }

  /** A call with a stream of requests, read one event at a time. */
  static class Duplex implements ClientResponseObserver<byte[], byte[]> {
    private static final Object END = new Object();
    private final BlockingQueue<Object> events = new LinkedBlockingQueue<>();
    ClientCallStreamObserver<byte[]> requests;

    Duplex(Channel channel, String name, MethodType type, CallOptions options) {
      ClientCall<byte[], byte[]> call = channel.newCall(method(name, type), options);
      if (type == MethodType.CLIENT_STREAMING) ClientCalls.asyncClientStreamingCall(call, this);
      else ClientCalls.asyncBidiStreamingCall(call, this);
    }

    @Override public void beforeStart(ClientCallStreamObserver<byte[]> stream) {
      requests = stream;
    }

    @Override public void onNext(byte[] message) {
      events.add(message);
    }

    @Override public void onError(Throwable error) {
      events.add(error);
    }

    @Override public void onCompleted() {
      events.add(END);
    }

    byte[] next() throws Exception {
      Object event = events.take();
      if (event instanceof StatusRuntimeException) throw (StatusRuntimeException) event;
      return (byte[]) event;
    }

    void ended() throws Exception {
      Object event = events.take();
      if (event != END) throw new AssertionError(event + " instead of the end");
    }
  }

  static byte[] unary(String name, CallOptions options, byte[] request) {
    return ClientCalls.blockingUnaryCall(channel, method(name, MethodType.UNARY), options, request);
  }

  static Iterator<byte[]> serverStreaming(byte[] request) {
    MethodDescriptor<byte[], byte[]> method = method("StreamingOutputCall", MethodType.SERVER_STREAMING);
    return ClientCalls.blockingServerStreamingCall(channel, method, CallOptions.DEFAULT, request);
  }

  static MethodDescriptor<byte[], byte[]> method(String name, MethodType type) {
    return MethodDescriptor.<byte[], byte[]>newBuilder()
        .setType(type)
        .setFullMethodName("grpc.testing.TestService/" + name)
        .setRequestMarshaller(BYTES)
        .setResponseMarshaller(BYTES)
        .build();
  }

  static final MethodDescriptor.Marshaller<byte[]> BYTES = new MethodDescriptor.Marshaller<>() {
    @Override public InputStream stream(byte[] value) {
      return new ByteArrayInputStream(value);
    }

    @Override public byte[] parse(InputStream stream) {
      try {
        return stream.readAllBytes();
      } catch (IOException error) {
        throw new UncheckedIOException(error);
      }
    }
  };

  static Status refused(Check call, Status.Code code) throws Exception {
    try {
      call.run();
    } catch (StatusRuntimeException error) {
      if (error.getStatus().getCode() != code) throw error;
      return error.getStatus();
    }
    throw new AssertionError("it succeeded instead of " + code);
  }

  static void same(byte[] found, byte[] wanted) {
    if (!Arrays.equals(found, wanted)) throw new AssertionError(found.length + " bytes instead of other " + wanted.length);
  }

  static byte[] varint(int value) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    for (; value > 0x7f; value >>= 7) out.write(value & 0x7f | 0x80);
    out.write(value);
    return out.toByteArray();
  }

  static byte[] number(int field, int value) {
    return join(varint(field << 3), varint(value));
  }

  static byte[] nested(int field, byte[] value) {
    return join(varint(field << 3 | 2), varint(value.length), value);
  }

  static byte[] body(int size) {
    return nested(2, new byte[size]);
  }

  static byte[] status(Status.Code code) {
    return nested(7, join(number(1, code.value()), nested(2, MESSAGE.getBytes(UTF_8))));
  }

  static byte[] asking(int responseSize, int requestSize) {
    return join(nested(2, number(1, responseSize)), nested(3, body(requestSize)));
  }

  static byte[] join(byte[]... parts) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    for (byte[] part : parts) out.writeBytes(part);
    return out.toByteArray();
  }
}
