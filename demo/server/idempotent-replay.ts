// A server that forgives: the replay of a refresh token that was rotated a moment ago is answered with the pair already issued, so a
// client that lost the answer may ask again. (Auth0, Okta, Supabase and others have such a window; oidc-provider has none.)
import type { TokenAnswer, TokenEndpointMiddleware } from './token-endpoint.js';
import { hashToken } from './token-endpoint-log.js';

/** `windowMs` is read at every request, so that a test or the lab page can change the server's mind; 0 forgives nothing. */
export function idempotentReplay(windowMs: () => number): TokenEndpointMiddleware {
  const issued = new Map<string, { at: number; answer: TokenAnswer }>();

  return (next) => async (request) => {
    const token = request.form.get('refresh_token');
    if (token === null || request.form.get('grant_type') !== 'refresh_token') return next(request);

    const key = hashToken(token);
    const earlier = issued.get(key);
    if (earlier !== undefined && Date.now() - earlier.at < windowMs()) {
      request.trace.replayed = true;
      return aged(earlier.answer, Date.now() - earlier.at);
    }

    const answer = await next(request);
    if (windowMs() > 0 && 'status' in answer && answer.status === 200) {
      issued.set(key, { at: Date.now(), answer });
      setTimeout(() => issued.delete(key), windowMs()).unref();
    }
    return answer;
  };
}

/** The same pair, with the life it has left: `expires_in` counts from the response, and this one comes later. */
function aged(answer: TokenAnswer, ageMs: number): TokenAnswer {
  if ('broken' in answer) return answer;
  const body = JSON.parse(answer.body) as { expires_in?: number };
  if (body.expires_in !== undefined) body.expires_in = Math.max(1, body.expires_in - Math.ceil(ageMs / 1000));
  return { ...answer, body: JSON.stringify(body) };
}
