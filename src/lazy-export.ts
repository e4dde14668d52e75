import { say } from '#texts';
import { fault } from './core/calls.js';
import type * as exporting from './export-session.js';

/** Loads `exportSession`, which few apps ever call. */
export function lazyExport(): Promise<typeof exporting> {
  return import('./export-session.js').catch(() => {
    throw fault('ERR_UNSUPPORTED', undefined, say('ERR_UNSUPPORTED', 'export'));
  });
}
