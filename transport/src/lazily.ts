import { type ServerReceiver, type StreamingHandler, streaming } from "./server.ts";
import { Status } from "./status.ts";

/** A handler that is loaded with its first call, which waits for it. What cannot be loaded is answered UNAVAILABLE, and tried again with the next call. */
export function lazily(load: () => Promise<StreamingHandler>): StreamingHandler {
  let loaded: StreamingHandler | undefined;
  return streaming((call) => {
    if (loaded) return loaded.open(call);
    let receiver: ServerReceiver | undefined;
    const untold: ((receiver: ServerReceiver) => void)[] = [];
    const tell = (what: (receiver: ServerReceiver) => void) => {
      if (receiver) what(receiver);
      else untold.push(what);
    };
    call.pause();
    const begin = (handler: StreamingHandler) => {
      loaded = handler;
      receiver = handler.open(call);
      for (const what of untold) what(receiver);
      call.resume();
    };
    load()
      .then(begin)
      .catch((error: unknown) => call.fail(Status.UNAVAILABLE, `what serves this call could not be loaded: ${String(error)}`));
    return {
      message: (message) => tell((one) => one.message(message)),
      end: () => tell((one) => one.end()),
      drained: () => tell((one) => one.drained?.()),
      closing: () => tell((one) => one.closing?.()),
    };
  });
}
