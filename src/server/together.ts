/** A statement that takes longer has met a lock or a dead connection, and holds nobody up any more. */
const PATIENCE_MS = 50;
/** The callers of a longer one would go on in step: the database waits for the endpoint behind them, and then the endpoint for the database. */
const MOST_CALLS = 10;

interface Waiting<Call, Answer> {
  readonly call: Call;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Calls that come while a statement is under way go together in the next one. A busy database needs little longer for ten short calls in one
 * statement than for one. If that statement fails, each of its calls goes alone.
 *
 *     call A ──────▶ [A] ─────▶ answered
 *     calls B, C, D: wait ─────▶ [B C D] ─────▶ answered
 *
 * @param send - one statement; its answers are in the order of its calls
 * @param keyOf - no two calls of one statement have the same key
 */
export function together<Call, Answer>(
  send: (calls: readonly Call[]) => Promise<readonly Answer[]>,
  keyOf: (call: Call) => string,
): (call: Call) => Promise<Answer> {
  let waiting: Waiting<Call, Answer>[] = [];
  let busy = false;

  async function run(these: readonly Waiting<Call, Answer>[]): Promise<void> {
    try {
      const answers = await send(these.map(({ call }) => call));
      for (const [i, { resolve }] of these.entries()) resolve(answers[i]!);
    } catch (error) {
      // guard: a call that is refused takes no other with it
      if (these.length > 1) for (const one of these) void run([one]);
      else these[0]?.reject(error);
    }
  }

  function sendNext(): void {
    busy = waiting.length > 0;
    if (!busy) return;
    const these = new Map<string, Waiting<Call, Answer>>();
    const later: Waiting<Call, Answer>[] = [];
    for (const one of waiting) {
      const key = keyOf(one.call);
      // guard: one statement has one call for each token
      if (these.size === MOST_CALLS || these.has(key)) later.push(one);
      else these.set(key, one);
    }
    waiting = later;
    // guard: a slow statement holds nobody up for long
    const patience = setTimeout(goOn, PATIENCE_MS);
    let isLast = true;
    function goOn(): void {
      clearTimeout(patience);
      if (isLast) sendNext();
      isLast = false;
    }
    void run([...these.values()]).then(goOn);
  }

  return (call) =>
    new Promise((resolve, reject) => {
      waiting.push({ call, resolve, reject });
      if (!busy) sendNext();
    });
}
