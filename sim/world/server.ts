import type { TokenResponse } from '../../src/core/types.js';

/** How a simulated authorization server treats a refresh token that was used before. */
export type ServerKind =
  /** Revokes the whole family (RFC 9700 §4.14.2). */
  | 'strict'
  /** Refuses it, and nothing else (Zitadel, Cloudflare). */
  | 'refusing'
  /** For a while, gives the same successor again (Supabase). */
  | 'grace-same'
  /** For a while, gives a further pair; all of them live (Auth0, Hydra, Keycloak). */
  | 'grace-new'
  /** For a while, gives a further pair; only the newest lives. */
  | 'grace-latest'
  /** Does not rotate: the refresh token stays, and is not sent again. */
  | 'static'
  /** Replays the answer to whoever repeats the idempotency key. */
  | 'idempotent'
  /** Answers 409 to a version other than its own, and spends nothing. */
  | 'versioned';

export interface TokenRequest {
  readonly refreshToken: string;
  readonly version: number;
  readonly idempotencyKey: string;
  readonly audience: string;
}

export type ServerAnswer =
  | { readonly kind: 'tokens'; readonly tokens: TokenResponse; readonly replayed: boolean }
  | { readonly kind: 'lost' }
  | { readonly kind: 'conflict'; readonly version: number };

/** One sign-in as the server keeps it. */
export interface Family {
  readonly id: string;
  /** Why it is no more. A replay names the refresh token that came twice. */
  revoked: 'replay' | 'sign-out' | 'administrator' | undefined;
  replayed: string | undefined;
  version: number;
  pairs: number;
}

export interface RefreshToken {
  readonly token: string;
  readonly family: Family;
  /** When it was used first. */
  spentAt: number | undefined;
  /** A younger sibling took its place. */
  superseded: boolean;
  successor: TokenResponse | undefined;
  /** The token it was given for. */
  readonly parent: string | undefined;
  /** When its life is over; virtual time. */
  endsAt: number;
}

export interface Server {
  readonly kind: ServerKind;
  readonly signIn: () => { readonly family: Family; readonly tokens: TokenResponse };
  readonly handle: (request: TokenRequest) => ServerAnswer;
  readonly revoke: (refreshToken: string) => void;
  readonly revokeFamily: (family: Family) => void;
  readonly find: (refreshToken: string | undefined) => RefreshToken | undefined;
  readonly families: () => readonly Family[];
  /** Changes the life of the access tokens given from now on; seconds. */
  readonly setLife: (seconds: number) => void;
}

