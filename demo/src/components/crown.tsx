export const CROWN_PATH = 'M3 7.5l4.6 3.6L12 4l4.4 7.1L21 7.5 19.3 18H4.7L3 7.5Zm1.9 12h14.2V21H4.9v-1.5Z';

export function Crown() {
  return (
    <svg className="crown" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true">
      <path d={CROWN_PATH} fill="currentColor" />
    </svg>
  );
}
