/** A page's message to the service worker. One worker may serve several names, and an app's own one hears other messages too. */
export interface Ask {
  readonly oneRefresh: string;
  /** In its envelope; parsed by whoever serves that name. */
  readonly message: object;
}

/** Messages for this name; any script of the origin can post anything. */
export function readAsk(data: unknown, name: string): object | undefined {
  const { oneRefresh, message } = Object(data) as Partial<Ask>;
  return oneRefresh === name ? message : undefined;
}
