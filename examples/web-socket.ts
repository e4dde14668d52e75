/**
 * A WebSocket cannot send an `Authorization` header, and a token in the URL ends up in the logs of every server on the way. The right way:
 * the token is the first message, and again whenever there is a newer one. The server closes a socket that does not say it in time.
 */
import type { TokenCoordinator } from 'one-refresh';

/** @param open - for tests; by default a real socket */
export async function connect(
  url: string,
  coordinator: TokenCoordinator,
  open: (url: string) => WebSocket = (url) => new WebSocket(url),
): Promise<WebSocket> {
  const socket = open(url);
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve());
    socket.addEventListener('error', () => reject(new Error('The socket could not be opened')));
  });
  const authenticate = async (): Promise<void> => {
    try {
      const token = await coordinator.getAccessToken();
      socket.send(JSON.stringify({ type: 'authenticate', token }));
    } catch {
      // Signed out, or no token to be had in time: this socket must not go on as somebody.
      socket.close(4401, 'no token');
    }
  };
  let closed = false;
  let stop = (): void => {};
  socket.addEventListener('close', () => {
    closed = true;
    stop();
  });
  await authenticate();
  const { sessionId } = coordinator.getSnapshot();
  let { version } = coordinator.getSnapshot();
  // The server may not have waited for the token.
  if (closed) return socket;
  stop = coordinator.subscribe(() => {
    const now = coordinator.getSnapshot();
    if (now.sessionId !== sessionId) return socket.close(4401, 'another session');
    if (now.version === version) return;
    version = now.version;
    void authenticate();
  });
  return socket;
}
