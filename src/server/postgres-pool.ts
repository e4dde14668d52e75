/** A pool of `pg`, or anything with such a `query`. */
export interface PostgresPool {
  /**
   * Runs one statement in a transaction of its own. Rejects when the database cannot be reached.
   *
   * @param statement - with a `name`, it is prepared once for each connection
   */
  query(statement: { text: string; values?: unknown[]; name?: string }): Promise<{ rows: unknown[] }>;
}
