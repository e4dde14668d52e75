import { readNote, writeNote } from './key-store.js';

/** A nonce heard in this tab is not looked up again for so long; then another tab may have heard a newer one. */
const FRESH_MS = 10_000;

/** The nonces that servers want to see in the next proof (RFC 9449 §8, §9). */
const heard = new Map<string, { readonly nonce: string; readonly at: number }>();

/** @param server - its role and origin: an API may want other nonces than an authorization server on the same origin */
export async function nonceFor(server: string): Promise<string | undefined> {
  const last = heard.get(server);
  if (last && performance.now() - last.at < FRESH_MS) return last.nonce;
  const nonce = (await readNote<string>(`nonce:${server}`)) ?? last?.nonce;
  if (nonce !== undefined) heard.set(server, { nonce, at: performance.now() });
  return nonce;
}

/** Whether it has sent one, as far as known: after {@link nonceFor}, or an answer. */
export function offersNonces(server: string): boolean {
  return heard.has(server);
}

/** Takes over the nonce of an answer, for all tabs. */
export function hearNonce(server: string, headers: Headers): void {
  const nonce = headers.get('dpop-nonce');
  if (!nonce) return;
  if (heard.get(server)?.nonce !== nonce) void writeNote(`nonce:${server}`, nonce);
  heard.set(server, { nonce, at: performance.now() });
}
