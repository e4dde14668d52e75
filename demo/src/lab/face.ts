// The display of a tab: in its own frame, and on the lab page for those that are browser tabs of their own.
import { CROWN_PATH } from '../components/crown.js';
import type { TabState } from './messages.js';
import { LIFE_S } from './server.js';

const WORDS: Record<TabState['status'], string> = {
  fresh: 'has a token',
  asking: 'asking…',
  lost: 'signed out',
  waiting: 'will try again',
  'signed-out': 'not signed in',
};

const FACE = `<strong></strong>
  <svg class="crown" viewBox="0 0 24 24" width="20" height="20" role="img" aria-label="leader"><path d="${CROWN_PATH}" fill="currentColor"/></svg>
  <b></b><p></p><i aria-hidden="true"></i>`;

/** Built once and then changed in place, so that whoever reads it with a screen reader is not thrown out. */
export function drawFace(face: HTMLElement, state: TabState): void {
  const { tab, leader, real, version, status, expiresAt } = state;
  const leftS = status === 'fresh' ? Math.max(0, Math.ceil((expiresAt - Date.now()) / 1000)) : 0;
  if (face.childElementCount === 0) face.innerHTML = FACE;
  const write = (part: string, text: string) => {
    const element = face.querySelector(part)!;
    if (element.textContent !== text) element.textContent = text;
  };
  write('strong', real ? `${tab} ↗` : tab);
  write('b', version === 0 ? '–' : `v${version}`);
  write('p', leftS > 0 ? `${WORDS[status]} · ${leftS} s` : WORDS[status]);
  face.classList.add('face');
  face.dataset['status'] = status;
  face.toggleAttribute('data-leader', leader);
  face.style.setProperty('--left', String(Math.min(1, leftS / LIFE_S)));
}
