/** The bytes are not the message that they should be: cut short or malformed. */
export class WireError extends TypeError {
  override readonly name = "WireError";
}
