import { TokenCoordinatorError } from '../core/errors.js';

/**
 * An older process must not work on tables that it does not know. One that works already goes on: a step of a schema only adds.
 *
 * @param found - the version of the database's schema; 0 where there is none
 * @param known - the version that this process works with
 * @throws `ERR_CONFIGURATION` if the database is newer
 */
export function refuseNewer(found: number, known: number): void {
  // guard: a newer schema is refused
  if (found <= known) return;
  throw new TokenCoordinatorError(
    'ERR_CONFIGURATION',
    `The database has version ${found} of the schema of one-refresh/server, and this process knows versions up to ${known}: ` +
      'update the package one-refresh here',
  );
}
