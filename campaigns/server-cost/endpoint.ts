// The endpoint behind, for campaigns/server-cost.ts: the demo's authorization server in a process of its own, as in front of which the
// middleware stands. It tells its address, and signs in when asked.
import { startDemoServer, type DemoServer } from '../../demo/server/server.js';

/** The first message of this process. */
export type Address = Pick<DemoServer['config'], 'issuer' | 'clientId'>;
/** The answer to each message that comes: a login's first refresh token. */
export interface Login {
  readonly refreshToken: string;
}

const server = await startDemoServer({
  pages: async () => ({ handle: (_req, res) => void res.writeHead(404).end(), close: async () => {} }),
});
const tell = (message: Address | Login): void => void process.send!(message);

process.on('message', () => {
  void server.signIn('alice').then(({ refresh_token: refreshToken }) => tell({ refreshToken }));
});
process.on('disconnect', () => process.exit());
tell(server.config);