export function createServer(
  kind: ServerKind,
  graceMs: number,
  life: number,
  now: () => number,
  prefix = 'f',
  refreshLife?: number,
): Server {
  const tokens = new Map<string, RefreshToken>();
  const families: Family[] = [];
  const answers = new Map<string, TokenResponse>();
  let seconds = life;

  function issue(family: Family, parent: RefreshToken | undefined, audience: string): TokenResponse {
    const number = ++family.pairs;
    const rotates = kind !== 'static' || !parent;
    // As in life, a younger token may sort before an older one or behind it: where tabs have to choose one of two, either may win.
    const token = `${family.id}/${(number * 7) % 10}r${number}`;
    if (rotates) {
      tokens.set(token, {
        token,
        family,
        spentAt: undefined,
        superseded: false,
        successor: undefined,
        parent: parent?.token,
        endsAt: Infinity,
      });
    }
    // (Of one that does not rotate, the old token's life begins anew.)
    if (refreshLife !== undefined)
      tokens.get(rotates ? token : parent.token)!.endsAt = now() + refreshLife * 1000;
    return {
      access_token: `${family.id}/a${number}@${audience}`,
      token_type: 'Bearer',
      expires_in: seconds,
      ...(rotates && { refresh_token: token }),
      ...(refreshLife !== undefined && { refresh_token_expires_in: refreshLife }),
    };
  }

  /** The answer says how long its refresh token lives, from now on. */
  function replay(answer: TokenResponse): ServerAnswer {
    const given = tokens.get(answer.refresh_token ?? '');
    if (given && refreshLife !== undefined) given.endsAt = now() + refreshLife * 1000;
    return { kind: 'tokens', tokens: answer, replayed: true };
  }

  function spend(refreshToken: RefreshToken, audience: string): ServerAnswer {
    const { family } = refreshToken;
    refreshToken.spentAt ??= now();
    if (refreshToken.successor) {
      const former = tokens.get(refreshToken.successor.refresh_token ?? '');
      if (former && kind === 'grace-latest') former.superseded = true;
    } else family.version++;
    const pair = issue(family, refreshToken, audience);
    refreshToken.successor = pair;
    return { kind: 'tokens', tokens: pair, replayed: false };
  }

  return {
    kind,
    signIn() {
      const id = `${prefix}${families.length + 1}`;
      const family: Family = { id, revoked: undefined, replayed: undefined, version: 1, pairs: 0 };
      families.push(family);
      return { family, tokens: { ...issue(family, undefined, ''), id_token: idTokenOf(id) } };
    },

    handle({ refreshToken, version, idempotencyKey, audience }) {
      const known = tokens.get(refreshToken);
      if (!known || known.family.revoked || known.superseded || known.endsAt <= now())
        return { kind: 'lost' };
      const { family, spentAt, successor } = known;
      if (kind === 'static') return spend(known, audience);
      if (kind === 'idempotent') {
        const answer = answers.get(idempotencyKey);
        if (answer) return replay(answer);
      }
      if (kind === 'versioned' && version !== family.version) {
        return { kind: 'conflict', version: family.version };
      }
      if (spentAt === undefined) {
        const answer = spend(known, audience);
        if (answer.kind === 'tokens') answers.set(idempotencyKey, answer.tokens);
        return answer;
      }
      const forgiving = now() - spentAt <= graceMs;
      if (forgiving && kind === 'grace-same') return replay(successor!);
      if (forgiving && (kind === 'grace-new' || kind === 'grace-latest')) return spend(known, audience);
      if (kind !== 'refusing' && kind !== 'grace-latest') {
        family.revoked = 'replay';
        family.replayed = refreshToken;
      }
      return { kind: 'lost' };
    },

    revoke(refreshToken) {
      const known = tokens.get(refreshToken);
      // To some servers a token that was spent says nothing any more.
      if (!known || (kind === 'refusing' && known.spentAt !== undefined)) return;
      known.family.revoked ??= 'sign-out';
    },
    revokeFamily: (family) => (family.revoked ??= 'administrator'),
    find: (refreshToken) => tokens.get(refreshToken ?? ''),
    families: () => families,
    setLife: (value) => (seconds = value),
  };
}

/** An ID token of this subject. */
export function idTokenOf(subject: string): string {
  return `.${btoa(JSON.stringify({ iss: 'simulated', aud: 'app', sub: subject }))}.`;
}

/** Several servers, as an observer looks at them who knows all their tokens. */
export function observed(
  servers: readonly [Server, ...Server[]],
): Pick<Server, 'find' | 'families' | 'revokeFamily' | 'setLife'> {
  return {
    find: (refreshToken) => servers.map((one) => one.find(refreshToken)).find(Boolean),
    families: () => servers.flatMap((one) => one.families()),
    revokeFamily: (family) => servers[0].revokeFamily(family),
    setLife: (seconds) => servers.forEach((one) => one.setLife(seconds)),
  };
}

/** Whose access token this is, and for which audience: the simulated server's tokens say so. */
export function readToken(accessToken: string): { readonly family: string; readonly audience: string } {
  const end = accessToken.indexOf('@');
  return {
    family: accessToken.slice(0, accessToken.indexOf('/')),
    audience: accessToken.slice(end + 1),
  };
}
