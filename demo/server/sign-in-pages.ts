// Signing in: one page with two people on it, or none at all where the request names the user (`login_hint`). Consent is given silently.
import type http from 'node:http';
import type { Provider } from 'oidc-provider';
import { renderSignInPage } from './sign-in-page.js';
import { findUser } from './users.js';

export interface SignInPagesOptions {
  resources: readonly string[];
  apiScope: string;
}

export function createSignInPages(provider: Provider, { resources, apiScope }: SignInPagesOptions) {
  return async (req: http.IncomingMessage, res: http.ServerResponse): Promise<void> => {
    let details;
    try {
      details = await provider.interactionDetails(req, res);
    } catch {
      res.writeHead(400, { 'content-type': 'text/plain; charset=utf-8' });
      res.end('This sign-in has expired. Go back to the demo and start it again.');
      return;
    }
    const { params, prompt, session } = details;

    if (prompt.name === 'consent' && session !== undefined) {
      const { accountId } = session;
      const grant =
        (details.grantId && (await provider.Grant.find(details.grantId))) ||
        new provider.Grant({ accountId, clientId: String(params['client_id']) });
      grant.addOIDCScope('openid offline_access');
      for (const resource of resources) grant.addResourceScope(resource, apiScope);
      const consent = { grantId: await grant.save() };
      await provider.interactionFinished(req, res, { consent }, { mergeWithLastSubmission: true });
      return;
    }

    const chosen =
      req.method === 'POST'
        ? (await readForm(req)).get('user')
        : (params['login_hint'] as string | undefined);
    if (chosen === 'nobody') {
      const denied = { error: 'access_denied', error_description: 'The user went back' };
      await provider.interactionFinished(req, res, denied);
      return;
    }
    const user = findUser(chosen ?? undefined);
    if (user === undefined) {
      res.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
      res.end(renderSignInPage(`/interaction/${details.uid}`));
      return;
    }
    await provider.interactionFinished(req, res, { login: { accountId: user.id } });
  };
}

async function readForm(req: http.IncomingMessage): Promise<URLSearchParams> {
  let text = '';
  for await (const chunk of req) text += String(chunk);
  return new URLSearchParams(text);
}
