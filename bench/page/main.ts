// One tab of a benchmark. It knows one way to a token, and does what it is told.
import type { Client, CreateClient, TokenResponse } from '../contestants/contestant.js';
import { epochNow, installClock, setAhead, until } from './clock.js';
import { armed, counts, installCounters, type Counts } from './counters.js';
import * as floor from './floor.js';
import { cachedPage, type CachedPage } from './cached.js';

/** Instants in epoch milliseconds. */
export interface Asked {
  readonly began: number;
  readonly ended: number;
  readonly token?: string | undefined;
  readonly error?: string;
}

export interface BenchPage {
  /** The code is here; nothing of it has been used. */
  readonly loaded: Promise<void>;
  create(): Promise<void>;
  signIn(tokens: TokenResponse): Promise<void>;
  setAhead(ms: number): void;
  /** Asks for a token at this instant. */
  ask(at: number): Promise<Asked>;
  /** From creating the client to its first token, milliseconds. */
  firstToken(): Promise<Asked>;
  /** The token requests of this tab: when each left, and when its answer had come and been read. */
  readonly requests: { sentAt: number; answeredAt?: number; status?: number }[];
  readonly floor: typeof floor;
  readonly counts: Counts;
  armed(): number;
  readonly cached: CachedPage;
}

declare global {
  interface Window {
    bench: BenchPage;
  }
}

const query = new URLSearchParams(location.search);
const modules = import.meta.glob<{ create: CreateClient }>('../contestants/*.ts');
const requests: BenchPage['requests'] = [];
let module: { create: CreateClient };
let client: Client;

if (query.has('ahead')) {
  installClock();
  setAhead(Number(query.get('ahead')));
}
if (query.has('count')) installCounters();
watchRequests();

const error = (cause: unknown): string =>
  cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);

window.bench = {
  loaded: (async () => {
    module = await modules[`../contestants/${query.get('contestant')}.ts`]!();
  })(),
  async create() {
    client = await module.create();
  },
  signIn: (tokens) => client.signIn(tokens),
  setAhead,
  async ask(at) {
    await until(at);
    const asked = await ask();
    // Reporting must not slow down the tabs that still wait.
    await until(asked.ended + 100);
    return asked;
  },
  async firstToken() {
    const began = epochNow();
    client = await module.create();
    return { ...(await ask()), began };
  },
  requests,
  floor,
  counts,
  armed: () => armed.size,
  cached: cachedPage(() => client),
};

async function ask(): Promise<Asked> {
  const began = epochNow();
  try {
    const token = (await client.getToken()) ?? undefined;
    return { began, ended: epochNow(), token };
  } catch (cause) {
    return { began, ended: epochNow(), error: error(cause) };
  }
}

function watchRequests(): void {
  const { fetch } = window;
  window.fetch = async (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    if (!new URL(url, location.href).pathname.endsWith('/token')) return fetch(input, init);
    const request: BenchPage['requests'][number] = { sentAt: epochNow() };
    requests.push(request);
    const response = await fetch(input, init);
    request.status = response.status;
    request.answeredAt = epochNow();
    const read = async <T>(body: Promise<T>): Promise<T> => {
      await body;
      request.answeredAt = epochNow();
      return body;
    };
    const json = response.json.bind(response);
    const text = response.text.bind(response);
    response.json = () => read(json());
    response.text = () => read(text());
    return response;
  };
}
