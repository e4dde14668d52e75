'use client';
// Next.js, app router: `app/callback/page.tsx`. The session lives in the browser, so a component of the client finishes the sign-in; the
// module that makes coordinator and login may be imported by the server as well, where both do nothing.
import { useEffect } from 'react';
import { useLogin } from 'one-refresh/react';

/** `onDone` is, for example, `(path) => router.replace(path)` with `useRouter()` of `next/navigation`. */
export function CallbackPage({ onDone }: { onDone: (path: string) => void }) {
  const { finish, start, error } = useLogin();
  useEffect(() => {
    void finish().then((done) => done && onDone(done.returnTo));
  }, [finish, onDone]);
  if (!error) return <p>One moment</p>;
  return <button onClick={() => void start({ returnTo: '/' })}>{error.message}. Try again</button>;
}
