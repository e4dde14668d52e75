import type { Step } from './debug/describe.js';
import type { Ports } from './runtime.js';

/** The values of the option `debug`. */
export type Debug = boolean | ((line: string) => void) | undefined;

interface Describer {
  readonly describe: (step: Step) => string | undefined;
}

/**
 * Ports that print each step, where that is wanted. `debugLog` brings the words for it along; else they are loaded, and the steps wait for them.
 * @param load - fails where code cannot be loaded later: in a service worker
 */
export function withDebug<P extends Pick<Ports, 'observe' | 'clock'>>(
  ports: P,
  { name, debug }: { readonly name: string; readonly debug: Debug },
  load: () => Promise<Describer>,
): P {
  if (!debug) return ports;
  // oxlint-disable-next-line no-console -- the developer asked for it
  const print = debug === true ? (line: string): void => console.debug(line) : debug;
  let { describe } = print as Partial<Describer>;
  let before: Step['before'];
  const waiting: Step[] = [];
  const printAll = (): void => {
    const toLine = describe;
    if (!toLine) return;
    for (const step of waiting.splice(0)) {
      try {
        const line = toLine(step);
        if (line) print(line);
      } catch {
        // A log that does not work stops nothing.
      }
    }
  };
  if (!describe)
    void load()
      .catch((): Describer => ({ describe: (step) => (step.before ? undefined : ADVICE) }))
      .then((loaded) => {
        ({ describe } = loaded);
        printAll();
      });
  return {
    ...ports,
    observe(event, after, effects) {
      waiting.push({ name, at: ports.clock.wall(), event, before, after, effects });
      before = after;
      printAll();
      ports.observe?.(event, after, effects);
    },
  };
}

const ADVICE = 'one-refresh: give `debug: debugLog`, from one-refresh/debug';
