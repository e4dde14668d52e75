// Five duplicates of one refresh at once, sent to the server as it is and with our session table in front of it.
import { createIdempotentRotation, sqliteStore } from 'one-refresh/server';
import { endpointsOf, sendOverNetwork, signInByHand, withCookies } from '../../test/interop/code-flow.js';
import type { Recipe } from '../../test/interop/servers/recipes.js';
import type { ClientSettings, Place } from '../../test/interop/servers/real-server.js';
import { OUTSIDE, type Front } from './front.js';

export interface Duplicates {
  /** Answered 200. */
  readonly answered: number;
  /** Different pairs among the answers. */
  readonly pairs: number;
  /** Refreshes that reached the server. */
  readonly spends: number;
  /** Whether the newest pair still works afterwards. */
  readonly goesOn: boolean;
}

export interface DuplicateFigures {
  readonly bare: Duplicates;
  readonly guarded: Duplicates;
}

const DUPLICATES = 5;

export async function compareDuplicates(
  recipe: Recipe,
  client: ClientSettings,
  place: Place,
  front: Front,
): Promise<DuplicateFigures> {
  const bare = await sendDuplicates(recipe, client, place, front);
  const store = sqliteStore(':memory:');
  front.guard(createIdempotentRotation({ store }));
  try {
    return { bare, guarded: await sendDuplicates(recipe, client, place, front) };
  } finally {
    front.guard(undefined);
    await store.close();
  }
}

async function sendDuplicates(
  { logIn }: Recipe,
  client: ClientSettings,
  place: Place,
  front: Front,
): Promise<Duplicates> {
  const send = withCookies(sendOverNetwork);
  await logIn?.(send, place);
  const tokens = await signInByHand(send, client, place.redirectUri);
  const { token_endpoint: tokenEndpoint } = await endpointsOf(client);
  const refresh = async (refreshToken: string): Promise<string | undefined> => {
    const response = await fetch(tokenEndpoint, {
      method: 'POST',
      headers: { [OUTSIDE]: '1' },
      body: new URLSearchParams({
        grant_type: 'refresh_token',
        client_id: client.clientId,
        refresh_token: refreshToken,
      }),
    });
    const text = await response.text();
    return response.ok ? (JSON.parse(text) as { refresh_token: string }).refresh_token : undefined;
  };

  const before = front.reached();
  const copies = Array.from({ length: DUPLICATES }, () => refresh(String(tokens.refresh_token)));
  const pairs = (await Promise.all(copies)).filter((issued) => issued !== undefined);
  const spends = front.reached() - before;
  const goesOn = pairs.length > 0 && (await refresh(pairs.at(-1)!)) !== undefined;
  return { answered: pairs.length, pairs: new Set(pairs).size, spends, goesOn };
}
