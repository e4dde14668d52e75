// Loaded when an API wants a step-up. It imports nothing that the rest of the login has, so that a bundler makes one chunk of it.
import { parseChallenges } from '../fetch/challenge.js';

/** The demands of a challenge (RFC 9470 §3), or its fault. */
export function readStepUp({
  headers,
}: Response):
  | { readonly acrValues: string | undefined; readonly maxAge: number | undefined }
  | { readonly code: string; readonly message: string } {
  const parameters = parseChallenges(headers.get('www-authenticate') ?? '').find(
    (challenge) => challenge.parameters.get('error') === 'insufficient_user_authentication',
  )?.parameters;
  if (!parameters) {
    return {
      code: 'challenge_invalid',
      message:
        'This response asks for no step-up; across origins the API has to expose WWW-Authenticate (CORS)',
    };
  }
  const maxAge = Number(parameters.get('max_age') || NaN);
  return { acrValues: parameters.get('acr_values'), maxAge: maxAge >= 0 ? maxAge : undefined };
}
