import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'libsql';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { describeStore, type StoreUnderTest } from '../../test/server/store-conformance.js';
import { createStrictEndpoint, refreshRequest, times } from '../../test/server/strict-endpoint.js';
import { patiently } from '../../test/support/patiently.js';
import { createIdempotentRotation, type ServerStore } from './index.js';
import { migrate, STEPS } from './sqlite-schema.js';
import { sqliteStore } from './sqlite-store.js';

const tables = ['session', 'spent', 'version', 'token'];

async function open(): Promise<StoreUnderTest & { file: string }> {
  const folder = mkdtempSync(path.join(tmpdir(), 'sqlite-store-'));
  const file = path.join(folder, 'sessions.db');
  const store = sqliteStore(file);
  return {
    store,
    file,
    another: async () => sqliteStore(file),
    async dump() {
      const db = new Database(file);
      try {
        return JSON.stringify(tables.map((table) => db.prepare(`SELECT * FROM one_refresh_${table}`).all()));
      } finally {
        db.close();
      }
    },
    // With the write-ahead log, in which deleted rows may live on.
    bytes: async () =>
      readdirSync(folder)
        .filter((name) => !name.endsWith('-shm'))
        .map((name) => readFileSync(path.join(folder, name), 'latin1'))
        .join(''),
    async close() {
      await store.close();
      rmSync(folder, { recursive: true });
    },
  };
}

