/**
 * How long a server asks to wait (RFC 9110 §10.2.3: seconds, or an HTTP-date in any of its three formats).
 * A date is measured against the server's own `Date` where that can be read, since the local clock may be wrong.
 *
 * @param headers - of the answer; across origins both are readable only if the server exposes them
 * @param now - epoch milliseconds
 * @returns milliseconds, never negative; `undefined` if the server did not say or it cannot be read
 */
export function readRetryAfter(headers: Headers, now: number): number | undefined {
  const value = headers.get('retry-after')?.trim();
  if (!value) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const until = readHttpDate(value);
  if (until === undefined) return undefined;
  return Math.max(0, until - (readHttpDate(headers.get('date')) ?? now));
}

/** Epoch milliseconds of an HTTP-date (RFC 9110 §5.6.7), or `undefined`. */
export function readHttpDate(value: string | null): number | undefined {
  // `Date.parse` alone would read "1.5" as a day of 2001, and the asctime format as local time.
  if (value === null || !/^[A-Z][a-z]{2,8},? .*\d\d:\d\d:\d\d/.test(value)) return undefined;
  const at = Date.parse(value.endsWith('GMT') ? value : `${value} GMT`);
  return Number.isNaN(at) ? undefined : at;
}
