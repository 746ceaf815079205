/** Everything that we apply is ours by this name; it never changes, or fields would lose their owner. */
export const fieldManager = "aether";
