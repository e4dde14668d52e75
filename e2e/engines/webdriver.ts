// As much of WebDriver (W3C) as the tests need, over HTTP, because Playwright does not drive the WebKit that Linux distributions ship.

export interface WebDriverSession {
  command(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<unknown>;
  end(): Promise<void>;
}

export async function startSession(driver: string, capabilities: object): Promise<WebDriverSession> {
  const created = await send(driver, 'POST', '/session', { capabilities: { alwaysMatch: capabilities } });
  const path = `/session/${(created as { sessionId: string }).sessionId}`;
  return {
    command: (method, command, body) => send(driver, method, path + command, body),
    async end() {
      await send(driver, 'DELETE', path);
    },
  };
}

async function send(driver: string, method: string, path: string, body: object = {}): Promise<unknown> {
  const response = await fetch(driver + path, {
    method,
    ...(method === 'POST' ? { body: JSON.stringify(body) } : {}),
    headers: { 'content-type': 'application/json' },
  });
  const { value } = (await response.json()) as { value: { error?: string; message?: string } | null };
  if (!response.ok) throw new Error(`WebDriver ${method} ${path}: ${value?.error} ${value?.message}`);
  return value;
}
