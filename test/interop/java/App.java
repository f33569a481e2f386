import io.mosn.layotto.v1.RuntimeClientBuilder;
import io.mosn.layotto.v1.RuntimeServerGrpc;
import io.mosn.layotto.v1.callback.component.pubsub.DefaultSubscriber;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import spec.sdk.runtime.v1.client.RuntimeClient;

/** An app on Layotto's own Java SDK, as its users write one: subscribes, publishes, and prints what it is called back with. */
public class App {
  public static void main(String[] ports) throws Exception {
    RuntimeServerGrpc server = new RuntimeServerGrpc(Integer.parseInt(ports[1]));
    DefaultSubscriber subscriber = new DefaultSubscriber("broker");
    boolean[] refused = new boolean[1];
    subscriber.subscribe("topic1", event -> {
      String data = new String(event.getData(), StandardCharsets.UTF_8);
      System.out.println(event.getTopic() + " " + data + " " + event.getContentType() + " " + event.getMetadata());
      if (data.equals("again") && !refused[0]) {
        refused[0] = true;
        throw new IllegalStateException("once more");
      }
    });
    server.registerPubSubCallback("broker", subscriber);
    server.start();
    RuntimeClient client = new RuntimeClientBuilder().withIp("127.0.0.1").withPort(Integer.parseInt(ports[0])).build();
    client.publishEvent("broker", "topic1", "hello".getBytes(StandardCharsets.UTF_8), Map.of("mykey", "v"));
    client.publishEvent("broker", "topic1", "again".getBytes(StandardCharsets.UTF_8));
    try {
      client.publishEvent("nope", "topic1", new byte[0]);
    } catch (RuntimeException error) {
      System.out.println("refused " + error.getMessage() + " " + error.getCause());
    }
    server.blockUntilShutdown();
  }
}
