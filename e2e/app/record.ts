// The stored record, read past the library: a test believes it over the tabs.

/** The members that the tests look at. */
export interface StoredRecord {
  schema: number;
  term: number;
  leader?: string;
  sessionId: string;
  version: number;
  refreshToken?: string;
  accessTokens: Record<string, unknown>;
  journal?: { attempt: number; by: string; term: number };
  ended?: { kind: string; reason?: string };
}

export async function readRecord(name: string): Promise<StoredRecord | undefined> {
  // In a sandboxed frame there is none, and Chromium's `databases()` would reject a second promise there, which nobody can catch.
  if (self.origin === 'null') return undefined;
  // Opening a database that is not there would create it, without the library's object store.
  const known = await indexedDB.databases();
  if (!known.some((database) => database.name === 'one-refresh')) return undefined;
  const database = await settled(indexedDB.open('one-refresh'));
  try {
    return await settled(database.transaction('records').objectStore('records').get(name));
  } finally {
    database.close();
  }
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result));
    request.addEventListener('error', () => reject(request.error ?? new Error('IndexedDB failed')));
  });
}