describe('sqliteStore', () => {
  describeStore(open);

  test('refuses a path that is none', () => {
    for (const file of ['', undefined, 5]) {
      expect(() => sqliteStore(file as string)).toThrow(
        expect.objectContaining({ code: 'ERR_CONFIGURATION' }),
      );
    }
  });

  describe('calls of one turn', () => {
    let under: StoreUnderTest;
    beforeEach(async () => {
      under = await open();
      for (const token of ['R1', 'R2']) await under.store.rotation.begin(token, 'alice');
    });
    afterEach(() => under.close());
    const me = { holder: null, request: 'request' };
    const claim = (token: string, id: string) => under.store.rotation.claim(token, id, me, 10_000);

    test('one fails, and the others are kept', async () => {
      const answer = { requester: me, next: 'R5', userId: 'alice', answer: 'sealed', windowMs: 0.5 };
      const said = await Promise.allSettled([
        claim('R3', 'first'),
        // The column takes integers only.
        under.store.rotation.settle('R1', 'first', answer),
        claim('R4', 'first'),
      ]);
      expect(said.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      for (const token of ['R3', 'R4']) expect(await claim(token, 'second')).toEqual({ state: 'pending' });
    });

    test('are done before the file is closed', async () => {
      const claims = [claim('R3', 'first'), claim('R4', 'first')];
      await under.store.close();
      expect(await Promise.all(claims)).toEqual([{ state: 'claimed' }, { state: 'claimed' }]);
    });
  });

  describe('while another process has the lock', () => {
    let under: StoreUnderTest & { file: string };
    let other: Database.Database;
    const me = { holder: null, request: 'request' };
    const claim = (store: ServerStore, token: string) => store.rotation.claim(token, 'mine', me, 10_000);
    beforeEach(async () => {
      under = await open();
      await under.store.sweep();
      other = new Database(under.file);
      other.exec('BEGIN IMMEDIATE');
    });
    afterEach(async () => {
      other.close();
      await under.close();
    });

    test('the process works, and the calls wait', async () => {
      const another = await under.another();
      const claims = [claim(under.store, 'R1')];
      // Only a process that goes on lets the lock go.
      await sleep(100);
      claims.push(claim(under.store, 'R2'), claim(another, 'R3'));
      await sleep(100);
      other.exec('COMMIT');
      expect(await Promise.all(claims)).toEqual(times(3, () => ({ state: 'claimed' })));
      await another.close();
    });

    test('a refresh fails in its time', async () => {
      const endpoint = createStrictEndpoint();
      const options = { store: under.store, storeTimeoutMs: 100, onStoreError: () => {} };
      const handler = createIdempotentRotation(options)(endpoint.handler);
      const token = endpoint.signIn();
      expect((await handler(refreshRequest(token))).status).toBe(503);
      expect(endpoint.spent).toEqual([]);
      other.exec('COMMIT');
      // The claim came too late, and is given back.
      await patiently(async () => expect((await handler(refreshRequest(token))).status).toBe(200));
    });

    test('the file is closed when the calls are done', async () => {
      const claimed = claim(under.store, 'R1');
      const closed = under.store.close();
      await sleep(100);
      other.exec('COMMIT');
      await closed;
      expect(await claimed).toEqual({ state: 'claimed' });
    });
  });

  test('tries a file again that could not be opened', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'sqlite-store-'));
    const store = sqliteStore(path.join(folder, 'missing', 'sessions.db'));
    await expect(store.sweep()).rejects.toThrow(/open/);
    rmSync(folder, { recursive: true });
    await expect(store.sweep()).rejects.toThrow(/open/);
    await store.close();
  });

  test('keeps no answer longer after a clock is set back', async () => {
    const under = await open();
    const me = { holder: null, request: 'request' };
    const settlement = { requester: me, next: 'R2', userId: 'alice', answer: 'sealed', windowMs: 10_000 };
    await under.store.rotation.settle('R1', 'mine', settlement);
    const real = Date.now;
    const clock = vi.spyOn(Date, 'now').mockImplementation(() => real() - 3_600_000);
    try {
      expect(await under.store.rotation.claim('R1', 'other', me, 10_000)).toEqual({ state: 'claimed' });
      expect(await under.dump()).not.toContain('sealed');
    } finally {
      clock.mockRestore();
      await under.close();
    }
  });

  test('adds to tables that have got more columns', async () => {
    const under = await open();
    try {
      await under.store.sweep();
      const db = new Database(under.file);
      db.exec("ALTER TABLE one_refresh_version ADD COLUMN note TEXT DEFAULT ''");
      db.close();
      await under.store.versions.begin('V1');
      expect(await under.store.versions.claim('V1', 'mine', 1, 10_000)).toMatchObject({ state: 'claimed' });
    } finally {
      await under.close();
    }
  });

  test('empties the log once a reader lets go of it', async () => {
    const under = await open();
    const me = { holder: null, request: 'request' };
    const settlement = { requester: me, next: 'R2', userId: 'alice', answer: 'sealed', windowMs: 1 };
    await under.store.rotation.begin('R1', 'alice');
    const reader = new Database(under.file);
    try {
      await under.store.rotation.settle('R1', 'mine', settlement);
      reader.exec('BEGIN');
      reader.prepare('SELECT * FROM one_refresh_session').all();
      const startedAt = performance.now();
      await under.store.sweep();
      expect(performance.now() - startedAt, 'nobody waits for the reader').toBeLessThan(2_000);
      // The sweeps that the rows themselves ask for are over by then.
      await sleep(1_500);
      expect(await under.bytes!()).toContain('sealed');
      reader.exec('COMMIT');
      await vi.waitFor(async () => expect(await under.bytes!()).not.toContain('sealed'), { timeout: 5_000 });
    } finally {
      reader.close();
      await under.close();
    }
  });

  describe('schema', () => {
    let folder: string;
    let file: string;
    let db: Database.Database;
    beforeEach(() => {
      folder = mkdtempSync(path.join(tmpdir(), 'sqlite-store-'));
      file = path.join(folder, 'sessions.db');
      db = new Database(file);
    });
    afterEach(() => {
      db.close();
      rmSync(folder, { recursive: true });
    });
    const version = () => db.prepare('SELECT version FROM one_refresh_schema').all();

    test('upgrades tables from before there were versions', async () => {
      db.exec(STEPS[0]!);
      db.exec("INSERT INTO one_refresh_session VALUES ('S', 'alice', 'R1', NULL, 7, 1, 9999999999999)");
      const store = sqliteStore(file);
      const requester = { holder: 'h', request: 'r' };
      const moved = { requester, next: 'R2', userId: 'alice', answer: 'sealed', windowMs: 1_000 };
      expect(await store.rotation.settle('R1', 'c', moved)).toEqual({ sessionId: 'S', version: 8 });
      expect(version()).toEqual([{ version: STEPS.length }]);
      await store.close();
    });

    test('takes each step of a later version once', async () => {
      const store = sqliteStore(file);
      await store.rotation.begin('R1', 'alice');
      const later = [...STEPS, "ALTER TABLE one_refresh_session ADD COLUMN note TEXT DEFAULT 'none'"];
      migrate(db, later);
      migrate(db, later);
      expect(db.prepare('SELECT user_id, note FROM one_refresh_session').all()).toEqual([
        { user_id: 'alice', note: 'none' },
      ]);
      // A process of the version before goes on, and is refused when it starts again.
      await store.rotation.begin('R2', 'alice');
      await store.close();
      const older = sqliteStore(file);
      await expect(older.sweep()).rejects.toMatchObject({
        code: 'ERR_CONFIGURATION',
        message: expect.stringMatching(/has version 2 .* up to 1: update/),
      });
      await older.close();
      expect(version()).toEqual([{ version: 2 }]);
    });

    test('takes a step wholly or not at all', () => {
      migrate(db);
      const broken = [...STEPS, 'ALTER TABLE one_refresh_session ADD COLUMN note TEXT; NOT SQL'];
      expect(() => migrate(db, broken)).toThrow(/syntax/);
      expect(version()).toEqual([{ version: STEPS.length }]);
      expect(
        db
          .prepare('SELECT * FROM one_refresh_session')
          .columns()
          .map(({ name }) => name),
      ).not.toContain('note');
    });
  });
});
