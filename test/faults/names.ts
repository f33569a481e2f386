export const PUBSUB = "broker";
/** The app's id, of which the group takes its name. */
export const GROUP = "app1";
