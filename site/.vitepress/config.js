// The documentation as a site: `npm run site`. The pages are those of docs/, which are read on GitHub as well; nothing is written twice.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { defineConfig } from 'vitepress';

const { repository } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
const source = `${repository.url.replace(/^git\+|\.git$/g, '')}/blob/main`;
const docs = path.resolve(import.meta.dirname, '../../docs');

const page = (text, name) => ({ text, link: `/${name}` });

export default defineConfig({
  title: 'one-refresh',
  description: 'Many tabs, one refresh of a single-use OAuth refresh token',
  base: process.env.SITE_BASE ?? '/',
  srcDir: '../docs',
  cleanUrls: true,
  lastUpdated: false,
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    socialLinks: [{ icon: 'github', link: source.replace('/blob/main', '') }],
    nav: [
      page('Start', 'getting-started'),
      page('Guides', 'recipes'),
      page('Reference', 'api/README'),
      page('How it works', 'concepts'),
    ],
    sidebar: [
      {
        text: 'Start',
        items: [
          page('Do I need this?', ''),
          page('Getting started', 'getting-started'),
          page('Concepts', 'concepts'),
          page('Providers', 'providers'),
          page('Alternatives', 'alternatives'),
        ],
      },
      {
        text: 'Guides',
        items: [
          page('Recipes', 'recipes'),
          page('Server settings', 'server-settings'),
          page('Real servers', 'interop'),
          page('Refresh worker', 'refresh-worker'),
          page('Between processes', 'node'),
          page('Migrating and rolling back', 'migrating'),
          page('When something fails', 'failures'),
          page('Error messages', 'errors'),
          page('Troubleshooting', 'troubleshooting'),
          page('Why was my user signed out?', 'signed-out'),
          page('The monitor', 'monitor'),
          page('Questions', 'faq'),
        ],
      },
      {
        text: 'Reference',
        items: [
          page('API', 'api/README'),
          page('Browser support', 'browser-support'),
          page('Versions and licences', 'versions'),
        ],
      },
      {
        text: 'How it works',
        collapsed: true,
        items: [
          page('Architecture', 'architecture'),
          page('Protocol', 'protocol'),
          page('How it is verified', 'verification'),
          page('Engines', 'engines'),
          page('Chaos', 'chaos'),
          page('The token war', 'war'),
          page('Benchmarks', 'benchmarks'),
          page('Decisions', 'decisions/README'),
        ],
      },
    ],
  },
  markdown: {
    config(md) {
      // The pages link to examples, tests and SECURITY.md, which are no pages of the site: there the link leads to the repository.
      md.core.ruler.after('inline', 'repository-links', (state) => {
        for (const block of state.tokens) {
          for (const token of block.children ?? []) {
            const href = token.type === 'link_open' ? token.attrGet('href') : undefined;
            if (!href || /^([a-z]+:|#|\/)/.test(href)) continue;
            const [file, hash = ''] = href.split(/(?=#)/);
            const target = path.resolve(docs, path.dirname(state.env.relativePath ?? ''), file);
            const isPage = target.startsWith(docs + path.sep) && target.endsWith('.md');
            if (!isPage)
              token.attrSet('href', `${source}/${path.relative(path.dirname(docs), target)}${hash}`);
          }
        }
      });
    },
  },
});
