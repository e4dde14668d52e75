// A request at the token endpoint, read once and within bounds (RFC 6749 §3.2).
import { TokenCoordinatorError } from '../core/errors.js';
import { readText } from './body.js';
import { jsonAnswer } from './token-response.js';

/** Answers a request: a server's route, a Worker's `fetch`, or another middleware. Rejects as the endpoint behind it does. */
export type TokenHandler = (request: Request) => Response | Promise<Response>;

/** Puts something in front of a handler. Throws nothing. */
export type TokenMiddleware = (next: TokenHandler) => (request: Request) => Promise<Response>;

export interface TokenRequest {
  readonly form: URLSearchParams;
  readonly headers: Headers;
  /**
   * The request for the endpoint behind, with this form or another. It has no abort signal: a client that hangs up must not cancel a
   * refresh that may have spent its token already.
   */
  forward(form?: URLSearchParams): Request;
}

/** No token request comes near that: a refresh is a few hundred bytes, a signed client assertion some thousand. */
const LONGEST_BODY = 64 * 1024;

/** Extensions of OAuth that repeat a parameter: RFC 8707 §2, RFC 8693 §2.1. */
const REPEATABLE = new Set(['resource', 'audience']);

/**
 * Reads a form. Resolves to `undefined` for a request that is none, with its body untouched, and to a refusal where the body breaks the rules.
 *
 * @throws `ERR_CONFIGURATION` if it is no `Request`, or somebody else has read the body
 */
export async function readTokenRequest(request: Request): Promise<TokenRequest | Response | undefined> {
  if (typeof (Object(request) as Partial<Request>).headers?.get !== 'function') {
    throw new TokenCoordinatorError(
      'ERR_CONFIGURATION',
      'one-refresh/server takes a Request of the Fetch standard: see its examples for `http` of Node, Express and Hono',
    );
  }
  // A header that came twice is one with a comma.
  const type = (request.headers.get('content-type') ?? '').split(/[;,]/)[0]?.trim().toLowerCase();
  if (request.method !== 'POST' || type !== 'application/x-www-form-urlencoded') return undefined;
  const encoding = request.headers.get('content-encoding') ?? 'identity';
  // The endpoint behind might read what cannot be guarded here.
  // guard: a compressed form is refused
  if (encoding.toLowerCase() !== 'identity') return refusal(415, 'A token request is not compressed');
  if (request.bodyUsed) {
    throw new TokenCoordinatorError(
      'ERR_CONFIGURATION',
      'The body of the token request was read already: put one-refresh/server in front of body parsers',
    );
  }
  const text = await readText(request.body, LONGEST_BODY);
  if (text === undefined) return refusal(413, 'The request is too large');

  const form = new URLSearchParams(text);
  const names = new Set<string>();
  for (const name of form.keys()) {
    // Two servers may read a repeated parameter differently, so that one would guard a token and the other spend another.
    // guard: a repeated parameter is refused
    if (names.has(name) && !REPEATABLE.has(name))
      return refusal(400, 'A parameter is included more than once');
    names.add(name);
  }
  const { url, headers } = request;
  return {
    form,
    headers,
    forward(changed) {
      const forwarded = new Request(url, { method: 'POST', headers, body: changed?.toString() ?? text });
      // The body is whole now: the client's headers about length and connection no longer hold.
      for (const name of ['content-length', 'transfer-encoding', 'connection', 'keep-alive', 'expect'])
        forwarded.headers.delete(name);
      // The answer has to be read here. Without this header, `fetch` asks for a compressed one by itself.
      // guard: an answer is asked for as it is
      forwarded.headers.set('accept-encoding', 'identity');
      return forwarded;
    },
  };
}

function refusal(status: number, description: string): Response {
  return jsonAnswer(status, { error: 'invalid_request', error_description: description });
}
