/** A TCP proxy in front of a database, which cuts connections in the middle of a statement. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface CuttingProxy {
  readonly port: number;
  /**
   * Cuts the connection of the next statement that contains the text: `'before'` the server gets it, or `'after'` the server has answered it and
   * before the client hears of that.
   */
  cutNext(text: string, when: 'before' | 'after'): void;
  /** How often it has cut. */
  readonly cuts: () => number;
  close(): Promise<void>;
}

export async function startCuttingProxy(target: number): Promise<CuttingProxy> {
  let plan: { text: string; when: 'before' | 'after' } | undefined;
  let cuts = 0;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const database = connect(target, '127.0.0.1');
    let cutAnswer = false;
    const cut = (): void => {
      cuts++;
      client.destroy();
      database.destroy();
    };
    for (const socket of [client, database]) {
      sockets.add(socket);
      socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    }
    client.on('data', (bytes) => {
      if (plan && bytes.includes(plan.text)) {
        const { when } = plan;
        plan = undefined;
        if (when === 'before') return cut();
        cutAnswer = true;
      }
      database.write(bytes);
    });
    database.on('data', (bytes) => {
      if (cutAnswer) return cut();
      client.write(bytes);
    });
    client.on('close', () => database.destroy());
    database.on('close', () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    cutNext: (text, when) => void (plan = { text, when }),
    cuts: () => cuts,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
