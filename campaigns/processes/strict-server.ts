import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Where a request is held: before the server has decided on it, or with its answer written but not sent. */
export type Moment = 'before' | 'after';

/** The server's view of one session. */
export interface SessionLog {
  /** How often each refresh token was decided on. */
  readonly spent: Map<string, number>;
  requests: number;
  answered: number;
  /** Answered although the access token before it had more than a quarter of its life left. */
  early: number;
  refused: number;
  revoked: boolean;
}

export interface StrictServer {
  readonly url: string;
  /** A pair of a new session; its access token is over. */
  begin(session: string): { access_token: string; refresh_token: string; expires_in: number };
  log(session: string): SessionLog;
  /** Holds the first request of this session until `release`. */
  hold(session: string, moment: Moment): { readonly arrived: Promise<void>; release(): void };
  /** How long an answer takes; milliseconds. */
  delayMs: number;
  /** Seconds that an access token lives. */
  life: number;
  close(): Promise<void>;
}

/** A token endpoint whose refresh tokens work once. One that comes back ends the session (RFC 9700 §4.14.2). */
export async function startStrictServer(): Promise<StrictServer> {
  const sessions = new Map<string, SessionLog & { current: number; renewAt: number }>();
  const gates = new Map<string, { moment: Moment; arrive: () => void; opened: Promise<void> }>();

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const token = new URLSearchParams(body).get('refresh_token') ?? '';
    const [name = '', count] = token.split('~');
    const session = sessions.get(name)!;
    session.requests++;
    const gate = gates.get(name);
    gates.delete(name);
    if (gate?.moment === 'before') {
      gate.arrive();
      await gate.opened;
      // Its client has gone: nobody decides on it.
      if (response.destroyed) return;
    }
    session.spent.set(token, (session.spent.get(token) ?? 0) + 1);
    const sound = !session.revoked && Number(count) === session.current;
    if (sound) {
      session.current++;
      if (performance.now() < session.renewAt) session.early++;
      session.renewAt = performance.now() + it.life * 750;
    } else session.revoked = true;
    const { current } = session;
    if (gate?.moment === 'after') {
      gate.arrive();
      await gate.opened;
    }
    await new Promise((resolve) => setTimeout(resolve, it.delayMs));
    response.writeHead(sound ? 200 : 400, { 'content-type': 'application/json' });
    if (sound) session.answered++;
    else session.refused++;
    response.end(JSON.stringify(sound ? pair(name, current) : { error: 'invalid_grant' }));
  }

  function pair(name: string, count: number): ReturnType<StrictServer['begin']> & { token_type: string } {
    return {
      access_token: `${name}~access~${count}`,
      token_type: 'Bearer',
      refresh_token: `${name}~${count}`,
      expires_in: it.life,
    };
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const it: StrictServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`,
    delayMs: 20,
    life: 3600,
    begin(name) {
      sessions.set(name, {
        spent: new Map(),
        requests: 0,
        answered: 0,
        early: 0,
        renewAt: 0,
        refused: 0,
        revoked: false,
        current: 1,
      });
      return { ...pair(name, 1), expires_in: 0 };
    },
    log: (name) => sessions.get(name)!,
    hold(name, moment) {
      let arrive = (): void => {};
      let release = (): void => {};
      const arrived = new Promise<void>((resolve) => (arrive = resolve));
      const opened = new Promise<void>((resolve) => (release = resolve));
      gates.set(name, { moment, arrive, opened });
      return { arrived, release };
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return it;
}
