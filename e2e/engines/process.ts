import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';

export interface Running {
  readonly child: ChildProcess;
  /** Ends it and waits until it is gone. */
  stop(): Promise<void>;
}

/** Starts a program that lives as long as the tests need it. */
export function start(
  file: string,
  args: readonly string[],
  options: { stdio: StdioOptions; env?: NodeJS.ProcessEnv },
): Running {
  const child = spawn(file, args, options);
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return {
    child,
    async stop() {
      child.kill();
      await gone;
    },
  };
}
