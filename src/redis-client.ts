interface PlainClient {
  sendCommand(command: string[]): Promise<unknown>;
}

/** Whether a client sends commands as one of `redis` does. A cluster or a sentinel of `redis` has to be told to which node a command goes. */
export function sendsPlainCommands(client: unknown): client is PlainClient {
  const { sendCommand } = Object(client) as Partial<PlainClient>;
  return typeof sendCommand === 'function' && sendCommand.length <= 2;
}
