// Where oidc-provider keeps its sessions, grants and tokens: this process' memory, one store per server, gone with it.
import type { Adapter, AdapterPayload } from 'oidc-provider';

interface Stored {
  payload: AdapterPayload;
  expiresAt: number;
}

/** Tokens of one grant are revoked together, so they are found by it. */
const GRANTABLE = new Set(['AccessToken', 'AuthorizationCode', 'RefreshToken']);

export function createProviderStorage(): (model: string) => Adapter {
  const stored = new Map<string, Stored>();
  const idsByGrant = new Map<string, Set<string>>();
  const idByUid = new Map<string, string>();

  const read = (key: string): AdapterPayload | undefined => {
    const entry = stored.get(key);
    if (entry === undefined) return undefined;
    if (entry.expiresAt > Date.now()) return entry.payload;
    stored.delete(key);
    return undefined;
  };

  return (model) => {
    const keyOf = (id: string) => `${model}:${id}`;
    const find = async (id: string) => read(keyOf(id));
    return {
      find,
      async upsert(id, payload, expiresIn) {
        const key = keyOf(id);
        stored.set(key, { payload, expiresAt: expiresIn ? Date.now() + expiresIn * 1000 : Infinity });
        if (payload.uid !== undefined) idByUid.set(payload.uid, id);
        if (payload.grantId !== undefined && GRANTABLE.has(model)) {
          const ids = idsByGrant.get(payload.grantId) ?? new Set();
          idsByGrant.set(payload.grantId, ids.add(key));
        }
      },
      async consume(id) {
        const payload = read(keyOf(id));
        if (payload !== undefined) payload['consumed'] = Math.floor(Date.now() / 1000);
      },
      async destroy(id) {
        stored.delete(keyOf(id));
      },
      async findByUid(uid) {
        const id = idByUid.get(uid);
        return id === undefined ? undefined : find(id);
      },
      async findByUserCode() {
        return undefined; // no device flow here
      },
      async revokeByGrantId(grantId) {
        for (const key of idsByGrant.get(grantId) ?? []) stored.delete(key);
        idsByGrant.delete(grantId);
      },
    };
  };
}
