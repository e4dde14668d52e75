// Loaded when an API wants a step-up. It imports nothing that the rest of the login has, so that a bundler makes one chunk of it.
import { parseChallenges } from '../fetch/challenge.js';
import type { TokenCoordinator } from '../types.js';
import type { StartOptions } from './options.js';

/** The sign-in that an API demands, and the user who has to come back from it; or the fault of its challenge. */
type StepUp =
  | {
      readonly acrValues?: string | readonly string[] | undefined;
      readonly maxAge?: number | undefined;
      readonly subject: string | undefined;
    }
  | { readonly code: string; readonly message: string };

/** @param challenge - a response, whose challenge is read (RFC 9470 §3), or the demands themselves */
export async function readStepUp(
  challenge: Response | Pick<StartOptions, 'acrValues' | 'maxAge'>,
  coordinator: TokenCoordinator,
  readClaims: (jwt: string) => Readonly<Record<string, unknown>>,
): Promise<StepUp> {
  // Before the first read nobody is known; and another login may have begun the session without a subject.
  // guard: login: a step-up knows its user before the first read
  await coordinator.ready;
  const { sub } = readClaims(coordinator.peekIdToken() ?? '');
  // guard: login: a step-up knows its user by the ID token
  const subject = coordinator.getSnapshot().subject ?? (sub as string | undefined);
  if (!('headers' in challenge)) return { ...challenge, subject };
  const parameters = parseChallenges(challenge.headers.get('www-authenticate') ?? '').find(
    (one) => one.parameters.get('error') === 'insufficient_user_authentication',
  )?.parameters;
  if (!parameters) {
    return {
      code: 'challenge_invalid',
      message:
        'This response asks for no step-up; across origins the API has to expose WWW-Authenticate (CORS)',
    };
  }
  const maxAge = Number(parameters.get('max_age') || NaN);
  return { acrValues: parameters.get('acr_values'), maxAge: maxAge >= 0 ? maxAge : undefined, subject };
}
