// A name for this tab, so that people can talk about it: "Otter leads". Kept for its reloads, not for its copies.
const NAMES = [
  'Otter',
  'Heron',
  'Lynx',
  'Finch',
  'Badger',
  'Marten',
  'Ibex',
  'Wren',
  'Seal',
  'Robin',
  'Hare',
  'Newt',
];
const KEY = 'demo.tab-name';

export interface TabName {
  name: string;
  /** Of the colour wheel, degrees. */
  hue: number;
}

export function tabName(): TabName {
  // A duplicated tab inherits the session storage; that it was not reloaded gives it away.
  const [navigation] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[];
  const returning = navigation?.type !== 'navigate' || document.referrer !== '';
  const index =
    (returning ? Number(sessionStorage.getItem(KEY) ?? NaN) : NaN) || Math.ceil(Math.random() * 999);
  sessionStorage.setItem(KEY, String(index));
  const name = NAMES[index % NAMES.length] ?? 'Otter';
  return { name: `${name} ${1 + (Math.floor(index / NAMES.length) % 9)}`, hue: (index * 47) % 360 };
}
