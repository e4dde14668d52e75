import { afterEach, describe, expect, test, vi } from 'vitest';

afterEach(() => {
  vi.unstubAllGlobals();
  vi.resetModules();
});

/** The same code where the process has `node:crypto`, and where it has WebCrypto only. */
async function load(runtime: 'node' | 'web') {
  vi.resetModules();
  if (runtime === 'web') vi.stubGlobal('process', undefined);
  const modules = { ...(await import('./sealed-answer.js')), ...(await import('./digest.js')) };
  vi.unstubAllGlobals();
  return modules;
}

const answer = JSON.stringify({ access_token: 'ä'.repeat(3_000) });

describe.each([
  ['node', 'node'],
  ['node', 'web'],
  ['web', 'node'],
  ['web', 'web'],
] as const)('sealed by %s, opened by %s', (sealedBy, openedBy) => {
  test('gives the answer to the token only', async () => {
    const box = await (await load(sealedBy)).seal(answer, 'R1');
    const { unseal } = await load(openedBy);
    expect(await unseal(box, 'R1')).toBe(answer);
    await expect(unseal(box, 'R2')).rejects.toBeInstanceOf(Error);
  });

  test('refuses every change', async () => {
    const { seal, base64url, fromBase64url } = await load(sealedBy);
    const box = fromBase64url(await seal(answer, 'R1'));
    const { unseal } = await load(openedBy);
    for (const at of [0, 16, 28, box.length - 17, box.length - 1]) {
      const changed = box.slice();
      changed[at]! ^= 1;
      await expect(unseal(base64url(changed), 'R1')).rejects.toBeInstanceOf(Error);
    }
    for (const length of [0, 3, 28, 40, box.length - 1])
      await expect(unseal(base64url(box.slice(0, length)), 'R1')).rejects.toBeInstanceOf(Error);
  });
});

test('both runtimes make the same digests', async () => {
  const [node, web] = [await load('node'), await load('web')];
  for (const parts of [['token', 'R1'], ['holder', 'ä', null], ['']] as const)
    expect(await node.digest(...parts)).toBe(await web.digest(...parts));
});

test('no two boxes of one answer are equal', async () => {
  for (const runtime of ['node', 'web'] as const) {
    const { seal } = await load(runtime);
    expect(await seal(answer, 'R1')).not.toBe(await seal(answer, 'R1'));
  }
});
