// What both remedies do around a refresh.
import { guarded } from './guarded.js';
import type { Conflict, RefreshOutcome } from './monitor.js';
import type { CheckedOptions } from './options.js';
import {
  readTokenRequest,
  type TokenHandler,
  type TokenMiddleware,
  type TokenRequest,
} from './token-request.js';
import { readJson } from './token-response.js';

/** A request with a refresh token. */
export interface Refresh {
  readonly request: TokenRequest;
  /** The request as it came, for the headers of our own answers. Its body was read. */
  readonly original: Request;
  readonly token: string;
  readonly next: TokenHandler;
}

/** A middleware out of its two cases. What is no token request passes untouched. */
export function remedy(
  options: CheckedOptions,
  cases: {
    refresh(refresh: Refresh): Promise<Response>;
    other(request: TokenRequest, next: TokenHandler): Promise<Response>;
  },
): TokenMiddleware {
  const { monitor } = options;
  return (next) => async (original) => {
    const startedAt = performance.now();
    const request = await readTokenRequest(original);
    if (request === undefined) return next(original);
    if (request instanceof Response) return withOwnHeaders(request, original, options);
    const token = request.form.get('refresh_token');
    if (request.form.get('grant_type') !== 'refresh_token' || !token) return cases.other(request, next);
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

async function outcomeOf(answer: Response): Promise<RefreshOutcome> {
  if (answer.status === 200) return answer.headers.has('idempotent-replayed') ? 'replayed' : 'refreshed';
  if (answer.status >= 500) return 'failed';
  const { error } = (await readJson(answer)) ?? {};
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
