/** Of an OAuth error code; RFC 6749 sets no limit. */
const MOST_CODE = 64;
/** Of a description or a message. */
const MOST_MESSAGE = 256;
/** No piece of a token that is as long as this is shown. Shorter ones are words. */
const PIECE = 8;
/** So short a token has nothing to hide; and every text would be full of it. */
const LEAST_SECRET = 4;
/** The replacement of a token. */
const REMOVED = '[token]';

/** The characters of an OAuth `error` and `error_description` (RFC 6749, appendix A.7 and A.8), and of a message. */
const OAUTH = '\\x20-\\x21\\x23-\\x5B\\x5D-\\x7E';
const PRINTABLE = '\\x20-\\x7E\\xA0-\\uD7FF\\uE000-\\uFFFD';

/** The text that is stored and told to other tabs, as it is read there. */
export const errorCodePattern: RegExp = pattern(OAUTH, MOST_CODE);
export const descriptionPattern: RegExp = pattern(OAUTH, MOST_MESSAGE);
export const messagePattern: RegExp = pattern(PRINTABLE, MOST_MESSAGE);

function pattern(characters: string, most: number): RegExp {
  return new RegExp(`^[${characters}]{0,${most}}$`);
}

/** Secrets that must not show in any text: tokens, as far as they are known. */
export type Secrets = readonly unknown[];

/** The members that identify an error. */
export interface Cause {
  readonly name: string;
  readonly message: string;
}

/** Takes the known tokens out of a text, and their pieces: a server may show the beginning of one only. */
function redact(text: string, secrets: Secrets): string {
  let shown = text;
  for (const secret of secrets) {
    if (typeof secret !== 'string' || secret.length < LEAST_SECRET) continue;
    for (let at = 0; at < shown.length; at++) {
      let end = at + Math.min(PIECE, secret.length);
      if (end > shown.length || !secret.includes(shown.slice(at, end))) continue;
      while (end < shown.length && secret.includes(shown.slice(at, end + 1))) end++;
      shown = shown.slice(0, at) + REMOVED + shown.slice(end);
      at += REMOVED.length - 1;
    }
  }
  return shown;
}

function cut(text: unknown, secrets: Secrets, characters: string, most: number): string {
  if (typeof text !== 'string') return '';
  // Twice: a removed part may have stood in the middle of a token.
  const known = redact(text.slice(0, 4 * MOST_MESSAGE), secrets);
  return redact(known.replace(new RegExp(`[^${characters}]`, 'g'), ''), secrets).slice(0, most);
}

/** An OAuth `error` that may be shown, stored and told. */
export function errorCode(text: unknown, secrets: Secrets = []): string {
  return cut(text, secrets, OAUTH, MOST_CODE) || 'unknown_error';
}

/** An `error_description` that may be shown, stored and told; `undefined` if there is none. */
export function errorDescription(text: unknown, secrets: Secrets = []): string | undefined {
  return cut(text, secrets, OAUTH, MOST_MESSAGE) || undefined;
}

/** The message of an error of somebody else. */
export function messageOf(text: unknown, secrets: Secrets = []): string {
  return cut(text, secrets, PRINTABLE, MOST_MESSAGE);
}

/** The parts of a foreign error that may be kept: it may carry its request, refresh token included (axios does). */
export function causeOf(error: unknown, secrets: Secrets = []): Cause {
  const { name, message } = Object(error) as Partial<Cause>;
  return { name: messageOf(name, secrets) || 'Error', message: messageOf(message, secrets) };
}
