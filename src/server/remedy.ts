// The part that both remedies share around a refresh.
import { TokenCoordinatorError } from '../core/errors.js';
import { guarded } from './guarded.js';
import type { Conflict, RefreshOutcome } from './monitor.js';
import type { CheckedOptions } from './options.js';
import {
  readTokenRequest,
  type TokenHandler,
  type TokenMiddleware,
  type TokenRequest,
} from './token-request.js';
import { callStore } from './store-call.js';
import {
  errorOf,
  issuedTokens,
  readAnswer,
  withMembersIn,
  type IssuedTokens,
  type ReadAnswer,
} from './token-response.js';
import { digest } from './digest.js';

/** A request with a refresh token. */
export interface Refresh {
  readonly request: TokenRequest;
  /** The request as it came, for the headers of our own answers. Its body was read. */
  readonly original: Request;
  readonly token: string;
  readonly next: TokenHandler;
}

/** A remedy's work at a refresh, and its notes when a login begins and ends. */
export interface RemedyCases {
  refresh(refresh: Refresh): Promise<Response>;
  /** @param key - digest of the first refresh token */
  begin(key: string, issued: IssuedTokens): Promise<unknown>;
  /** @param key - digest of a refresh token that was revoked */
  end(key: string): Promise<unknown>;
  /** Members that the answer to a sign-in gets besides its own, once its login is noted. */
  readonly signedIn?: Readonly<Record<string, unknown>>;
}

/** A middleware out of its cases. A request that is no token request passes untouched. */
export function remedy(options: CheckedOptions, cases: RemedyCases): TokenMiddleware {
  const { monitor } = options;
  return (next) => async (original) => {
    const startedAt = performance.now();
    const request = await readTokenRequest(original);
    if (request === undefined) return next(original);
    if (request instanceof Response) return withOwnHeaders(request, original, options);
    const token = request.form.get('refresh_token');
    if (request.form.get('grant_type') !== 'refresh_token' || !token)
      return followLogin(request, next, options, cases);
    if (!monitor) return cases.refresh({ request, original, token, next });
    let outcome: RefreshOutcome = 'failed';
    try {
      const answer = await cases.refresh({ request, original, token, next });
      outcome = await outcomeOf(answer);
      return answer;
    } finally {
      monitor.record(outcome, performance.now() - startedAt);
    }
  };
}

/** A sign-in begins a login, and a sign-out ends it. Neither ever fails because of the store. */
async function followLogin(
  request: TokenRequest,
  next: TokenHandler,
  options: CheckedOptions,
  cases: RemedyCases,
): Promise<Response> {
  const read = await readAnswerOf(next, request.forward(), options);
  const { answer } = read;
  const revoked = request.form.get('token');
  try {
    // guard: an introspection is no revocation
    if (request.form.has('grant_type')) {
      const issued = issuedTokens(read);
      if (issued?.refreshToken === undefined) return answer;
      const key = await digest('token', issued.refreshToken);
      await callStore(() => cases.begin(key, issued), options);
      if (cases.signedIn) return withMembersIn(answer, issued, cases.signedIn);
    } else if (revoked && answer.status === 200 && !isIntrospection(read)) {
      const key = await digest('token', revoked);
      await callStore(() => cases.end(key), options);
    }
  } catch {
    // The store's owner has been told. A login that is not known begins with its first refresh.
  }
  return answer;
}

/** Calls the endpoint behind and reads its answer. An answer that cannot be read is reported, since nothing guards its tokens. */
export async function readAnswerOf(
  next: TokenHandler,
  request: Request,
  { onStoreError }: CheckedOptions,
): Promise<ReadAnswer> {
  return readAnswer(await next(request), (codings) => {
    const error = new TokenCoordinatorError(
      'ERR_CONFIGURATION',
      `The token endpoint answers with Content-Encoding "${codings}", which cannot be read here, so its tokens are not guarded: ` +
        'let it heed Accept-Encoding: identity, or use gzip, deflate or br',
    );
    // guard: an answer that cannot be read is reported
    guarded(() => onStoreError(error));
  });
}

/** An introspection (RFC 7662) looks like a revocation, but its answer says `active`, or is a JWT (RFC 9701). */
function isIntrospection({ answer, body }: ReadAnswer): boolean {
  const type = answer.headers.get('content-type') ?? '';
  return 'active' in (body ?? {}) || type.startsWith('application/token-introspection+jwt');
}

async function outcomeOf(answer: Response): Promise<RefreshOutcome> {
  if (answer.status === 200) return answer.headers.has('idempotent-replayed') ? 'replayed' : 'refreshed';
  if (answer.status >= 500) return 'failed';
  const error = await errorOf(answer);
  return error === 'version_conflict' || error === 'invalid_grant' ? 'conflict' : 'refused';
}

/** For an answer that no authorization server made, so that nobody else has given it the headers of the site. */
export function withOwnHeaders(answer: Response, request: Request, options: CheckedOptions): Response {
  guarded(() => {
    for (const [name, value] of Object.entries(options.responseHeaders(request))) {
      answer.headers.set(name, value);
    }
  });
  return answer;
}

export function tellConflict(
  { onConflict }: CheckedOptions,
  key: string,
  { request }: Refresh,
  conflict: Pick<Conflict, 'reason' | 'sessionId' | 'version'>,
): void {
  const clientId = request.form.get('client_id') ?? undefined;
  guarded(() => onConflict({ ...conflict, at: Date.now(), token: key.slice(0, 16), clientId }));
}
