// The messages between the lab page and its tabs, beside everything that they compare. Never a token.

export interface TabState {
  tab: string;
  mode: string;
  /** A browser tab of its own, rather than a frame of the lab. */
  real: boolean;
  leader: boolean;
  version: number;
  login: number;
  /** Of the access token; epoch milliseconds, 0 without one. */
  expiresAt: number;
  status: 'fresh' | 'asking' | 'lost' | 'waiting' | 'signed-out';
}

export type LabMessage =
  | { type: 'state'; state: TabState }
  | { type: 'bye'; tab: string }
  /** A round is over for this tab. */
  | { type: 'done'; tab: string; round: number; ms: number; outcome: 'token' | 'lost' | 'failed' }
  /** From the lab: everybody's token is over now, if it is of this version. */
  | { type: 'expire'; mode: string; round: number; version: number }
  /** From the lab: one tab signs in, since this login is lost. */
  | { type: 'sign-in'; tab: string; lost: number }
  /** From the lab: this tab closes itself, if it is a browser tab. */
  | { type: 'close'; tab: string };

export interface Line {
  post(message: LabMessage): void;
  close(): void;
}

export function openLine(hear: (message: LabMessage) => void): Line {
  const channel = new BroadcastChannel('one-refresh-lab');
  channel.addEventListener('message', ({ data }: MessageEvent<LabMessage>) => hear(data));
  return { post: (message) => channel.postMessage(message), close: () => channel.close() };
}
