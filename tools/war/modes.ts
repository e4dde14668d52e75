/** The ways that are compared. */
export interface Mode {
  name: string;
  client: 'none' | 'lock' | 'library';
  sessionTable: boolean;
  versionCheck: boolean;
}

const mode = (name: string, client: Mode['client'], sessionTable = false, versionCheck = false): Mode => ({
  name,
  client,
  sessionTable,
  versionCheck,
});

export const modes: readonly Mode[] = [
  mode('no coordination', 'none'),
  mode('client lock', 'lock'),
  mode('session table', 'none', true),
  mode('version check', 'none', false, true),
  mode('one-refresh', 'library'),
  mode('one-refresh + all', 'library', true, true),
];
