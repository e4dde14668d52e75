import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Database from 'libsql';
import { describe, expect, test } from 'vitest';
import { describeStore, type StoreUnderTest } from '../../test/server/store-conformance.js';
import { sqliteStore } from './sqlite-store.js';

const tables = ['session', 'spent', 'version', 'token'];

async function open(): Promise<StoreUnderTest> {
  const folder = mkdtempSync(path.join(tmpdir(), 'sqlite-store-'));
  const file = path.join(folder, 'sessions.db');
  const store = sqliteStore(file);
  return {
    store,
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

  test('tries a file again that could not be opened', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'sqlite-store-'));
    const store = sqliteStore(path.join(folder, 'missing', 'sessions.db'));
    await expect(store.sweep()).rejects.toThrow(/open/);
    rmSync(folder, { recursive: true });
    await expect(store.sweep()).rejects.toThrow(/open/);
    await store.close();
  });
});
