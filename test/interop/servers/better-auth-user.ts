import type { Send } from '../code-flow.js';
import type { Place } from './real-server.js';

export const USER = { email: 'alice@example.com', password: 'correct horse battery', name: 'Alice' };

/** The user's session at the server, as its login page begins it. */
export async function logInAtBetterAuth(send: Send, { origin }: Place): Promise<void> {
  await postToBetterAuth(send, origin, '/sign-in/email', USER);
}

export async function postToBetterAuth(
  send: Send,
  origin: string,
  path: string,
  body: object,
): Promise<unknown> {
  const response = await send(
    new Request(`${origin}/api/auth${path}`, {
      method: 'POST',
      headers: { origin, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  );
  if (!response.ok) throw new Error(`${path} was answered ${response.status}: ${await response.text()}`);
  return response.json();
}
