import { afterEach, describe, expect, test, vi } from 'vitest';
import { together } from './together.js';

afterEach(() => void vi.useRealTimers());

/** A database that answers when it is told to. */
function setUp() {
  const sent: { calls: readonly string[]; answer(): void; fail(): void }[] = [];
  const send = (calls: readonly string[]) =>
    new Promise<string[]>((resolve, reject) => {
      sent.push({
        calls,
        answer: () => resolve(calls.map((call) => `answer to ${call}`)),
        fail: () => reject(new Error(`no answer to ${calls.join()}`)),
      });
    });
  return { sent, ask: together(send, (call) => call.charAt(0)) };
}
const turn = () => new Promise((resolve) => setTimeout(resolve));

describe('together', () => {
  test('a call that comes alone goes at once', async () => {
    const { sent, ask } = setUp();
    const answer = ask('a');
    expect(sent.map(({ calls }) => calls)).toEqual([['a']]);
    sent[0]!.answer();
    expect(await answer).toBe('answer to a');
    await turn();
    void ask('b');
    expect(sent[1]?.calls).toEqual(['b']);
  });

  test('calls that come meanwhile go in the next statement', async () => {
    const { sent, ask } = setUp();
    const answers = Promise.all(['a', 'b', 'c'].map(ask));
    sent[0]!.answer();
    await turn();
    expect(sent.map(({ calls }) => calls)).toEqual([['a'], ['b', 'c']]);
    sent[1]!.answer();
    expect(await answers).toEqual(['answer to a', 'answer to b', 'answer to c']);
  });

  test('two calls for one token never share a statement', async () => {
    const { sent, ask } = setUp();
    for (const call of ['a', 'b1', 'b2', 'c', 'b3']) void ask(call);
    for (let n = 0; n < 4; n++) {
      sent[n]!.answer();
      await turn();
    }
    expect(sent.map(({ calls }) => calls)).toEqual([['a'], ['b1', 'c'], ['b2'], ['b3']]);
  });

  test('a statement that fails is tried call by call', async () => {
    const { sent, ask } = setUp();
    const answers = Promise.allSettled(['a', 'b', 'c'].map(ask));
    sent[0]!.answer();
    await turn();
    sent[1]!.fail();
    await turn();
    expect(sent.slice(2).map(({ calls }) => calls)).toEqual([['b'], ['c']]);
    sent[2]!.fail();
    sent[3]!.answer();
    expect((await answers).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    await turn();
    void ask('d');
    expect(sent[4]?.calls).toEqual(['d']);
  });

  test('a slow statement holds the next up for 50 ms', async () => {
    vi.useFakeTimers();
    const { sent, ask } = setUp();
    for (const call of ['a', 'b', 'c']) void ask(call);
    vi.advanceTimersByTime(49);
    expect(sent).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(sent[1]?.calls).toEqual(['b', 'c']);
    // Its late answer sends nothing out of turn.
    void ask('d');
    sent[0]!.answer();
    await vi.advanceTimersByTimeAsync(1);
    expect(sent).toHaveLength(2);
    sent[1]!.answer();
    await vi.advanceTimersByTimeAsync(1);
    expect(sent[2]?.calls).toEqual(['d']);
  });

  test('a statement has ten calls at most', async () => {
    vi.useFakeTimers();
    const sizes: number[] = [];
    const ask = together(
      async (calls: readonly number[]) => (sizes.push(calls.length), calls),
      (call) => String(call),
    );
    expect(await Promise.all(Array.from({ length: 25 }, (_, n) => ask(n)))).toHaveLength(25);
    expect(sizes).toEqual([1, 10, 10, 4]);
  });
});
