// The course of one server: ten tabs, five expiries, a replay from outside, a lost answer, a dead token, a sign-out.
import { setTimeout as sleep } from 'node:timers/promises';
import { endpointsOf } from '../../test/interop/code-flow.js';
import type { Recipe } from '../../test/interop/servers/recipes.js';
import type { ClientSettings } from '../../test/interop/servers/real-server.js';
import { OUTSIDE, type Front, type Refresh } from './front.js';
import type { Outcome, Tabs } from './tabs.js';

/** The session's fate at one expiry. */
export interface Step {
  readonly requests: number;
  /** A `Fate`, or what happened instead. */
  readonly fate: string;
  /** Tabs that were told to ask the user. */
  readonly asked: number;
}

/** The answer of the token endpoint to somebody outside of the browser. */
export interface OutsideAnswer {
  readonly status: number;
  readonly error?: string | undefined;
}

export interface Figures {
  readonly expiries: number;
  readonly requests: number;
  /** Refreshes in which the newest refresh token was not the one that was spent, or that were not answered 200. */
  readonly irregular: number;
  readonly replay: OutsideAnswer & Step;
  readonly lostAnswer: Step;
  /** Revoked at the server, by the app or by the user, or spent elsewhere where nothing can be revoked. */
  readonly deadToken: Step & {
    readonly how: 'revoked' | 'revoked by the user' | 'spent';
    readonly answer: OutsideAnswer;
    readonly later: number;
  };
  /** The answer to the session's refresh token after the sign-out; `revoked` if there is an endpoint for that. */
  readonly signOut: OutsideAnswer & { readonly revoked: boolean };
  /** Errors that nobody caught in a tab. */
  readonly errors: readonly string[];
}

const EXPIRIES = 5;

export async function runScenario(
  recipe: Recipe,
  client: ClientSettings,
  front: Front,
  tabs: Tabs,
  endSession: (() => Promise<void>) | undefined,
): Promise<Figures> {
  const { token_endpoint: tokenEndpoint, revocation_endpoint: revocationEndpoint } =
    await endpointsOf(client);
  const post = async (
    url: string,
    form: Record<string, string>,
  ): Promise<OutsideAnswer & { issued?: string }> => {
    const body = new URLSearchParams({ client_id: client.clientId, ...form });
    const response = await fetch(url, { method: 'POST', headers: { [OUTSIDE]: '1' }, body });
    const { error, refresh_token: issued } = parse(await response.text());
    return { status: response.status, error, ...(issued !== undefined && { issued }) };
  };
  const spend = (refreshToken: string) =>
    post(tokenEndpoint, { grant_type: 'refresh_token', refresh_token: refreshToken });

  /** One expiry; the asked tab signs in again. */
  async function step(): Promise<Step & { refreshes: Refresh[] }> {
    const before = front.refreshes.length;
    const outcome = await tabs.expire();
    const refreshes = front.refreshes.slice(before);
    return { requests: refreshes.length, fate: fateOf(outcome), asked: outcome.asked.length, refreshes };
  }
  const again = async ({ fate }: Step): Promise<void> => {
    if (fate !== 'goes on') await tabs.signIn();
  };

  await tabs.signIn();
  let expiries = 0;
  while (expiries < EXPIRIES) {
    const outcome = await tabs.expire();
    if (fateOf(outcome) !== 'goes on') throw new Error(`The session ended at an expiry: ${fateOf(outcome)}`);
    expiries += outcome.expiries;
  }
  const regular = [...front.refreshes];

  const { issued: _, ...answer } = await spend(regular.at(-1)!.spent);
  const replay = { ...answer, ...without(await step()) };
  await again(replay);

  front.loseNextAnswer();
  const lostAnswer = without(await step());
  await again(lostAnswer);

  const how = endSession ? 'revoked by the user' : revocationEndpoint ? 'revoked' : 'spent';
  if (endSession) await endSession();
  else if (revocationEndpoint)
    await post(revocationEndpoint, { token: front.newest(), token_type_hint: 'refresh_token' });
  else {
    const { issued = '' } = await spend(front.newest());
    await spend(issued);
    await sleep(recipe.forgivesSeconds * 1_000);
  }
  const { refreshes, ...dead } = await step();
  const { status = 0, error } = refreshes[0] ?? {};
  const before = front.refreshes.length;
  await tabs.askAgain();
  const deadToken = {
    ...dead,
    how,
    answer: { status, error },
    later: front.refreshes.length - before,
  } as const;
  await again(deadToken);

  const last = front.newest();
  const revoked = revocationEndpoint && front.nextRevocation();
  await tabs.signOut();
  await revoked;
  const { issued: __, ...afterwards } = await spend(last);
  return {
    expiries,
    requests: regular.length,
    irregular: regular.filter(
      ({ spent, status }, n) => status !== 200 || (n > 0 && spent !== regular[n - 1]?.issued),
    ).length,
    replay,
    lostAnswer,
    deadToken,
    signOut: { ...afterwards, revoked: revocationEndpoint !== undefined },
    errors: await tabs.errors(),
  };
}

function fateOf({ answers, asked }: Outcome): string {
  if (answers.length === 1 && answers[0] === 'token') return 'goes on';
  return [...new Set(asked)].join() || `nobody was told: ${answers.join()}`;
}

const without = ({ refreshes: _, ...step }: Step & { refreshes: Refresh[] }): Step => step;

function parse(text: string): { error?: string; refresh_token?: string } {
  try {
    return JSON.parse(text) as object;
  } catch {
    return {};
  }
}
