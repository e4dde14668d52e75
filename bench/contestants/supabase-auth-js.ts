import { GoTrueClient } from '@supabase/auth-js';
import type { Client } from './contestant.js';

/** As supabase-js sets it up in a browser: localStorage, a channel between the tabs, refresh ahead of expiry. */
export function create(): Client {
  const client = new GoTrueClient({
    url: `${location.origin}/auth/v1`,
    storageKey: 'sb-bench-auth-token',
    storage: localStorage,
    persistSession: true,
    autoRefreshToken: true,
    detectSessionInUrl: false,
  });
  return {
    async getToken() {
      const { data, error } = await client.getSession();
      if (error) throw error;
      return data.session?.access_token;
    },
    async signIn({ access_token, refresh_token }) {
      const { error } = await client.setSession({ access_token, refresh_token });
      if (error) throw error;
    },
  };
}
