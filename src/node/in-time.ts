/** How long one operation on the shared part may take; milliseconds. */
export const LIMIT_MS = 3_000;

/** Rejects if an operation takes too long. Its late result is ignored. */
export function inTime<T>(
  operation: Promise<T>,
  limitMs: number = LIMIT_MS,
  late: () => Error = () => new Error('No answer in time'),
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(late()), Math.min(limitMs, 2 ** 31 - 1));
    timer.unref();
    operation.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
