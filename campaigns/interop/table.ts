// The printed table, and the page that is made of it.
import type { Measured } from './judge.js';
import type { Duplicates } from './duplicates.js';
import type { OutsideAnswer, Step } from './scenario.js';

export interface Row {
  readonly server: string;
  readonly source: string;
  readonly version: string;
  readonly seconds: number;
  readonly measured: Measured;
}

const answer = ({ status, error }: OutsideAnswer): string =>
  `${status}${error === undefined ? '' : ` ${error}`}`;
const step = ({ requests, fate, asked }: Step): string =>
  `${fate}, ${requests} ${requests === 1 ? 'request' : 'requests'}${asked === 0 ? '' : `, ${asked} of 10 tabs asked`}`;
const duplicates = ({ answered, pairs, spends, goesOn }: Duplicates): string =>
  `${answered} of 5 answered${answered > 0 ? ` with ${pairs} ${pairs === 1 ? 'pair' : 'pairs'}` : ''}; ${spends} reached the server; the session ${goesOn ? 'goes on' : 'is over'}`;

export function tabsTable(rows: readonly Row[]): string {
  return markdown(
    [
      'server',
      'version',
      'requests at expiries',
      'a used token from outside',
      'then',
      'a lost answer',
      'a dead token',
      'after the sign-out the token is answered',
    ],
    rows.map(({ server, source, version, measured }) => [
      server,
      `${version} (${source})`,
      `${measured.requests} at ${measured.expiries}`,
      answer(measured.replay),
      step(measured.replay),
      step(measured.lostAnswer),
      `${measured.deadToken.how}; ${answer(measured.deadToken.answer)}: ${step(measured.deadToken)}`,
      measured.signOut.revoked
        ? answer(measured.signOut)
        : `${answer(measured.signOut)}: nothing to revoke with`,
    ]),
  );
}

export function duplicatesTable(rows: readonly Row[]): string {
  return markdown(
    ['server', 'five at once', 'behind `createIdempotentRotation`'],
    rows.flatMap(({ server, measured: { duplicates: figures } }) =>
      figures ? [[server, duplicates(figures.bare), duplicates(figures.guarded)]] : [],
    ),
  );
}

/** As Prettier writes a table. */
function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((cell, column) =>
    Math.max(3, cell.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

/** docs/interop.md. */
export function page(rows: readonly Row[], skipped: readonly string[], about: string): string {
  return `# Real servers

Written by \`npm run interop -- --page docs/interop.md\`; not to be edited. ${about}

Each server runs as a process of its own, as it comes from npm or from Debian, with a public client, the authorization code flow with PKCE
and refresh tokens that work once. Ten real tabs of one Chromium sign in with \`one-refresh/login\` and refresh with \`refreshTokenGrant\`; at
each expiry all of them ask twice at the same moment. A small proxy in front of the server counts the token requests. The app differs in its
settings only: see [server settings](server-settings.md#servers-that-the-tests-run).

- **A used token from outside**: somebody without the tabs' coordination sends the refresh token that was used last.
- **A lost answer**: the proxy forwards one refresh and drops its answer.
- **A dead token**: the session's refresh token is revoked at the server, by the app or on the user's page; where nothing can be revoked, it is
  spent elsewhere.

\`response_lost\`, \`refresh_rejected\` and \`refresh_unanswered\` are the [reasons](failures.md#why-a-session-was-lost) with which the one tab was told.

${tabsTable(rows)}

## Duplicates behind our middleware

Five requests with the same refresh token leave at once, without an idempotency key: to the server as it is, and to the server with
[\`createIdempotentRotation\`](server-settings.md#your-own-token-endpoint) in front of it.

${duplicatesTable(rows)}
${skipped.map((line) => `\n${line}\n`).join('')}`;
}
