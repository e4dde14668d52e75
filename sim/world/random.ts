/** A source of chance that gives the same numbers for the same seed, on every machine. */
export interface Random {
  /** In [0, 1). */
  readonly next: () => number;
  /** An integer from `least` to `most`, both included. */
  readonly int: (least: number, most: number) => number;
  /** Any number of a range; small ones as likely as large ones. */
  readonly spread: (least: number, most: number) => number;
  readonly chance: (probability: number) => boolean;
  readonly pick: <T>(list: readonly T[]) => T;
}

/** sfc32 by Chris Doty-Humphrey: small, fast, and passes PractRand. `stream` gives independent numbers for the same seed. */
export function createRandom(seed: number, stream = 0): Random {
  let a = seed | 0;
  let b = (seed / 2 ** 32) | 0;
  let c = stream | 0;
  let counter = 1;
  function next(): number {
    const t = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t;
    c |= 0;
    return (t >>> 0) / 2 ** 32;
  }
  for (let i = 0; i < 12; i++) next();
  return {
    next,
    int: (least, most) => least + Math.floor(next() * (most - least + 1)),
    spread: (least, most) => least * (most / least) ** next(),
    chance: (probability) => next() < probability,
    pick: (list) => list[Math.floor(next() * list.length)]!,
  };
}
