import { type ServerCall, Status } from "layotto-transport";

/** The request, or undefined after the call was failed: the bytes are no `name`. */
export function decoded<Message>(
  name: string,
  decode: (bytes: Uint8Array) => Message,
  bytes: Uint8Array,
  call: ServerCall,
): Message | undefined {
  try {
    return decode(bytes);
  } catch (error) {
    call.fail(Status.INTERNAL, `the request is not a ${name}: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}
