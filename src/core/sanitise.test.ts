import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type * as errors from './errors.js';
import { isTokenCoordinatorError, TokenCoordinatorError } from './errors.js';
import {
  causeOf,
  descriptionPattern,
  errorCode,
  errorCodePattern,
  errorDescription,
  messageOf,
  messagePattern,
} from './sanitise.js';

const TOKEN = 'kJ8s-3hQ0zV7mB2x';

describe('an OAuth error', () => {
  test.each([
    ['invalid_grant', 'invalid_grant'],
    ['a "quoted\\ code"\n\u2028\u00e9', 'a quoted code'],
    ['x'.repeat(100), 'x'.repeat(64)],
    ['', 'unknown_error'],
    [5, 'unknown_error'],
    [{ toString: () => 'invalid_grant' }, 'unknown_error'],
    [`bad:${TOKEN}`, 'bad:[token]'],
  ])('%j is shown as %j', (given, shown) => {
    expect(errorCode(given, [TOKEN])).toBe(shown);
  });

  test('its description is no longer than a sentence', () => {
    expect(errorDescription('x'.repeat(10_000))).toBe('x'.repeat(256));
    expect(errorDescription('')).toBeUndefined();
    expect(errorDescription(null)).toBeUndefined();
  });
});

describe('of a known token', () => {
  test.each([
    ['all of it', `Token ${TOKEN} expired`, 'Token [token] expired'],
    ['its beginning', `Token ${TOKEN.slice(0, 9)}... expired`, 'Token [token]... expired'],
    ['its end', `Token ...${TOKEN.slice(-8)}`, 'Token ...[token]'],
    ['it twice', `${TOKEN}${TOKEN} ${TOKEN}`, '[token][token] [token]'],
    ['it in quotes of another kind', `"${TOKEN}"`, '[token]'],
    ['it with what is cut out in the middle', `${TOKEN.slice(0, 5)}"${TOKEN.slice(5, 12)}`, '[token]'],
    ['it in a query', `/token?refresh_token=${TOKEN}&x=1`, '/token?refresh_token=[token]&x=1'],
  ])('%s is taken out', (_, given, shown) => {
    expect(errorDescription(given, [undefined, TOKEN])).toBe(shown);
  });

  test('a short one goes as a whole, and words stay', () => {
    expect(errorDescription('bad RT-1, retry', ['RT-1'])).toBe('bad [token], retry');
    expect(errorDescription('bad x', ['x'])).toBe('bad x');
  });

  test('no piece is left, whatever stands around it', () => {
    const character = fc.constantFrom(...'abcXYZ019-._~+/="\\ \n'.split(''));
    const text = fc.string({ unit: character, maxLength: 300 });
    const hides = fc.property(
      text,
      fc.string({ unit: character, minLength: 8, maxLength: 60 }),
      text,
      (...[a, token, b]) => {
        const given = a + token + b;
        return [errorCode(given, [token]), errorDescription(given, [token]), messageOf(given, [token])].every(
          (shown = '') => shown.split('[token]').every((part) => !holdsPiece(part, token)),
        );
      },
    );
    expect(fc.check(hides, { numRuns: 3_000 }).counterexample).toBeNull();
  });

  test('a stored record can be read again', () => {
    const isRead = fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (text) => {
      const read = [
        errorCodePattern.test(errorCode(text)),
        descriptionPattern.test(errorDescription(text) ?? ''),
        messagePattern.test(messageOf(text)),
      ];
      return read.every(Boolean);
    });
    expect(fc.check(isRead, { numRuns: 3_000 }).counterexample).toBeNull();
  });
});

function holdsPiece(shown: string, token: string): boolean {
  for (let at = 0; at + 8 <= shown.length; at++) if (token.includes(shown.slice(at, at + 8))) return true;
  return false;
}

test('of a foreign error name and message are kept', () => {
  const axios = Object.assign(new Error(`POST ${TOKEN}`), { name: 'AxiosError', config: { data: TOKEN } });
  expect(causeOf(axios, [TOKEN])).toEqual({ name: 'AxiosError', message: 'POST [token]' });
  expect(causeOf('text')).toEqual({ name: 'Error', message: '' });
  expect(causeOf(null)).toEqual({ name: 'Error', message: '' });
});

describe('an error of a coordinator', () => {
  test('is told by its brand, also of another copy', async () => {
    const path = './errors.js?copy';
    const copy = (await import(/* @vite-ignore */ path)) as typeof errors;
    const foreign = new copy.TokenCoordinatorError('ERR_TIMEOUT', 'late');
    expect(foreign).not.toBeInstanceOf(TokenCoordinatorError);
    expect(isTokenCoordinatorError(foreign)).toBe(true);
    expect(isTokenCoordinatorError(new TokenCoordinatorError('ERR_TIMEOUT', 'late'))).toBe(true);
  });

  test.each([
    [Object.assign(new Error('mine'), { code: 'ERR_UNSUPPORTED' })],
    [{ name: 'TokenCoordinatorError', code: 'ERR_TIMEOUT' }],
    [undefined],
    [null],
    ['ERR_TIMEOUT'],
  ])('%s is none', (value) => {
    expect(isTokenCoordinatorError(value)).toBe(false);
  });

  test('shows its brand nowhere', () => {
    const error = new TokenCoordinatorError('ERR_TIMEOUT', 'late');
    expect(JSON.parse(JSON.stringify(error))).toEqual({ name: 'TokenCoordinatorError', code: 'ERR_TIMEOUT' });
    expect(Object.getOwnPropertySymbols(Object.assign({}, error))).toEqual([]);
  });
});
