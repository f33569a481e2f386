import { type ServerReceiver, type StreamingHandler, streaming } from "./server.ts";
import { Status } from "./status.ts";

/**
 * A handler that is loaded when it is first called; calls wait for that. What cannot be loaded is answered UNAVAILABLE. What it throws for those that
 * waited is answered INTERNAL, and is a warning of the process. It must not pause a call as soon as it opens.
 */
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
      try {
        receiver = handler.open(call);
        for (const what of untold) what(receiver);
      } catch (error) {
        call.fail(Status.INTERNAL, "the method failed");
        process.emitWarning(`What serves a call threw: ${error instanceof Error ? error.stack : String(error)}`);
      }
      call.resume();
    };
    load().then(begin, (error: unknown) => call.fail(Status.UNAVAILABLE, `what serves this call could not be loaded: ${String(error)}`));
    return {
      message: (message) => tell((one) => one.message(message)),
      end: () => tell((one) => one.end()),
      drained: () => tell((one) => one.drained?.()),
      closing: () => tell((one) => one.closing?.()),
    };
  });
}
