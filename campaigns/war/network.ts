// The way between the tabs and the token endpoint: it takes a while, never the same, and now and then an answer does not arrive.
import { setTimeout as sleep } from 'node:timers/promises';
import type { TokenEndpointMiddleware } from '../../demo/server/token-endpoint.js';

export interface NetworkOptions {
  /** Each way, milliseconds, evenly distributed. */
  minMs: number;
  maxMs: number;
  /** Share of refresh answers that are lost after the server has decided. */
  loss: number;
  /** Life of an access token as the clients are told; shorter than the authorization server can say, whose unit is the second. */
  lifeMs: number;
  random: () => number;
}

export function network({ minMs, maxMs, loss, lifeMs, random }: NetworkOptions): TokenEndpointMiddleware {
  const travel = () => sleep(minMs + random() * (maxMs - minMs));
  return (next) => async (request) => {
    await travel();
    const answer = await next(request);
    await travel();
    if ('broken' in answer || answer.status !== 200) return answer;
    if (request.form.get('grant_type') === 'refresh_token' && random() < loss) return { broken: 'reset' };
    const body = JSON.parse(answer.body) as Record<string, unknown>;
    if ('expires_in' in body) body['expires_in'] = lifeMs / 1000;
    return { ...answer, body: JSON.stringify(body) };
  };
}

/** A small seeded generator (mulberry32), so that two campaigns meet the same network. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
