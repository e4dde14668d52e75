// The app that docs/getting-started.md tells to write, and its Vite configuration, out of the blocks of the docs.
import { readFileSync } from 'node:fs';

const PAGE = 'docs/getting-started.md';

/** Each file of the app, and a line by which its block is known. */
const SIGNS = {
  'session.ts': 'export const coordinator',
  'App.tsx': 'export default function App',
  'main.tsx': 'createRoot(document',
};

/** The files below `src/`, with the reader's own server: `issuer` is an expression, `clientId` a text. */
export function documentedFiles(issuer: string, clientId: string): [name: string, text: string][] {
  const blocks = [...readFileSync(PAGE, 'utf8').matchAll(/^```tsx?\n([\s\S]*?)^```/gm)].map(
    ([, text = '']) => text,
  );
  return Object.entries(SIGNS).map(([name, sign]) => {
    const block = blocks.find((text) => text.includes(sign));
    if (block === undefined) throw new Error(`${PAGE} has no block with: ${sign}`);
    return [
      name,
      block
        .replaceAll("'https://id.example.com'", issuer)
        .replaceAll("clientId: 'my-app'", `clientId: '${clientId}'`),
    ];
  });
}

/** With the library in a file of its own: docs/browser-support.md. */
export function documentedViteConfig(): string {
  const [, text] =
    /^```ts\n(\/\/ vite\.config\.ts\n[\s\S]*?)^```/m.exec(readFileSync('docs/browser-support.md', 'utf8')) ??
    [];
  if (text === undefined) throw new Error('docs/browser-support.md has no vite.config.ts');
  return text;
}

/** The lines of the page's first block of commands. */
export function documentedCommands(): string[] {
  const [, text = ''] = /^```sh\n([\s\S]*?)^```/m.exec(readFileSync(PAGE, 'utf8')) ?? [];
  return text.split('\n').filter(Boolean);
}
