import type { Profile } from './plan.js';
import { runSchedule, type Result } from './run.js';

/**
 * The same violation with as few faults and actions as possible: leaves out halves, then quarters, and so on down to
 * single ones, as long as the same invariant breaks (delta debugging, Zeller).
 */
export async function shrink(seed: number, profile: Profile, found: Result): Promise<Set<string>> {
  const spared = new Set<string>();
  const invariant = found.violation?.invariant;
  let needed = [...new Set(found.injected)];
  for (let size = Math.ceil(needed.length / 2); size >= 1;) {
    let changed = false;
    for (let start = 0; start < needed.length;) {
      const left = needed.slice(start, start + size);
      const result = await runSchedule(seed, profile, {
        spared: new Set([...spared, ...left]),
        plan: found.plan,
      });
      if (result.violation?.invariant === invariant) {
        for (const name of left) spared.add(name);
        // An event that did not happen because of it need not be spared, and what happens now instead can be.
        needed = [...new Set(result.injected)];
        changed = true;
      } else start += size;
    }
    if (size === 1 && !changed) break;
    size = size === 1 ? 1 : Math.ceil(size / 2);
  }
  return spared;
}
