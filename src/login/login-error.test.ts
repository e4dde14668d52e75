import { expect, test } from 'vitest';
import { RefreshUnavailableError } from '../core/errors.js';
import { asLoginError } from './login-error.js';

test('the message says why, and tells no secret', () => {
  const cause = { name: 'Error', message: 'POST failed: code=the-code&code_verifier=the-verifier' };
  const { message } = asLoginError(new RefreshUnavailableError({ cause }), [
    'the-code',
    'the-verifier',
  ]) as Error;
  expect(message).toBe('The authorization server gave no usable answer: POST failed: code=…&code_verifier=…');
});
