// The duties of every store, whatever database is behind it.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Requester, ServerStore, Settlement } from 'one-refresh/server';

export interface StoreUnderTest {
  readonly store: ServerStore;
  /** A further process on the same database, as far as one process can be two. */
  another(): Promise<ServerStore>;
  /** Every row, as text; after a sweep where that is not left to the store. */
  dump(options?: { sweep: false }): Promise<string>;
  /** The database's files, where the store is responsible for them. */
  bytes?(): Promise<string>;
  close(): Promise<void>;
}

const CLAIM_MS = 10_000;
const me: Requester = { holder: 'holder', request: 'request' };
const settlement = (next: string, more: Partial<Settlement> = {}): Settlement => ({
  requester: me,
  next,
  userId: 'alice',
  answer: `sealed ${next}`,
  windowMs: 10_000,
  ...more,
});
const until = (check: () => Promise<void>) => vi.waitFor(check, { timeout: 10_000, interval: 20 });

export function describeStore(open: () => Promise<StoreUnderTest>): void {
  let under: StoreUnderTest;
  let stores: ServerStore[];
  let store: ServerStore;

  beforeEach(async () => {
    under = await open();
    ({ store } = under);
    stores = [store, await under.another()];
  });
  afterEach(async () => {
    await stores[1]?.close();
    await under.close();
  });

  describe('session table', () => {
    const claim = (token: string, id: string, claimMs = CLAIM_MS) =>
      store.rotation.claim(token, id, me, claimMs);
    const states = async (token: string) => (await claim(token, crypto.randomUUID())).state;

    test('gives a token to one of many claims', async () => {
      const claims = await Promise.all(
        Array.from({ length: 40 }, (_, n) => stores[n % 2]!.rotation.claim('R1', `claim ${n}`, me, CLAIM_MS)),
      );
      expect(claims.filter(({ state }) => state === 'claimed')).toHaveLength(1);
      expect(claims.filter(({ state }) => state === 'pending')).toHaveLength(39);
    });

    test('knows a claim that asks again', async () => {
      await claim('R1', 'mine');
      expect(await claim('R1', 'mine')).toEqual({ state: 'claimed' });
      expect(await claim('R1', 'other')).toEqual({ state: 'pending' });
    });

    test('takes back only the own claim', async () => {
      await claim('R1', 'mine');
      await store.rotation.release('R1', 'other');
      expect(await claim('R1', 'next')).toEqual({ state: 'pending' });
      await store.rotation.release('R1', 'mine');
      expect(await claim('R1', 'next')).toEqual({ state: 'claimed' });
    });

    test('lets an abandoned claim run out, a renewed one not', async () => {
      await claim('dead', 'mine', 100);
      await claim('alive', 'mine', 100);
      await store.rotation.renew('alive', 'mine', CLAIM_MS);
      await until(async () => expect(await claim('dead', 'next')).toEqual({ state: 'claimed' }));
      expect(await claim('alive', 'next')).toEqual({ state: 'pending' });
    });

    test('repeats what became of a spent token', async () => {
      await claim('R1', 'mine');
      const { sessionId } = await store.rotation.settle('R1', 'mine', settlement('R2'));
      const found = await stores[1]!.rotation.claim('R1', 'other', me, CLAIM_MS);
      expect(found).toEqual({
        state: 'spent',
        spent: { ...me, sessionId, version: 2, ageMs: expect.any(Number), answer: 'sealed R2' },
      });
      expect(found.state === 'spent' && found.spent.ageMs).toBeLessThan(5_000);
    });

    test('keeps a request without a holder as such', async () => {
      const nobody = { holder: null, request: 'request' };
      await store.rotation.claim('R1', 'mine', nobody, CLAIM_MS);
      await store.rotation.settle('R1', 'mine', settlement('R2', { requester: nobody }));
      expect(await claim('R1', 'other')).toMatchObject({ spent: nobody });
    });

    test('answers for the direct predecessor only', async () => {
      await store.rotation.begin('R1', 'alice');
      const first = await store.rotation.settle('R1', 'a', settlement('R2'));
      const second = await store.rotation.settle('R2', 'b', settlement('R3'));
      expect(second).toEqual({ sessionId: first.sessionId, version: 3 });
      expect(await claim('R1', 'x')).toMatchObject({ state: 'spent', spent: { version: 2, answer: null } });
      expect(await claim('R2', 'x')).toMatchObject({ spent: { version: 3, answer: 'sealed R3' } });
      expect(await under.dump()).not.toContain('sealed R2');
    });

    test('settles without a claim, and twice as once', async () => {
      const first = await store.rotation.settle('R1', 'lost', settlement('R2'));
      expect(await store.rotation.settle('R1', 'lost', settlement('R2'))).toEqual(first);
      expect(await claim('R1', 'x')).toMatchObject({ spent: { answer: 'sealed R2', version: 2 } });
    });

    test('does not release what was settled', async () => {
      await claim('R1', 'mine');
      await store.rotation.settle('R1', 'mine', settlement('R2'));
      await store.rotation.release('R1', 'mine');
      expect(await states('R1')).toBe('spent');
    });

    test('accepts a successor that was issued before', async () => {
      const first = await store.rotation.settle('R1', 'a', settlement('R2', { windowMs: 1 }));
      await until(async () => expect(await states('R1')).toBe('claimed'));
      expect(await store.rotation.settle('R1', 'b', settlement('R2'))).toEqual(first);
    });

    test('leaves nothing of an answer after its window', async () => {
      await store.rotation.settle('R1', 'mine', settlement('R2', { windowMs: 300 }));
      const dump = () => under.dump();
      const bytes = () => under.bytes?.() ?? dump();
      const holds = async (read: () => Promise<string>) => (await read()).includes('sealed R2');
      expect(await holds(bytes)).toBe(true);
      await until(async () => expect([await holds(dump), await holds(bytes)]).toEqual([false, false]));
      expect(await states('R1')).toBe('claimed');
    });

    test('sweeps the answer of a process that died', async () => {
      await stores[1]!.rotation.settle('R1', 'dead', settlement('R2', { windowMs: 400 }));
      await stores[1]!.close();
      expect(await states('R1')).toBe('spent');
      await until(async () => expect(await under.dump({ sweep: false })).not.toContain('sealed R2'));
    });

    test('ends a login with its answers', async () => {
      await store.rotation.begin('R1', 'alice');
      await store.rotation.settle('R1', 'mine', settlement('R2'));
      await store.rotation.end('R2');
      expect(await states('R1')).toBe('claimed');
      expect(await under.dump()).not.toMatch(/sealed R2|alice/);
    });

    test('ends a login by a token just spent', async () => {
      await store.rotation.settle('R1', 'mine', settlement('R2'));
      await store.rotation.end('R1');
      expect(await under.dump()).not.toMatch(/sealed R2|alice/);
      await store.rotation.end('never seen');
    });

    test('locks a login out', async () => {
      const { sessionId } = await store.rotation.settle('R1', 'mine', settlement('R2'));
      await store.rotation.deactivate(sessionId);
      expect(await states('R2')).toBe('inactive');
      expect(await under.dump()).not.toContain('sealed R2');
      await store.rotation.deactivate('no such session');
    });

    test('locks out the token before the newest as well', async () => {
      const kept = await store.rotation.settle('R1', 'mine', settlement('R2'));
      await store.rotation.deactivate(kept.sessionId);
      expect(await states('R1')).toBe('inactive');
      const gone = await store.rotation.settle('S1', 'mine', settlement('S2', { windowMs: 1 }));
      await until(async () => expect(await under.dump()).not.toContain('sealed S2'));
      await store.rotation.deactivate(gone.sessionId);
      expect(await states('S1')).toBe('inactive');
    });

    test('locks out what is being spent', async () => {
      const { sessionId } = await store.rotation.settle('R1', 'mine', settlement('R2'));
      await claim('R2', 'mine');
      await store.rotation.deactivate(sessionId);
      expect(await states('R2')).toBe('inactive');
      await store.rotation.settle('R2', 'mine', settlement('R3'));
      for (const token of ['R2', 'R3']) expect(await states(token)).toBe('inactive');
    });

    test('ends no login that is locked out', async () => {
      await store.rotation.settle('R1', 'mine', settlement('R2'));
      const { sessionId } = await store.rotation.settle('R2', 'mine', settlement('R3'));
      await store.rotation.deactivate(sessionId);
      for (const token of ['R1', 'R2', 'R3']) await store.rotation.end(token);
      for (const token of ['R2', 'R3']) expect(await states(token)).toBe('inactive');
    });

    test('leaves a token claimed whose login ends', async () => {
      await store.rotation.begin('R1', 'alice');
      await claim('R1', 'mine');
      await store.rotation.end('R1');
      expect(await states('R1')).toBe('pending');
    });

    test('makes one login of two with one successor', async () => {
      await store.rotation.settle('R1', 'a', settlement('R2', { windowMs: 1 }));
      const newest = await store.rotation.settle('R2', 'a', settlement('R3', { windowMs: 1 }));
      // Their windows are over, or the next settlements would only repeat these.
      for (const token of ['R1', 'R2']) await until(async () => expect(await states(token)).toBe('claimed'));
      const again = await store.rotation.settle('R1', 'x', settlement('R2', { windowMs: 1 }));
      await store.rotation.deactivate(again.sessionId);
      expect(await store.rotation.settle('R2', 'b', settlement('R3'))).toEqual(newest);
      expect(await states('R3'), 'one of the two was locked out').toBe('inactive');
    });
  });

  describe('versions', () => {
    const claim = (token: string, id: string, claimed: number, claimMs = CLAIM_MS) =>
      store.versions.claim(token, id, claimed, claimMs);
    const move = async (token: string, next: string, claimed: number, outdatedMs = 10_000) => {
      const claimId = crypto.randomUUID();
      const granted = await claim(token, claimId, claimed);
      if (granted.state !== 'claimed') throw new Error(`No claim: ${granted.reason}`);
      const { sessionId, newest } = granted;
      await store.versions.settle(token, claimId, { sessionId, next, newest, outdatedMs });
      return granted;
    };

    test('lets one of many requests move on', async () => {
      await store.versions.begin('R1');
      const claims = await Promise.all(
        Array.from({ length: 40 }, (_, n) => stores[n % 2]!.versions.claim('R1', `claim ${n}`, 1, CLAIM_MS)),
      );
      expect(claims.filter(({ state }) => state === 'claimed')).toHaveLength(1);
      const refused = claims.filter((one) => one.state === 'conflict');
      expect(refused).toHaveLength(39);
      for (const one of refused) expect(one).toMatchObject({ reason: 'pending', newest: 2 });
    });

    test('lets one of many begin an unknown login', async () => {
      for (let round = 0; round < 20; round++) {
        const claims = await Promise.all(
          Array.from({ length: 20 }, (_, n) =>
            stores[n % 2]!.versions.claim(`R${round}`, `claim ${n}`, 4, CLAIM_MS),
          ),
        );
        expect(claims.filter(({ state }) => state === 'claimed')).toMatchObject([{ newest: 5 }]);
      }
    });

    test('refuses an outdated token and an outdated version', async () => {
      await store.versions.begin('R1');
      const { sessionId } = await move('R1', 'R2', 1);
      const conflict = { state: 'conflict', reason: 'outdated', sessionId, newest: 2 };
      expect(await claim('R1', 'x', 1)).toEqual(conflict);
      expect(await claim('R1', 'x', 2)).toEqual(conflict);
      expect(await claim('R2', 'x', 1)).toEqual(conflict);
      expect(await claim('R2', 'x', 2)).toEqual({ state: 'claimed', sessionId, newest: 3 });
    });

    test('follows a client that counts further', async () => {
      await store.versions.begin('R1');
      expect(await claim('R1', 'x', 7)).toMatchObject({ state: 'claimed', newest: 8 });
    });

    test('gives a version back', async () => {
      await store.versions.begin('R1');
      const granted = await claim('R1', 'mine', 1);
      await store.versions.release('R1', granted.sessionId, 'other');
      expect(await claim('R1', 'next', 1)).toMatchObject({ state: 'conflict' });
      await store.versions.release('R1', granted.sessionId, 'mine');
      expect(await claim('R1', 'next', 1)).toMatchObject({ state: 'claimed', newest: 2 });
    });

    test('remembers nothing of a refused unknown token', async () => {
      const { sessionId } = await claim('stranger', 'mine', 3);
      await store.versions.release('stranger', sessionId, 'mine');
      expect(await under.dump()).not.toContain('stranger');
    });

    test('lets an abandoned claim run out, a renewed one not', async () => {
      await store.versions.begin('dead');
      await store.versions.begin('alive');
      await claim('dead', 'mine', 1, 100);
      const { sessionId } = await claim('alive', 'mine', 1, 100);
      await store.versions.renew(sessionId, 'mine', CLAIM_MS);
      await until(async () => expect(await claim('dead', 'next', 1)).toMatchObject({ state: 'claimed' }));
      expect(await claim('alive', 'next', 1)).toMatchObject({ state: 'conflict', reason: 'pending' });
    });

    test('forgets an outdated token in time', async () => {
      await store.versions.begin('R1');
      const { sessionId } = await move('R1', 'R2', 1, 50);
      await until(async () => {
        const again = await claim('R1', 'thief', 1);
        expect(again.state).toBe('claimed');
        expect(again.sessionId, 'the login itself is not touched').not.toBe(sessionId);
      });
      expect(await claim('R2', 'x', 2)).toMatchObject({ state: 'claimed', sessionId });
    });

    test('keeps a token that is not rotated', async () => {
      await store.versions.begin('R1');
      await move('R1', 'R1', 1);
      expect(await move('R1', 'R1', 2)).toMatchObject({ newest: 3 });
    });

    test('ends a login', async () => {
      await store.versions.begin('R1');
      await move('R1', 'R2', 1);
      await store.versions.end('R2');
      expect(await claim('R2', 'x', 9)).toMatchObject({ state: 'claimed', newest: 10 });
    });

    test('keeps the version of a login revoked meanwhile', async () => {
      await store.versions.begin('R1');
      const { sessionId, newest } = await claim('R1', 'mine', 4);
      await store.versions.end('R1');
      await store.versions.settle('R1', 'mine', { sessionId, next: 'R2', newest, outdatedMs: 10_000 });
      const conflict = { state: 'conflict', reason: 'outdated', sessionId, newest: 5 };
      expect(await claim('R2', 'x', 4)).toEqual(conflict);
      expect(await claim('R1', 'x', 5)).toEqual(conflict);
      expect(await claim('R2', 'x', 5)).toEqual({ state: 'claimed', sessionId, newest: 6 });
    });
  });

  test('refuses calls after it was closed, and closes twice', async () => {
    const other = await under.another();
    await other.close();
    await other.close();
    await expect(other.rotation.claim('R1', 'x', me, CLAIM_MS)).rejects.toThrow('closed');
  });

  test('sweeps on demand', async () => {
    await store.rotation.settle('R1', 'mine', settlement('R2'));
    await store.sweep();
    expect(await under.dump()).toContain('sealed R2');
  });
}
