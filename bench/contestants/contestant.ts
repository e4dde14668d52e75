/** RFC 6749 §5.1, with an ID token. */
export type TokenResponse = {
  access_token: string;
  token_type: string;
  expires_in: number;
  refresh_token: string;
  id_token: string;
  scope: string;
};

/** One way for a tab to come by an access token, as an app would set it up. */
export interface Client {
  /** The app's "give me a token". @throws (or gives none) where the user has to sign in, or it may work later */
  getToken: () => Promise<string | null | undefined>;
  /** The same without waiting, where there is such a thing. */
  peek?: () => string | undefined;
  /** Begins a session with these tokens: where the tokens of a sign-in would be kept, in memory too. */
  signIn(tokens: TokenResponse): Promise<void>;
}

/** The export of a module of this folder: `create`: the app's work when its page starts. */
export type CreateClient = () => Client | Promise<Client>;
