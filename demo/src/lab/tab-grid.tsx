import { useLayoutEffect, useRef } from 'react';
import type { Mode } from '../rivals/modes.js';
import { drawFace } from './face.js';
import { tabUrl } from './lab.js';
import type { TabState } from './messages.js';

interface TabGridProps {
  frames: readonly string[];
  tabs: readonly TabState[];
  mode: Mode;
}

/** The frames of this page, and a picture of each tab that the browser has beside it. */
export function TabGrid({ frames, tabs, mode }: TabGridProps) {
  return (
    <section aria-label="Tabs" className="frames">
      {frames.map((name) => (
        // Our own page of our own origin: a sandbox that allowed what it needs would keep nothing out.
        // oxlint-disable-next-line react/iframe-missing-sandbox
        <iframe key={`${mode.name} ${name}`} title={`Tab ${name}`} src={tabUrl(name, mode)} />
      ))}
      {tabs
        .filter(({ real }) => real)
        .map((state) => (
          <RealTab key={state.tab} state={state} />
        ))}
    </section>
  );
}

function RealTab({ state }: { state: TabState }) {
  const face = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    if (face.current) drawFace(face.current, state);
  });
  return <div ref={face} role="group" aria-label={`Tab ${state.tab}, a browser tab of its own`} />;
}
