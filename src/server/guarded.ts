interface Reporters {
  reportError?: (error: unknown) => void;
  process?: { emitWarning?: (warning: string | Error) => void };
}

/** Runs a callback of the user. Its fault is reported, and breaks nothing here. */
export function guarded(run: () => void): void {
  try {
    run();
  } catch (error) {
    const { reportError, process } = globalThis as Reporters;
    if (reportError) reportError(error);
    else process?.emitWarning?.(error instanceof Error ? error : String(error));
  }
}
